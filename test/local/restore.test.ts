import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRegular } from '#domain/manifest';
import { vaultKeys } from '#domain/naming';
import { createPuppetNode, startServices } from '#local/lab/layer';
import { buildInstaller } from '#local/lab/pe32/installer';
import { pe32 } from '#local/lab/pe32/product';
import { servicesOf } from '#local/lab/product';
import { type Bench, type Ending, monolithic, startBench } from './harness.ts';

let bench: Bench;
let authority: string;
let good: string;

beforeAll(async () => {
  bench = await startBench({
    configuration: `${monolithic('live', '    extraPaths: [/srv/extra]\n    schedules: [nightly]')}
schedules:
  nightly: { cron: '30 1 * * *', timezone: Europe/Berlin }
`,
  });
  await bench.shell('mkdir /srv/extra && echo kept > /srv/extra/file');
  authority = await bench.authority();
  const { output, cause } = await bench.backUp();
  expect(cause).toBe('');
  good = output.backup ?? '';
});
afterAll(() => bench.close());

const users = (): Promise<string> => bench.sql('console_auth', 'SELECT count(*) FROM users');

/** Every comparison holds, and by other means too: the data is there, the services run by their passwords, nothing is left. */
const expectRestored = async ({ status, cause, output }: Ending): Promise<void> => {
  expect([status, cause]).toEqual(['SUCCEEDED', '']);
  const compared = output.proof?.compared.join('\n') ?? '';
  for (const database of ['console', 'console_auth', 'pe-puppetdb']) {
    expect(compared).toMatch(new RegExp(`^database ${database}: owner .* are equal$`, 'm'));
    expect(compared).toMatch(new RegExp(`^database ${database}: [0-9]+ rows in [0-9]+ tables are equal`, 'm'));
  }
  for (const group of ['configuration', 'certificates', 'modules', 'mcollective', 'installer'])
    expect(compared).toMatch(
      new RegExp(`^files of ${group} on .*: [0-9]+ entries are unpacked as the archive has them`, 'm'),
    );
  expect(compared).toMatch(
    /^certificate authority of .*: fingerprint .* is equal; serial .*, inventory of [0-9]+ lines and 1 revocation hold all/m,
  );
  expect(await users()).toBe('150');
  expect(await bench.authority()).toBe(authority);
  await expectClean();
};

const expectClean = async (): Promise<void> => {
  expect(await bench.traces()).toMatchObject({ uploads: [], lock: false, onNode: '', servicesDown: [] });
  expect(await bench.opened()).toEqual([]);
  expect(bench.lab.runtime.scheduleStates()).toEqual({ 'pe-main.nightly': 'ENABLED' });
  expect(await bench.sql('postgres', "SELECT datname FROM pg_database WHERE datname LIKE 'holdfast-%'")).toBe('');
  // The host's disk shows through, and on it the disks of other labs that restore at the same time.
  expect(
    await bench.shell("find / -xdev -path '*/.local/lab' -prune -o -name '*.before-restore' -print 2>/dev/null | head"),
  ).toBe('');
};

/** Has the node's authority sign a certificate, as a master does, and gives back its serial number. */
const sign = async (name: string): Promise<string> =>
  (
    await bench.shell(
      `openssl req -new -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=${name} 2>/dev/null | /opt/puppet/libexec/certificate-authority sign ${name} && openssl x509 -in /etc/puppetlabs/puppet/ssl/ca/signed/${name}.pem -noout -serial`,
    )
  ).trim();

const stopped = 'pe-httpd pe-puppet-dashboard-workers pe-puppetdb';

