import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Bench, type Ending, monolithic, noTraces, startBench } from './harness.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await startBench({ configuration: monolithic('quiesced', '    extraPaths: [/srv/extra]') });
  await bench.shell('mkdir /srv/extra && echo kept > /srv/extra/file');
});
afterAll(() => bench.close());
afterEach(async () => {
  bench.judgeWith(() => 'pass');
  await bench.forget();
});

/** Every fault ends with one clear error and nothing half done, and the next backup succeeds. */
const expectFailure = async (ending: Ending, error: string, cause: RegExp): Promise<void> => {
  expect(ending).toMatchObject({ status: 'FAILED', error });
  expect(ending.cause).toMatch(cause);
  expect(await bench.traces()).toEqual(noTraces);
};

const expectRecovery = async (): Promise<void> => {
  expect(await bench.backUp()).toMatchObject({ status: 'SUCCEEDED' });
};

/** The process that uploads an artifact, held at its start so that what follows happens in the middle of the stream. */
const stopUploader = async (artifact: string): Promise<void> =>
  bench.until(`pid=$(pgrep -f '[a]ws s3 cp - s3://.*${artifact}') && kill -STOP $pid`);

const signalUploader = async (artifact: string, signal: string): Promise<void> => {
  await bench.shell(`kill -${signal} $(pgrep -f '[a]ws s3 cp - s3://.*${artifact}')`);
};

