import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { JujuInspection } from '#domain/inspection';
import { JujuManifest } from '#domain/manifest';
import { encodeText } from '#domain/naming';
import { RestoreRequest } from '#domain/payloads';
import { PhaseState } from '#domain/phase';
import { driverOf, numbersOf } from '#domain/systems/juju';
import { restoreEnvironment } from '#domain/systems/juju-documents';
import { restoreJuju } from '#domain/systems/juju-restore';
import { jujuVersionFault } from '#domain/systems/juju-upgrade';
import { manifestOf } from './cli-fixtures.ts';

describe('the way in which a version of Juju is backed up', () => {
  it.each([
    ['1.15.0', undefined],
    ['1.16.6', 'plugin'],
    ['1.18.1', 'plugin'],
    ['1.21.3', 'plugin'],
    ['1.22.0', 'stored'],
    ['1.25.10.1', 'stored'],
    ['2.0-beta4', 'stored'],
    ['2.9.21', 'stored'],
    ['2.9.22', 'file'],
    ['3.6.4', 'file'],
    // Its own create-backup says that it makes none.
    ['4.0.1', 'file'],
    ['', undefined],
  ])('of %s is %s', (version, driver) => {
    expect(driverOf(version)).toBe(driver);
  });
});

it('a version without all its numbers counts as the lowest of them', () => {
  expect(numbersOf('3.6-rc1')).toEqual([3, 6, 0]);
});

describe('an upgrade of Juju', () => {
  it.each([
    ['1.18.1', '1.20.11'],
    ['2.9.40', '2.9.51'],
    ['3.6.4', '3.6.4'],
  ])('from %s to %s is possible', (from, to) => {
    expect(jujuVersionFault(from, to)).toBeUndefined();
  });

  it.each([
    ['3.6.4', '3.6.3', /never goes back/],
    ['3.5.1', '3.6.0', /in place/],
    ['2.9.51', '3.6.0', /in place/],
    ['1.25.13', '2.9.51', /in place/],
    ['3.6.4', '4.0.1', /in place/],
  ])('from %s to %s is refused', (from, to, reason) => {
    expect(jujuVersionFault(from, to)).toMatch(reason);
  });
});

it('every section of the runbook that a refused restore names is there', () => {
  const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const named = [...read('domain/systems/juju-restore-check.ts').matchAll(/['"](Juju: [^'"]+)['"]/g)].map(
    ([, name]) => name,
  );
  expect(named.length).toBeGreaterThan(2);
  for (const name of named) expect(read('docs/runbook.md')).toContain(`### ${name}\n`);
});

