import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { s3Client } from '#aws/clients';
import { type Artifact, type Manifest, uploadsOf } from '#domain/manifest';
import { backupId, instanceArn, vaultKeys } from '#domain/naming';
import { type Bench, instanceId, monolithic, noTraces, startBench } from './harness.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await startBench({
    configuration: monolithic(
      'live',
      '    extraPaths: ["/srv/it\'s odd"]\n    schedules: [often]\nschedules:\n  often: { rate: 1 hour }\n',
    ),
  });
  await bench.shell('mkdir "/srv/it\'s odd" && echo kept > "/srv/it\'s odd/a \\"quoted\\" name"');
});
afterAll(() => bench.close());
afterEach(() => bench.forget());

const download = async (key: string): Promise<Buffer> => {
  const { Body } = await s3Client().send(new GetObjectCommand({ Bucket: bench.lab.runtime.vaultBucket, Key: key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
};

const artifact = (manifest: Manifest, matches: (artifact: Artifact) => boolean): Artifact => {
  const found = manifest.artifacts.find(matches);
  if (!found) throw new Error('no such artifact');
  return found;
};

const files = (manifest: Manifest, group: string): Artifact =>
  artifact(manifest, ({ collected }) => collected.kind === 'files' && collected.group === group);

const unpacked = async (of: Artifact, which: 0 | 1 = 0): Promise<Buffer> => {
  const upload = uploadsOf(of.collected)[which];
  const command = upload?.compression === 'gzip' ? 'gzip' : 'zstd';
  return execFileSync(command, ['-dc'], { input: await download(upload?.key ?? ''), maxBuffer: 2 ** 30 });
};

const lines = async (of: Artifact): Promise<string[]> => (await unpacked(of, 1)).toString().trimEnd().split('\n');

describe('a backup of a monolithic master', () => {
  it('holds what the manifest says, byte for byte', async () => {
    const { status, cause, output } = await bench.backUp();
    expect([status, cause]).toEqual(['SUCCEEDED', '']);
    const manifest = await bench.manifest(output.backup ?? '');
    for (const { collected } of manifest.artifacts)
      for (const { key, bytes, sha256 } of uploadsOf(collected)) {
        const content = await download(key);
        expect(content.length).toBe(bytes);
        expect(createHash('sha256').update(content).digest('hex')).toBe(sha256);
      }
    expect(await bench.traces()).toMatchObject({ ...noTraces, manifests: [output.backup], objects: expect.anything() });
  });

  it('holds every database with its owner, tablespace and exact rows, also one that nobody told it of', async () => {
    await bench.shell(
      `su -s /bin/bash pe-postgres -c "/opt/puppet/bin/psql -q -d postgres -c 'CREATE DATABASE \\"it''s a db\\" OWNER console'"`.replaceAll(
        "''",
        "'\\''",
      ),
    );
    const psql = `su -s /bin/bash pe-postgres -c "/opt/puppet/bin/psql -A -t -q -d console`;
    await bench.shell('service pe-httpd stop; service pe-puppet-dashboard-workers stop');
    const rows = await bench.shell(`${psql} -c 'SELECT count(*) FROM nodes'"`);
    const { status, output, cause } = await bench.backUp();
    await bench.shell('service pe-httpd start; service pe-puppet-dashboard-workers start || true');
    expect([status, cause]).toEqual(['SUCCEEDED', '']);
    const manifest = await bench.manifest(output.backup ?? '');
    expect(
      manifest.nodes[0]?.inspection.postgres?.databases.map(({ name, owner, tablespace }) => ({
        name,
        owner,
        tablespace,
      })),
    ).toEqual([
      { name: 'console', owner: 'console', tablespace: 'pe-console' },
      { name: 'console_auth', owner: 'console_auth', tablespace: 'pe-console' },
      { name: "it's a db", owner: 'console', tablespace: 'pg_default' },
      { name: 'pe-puppetdb', owner: 'pe-puppetdb', tablespace: 'pe-puppetdb' },
    ]);
    const counted = await lines(
      artifact(manifest, ({ collected }) => collected.kind === 'database' && collected.database === 'console'),
    );
    expect(counted).toContain(`${rows.trim()}\tpublic.nodes`);
    await bench.shell(
      `su -s /bin/bash pe-postgres -c "/opt/puppet/bin/psql -q -d postgres -c 'DROP DATABASE \\"it'\\''s a db\\"'"`,
    );
  });

  it('keeps owner names, modes, ACLs, links, odd names and the roles with their passwords', async () => {
    const { output } = await bench.backUp();
    const manifest = await bench.manifest(output.backup ?? '');
    const names = await lines(files(manifest, 'configuration'));
    expect(names).toContain('etc/puppetlabs/puppet/ssl/ca/ca_key.pem');
    expect(names.some((name) => name.includes(' ') && /['"]/.test(name))).toBe(true);
    expect(await lines(files(manifest, 'extra'))).toContain('srv/it\'s odd/a "quoted" name');
    const listing = execFileSync('tar', ['-tvv', '--acls', '-f', '-'], {
      input: await unpacked(files(manifest, 'configuration')),
    })
      .toString()
      .split('\n');
    const first = (pattern: RegExp): string => listing.find((line) => pattern.test(line)) ?? 'none';
    expect(first(/ca_key\.pem$/)).toMatch(/^-rw-rw---- +pe-puppet\/pe-puppet /);
    expect(first(/ -> /)).toMatch(/^l/);
    expect(first(/^-\S+\+ /)).not.toBe('none');
    const globals = (await unpacked(artifact(manifest, ({ collected }) => collected.kind === 'globals'))).toString();
    expect(globals).toMatch(/CREATE TABLESPACE "pe-puppetdb" OWNER "pe-postgres" LOCATION/);
    expect(globals).toMatch(/ALTER ROLE "pe-puppetdb" .*PASSWORD '/);
  });

  it("works while Puppet Enterprise's own services are down, and leaves them down", async () => {
    const stopped = 'pe-httpd pe-puppetdb pe-activemq pe-puppet';
    await bench.shell(`for s in ${stopped}; do service $s stop; done`);
    const { status, cause } = await bench.backUp();
    const { servicesDown } = await bench.traces();
    await bench.shell(`for s in ${stopped.split(' ').reverse().join(' ')}; do service $s start; done`);
    expect([status, cause]).toEqual(['SUCCEEDED', '']);
    expect(servicesDown.toSorted()).toEqual(stopped.split(' ').toSorted());
  });

  it('falls back to gzip where there is no zstd, and says so', async () => {
    await bench.shell('mv $(command -v zstd) /root/zstd.away');
    const { status, cause, output } = await bench.backUp();
    await bench.shell('mv /root/zstd.away /usr/bin/zstd');
    expect([status, cause]).toEqual(['SUCCEEDED', '']);
    const manifest = await bench.manifest(output.backup ?? '');
    expect(new Set(manifest.artifacts.map(({ collected }) => collected.upload.compression))).toEqual(new Set(['gzip']));
    expect(manifest.warnings.join()).toMatch(/zstd is not installed/);
    expect((await unpacked(files(manifest, 'configuration'))).length).toBe(
      files(manifest, 'configuration').collected.upload.rawBytes,
    );
  });

  it('includes what a linked CA directory points to', async () => {
    await bench.shell('mv /etc/puppetlabs/puppet/ssl/ca /srv/ca && ln -s /srv/ca /etc/puppetlabs/puppet/ssl/ca');
    const { status, cause, output } = await bench.backUp();
    await bench.shell('rm /etc/puppetlabs/puppet/ssl/ca && mv /srv/ca /etc/puppetlabs/puppet/ssl/ca');
    expect([status, cause]).toEqual(['SUCCEEDED', '']);
    const names = await lines(files(await bench.manifest(output.backup ?? ''), 'configuration'));
    expect(names).toEqual(
      expect.arrayContaining(['etc/puppetlabs/puppet/ssl/ca', 'srv/ca/ca_key.pem', 'srv/ca/serial']),
    );
  });
});

const hoursAgo = (hours: number): string => new Date(Date.now() - hours * 3_600_000).toISOString();

describe('a slot', () => {
  const slot = { system: 'pe-main', schedule: 'often', scheduledTime: hoursAgo(3) };

  it('delivered twice is backed up once, while it runs and afterwards', async () => {
    const first = await bench.start(slot);
    const second = await bench.start(slot);
    const endings = await Promise.all([bench.ending(first), bench.ending(second)]);
    expect(endings.map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    expect(endings.map(({ output }) => output.outcome).toSorted()).toEqual(['acquired', 'duplicate']);
    expect((await bench.backUp(slot)).output.outcome).toBe('duplicate');
    expect((await bench.traces()).manifests).toEqual([backupId(new Date(slot.scheduledTime))]);
  });
});

describe('retention at commit', () => {
  it('keeps the newest three and gives older ones their class', async () => {
    const slots = [5, 4, 3, 2].map(hoursAgo);
    const ids = slots.map((slot) => backupId(new Date(slot)));
    for (const scheduledTime of slots) await bench.backUp({ system: 'pe-main', schedule: 'often', scheduledTime });
    const tags = await Promise.all(
      ids.map(async (id) => (await bench.vault.tags({ key: vaultKeys.manifest('pe-main', id) }))['holdfast:retention']),
    );
    expect(tags).toEqual(['yearly', 'keep', 'keep', 'keep']);
    const objects = await bench.vault.list(vaultKeys.backup('pe-main', ids[0] ?? ''));
    for (const key of objects) expect((await bench.vault.tags({ key }))['holdfast:retention']).toBe('yearly');
  });
});

describe('the age of the newest backup', () => {
  it('is read from what was committed, and a system without a backup has none', async () => {
    expect(await bench.lab.runtime.invoke('measure-age', {})).toEqual({ 'pe-main': { orphanUploads: 0 } });
    await bench.backUp({ system: 'pe-main', schedule: 'often', scheduledTime: hoursAgo(2) });
    const { age, ...measured } = Reflect.get(Object(await bench.lab.runtime.invoke('measure-age', {})), 'pe-main');
    expect(age).toBeGreaterThanOrEqual(7200);
    expect(measured).toMatchObject({ bytes: expect.any(Number), duration: expect.any(Number), orphanUploads: 0 });
  });
});

describe('a node', () => {
  it('can write below its own keys and do nothing else in the vault', async () => {
    await bench.backUp();
    const vault = `s3://${bench.lab.runtime.vaultBucket}`;
    const [key = ''] = await bench.vault.list('backups/');
    const attempt = async (command: string): Promise<number | null> => (await bench.node.exec(command)).code;
    const arn = instanceArn(bench.lab.runtime.stateMachineArn('holdfast-backup'), instanceId);
    expect(await attempt(`echo x | aws s3 cp - ${vault}/backups/pe-main/x/${arn}/x`)).toBe(0);
    expect(await attempt(`echo x | aws s3 cp - ${vault}/backups/pe-main/x/${arn.slice(0, -1)}/x`)).not.toBe(0);
    expect(await attempt(`echo x | aws s3 cp - ${vault}/backups/other/x/${arn}/x`)).not.toBe(0);
    expect(await attempt(`echo x | aws s3 cp - ${vault}/installers/pe-main/pe.tar.gz`)).not.toBe(0);
    expect(await attempt(`echo x | aws s3 cp - ${vault}/catalog/pe-main/20260101T000000Z.json`)).not.toBe(0);
    expect(await attempt(`aws s3 cp ${vault}/${key} /dev/null`)).not.toBe(0);
    expect(await attempt(`aws s3 rm ${vault}/${key}`)).not.toBe(0);
    expect(await attempt(`aws s3 ls ${vault}/`)).not.toBe(0);
  });
});
