import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRegular } from '#domain/manifest';
import { vaultKeys } from '#domain/naming';
import { buildInstaller } from '#local/lab/pe32/installer';
import type { Bench } from './harness.ts';
import { expectClean, expectRestored, type Restored, startRestored, stopped, users } from './restored.ts';

let system: Restored;
let bench: Bench;
let good: string;

beforeAll(async () => {
  system = await startRestored();
  ({ bench, good } = system);
});
afterAll(() => bench.close());

/** Has the node's authority sign a certificate, as a master does, and gives back its serial number. */
const sign = async (name: string): Promise<string> =>
  (
    await bench.shell(
      `openssl req -new -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=${name} 2>/dev/null | /opt/puppet/libexec/certificate-authority sign ${name} && openssl x509 -in /etc/puppetlabs/puppet/ssl/ca/signed/${name}.pem -noout -serial`,
    )
  ).trim();

describe('a system is brought back whose', () => {
  it('databases were dropped, with a safety backup of what was left', async () => {
    await bench.shell(`for s in ${stopped}; do service $s stop; done`);
    for (const database of ['console', 'console_auth', 'pe-puppetdb'])
      await bench.sql('postgres', `DROP DATABASE "${database}";`);
    const serial = await sign('after.pe.example.com');
    const ending = await bench.restore({ confirm: 'pe-main', safetyBackup: true });
    await expectRestored(system, ending);
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
    await expectRestored(system, ending);
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
    await expectRestored(system, ending);
    expect(await bench.shell('cat /opt/puppet/pe_version')).toMatch(/^3\.2\./);
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
    await expectClean(bench);
    await expectRestored(system, await bench.redrive(execution));
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
    expect(await users(bench)).toBe('150');
    expect(await bench.sql('console', 'SELECT count(*) FROM made_after_the_backup')).toBe('0');
    expect(await bench.shell('cat /etc/puppetlabs/puppet/manifests/site.pp')).toContain('changed');
    expect(await bench.shell('cat /var/run/pe-puppetdb.pid')).toBe(puppetdb);
    await expectClean(bench);
  });
});

describe('a restore', () => {
  it('that fails after everything was replaced puts back what was there before, and names the safety backup', async () => {
    const site = '/etc/puppetlabs/puppet/manifests/site.pp';
    const tool = '/opt/puppet/sbin/puppetdb-ssl-setup';
    await bench.sql('console', 'CREATE TABLE IF NOT EXISTS made_after_the_backup (n int)');
    await bench.shell(
      `echo "# changed" >> ${site}; mv ${tool} /root/tool; printf '#!/bin/sh\nexit 1\n' > ${tool}; chmod +x ${tool}`,
    );
    const { status, error, cause } = await bench.restore({ confirm: 'pe-main', safetyBackup: true });
    await bench.shell(`mv /root/tool ${tool}`);
    expect([status, error]).toEqual(['FAILED', 'CommandFailedError']);
    expect(cause).toMatch(/PuppetdbSslError: puppetdb-ssl-setup -f/);
    expect(cause).toMatch(
      /safety backup \d{8}T\d{6}Z holds the state before this restore\. To go back, start a restore with \{"system": "pe-main", "backup": "/,
    );
    expect(await bench.sql('console', 'SELECT count(*) FROM made_after_the_backup')).toBe('0');
    expect(await bench.shell(`cat ${site}`)).toContain('# changed');
    await expectClean(bench);
  });
});
