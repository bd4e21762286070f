import { createHash } from 'node:crypto';
import { type Manifest, type PuppetManifest, uploadsOf } from '#domain/manifest';
import { backupMoment, tagKeys, vaultKeys } from '#domain/naming';
import type { Bucket } from '#domain/ports';
import { type Output, outputOn } from '../../cli/output.ts';

/** A bucket in memory, with what the command line uses of one. */
export const memoryBucket = (): Bucket => {
  const objects = new Map<string, { text: string; tags: Readonly<Record<string, string>> }>();
  const unused = (): never => {
    throw new Error('the command line has no business here');
  };
  return {
    read: async (key) => {
      const found = objects.get(key);
      return found && { text: found.text, etag: 'etag' };
    },
    create: async (key, text, tags = {}) => void objects.set(key, { text, tags }),
    write: async (key, text) => void objects.set(key, { text, tags: {} }),
    list: async (prefix) => [...objects.keys()].filter((key) => key.startsWith(prefix)).toSorted(),
    tags: async ({ key }) => objects.get(key)?.tags ?? {},
    delete: async (key) => void objects.delete(key),
    replace: unused,
    has: unused,
    versions: unused,
    tag: unused,
    thaw: unused,
    lock: unused,
    hold: unused,
    stream: unused,
    listObjects: unused,
    listUploads: unused,
    abortUpload: unused,
    abortUploads: unused,
  };
};

/** An Output whose words can be read again. */
export const recordedOutput = ({
  isTTY = false,
  columns = 80,
} = {}): {
  readonly output: Output;
  readonly stdout: () => string;
  readonly stderr: () => string;
} => {
  let stdout = '';
  let stderr = '';
  const output = outputOn({ write: (text) => (stdout += text) }, { write: (text) => (stderr += text), isTTY, columns });
  return { output, stdout: () => stdout, stderr: () => stderr };
};

const instanceId = 'i-0123456789abcdef0';

const upload = (key: string, bytes: number, rawBytes: number) => ({
  key,
  bytes,
  rawBytes,
  sha256: 'ab'.repeat(32),
  compression: 'zstd' as const,
});

/** A manifest with one node, one database, one archive and the globals. */
export const manifestOf = (system: string, backup: string, changes: Partial<PuppetManifest> = {}): PuppetManifest => {
  const startedAt = backupMoment(backup);
  const key = (name: string) =>
    vaultKeys.artifact(system, backup, `arn:aws:ec2:eu-central-1:111122223333:instance/${instanceId}`, name);
  return {
    format: 1,
    system,
    kind: 'puppet-enterprise',
    backup,
    run: `${system}-run`,
    operation: 'backup',
    state: 'complete',
    missing: [],
    purpose: 'regular',
    retentionClass: 'daily',
    scheduled: true,
    consistency: 'live',
    extraPaths: [],
    startedAt: startedAt.toISOString(),
    committedAt: new Date(startedAt.getTime() + 95_000).toISOString(),
    phaseSeconds: { inspect: 5, collect: 80 },
    nodes: [
      {
        instanceId,
        name: 'master',
        roles: ['master', 'puppetdb', 'console'],
        optional: false,
        inspection: {
          product: 'puppet-enterprise',
          version: '3.2.3',
          agentVersion: '3.2.3',
          hostname: 'master.example.com',
          certname: 'master.example.com',
          roles: ['master', 'puppetdb', 'console'],
          services: [{ name: 'pe-postgresql', running: true }],
          postgres: {
            version: '9.2.7',
            user: 'pe-postgres',
            databases: [
              {
                name: 'pe-puppetdb',
                owner: 'pe-puppetdb',
                tablespace: 'pe-puppetdb',
                encoding: 'UTF8',
                collate: 'en_US.UTF-8',
                ctype: 'en_US.UTF-8',
                bytes: 3 * 1024 ** 2,
                rowsEstimated: 1_000_000,
                acl: '',
                connectionLimit: -1,
                isTemplate: false,
                comment: '',
                publicOwner: 'pe-postgres',
                settings: [],
                extensions: [],
              },
            ],
            tablespaces: [],
            roles: ['pe-puppetdb'],
            dependents: [],
          },
          certificateAuthority: null,
          answers: ['/etc/puppetlabs/installer/answers.install'],
          paths: { configuration: [], certificates: [], modules: [], mcollective: [], installer: [] },
          required: [],
          tools: { aws: '2.34.0', zstd: '1.5.4', tar: '1.34' },
          space: [],
          mounts: [],
          fixed: [],
          problems: [],
          warnings: [],
        },
      },
    ],
    artifacts: [
      {
        node: instanceId,
        collected: {
          kind: 'database',
          database: 'pe-puppetdb',
          upload: upload(key('pe-puppetdb.dump.zst'), 1024 ** 2, 4 * 1024 ** 2),
          contents: upload(key('pe-puppetdb.tables.zst'), 1024, 2048),
          tables: 42,
          rows: 1_234_567,
          verified: 'read to its end, its rows counted',
        },
        stored: { upload: { versionId: 'v1' }, contents: { versionId: 'v1' } },
      },
      {
        node: instanceId,
        collected: {
          kind: 'files',
          group: 'certificates',
          upload: upload(key('certificates.tar.zst'), 2048, 8192),
          contents: upload(key('certificates.list.zst'), 512, 1024),
          entries: 12,
          secrets: 3,
          holds: [],
          verified: 'read to its end by tar',
          warnings: [],
        },
        stored: { upload: { versionId: 'v1' }, contents: { versionId: 'v1' } },
      },
      {
        node: instanceId,
        collected: {
          kind: 'globals',
          upload: upload(key('globals.sql.zst'), 512, 1024),
          roles: 4,
          tablespaces: 1,
          verified: 'complete to its closing line',
        },
        stored: { upload: { versionId: 'v1' } },
      },
    ],
    warnings: [],
    ...changes,
  };
};

/** Puts a manifest where its commit puts it. */
export const commit = (vault: Bucket, manifest: Manifest, tag: string = manifest.retentionClass): Promise<void> =>
  vault.create(vaultKeys.manifest(manifest.system, manifest.backup), JSON.stringify(manifest), {
    [tagKeys.retention]: tag,
  });

/** Commits a backup whose objects hold what its manifest says. */
export const commitSound = async (vault: Bucket, made: Manifest): Promise<Manifest> => {
  const manifest = structuredClone(made);
  for (const upload of manifest.artifacts.flatMap(({ collected }) => uploadsOf(collected))) {
    const text = `${upload.key} `.repeat(9);
    Object.assign(upload, { bytes: text.length, sha256: createHash('sha256').update(text).digest('hex') });
    await vault.create(upload.key, text, { [tagKeys.retention]: 'keep' });
  }
  await commit(vault, manifest, 'keep');
  return manifest;
};