describe('a backup that fails on the node', () => {
  it('because PostgreSQL is down says so and how to go on', async () => {
    await bench.shell('service pe-httpd stop; service pe-puppetdb stop; service pe-postgresql stop');
    const ending = await bench.backUp();
    await bench.shell('service pe-postgresql start; service pe-puppetdb start; service pe-httpd start');
    await expectFailure(ending, 'CommandFailedError', /PostgresDownError: .*service pe-postgresql start/);
    await expectRecovery();
  });

  it('because one database has a damaged page names the database', async () => {
    const file = await bench.sql(
      'console',
      "CREATE TABLE damaged AS SELECT generate_series(1, 1000) AS n; CHECKPOINT; SELECT current_setting('data_directory') || '/' || pg_relation_filepath('damaged');",
    );
    await bench.shell('service pe-httpd stop; service pe-postgresql restart');
    await bench.shell(
      `printf 'garbage garbage' | dd of='${file}' bs=1 seek=8192 conv=notrunc status=none; service pe-httpd start; service pe-puppetdb restart`,
    );
    const ending = await bench.backUp();
    await bench.sql('console', 'DROP TABLE damaged;');
    await expectFailure(ending, 'CommandFailedError', /dump-database console .*invalid page/);
  });

  it('because a database takes no connections names the database', async () => {
    await bench.sql('postgres', 'CREATE DATABASE closed; ALTER DATABASE closed ALLOW_CONNECTIONS false;');
    const ending = await bench.backUp();
    await bench.sql('postgres', 'DROP DATABASE closed;');
    await expectFailure(
      ending,
      'CommandFailedError',
      /DatabaseUnreadableError: .*the database closed can't be read: it takes no connections\. Allow them/,
    );
  });

  it('because the dump is killed in the middle commits nothing', async () => {
    const run = bench.start({ system: 'pe-main' });
    await stopUploader('pe-puppetdb.dump');
    await bench.until('pkill -KILL -f "[b]in/pg_dump .*pe-puppetdb"');
    await expectFailure(
      await bench.ending(await run),
      'CommandFailedError',
      /ProducerKilledError: pg_dump was killed by signal 9/,
    );
    await expectRecovery();
  });

  it('because the uploader is killed commits nothing', async () => {
    const run = bench.start({ system: 'pe-main' });
    await stopUploader('pe-puppetdb.dump');
    await signalUploader('pe-puppetdb.dump', 'KILL');
    await expectFailure(await bench.ending(await run), 'CommandFailedError', /UploadFailedError/);
    await expectRecovery();
  });

  it('because S3 denies access passes on what S3 said', async () => {
    bench.judgeWith(({ key }) => (key.includes('console_auth.dump') ? 'deny' : 'pass'));
    await expectFailure(
      await bench.backUp(),
      'CommandFailedError',
      /UploadFailedError: .*console_auth\.dump.*AccessDenied/,
    );
  });

  it('because the upload is cut off commits nothing and leaves no half upload', async () => {
    bench.judgeWith(({ key, query }) => (key.includes('pe-puppetdb.dump') && query.has('partNumber') ? 'cut' : 'pass'));
    await expectFailure(await bench.backUp(), 'CommandFailedError', /UploadFailedError: .*pe-puppetdb\.dump/);
    bench.judgeWith(() => 'pass');
    await expectRecovery();
  });

  it.each([
    ['empty', 'exit 0', /EmptyStreamError: pg_dump wrote nothing/],
    [
      'truncated',
      '/usr/lib/postgresql/15/bin/pg_dump "$@" | head -c 60000',
      /VerificationFailedError: what pg_dump wrote is not whole/,
    ],
    ['cut by its last ten bytes', '/usr/lib/postgresql/15/bin/pg_dump "$@" | head -c -10', /VerificationFailedError/],
  ])('because a dump is %s although pg_dump says success', async (_, body, cause) => {
    await bench.shell(
      `mv /opt/puppet/bin/pg_dump /root/pg_dump.away; printf '%s\\n' '#!/bin/sh' '${body}' >/opt/puppet/bin/pg_dump; chmod 755 /opt/puppet/bin/pg_dump`,
    );
    const ending = await bench.backUp();
    await bench.shell('mv /root/pg_dump.away /opt/puppet/bin/pg_dump');
    await expectFailure(ending, 'CommandFailedError', cause);
  });

  it("because the node's temporary directory is full tells the numbers", async () => {
    await bench.shell(
      'mkdir -p /var/lib/holdfast && mount -t tmpfs -o size=64k tmpfs /var/lib/holdfast; head -c 1M /dev/zero >/var/lib/holdfast/full || true',
    );
    const ending = await bench.backUp();
    await bench.shell('umount /var/lib/holdfast');
    await expectFailure(ending, 'CommandFailedError', /NoSpaceError: .*has 0 KiB free of 64 KiB/);
    await expectRecovery();
  });

  it('because a file changes each time that it is read names the file', async () => {
    await bench.shell(
      'head -c 30M /dev/urandom >/srv/extra/busy; (while :; do date >>/srv/extra/busy; done) >/dev/null 2>&1 & echo $! >/root/busy.pid',
    );
    const ending = await bench.backUp();
    await bench.shell('kill $(cat /root/busy.pid); rm /srv/extra/busy');
    await expectFailure(ending, 'CommandFailedError', /FileChangedError: .*srv\/extra\/busy.* in each of 3 attempts/);
  });

  it('because a key lies behind a link that leads nowhere', async () => {
    await bench.shell('ln -s /mnt/gone/ca.pass /etc/puppetlabs/puppet/ssl/ca/private/second.pass');
    const ending = await bench.backUp();
    await bench.shell('rm /etc/puppetlabs/puppet/ssl/ca/private/second.pass');
    await expectFailure(ending, 'CommandFailedError', /SecretUnreadableError: .*second\.pass points to \/mnt\/gone/);
  });

  it('because a configured path is not there names it', async () => {
    await bench.shell('mv /srv/extra /srv/away');
    const ending = await bench.backUp();
    await bench.shell('mv /srv/away /srv/extra');
    await expectFailure(ending, 'CommandFailedError', /MissingPathError: \/srv\/extra is not there/);
  });

  it('because it does not hold its configured role says what it holds', async () => {
    const dashboard = '/opt/puppet/share/puppet-dashboard';
    // Its certificates are named there: that they are missing would be told first.
    const settings = '/etc/puppetlabs/httpd/conf.d/puppetdashboard.conf';
    await bench.shell(`mv ${dashboard} /root/dashboard.away && mv ${settings} /root/settings.away`);
    const ending = await bench.backUp();
    await bench.shell(`mv /root/dashboard.away ${dashboard} && mv /root/settings.away ${settings}`);
    await expectFailure(ending, 'WrongRoleError', /configured as console, but only master, puppetdb, agent was found/);
  });

  it('because a service does not stop starts those that were stopped before', async () => {
    await bench.shell(
      'mv /etc/init.d/pe-activemq /root/activemq.away; printf "%s\\n" "#!/bin/sh" "exit 0" >/etc/init.d/pe-activemq; chmod 755 /etc/init.d/pe-activemq',
    );
    const run = bench.start({ system: 'pe-main' });
    const ending = await bench.ending(await run);
    await bench.shell('mv /root/activemq.away /etc/init.d/pe-activemq');
    await expectFailure(ending, 'CommandFailedError', /ServiceStopError: pe-activemq does not stop/);
  });
});
