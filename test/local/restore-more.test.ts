import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { vaultKeys } from '#domain/naming';
import { createPuppetNode, startServices } from '#local/lab/layer';
import { buildInstaller } from '#local/lab/pe32/installer';
import { pe32 } from '#local/lab/pe32/product';
import { servicesOf } from '#local/lab/product';
import type { Bench } from './harness.ts';
import { expectClean, expectRestored, type Restored, startRestored, stopped } from './restored.ts';

let system: Restored;
let bench: Bench;
let authority: string;
let good: string;

beforeAll(async () => {
  system = await startRestored();
  ({ bench, authority, good } = system);
});
afterAll(() => bench.close());

describe('a system is brought back whose', () => {
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
    await expectRestored(system, await bench.restore({ confirm: 'pe-main' }));
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
    await expectRestored(system, await bench.restore({ confirm: 'pe-main', backup: output.backup }));
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
    await expectRestored(system, await bench.restore({ confirm: 'pe-main', databases: 'globals' }));
  });

  it('node lost its power in the middle of a restore that had dropped everything first', async () => {
    const execution = await bench.start(
      { system: 'pe-main', confirm: 'pe-main', databases: 'globals', safetyBackup: false },
      'holdfast-restore',
    );
    await bench.until('pgrep -f "[b]in/pg_restore .*jobs"');
    const bringBack = await bench.terminate(bench.node);
    const { status, error } = await bench.ending(execution);
    bringBack();
    expect([status, error]).toEqual(['FAILED', 'UndoFailedError']);
    await bench.node.boot();
    await bench.shell('service pe-postgresql start; mkdir -p /var/run/pe-puppet');
    expect(await bench.sql('postgres', "SELECT count(*) FROM pg_database WHERE datname = 'console'")).toBe('0');
    await bench.shell('service pe-memcached start; service pe-activemq start || true');
    await expectRestored(system, await bench.restore({ confirm: 'pe-main', databases: 'globals' }));
  });
});

describe('a reinstallation', () => {
  it('whose uninstaller, and then whose installer fails says why and where its log is, and goes on when it is started again', async () => {
    const archive = await buildInstaller(bench.lab.runtime.vaultDirectory.replace(/[^/]*$/, '..'));
    const broken = `${archive}.broken`;
    execFileSync('bash', [
      '-ec',
      `tar -C "$0" -xzf ${archive} && sed -i '1a echo no such package; exit 7' "$0"/*/puppet-enterprise-installer && tar -C "$0" -czf ${broken} puppet-enterprise-3.2.3-debian-12-amd64`,
      await mkdtemp(`${archive}-`),
    ]);
    const reinstalled = async (file: string) => {
      const content = await readFile(file);
      const installer = basename(file).replace('.tar.gz.broken', '-broken.tar.gz');
      await bench.upload(vaultKeys.installer('pe-main', installer), content);
      const sha256 = createHash('sha256').update(content).digest('hex');
      return bench.restore({ confirm: 'pe-main', backup: good, reinstall: { installer, sha256 } });
    };
    const uninstaller = '/opt/puppet/bin/puppet-enterprise-uninstaller';
    await bench.shell(
      `mv ${uninstaller} /root/uninstaller && printf '#!/bin/bash\necho a package is held\nexit 3\n' >${uninstaller} && chmod +x ${uninstaller}`,
    );
    expect((await reinstalled(archive)).cause).toMatch(
      /PurgeFailedError: the uninstaller ended with 3: a package is held.*Its log is \/var\/lib\/holdfast\/logs\/[^/ ]+\/uninstaller-/,
    );
    await expectClean(bench);
    expect(await bench.authority()).toBe(authority);
    await bench.shell(`mv /root/uninstaller ${uninstaller}`);

    expect((await reinstalled(broken)).cause).toMatch(
      /InstallFailedError: the installer ended with 7.*Its log is \/var\/lib\/holdfast\/logs\/[^/ ]+\/installer-.*it continues from here/,
    );
    expect(await bench.shell('cat /var/lib/holdfast/logs/*/installer-*')).toBe('no such package\n');
    expect(await bench.shell('ls -d /opt/puppet /etc/puppetlabs 2>/dev/null || true')).toBe('');
    await expectRestored(system, await reinstalled(archive));
  }, 800_000);
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
    await expectClean(bench);
    await expectRestored(system, await bench.restore({ confirm: 'pe-main' }));
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
    await expectClean(bench);
  });
});
