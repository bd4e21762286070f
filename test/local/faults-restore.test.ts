import { readFile, truncate, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { instanceArn, stateKeys, vaultKeys } from '#domain/naming';
import { connect } from '../../cli/connection.ts';
import { type Choice, decide } from '../../cli/decide.ts';
import { recordedOutput } from '../unit/cli-fixtures.ts';
import { type Bench, type Ending, instanceId } from './harness.ts';
import { abortIn, expectUntouched, startRestorable } from './restorable.ts';

let bench: Bench;
let backup: string;

beforeAll(async () => {
  ({ bench, backup } = await startRestorable());
});
afterAll(() => bench.close());
afterEach(() => bench.judgeWith(() => 'pass'));

const expectRefused = async (ending: Ending, error: string, cause: RegExp): Promise<void> => {
  expect([ending.status, ending.error, ending.cause]).toEqual(['FAILED', error, expect.stringMatching(cause)]);
  await expectUntouched(bench);
};

const artifact = (name: string, of = backup): string =>
  vaultKeys.artifact(
    'pe-main',
    of,
    instanceArn(bench.lab.runtime.stateMachineArn('holdfast-backup'), instanceId),
    name,
  );

describe('a restore is refused before anything is changed', () => {
  it('of a backup that there is not, and names those that there are', async () => {
    const ending = await bench.restore({ confirm: 'pe-main', backup: '20200101T000000Z' });
    await expectRefused(ending, 'UnknownBackupError', new RegExp(`no backup 20200101T000000Z.*${backup}`));
  });

  it('when there was no good backup at that time', async () => {
    const ending = await bench.restore({ confirm: 'pe-main', backup: undefined, before: '2020-01-01T00:00:00Z' });
    await expectRefused(ending, 'NoBackupError', /no good backup before 2020/);
  });

  it.each([
    [{ confirm: 'pe-other' }, /confirm.*pe-main, typed again/],
    [{ confirm: '' }, /typed again/],
    [{ scope: ['everything'] }, /scope/],
    [{ onto: { master: 'somewhere' } }, /instance id/],
    [{ reinstall: { installer: '../../x', sha256: 'ab'.repeat(32) } }, /installer/],
    [{ reinstall: { installer: 'pe.tar.gz' } }, /sha256/],
    [{ before: '2026-01-01T00:00:00Z' }, /not both/],
  ])('with %j as its input', async (input, cause) => {
    await expectRefused(await bench.restore(input), 'InvalidInputError', cause);
  });

  it('of another version, on another host, in one sentence', async () => {
    await bench.shell(
      'cp -a /opt/puppet/pe_version /root/ && cp /etc/hosts /root/hosts && echo 3.3.0 > /opt/puppet/pe_version && sed "s/master/other/g" /root/hosts > /etc/hosts && hostname other.pe.example.com',
    );
    const ending = await bench.restore({ confirm: 'pe-main' });
    await bench.shell(
      'cp -a /root/pe_version /opt/puppet/pe_version; cat /root/hosts > /etc/hosts; hostname master.pe.example.com',
    );
    await expectRefused(
      ending,
      'CheckFailedError',
      /runs Puppet Enterprise 3\.3\.0.*3\.2\..*host name is other.*master/s,
    );
  });

  it('without the space for it, and says how much is missing', async () => {
    await bench.shell('mount -t tmpfs -o size=20m tmpfs /var/lib/holdfast');
    const ending = await bench.restore({ confirm: 'pe-main' });
    await bench.shell('umount /var/lib/holdfast');
    await expectRefused(ending, 'CheckFailedError', /has \d+ MiB free; the download.* need \d+ MiB/);
  });

  it('when a tablespace holds what is not of PostgreSQL', async () => {
    await bench.shell('echo mine > /opt/puppet/var/lib/pgsql/9.2/console/precious');
    const ending = await bench.restore({ confirm: 'pe-main' });
    await bench.shell('rm /opt/puppet/var/lib/pgsql/9.2/console/precious');
    await expectRefused(ending, 'CheckFailedError', /tablespace pe-console at .*9\.2\/console holds files/);
  });

  it('when a role that would have to go owns something elsewhere', async () => {
    await bench.sql('postgres', 'CREATE DATABASE elsewhere;');
    await bench.sql('elsewhere', 'CREATE TABLE kept (n int); ALTER TABLE kept OWNER TO console;');
    const ending = await bench.restore({ confirm: 'pe-main', databases: 'globals' });
    await bench.sql('postgres', 'DROP DATABASE elsewhere;');
    await expectRefused(ending, 'CheckFailedError', /role console owns or may use 1 objects of the database elsewhere/);
  });

  it('while a backup of the same system runs, which is not disturbed', async () => {
    const letGo = await bench.holdDump('console_auth', 'users');
    const execution = await bench.start({ system: 'pe-main' });
    await bench.until('pgrep -f "[b]in/pg_dump .*console_auth"');
    const ending = await bench.restore({ confirm: 'pe-main' });
    await letGo();
    const { status } = await bench.ending(execution);
    expect([ending.error, status]).toEqual(['SystemBusyError', 'SUCCEEDED']);
    await expectUntouched(bench);
  });
});

describe('a damaged backup', () => {
  const path = (key: string): string => `${bench.lab.runtime.vaultDirectory}/${key}`;

  it.each([
    ['with one flipped byte', 'CommandFailedError', /ArtifactDamagedError: .*SHA-256/, 'flip'],
    ['that is cut off', 'ArtifactMissingError', /the vault has \d+ bytes of \d+/, 'cut'],
  ] as const)('%s is never restored', async (_, error, cause, how) => {
    const key = artifact('databases/console.dump.zst');
    const whole = await readFile(path(key));
    if (how === 'flip') {
      const flipped = Buffer.from(whole);
      flipped[1000] = (flipped[1000] ?? 0) ^ 1;
      await writeFile(path(key), flipped);
    } else await truncate(path(key), whole.length - 1);
    const ending = await bench.restore({ confirm: 'pe-main', backup });
    await writeFile(path(key), whole);
    await expectRefused(ending, error, cause);
  });

  it('on which something else was written, or a deletion, is restored as it was committed', async () => {
    const other = (await bench.backUp()).output.backup ?? '';
    await bench.upload(artifact('databases/console.dump.zst', other), Buffer.from('something else'));
    await bench.vault.delete(artifact('files/modules.tar.zst', other));
    const { status, cause } = await bench.restore({ confirm: 'pe-main', backup: other });
    expect([status, cause]).toEqual(['SUCCEEDED', '']);
  });

  it('of which the committed version is gone is never restored', async () => {
    const other = (await bench.backUp()).output.backup ?? '';
    const [found] = await bench.vault.versions(artifact('files/modules.tar.zst', other));
    await bench.lose(found ?? { key: '' });
    await expectRefused(
      await bench.restore({ confirm: 'pe-main', backup: other }),
      'ArtifactMissingError',
      /modules\.tar\.zst: the vault does not have the version/,
    );
  });

  it.each([
    ['that cannot be read any more', 'deny', /403|denied|Forbidden/i],
    ["for which the node's credentials have expired", 'expired', /ExpiredToken/],
  ] as const)('%s in the middle says why', async (_, verdict, said) => {
    const read: string[] = [];
    bench.judgeWith(({ method, key, accessKeyId }) => {
      if (method !== 'GET' || !accessKeyId.startsWith('NODE')) return 'pass';
      read.push(key);
      return key.endsWith('configuration.tar.zst') ? verdict : 'pass';
    });
    const ending = await bench.restore({ confirm: 'pe-main', backup });
    expect(read.length).toBeGreaterThan(1);
    await expectRefused(ending, 'CommandFailedError', /DownloadFailedError: .*configuration\.tar\.zst/s);
    expect(ending.cause).toMatch(said);
  });
});

describe('somebody who still uses a database', () => {
  it('and comes back after the restart ends the restore before anything is dropped', async () => {
    await bench.shell(
      'cat > /root/stubborn.sh <<"S"\nwhile :; do su -s /bin/bash pe-postgres -c "cd / && PGAPPNAME=stubborn /opt/puppet/bin/psql -q -d console -c \'SELECT pg_sleep(600)\'" >/dev/null 2>&1; sleep 0.1; done\nS\n(setsid bash /root/stubborn.sh >/dev/null 2>&1 </dev/null & echo $! > /root/stubborn.pid)',
    );
    const ending = await bench.restore({ confirm: 'pe-main', backup });
    await bench.shell('kill $(cat /root/stubborn.pid); pkill -f "[p]g_sleep" || true');
    await bench.sql(
      'postgres',
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stubborn';",
    );
    await expectRefused(
      ending,
      'CommandFailedError',
      /SessionsLeftError: .*console: pe-postgres .*stubborn.*process \d+/,
    );
  });
});

describe('without a confirmation a restore', () => {
  const waiting = async (approvalSeconds: number) => {
    const execution = await bench.start(
      { system: 'pe-main', backup, approvalSeconds, safetyBackup: false, scope: ['code'] },
      'holdfast-restore',
    );
    const run = execution.split(':').at(-1) ?? '';
    await expect
      .poll(() => bench.state.read(stateKeys.approval(run)), { timeout: 120_000, interval: 50 })
      .toBeDefined();
    return { execution, run };
  };
  const decided = (run: string, choice: Choice) =>
    decide(
      () => connect({ endpointUrl: bench.lab.runtime.url, region: 'us-east-1' }),
      run,
      choice,
      recordedOutput().output,
    );

  it('waits for an approval, and goes on with it', async () => {
    const { execution, run } = await waiting(600);
    expect(await decided(run, { approve: true })).toBe('ok');
    expect(await bench.ending(execution)).toMatchObject({ status: 'SUCCEEDED' });
    await expectUntouched(bench);
  });

  it('ends when it is rejected, with the reason', async () => {
    const { execution, run } = await waiting(600);
    await decided(run, { approve: false, reason: 'not tonight' });
    await expectRefused(await bench.ending(execution), 'ApprovalRejectedError', /not tonight \(rejected by /);
  });

  it('ends when nobody says anything', async () => {
    const { execution } = await waiting(1);
    await expectRefused(await bench.ending(execution), 'ApprovalTimedOut', /Nobody approved/);
  });
});

describe('a backup in cold storage', () => {
  it('is thawed first', async () => {
    const key = artifact('files/modules.tar.zst');
    bench.lab.runtime.coldStorage.freeze(key);
    const execution = await bench.start(
      { system: 'pe-main', backup, confirm: 'pe-main', safetyBackup: false, scope: ['code'] },
      'holdfast-restore',
    );
    await expect.poll(() => bench.lab.runtime.coldStorage.thawed(), { timeout: 30_000 }).toEqual([key]);
    bench.lab.runtime.coldStorage.finish();
    expect(await bench.ending(execution)).toMatchObject({ status: 'SUCCEEDED', cause: '' });
    await expectUntouched(bench);
  });
});

describe('a restore that is aborted', () => {
  // Where most is half done; test:all aborts it in each of its states.
  it.each([
    ['restore', 'SafetyBackup'],
    ['restore-puppet', 'RestoreDatabases'],
    ['restore-puppet', 'ReplaceFiles'],
    ['restore-puppet', 'StartServices'],
  ] as const)('in %s: %s leaves nothing half done, and the system as it was', (machine, state) =>
    abortIn(bench, backup, machine, state),
  );
});