describe('a restore of Juju', () => {
  const instanceId = 'i-0123456789abcdef0';
  const upload = { bytes: 10, rawBytes: 10, sha256: 'a'.repeat(64) };
  const status = (version: string, primaries: readonly boolean[]) => ({
    version,
    controllers: primaries.map((primary, machine) => ({
      machine: String(machine),
      instanceId: `i-0123456789abcde${machine}0`,
      healthy: true,
      primary,
    })),
    machines: 1,
    started: 1,
    applications: 1,
    applicationsSha256: 'b',
    models: [],
  });
  const found = (version: string, primaries: readonly boolean[], server: boolean) =>
    JujuInspection.parse({
      product: 'juju',
      hostname: 'client',
      roles: ['juju-client', 'juju-controller'],
      server: server ? { machine: '0', version, uuid: 'uuid', series: 'focal', services: [], databaseBytes: 1 } : null,
      client: {
        version,
        user: 'ubuntu',
        directory: '/home/ubuntu/.juju',
        name: 'my-env',
        uuid: 'uuid',
        status: status(version, primaries),
        backupDirectory: '',
        provider: version.startsWith('1.')
          ? { bucket: 'control', instances: [{ instanceId, state: 'terminated' }] }
          : null,
      },
      tools: { aws: '', zstd: null, tar: '' },
      space: [],
      problems: [],
      warnings: [],
    });
  /** The restore of a backup of a version, made on a machine, with a controller for each value of `primaries` now. */
  const restoring = (version: string, machine = '0', primaries: readonly boolean[] = [true], juju?: object) => {
    const inspection = found(version, primaries, !version.startsWith('1.'));
    const node = { instanceId, name: 'client', roles: ['juju-client'], optional: false };
    const manifest = JujuManifest.parse({
      ...manifestOf('juju-main', '20261120T020000Z'),
      kind: 'juju',
      nodes: [{ ...node, inspection }],
      artifacts: [
        {
          node: instanceId,
          collected: {
            kind: 'juju',
            driver: driverOf(version),
            upload: { ...upload, key: 'backups/juju-main/b/juju-backup-20261120-020000.tar.gz', compression: 'none' },
            contents: { ...upload, key: 'backups/juju-main/b/contents.zst', compression: 'zstd' },
            entries: 1,
            files: 1,
            collections: 1,
            databaseBytes: 1,
            sha1: '',
            metadata: {
              version,
              format: 1,
              controllerUuid: 'uuid',
              modelUuid: 'uuid',
              haNodes: 0,
              series: 'focal',
              machine,
              hostname: 'host',
            },
            verified: 'read to its end by tar, with database and keys',
          },
          stored: { upload: { versionId: 'v1' }, contents: { versionId: 'v1' } },
        },
      ],
    });
    return restoreJuju(manifest, {
      system: 'juju-main',
      run: 'run-1',
      vaultBucket: 'vault',
      request: RestoreRequest.parse({ system: 'juju-main', juju }),
      nodes: [{ node, inspection }],
      startedAt: new Date('2026-11-20T02:00:00Z'),
    });
  };
  const parameters = (restoration: ReturnType<typeof restoring>, phase: string) =>
    restoration.plan().find(({ name }) => name === phase)?.commands[0]?.parameters;

  it.each(['1.20.11', '2.9.18', '3.6.4'])(
    'of %s fetches the archive as Juju packed it, under a name that ends in .gz',
    (version) => {
      expect(parameters(restoring(version), 'fetch')).toMatchObject({
        Compression: 'none',
        Name: expect.stringMatching(/\.tar\.gz$/),
      });
    },
  );

  it('of 1.x hands constraints on with their commas', () => {
    const constraints = 'mem=4G tags=a,b';
    expect(parameters(restoring('1.25.10', '0', [], { constraints }), 'restore-environment')).toMatchObject({
      Constraints: encodeText(constraints),
    });
  });

  it('of 1.x refuses an archive of another machine than 0, which juju restore could not read', () => {
    expect(restoring('1.25.10', '1', []).check()).toEqual([
      expect.stringContaining('the backup was made on machine 1, and juju restore takes only one of machine 0'),
    ]);
    expect(restoring('1.25.10', '0', []).check()).toEqual([]);
  });

  it('before 2.8, which tells of no primary, is not refused for the want of one', () => {
    expect(restoring('2.4.7', '0', [false]).check()).toEqual([]);
    expect(restoring('2.4.7', '0', [false, false, false]).check().join()).not.toContain('primary');
  });

  it('of 1.x ends with what the new state server lacks, by name and command', () => {
    const answered = (lacks: readonly string[]) => (name: string) =>
      name === 'restore-environment'
        ? PhaseState.parse({
            phase: name,
            attempt: 0,
            startedAt: '2026-11-20T02:00:00Z',
            commands: [
              {
                id: 'restore-environment',
                document: restoreEnvironment.name,
                state: 'ended',
                commandId: 'c',
                sentAt: '2026-11-20T02:00:00Z',
                endedAt: '2026-11-20T02:00:09Z',
                invocations: [
                  {
                    instanceId,
                    status: 'Success',
                    stdout: JSON.stringify({ servers: 'i-0aaaaaaaaaaaaaaa1', lacks }),
                    stderr: '',
                    detail: '',
                    exitCode: 0,
                  },
                ],
              },
            ],
          })
        : undefined;
    const node = { instanceId, name: 'client', roles: ['juju-client'], optional: false };
    const prove = (lacks: readonly string[]) =>
      restoring('1.25.10', '0', [])
        .prove([{ node, inspection: found('1.25.10', [], false) }], answered(lacks))
        .compared.join('\n');
    expect(prove(['tag', 'aws'])).toContain(
      'the new state server i-0aaaaaaaaaaaaaaa1 is NOT BACKED UP until it has the tag holdfast:system (aws ec2 create-tags --resources i-0aaaaaaaaaaaaaaa1 --tags Key=holdfast:system,Value=juju-main)',
    );
    expect(prove(['amazon-ssm-agent', 'aws'])).toMatch(
      /the SSM agent \(juju ssh 0 'curl .*dpkg -i amazon-ssm-agent\.deb'\); the AWS CLI \(juju ssh 0 '.*aws\/install'\)\. See "After a restore of 1\.x" in docs\/how-to\/juju\.md/,
    );
    expect(prove([])).not.toContain('NOT BACKED UP');
  });
});
