import { describe, expect, it } from 'vitest';
import type { FoundPath } from '#domain/inspection';
import { decodeText } from '#domain/naming';
import { RestoreRequest, type Scope } from '#domain/payloads';
import { planPuppetRestore } from '#domain/systems/puppet-restore';
import { targetsOf } from '#domain/systems/puppet-restore-scope';
import { manifestOf } from './cli-fixtures.ts';

const product = (path: string): FoundPath => ({ path, because: 'product', by: '' });

/** The paths that a restore of these scopes replaces and leaves, of a backup of /etc/puppetlabs. */
const replaced = (scope: readonly Scope[]): { readonly roots: readonly string[]; readonly stay: readonly string[] } => {
  const plain = manifestOf('pe-main', '20261120T020000Z');
  const [node] = plain.nodes;
  if (!node) throw new Error('the fixture has no node');
  const inspection = {
    ...node.inspection,
    paths: { ...node.inspection.paths, configuration: [product('/etc/puppetlabs'), product('/srv/authority')] },
  };
  // The fixture's archive of certificates, as that of the configuration.
  const artifacts = plain.artifacts.map(({ collected, ...rest }) => ({
    ...rest,
    collected: collected.kind === 'files' ? { ...collected, group: 'configuration' } : collected,
  }));
  const manifest = { ...plain, nodes: [{ ...node, inspection }], artifacts };
  const request = RestoreRequest.parse({ system: 'pe-main', backup: 'latest', scope });
  const found = [{ node: { ...node }, inspection }];
  const phases = planPuppetRestore({
    system: 'pe-main',
    run: 'run',
    vaultBucket: 'vault',
    request,
    manifest,
    ...targetsOf(manifest, found, {}),
  });
  const commands = phases.find(({ name }) => name === 'replace-files')?.commands ?? [];
  const lines = (name: string): readonly string[] =>
    commands.flatMap(({ parameters }) => decodeText(parameters[name] ?? '').split('\n')).filter((line) => line !== '');
  return { roots: lines('Roots'), stay: lines('Excludes') };
};

describe('what a restore of a part replaces', () => {
  it.each(['/etc/puppetlabs/puppet/modules', '/etc/puppetlabs/code', '/etc/puppetlabs/code-staging'])(
    '%s is code, wherever the version keeps it, and no configuration',
    (path) => {
      expect(replaced(['code']).roots).toContain(path);
      expect(replaced(['config'])).toMatchObject({ roots: ['/etc/puppetlabs'], stay: expect.arrayContaining([path]) });
      expect(replaced(['config', 'code']).stay).not.toContain(path);
    },
  );

  it('certificates take along what links lead to, and leave the rest of /etc/puppetlabs alone', () => {
    const { roots } = replaced(['certs']);
    expect(roots).toContain('/srv/authority');
    expect(roots).toContain('/etc/puppetlabs/puppet/ssl');
    expect(roots).not.toContain('/etc/puppetlabs');
    expect(replaced(['code']).roots).not.toContain('/srv/authority');
  });

  it('a scope within another is replaced once', () => {
    const { roots } = replaced(['certs', 'mcollective']);
    expect(roots).toContain('/etc/puppetlabs/mcollective');
    expect(roots).not.toContain('/etc/puppetlabs/mcollective/ssl');
  });
});
