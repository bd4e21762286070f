import { describe, expect, it } from 'vitest';
import { checkPhase } from '#domain/check';
import { BackupNotWholeError } from '#domain/errors';
import type { FoundPath } from '#domain/inspection';
import { decodeList, encodeList, encodeText, keySafe } from '#domain/naming';
import { incompletePuppet, planPuppetBackup } from '#domain/systems/puppet-enterprise';
import { archivesOf, outermost } from '#domain/systems/puppet-paths';
import { manifestOf } from './cli-fixtures.ts';

const found = (path: string, because: FoundPath['because'] = 'product'): FoundPath => ({ path, because, by: '' });

const nothing = { configuration: [], certificates: [], modules: [], mcollective: [], installer: [] };

describe('the archives of a node', () => {
  it('hold each path once, also where names begin alike', () => {
    const paths = ['/srv/a', '/srv/a/b', '/srv/a b', '/srv/a-b/c', '/srv', '/var/x'].map((path) => found(path));
    expect(outermost(paths).map(({ path }) => path)).toEqual(['/srv', '/var/x']);
    expect(
      outermost(paths.slice(0, 4))
        .map(({ path }) => path)
        .toSorted(),
    ).toEqual(['/srv/a', '/srv/a b', '/srv/a-b/c']);
  });

  it('are several when their paths are more than one command takes, and every path is in one of them', () => {
    const modules = Array.from({ length: 1500 }, (_, index) =>
      found(`/srv/cache/module_with_a_long_name_${index}`, 'link'),
    );
    const archives = archivesOf({ ...nothing, configuration: [found('/etc/puppetlabs')], modules }, ['/srv/extra']);
    expect(archives.map(({ name }) => name).toSorted()).toEqual(
      expect.arrayContaining(['configuration', 'extra', 'modules', 'modules-2', 'modules-3']),
    );
    const held = archives.filter(({ group }) => group === 'modules').flatMap(({ roots }) => roots);
    expect(held.map(({ path }) => path).toSorted()).toEqual(modules.map(({ path }) => path).toSorted());
    const command = { id: 'archive', document: 'Holdfast-ArchiveFiles', instanceIds: ['i-0123456789abcdef0'] };
    const node = { instanceId: 'i-0123456789abcdef0', name: 'master', roles: [], optional: false };
    const [source] = manifestOf('pe-main', '20261120T020000Z').nodes;
    const check = checkPhase(
      {
        system: 'pe-main',
        run: 'run',
        vaultBucket: 'vault',
        execution: 'arn:aws:states:eu-central-1:111122223333:execution:holdfast-backup:run',
        nodes: source ? [{ ...source, node }] : [],
      },
      [
        {
          name: 'collect',
          commands: archives.map(({ roots }) => ({
            ...{ ...command, executionTimeoutSeconds: 3600 },
            parameters: { Paths: encodeList(roots.map(({ path }) => path)) },
          })),
        },
      ],
    );
    expect(new Set(check.commands.map(({ id }) => id)).size).toBe(archives.length);
    for (const { parameters } of check.commands) expect(parameters['Keys']?.length).toBeLessThanOrEqual(40_000);
    for (const { roots } of archives) expect(encodeList(roots.map(({ path }) => path)).length).toBeLessThan(40_000);
  });
});

describe('a path that is no UTF-8', () => {
  const path = '/srv/no\udcffutf';

  it('reaches its document byte by byte, a line feed too', () => {
    expect(Buffer.from(encodeText(path), 'base64url')).toEqual(Buffer.from('/srv/no\xffutf', 'latin1'));
    expect(decodeList(encodeList(['/a\nb', path, '/schön']))).toEqual(['/a\nb', path, '/schön']);
    expect(keySafe(path)).toBe('=2fsrv=2fno=ffutf');
  });
});

describe('a backup', () => {
  const manifest = manifestOf('pe-main', '20261120T020000Z');
  const [source] = manifest.nodes;
  if (!source) throw new Error('the fixture has no node');
  const key = '/srv/ca/ca_key.pem';
  const { inspection: plain, ...node } = source;
  const inspection = { ...plain, paths: { ...nothing, configuration: [found('/etc/puppetlabs')] }, required: [key] };
  const collected = (holds: readonly string[]) =>
    [
      ...manifest.artifacts.map(({ collected }) =>
        collected.kind === 'files' ? { ...collected, group: 'configuration', holds: [...holds] } : collected,
      ),
      {
        kind: 'globals' as const,
        upload: { key: 'globals', bytes: 1, rawBytes: 1, sha256: '0'.repeat(64), compression: 'none' as const },
        roles: 0,
        tablespaces: 0,
        verified: 'complete to its closing line' as const,
      },
    ].map((one) => ({ instanceId: node.instanceId, collected: one }));
  const judge = (holds: readonly string[], safety = false) =>
    incompletePuppet({ safety, nodes: [{ node, inspection }], collected: collected(holds), phases: [] });

  it('is whole when an archive holds what it must', () => {
    expect(judge([key])).toBeUndefined();
  });

  it('without the key of the certificate authority is none, unless it is one of what is broken', () => {
    expect(() => judge([])).toThrow(BackupNotWholeError);
    expect(() => judge(['/srv/ca/ca_crt.pem'])).toThrow(key);
    expect(judge([], true)).toBeUndefined();
  });

  it('asks each archive for what it must hold', () => {
    const phases = planPuppetBackup({
      ...{
        system: 'pe-main',
        run: 'run',
        backup: manifest.backup,
        vaultBucket: 'vault',
        execution: 'arn:aws:states:eu-central-1:111122223333:execution:holdfast-backup:run',
        previous: undefined,
        safety: false,
      },
      config: { consistency: 'live', extraPaths: [] },
      nodes: [{ node, inspection }],
    });
    const archive = phases[0]?.commands.find(({ document }) => document === 'Holdfast-ArchiveFiles');
    expect(decodeList(archive?.parameters['Required'] ?? '')).toEqual([key]);
    expect(decodeList(archive?.parameters['Paths'] ?? '')).toEqual(['/etc/puppetlabs']);
  });
});