describe('a system is brought back whose', () => {
  it('databases were dropped, with a safety backup of what was left', async () => {
    await bench.shell(`for s in ${stopped}; do service $s stop; done`);
    for (const database of ['console', 'console_auth', 'pe-puppetdb'])
      await bench.sql('postgres', `DROP DATABASE "${database}";`);
    const serial = await sign('after.pe.example.com');
    const ending = await bench.restore({ confirm: 'pe-main', safetyBackup: true });
    await expectRestored(ending);
    // What was signed since the backup stays so, and its number is not issued again.
    expect(ending.output.proof?.told).toEqual([
      expect.stringMatching(
        /1 certificate that the authority signed since the backup is kept: after\.pe\.example\.com$/,
      ),
    ]);
    expect(await bench.shell('cat /etc/puppetlabs/puppet/ssl/ca/inventory.txt')).toContain('/CN=after.pe.example.com');
    expect(await sign('later.pe.example.com')).not.toBe(serial);
    const safety = await bench.manifest(ending.output.safety?.backup ?? '');
    expect(safety).toMatchObject({ purpose: 'safety', retentionClass: 'manual' });
    // The next restore of the latest must not choose what was just replaced.
    expect(isRegular(safety)).toBe(false);
    expect((await bench.restore({ planOnly: true })).output.plan?.summary.backup).toBe(good);
  });

  it('certificate authority was deleted, which the safety backup says is missing', async () => {
    await bench.shell('rm -rf /etc/puppetlabs/puppet/ssl');
    const ending = await bench.restore({ confirm: 'pe-main', safetyBackup: true });
    await expectRestored(ending);
    // The certificates of the test before are lost; the safety backup of its restore knows how many they are.
    expect(ending.output.proof?.told).toEqual([
      expect.stringMatching(
        /is not known, for it was gone\. Its serial goes on at .* which are at least 1, .*certificates-unknown/,
      ),
    ]);
    expect(await bench.manifest(ending.output.safety?.backup ?? '')).toMatchObject({
      state: 'partial',
      missing: expect.arrayContaining([expect.stringMatching(/nothing of the role master was found/)]),
    });
  });

  it('node was replaced by an empty reinstallation with an authority of its own', async () => {
    const sources = new URL('../../local/lab/pe32', import.meta.url).pathname;
    await bench.shell(
      `for s in pe-puppet ${stopped}; do service $s stop; done; rm -rf /etc/puppetlabs/puppet/ssl /etc/puppetlabs/mcollective/ssl /etc/puppetlabs/activemq/broker.* /var/lib/peadmin/.mcollective.d && bash ${sources}/certificates.sh`,
    );
    for (const database of ['console', 'console_auth', 'pe-puppetdb'])
      await bench.sql(
        database,
        "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') AS tables FROM pg_tables WHERE schemaname = 'public' \\gset\nTRUNCATE :tables;",
      );
    expect(await bench.authority()).not.toBe(authority);
    await expectRestored(await bench.restore({ confirm: 'pe-main' }));
  });

  it('product is to be purged and installed again, from an installer in the vault with the backed-up answers', async () => {
    const archive = await buildInstaller(bench.lab.runtime.vaultDirectory.replace(/[^/]*$/, '..'));
    const content = await readFile(archive);
    await bench.upload(vaultKeys.installer('pe-main', 'pe.tar.gz'), content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const other = await bench.restore({
      confirm: 'pe-main',
      reinstall: { installer: 'pe.tar.gz', sha256: 'ab'.repeat(32) },
    });
    expect(other.cause).toMatch(/ArtifactDamagedError: .*installers\/pe-main\/pe\.tar\.gz/);
    const ending = await bench.restore({ confirm: 'pe-main', reinstall: { installer: 'pe.tar.gz', sha256 } });
    await expectRestored(ending);
    expect(await bench.shell('cat /opt/puppet/pe_version')).toMatch(/^3\.2\./);
  });

  it('passwords are not those of its configuration any more, and whose backup was made with gzip', async () => {
    await bench.shell('mv /usr/bin/zstd /root/zstd.away');
    const { output } = await bench.backUp();
    await bench.shell('mv /root/zstd.away /usr/bin/zstd');
    // A session of somebody who is no service: it must not keep the old rows under the new ones.
    await bench.shell(
      `su -s /bin/bash pe-postgres -c "cd / && /opt/puppet/bin/psql -q -d console -c 'SELECT pg_sleep(600)'" >/dev/null 2>&1 </dev/null &`,
    );
    await bench.sql('postgres', `ALTER ROLE console PASSWORD 'x'; ALTER ROLE "pe-puppetdb" PASSWORD 'x';`);
    await bench.shell('sed -i "s/password: .*/password: y/" /etc/puppetlabs/puppet-dashboard/database.yml');
    await expectRestored(await bench.restore({ confirm: 'pe-main', backup: output.backup }));
    expect(await bench.shell('cat /etc/puppetlabs/puppet-dashboard/database.yml')).not.toContain('password: y');
  });

  it("tablespace's directory is gone, which needs globals mode and says so", async () => {
    const location = '/opt/puppet/var/lib/pgsql/9.2/console';
    await bench.shell(
      `for s in ${stopped}; do service $s stop; done; service pe-postgresql stop; rm -rf ${location}; service pe-postgresql start`,
    );
    const refused = await bench.restore({ confirm: 'pe-main' });
    expect([refused.error, refused.cause]).toEqual([
      'CheckFailedError',
      expect.stringMatching(
        /directory .*9\.2\/console of the tablespace pe-console is missing: restore with databases globals/,
      ),
    ]);
    await expectRestored(await bench.restore({ confirm: 'pe-main', databases: 'globals' }));
  });

  it('node lost its power in the middle of a restore that had dropped everything first', async () => {
    const execution = await bench.start(
      { system: 'pe-main', confirm: 'pe-main', databases: 'globals', safetyBackup: false },
      'holdfast-restore',
    );
    await bench.until('pgrep -f "[b]in/pg_restore .*jobs"');
    await bench.node.stop();
    const { status, error } = await bench.ending(execution);
    expect([status, error]).toEqual(['FAILED', 'UndoFailedError']);
    await bench.node.boot();
    await bench.shell('service pe-postgresql start; mkdir -p /var/run/pe-puppet');
    expect(await bench.sql('postgres', "SELECT count(*) FROM pg_database WHERE datname = 'console'")).toBe('0');
    await bench.shell('service pe-memcached start; service pe-activemq start || true');
    await expectRestored(await bench.restore({ confirm: 'pe-main', databases: 'globals' }));
  });
});

describe('a restore that failed', () => {
  it('goes on when its execution is redriven', async () => {
    await bench.sql('console_auth', 'TRUNCATE users CASCADE');
    bench.judgeWith(({ method, accessKeyId }) =>
      method === 'GET' && accessKeyId.startsWith('NODE') ? 'deny' : 'pass',
    );
    const execution = await bench.start(
      { system: 'pe-main', backup: good, confirm: 'pe-main', safetyBackup: false },
      'holdfast-restore',
    );
    const failed = await bench.ending(execution);
    bench.judgeWith(() => 'pass');
    expect([failed.status, failed.error]).toEqual(['FAILED', 'CommandFailedError']);
    expect(failed.cause).toMatch(/DownloadFailedError/);
    await expectClean();
    await expectRestored(await bench.redrive(execution));
  });
});

describe('another instance', () => {
  it('takes the place of one that is gone, when it is named', async () => {
    const spare = await createPuppetNode({
      name: `${process.pid}-spare`,
      instanceId: 'i-0fedcba9876543210',
      address: bench.node.address.replace(/\d+$/, '77'),
      tags: bench.node.tags,
    });
    try {
      await bench.lab.connect(spare, 'pe-main');
      await startServices(spare, servicesOf(pe32, ['master', 'puppetdb', 'console']));
      await spare.exec('rm -rf /etc/puppetlabs/puppet/ssl/ca');
      spare.online = true;
      Reflect.set(bench.nodes, 'spare', spare);
      bench.node.online = false;
      const without = await bench.restore({ confirm: 'pe-main', backup: good });
      expect(without.error).toBe('NodeUnreachableError');
      const { status, cause, output } = await bench.restore({
        confirm: 'pe-main',
        backup: good,
        onto: { master: 'i-0fedcba9876543210' },
      });
      expect([status, cause]).toEqual(['SUCCEEDED', '']);
      const compared = output.proof?.compared ?? [];
      expect(compared.filter((line) => !line.startsWith('files of '))).toHaveLength(7);
      expect(compared.join('\n')).toMatch(/^files of configuration on .*: \d+ entries are unpacked/m);
      const { stdout } = await spare.exec(
        'openssl x509 -in /etc/puppetlabs/puppet/ssl/ca/ca_crt.pem -noout -fingerprint -sha256; service pe-puppetdb status && service pe-httpd status',
      );
      expect(stdout).toContain(authority);
      expect(stdout).toMatch(/pe-httpd .* is running/);
    } finally {
      Reflect.deleteProperty(bench.nodes, 'spare');
      bench.node.online = true;
      await spare.destroy();
    }
  });
});

describe('a part of a system', () => {
  it('is restored alone: one database, and nothing else is stopped or changed', async () => {
    await bench.sql('console_auth', 'DELETE FROM users');
    await bench.sql('console', 'CREATE TABLE made_after_the_backup (n int)');
    await bench.shell('echo changed >> /etc/puppetlabs/puppet/manifests/site.pp');
    const puppetdb = await bench.shell('cat /var/run/pe-puppetdb.pid');
    const ending = await bench.restore({ confirm: 'pe-main', scope: ['databases:console_auth'] });
    expect([ending.status, ending.cause]).toEqual(['SUCCEEDED', '']);
    expect(ending.output.proof?.compared).toHaveLength(2);
    expect(await users()).toBe('150');
    expect(await bench.sql('console', 'SELECT count(*) FROM made_after_the_backup')).toBe('0');
    expect(await bench.shell('cat /etc/puppetlabs/puppet/manifests/site.pp')).toContain('changed');
    expect(await bench.shell('cat /var/run/pe-puppetdb.pid')).toBe(puppetdb);
    await expectClean();
  });

  it('is restored alone: code, configuration without certificates, certificates', async () => {
    const site = '/etc/puppetlabs/puppet/manifests/site.pp';
    const conf = '/etc/puppetlabs/puppet/puppet.conf';
    const key = '/etc/puppetlabs/puppet/ssl/ca/ca_key.pem';
    const marks = async () =>
      Promise.all(
        [site, conf, key].map(async (file) => (await readFile(bench.node.path(file), 'utf8')).includes('#mark')),
      );
    const mark = () =>
      bench.shell(`for f in ${site} ${conf} ${key}; do grep -q '#mark' $f || echo '#mark' >> $f; done`);
    for (const [scope, left] of [
      ['code', [false, true, true]],
      ['config', [true, false, true]],
      ['certs', [true, true, false]],
    ] as const) {
      await mark();
      const { status, cause } = await bench.restore({ confirm: 'pe-main', scope: [scope] });
      expect([scope, status, cause]).toEqual([scope, 'SUCCEEDED', '']);
      expect([scope, await marks()]).toEqual([scope, left]);
    }
    await expectClean();
    await expectRestored(await bench.restore({ confirm: 'pe-main' }));
  });
});

describe('a restore', () => {
  it('tells its whole plan without touching anything', async () => {
    const { status, output } = await bench.restore({ planOnly: true });
    expect(status).toBe('SUCCEEDED');
    const { steps, bytesRaw, artifacts, estimatedSeconds } = output.plan?.summary ?? { steps: [] };
    expect(steps.map((step) => step.split(':')[0]).filter((name, index, all) => all[index - 1] !== name)).toEqual([
      'fetch',
      'stop-services',
      'keep-authority',
      'restart-postgresql',
      'prepare-tablespaces',
      'restore-globals',
      'restore-databases',
      'swap-databases',
      'replace-files',
      'merge-authority',
      'set-owners',
      'set-up-puppetdb-ssl',
      'forget-catalog',
      'count-rows',
      'inspect-restored',
      'start-services',
      'check-health',
      'finish',
    ]);
    expect(steps.join('\n')).toMatch(/restore-database pe-puppetdb .* on master\.pe\.example\.com/);
    expect(artifacts).toBeGreaterThan(10);
    expect(bytesRaw).toBeGreaterThan(1_000_000);
    expect(estimatedSeconds).toBeGreaterThan(0);
    await expectClean();
  });

  it('that fails after everything was replaced puts back what was there before, and names the safety backup', async () => {
    const site = '/etc/puppetlabs/puppet/manifests/site.pp';
    const tool = '/opt/puppet/sbin/puppetdb-ssl-setup';
    await bench.sql('console', 'CREATE TABLE made_after_the_backup (n int)');
    await bench.shell(
      `echo "# changed" >> ${site}; mv ${tool} /root/tool; printf '#!/bin/sh\nexit 1\n' > ${tool}; chmod +x ${tool}`,
    );
    const { status, error, cause } = await bench.restore({ confirm: 'pe-main', safetyBackup: true });
    await bench.shell(`mv /root/tool ${tool}`);
    expect([status, error]).toEqual(['FAILED', 'CommandFailedError']);
    expect(cause).toMatch(/PuppetdbSslError: puppetdb-ssl-setup -f/);
    expect(cause).toMatch(/safety backup \d{8}T\d{6}Z: go back to it with \{"system": "pe-main", "backup": "/);
    expect(await bench.sql('console', 'SELECT count(*) FROM made_after_the_backup')).toBe('0');
    expect(await bench.shell(`cat ${site}`)).toContain('# changed');
    await expectClean();
  });
});
