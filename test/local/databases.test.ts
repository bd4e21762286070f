import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Contract, Takes, Values } from '#domain/contracts/document';
import {
  countRows,
  dropDatabases,
  restartPostgresql,
  restoreGlobals,
  swapDatabases,
} from '#domain/systems/puppet-documents';
import { runDocument } from '../../bench/contest.ts';
import { type Bench, monolithic, startBench } from './harness.ts';
import { emptyServer, inDatabase, odd, oddServer, secretOfSettings, serverOf } from './odd-databases.ts';

/** Databases as they are found in life: nothing of them is lost by a backup and a restore, and nothing changed by a restore that fails. */

let bench: Bench;
const stopped = 'pe-httpd pe-puppet-dashboard-workers pe-puppetdb';

beforeAll(async () => {
  bench = await startBench({ configuration: monolithic() });
  // They write at any time; what is compared here stands still.
  await bench.shell(`for s in ${stopped}; do service $s stop; done`);
});
afterAll(() => bench.close());

/** What a document answers that fails. */
const refusalOf = async <P extends Takes>(
  contract: Contract<P>,
  run: string,
  values: NoInfer<Values<P>>,
): Promise<{ error: string; message: string }> =>
  JSON.parse(
    await runDocument(bench.node, contract, run, values)
      .then(() => '{}', String)
      .then((said) => said.slice(said.indexOf('{'))),
  );

const postgres = (command: string): string => `service pe-postgresql ${command}`;

describe('a server full of oddities', () => {
  let before: string;
  let backup: string;

  beforeAll(async () => {
    await oddServer(bench);
    before = await serverOf(bench);
    const { status, cause, output } = await bench.backUp();
    expect([status, cause]).toEqual(['SUCCEEDED', '']);
    backup = output.backup ?? '';
  });

  it('is told what no backup of it holds, and nothing else', async () => {
    const { warnings, nodes } = await bench.manifest(backup);
    expect(nodes[0]?.inspection.postgres?.databases.map(({ name }) => name)).toEqual([
      'bare',
      'company_template',
      'console',
      'console_auth',
      'latin1',
      odd,
      'pe-puppetdb',
      'raw',
      'postgres',
    ]);
    // The lab's configuration has broken links, which are told beside.
    expect(warnings.filter((warning) => !warning.includes('/etc/puppetlabs/'))).toEqual([
      expect.stringContaining('the database template1 holds objects of its own'),
      expect.stringContaining('the database latin1 has 1 tables or functions in pg_catalog'),
      expect.stringContaining('the settings or limit of the database template1'),
      expect.stringContaining('the replication slot waiting'),
    ]);
  });

  it('comes back as it was: every dump and every setting is the same', async () => {
    await emptyServer(bench);
    expect(await serverOf(bench)).not.toBe(before);
    const { status, cause, output } = await bench.restore({ confirm: 'pe-main', backup });
    expect([status, cause]).toEqual(['SUCCEEDED', '']);
    // A role that was made since stays, without any right on what came back.
    await bench.sql('postgres', 'DROP ROLE later');
    expect(await serverOf(bench)).toBe(before);
    expect(output.proof?.compared.filter((line) => line.startsWith('database '))).toHaveLength(18);
  });

  it('has told nobody the value of a setting: no plan with its commands, no answer and no manifest has it', async () => {
    const notes = await Promise.all(
      (await bench.state.list('')).map(async (key) => (await bench.state.read(key))?.text),
    );
    const told = `${notes.join('\n')}${JSON.stringify(await bench.manifest(backup))}`;
    expect(told).toContain('app.secret');
    expect(told).toContain('RestoreDatabase');
    // As it is, and in base64 wherever it begins.
    const spellings = [0, 1, 2].map((at) =>
      Buffer.from(`${' '.repeat(at)}${secretOfSettings}`)
        .toString('base64')
        .slice(2, -4),
    );
    for (const spelling of [secretOfSettings, ...spellings]) expect(told).not.toContain(spelling);
  });

  it('is left as it is by a restore that fails: limits, settings, passwords, what is there and what is not', async () => {
    const tool = '/opt/puppet/sbin/puppetdb-ssl-setup';
    await bench.sql(
      'postgres',
      `ALTER DATABASE console CONNECTION LIMIT 7; COMMENT ON DATABASE console IS 'of today';
       ALTER ROLE console PASSWORD 'of today'; ALTER ROLE console IN DATABASE console SET work_mem = '1MB';
       DROP DATABASE raw; REVOKE CONNECT ON DATABASE latin1 FROM PUBLIC; DROP ROLE leaver;
       GRANT console_auth TO console; ALTER TABLESPACE "pe-console" OWNER TO console_auth; COMMENT ON TABLESPACE "pe-console" IS 'of today'`,
    );
    const today = await serverOf(bench);
    await bench.shell(`mv ${tool} /root/tool; printf '#!/bin/sh\nexit 1\n' > ${tool}; chmod +x ${tool}`);
    const { status, cause } = await bench.restore({ confirm: 'pe-main', backup });
    await bench.shell(`mv /root/tool ${tool}`);
    expect([status, cause]).toEqual(['FAILED', expect.stringMatching(/PuppetdbSslError/)]);
    expect(await serverOf(bench)).toBe(today);
    expect((await bench.traces()).onNode).toBe('');
  });
});

describe('a document does not answer success for what it did not do', () => {
  const fetched = (run: string): string => `/var/lib/holdfast/restore/${run}/fetched`;

  it('swap-databases, where nothing was restored', async () => {
    expect(await refusalOf(swapDatabases, 'swap', { Databases: ['console'] })).toEqual({
      error: 'SwapFailedError',
      message: expect.stringMatching(/no restored copy of console/),
    });
    expect(await bench.sql('postgres', "SELECT count(*) FROM pg_database WHERE datname = 'console'")).toBe('1');
  });

  it('restart-postgresql, whose service restarts nothing', async () => {
    const script = '/etc/init.d/pe-postgresql';
    await bench.shell(`mv ${script} /root/script; printf '#!/bin/sh\nexit 0\n' > ${script}; chmod +x ${script}`);
    // The wait of half a minute for the new process is over at once.
    await bench.shell('mv /usr/bin/sleep /root/sleep; ln -s /bin/true /usr/bin/sleep');
    const said = await refusalOf(restartPostgresql, 'restart', { Databases: ['raw'] });
    await bench.shell(`mv /root/sleep /usr/bin/sleep; mv /root/script ${script}`);
    expect(said).toEqual({
      error: 'RestartFailedError',
      message: expect.stringMatching(/the same process still runs/),
    });
  });

  it('drop-databases, where something holds a role, and says what', async () => {
    await bench.shell('install -d -o pe-postgres -g pe-postgres -m 0700 /srv/later');
    await bench.sql('postgres', "CREATE ROLE holder; CREATE TABLESPACE later OWNER holder LOCATION '/srv/later'");
    const said = await refusalOf(dropDatabases, 'drop', { Databases: [], Tablespaces: [], Roles: ['holder'] });
    await bench.sql('postgres', 'DROP TABLESPACE later; DROP ROLE holder');
    expect(said).toEqual({
      error: 'DropFailedError',
      message: expect.stringMatching(/the role holder is still there: 2BP01: .* owner of tablespace later/),
    });
  });

  it('restore-globals, when PostgreSQL refuses one of its statements', async () => {
    await bench.shell(
      `install -d ${fetched('globals')} && echo 'CREATE ROLE console; GRANT nobody_knows TO console;' >${fetched('globals')}/globals.sql`,
    );
    expect(await refusalOf(restoreGlobals, 'globals', { Name: 'globals.sql' })).toEqual({
      error: 'GlobalsFailedError',
      message: expect.stringMatching(/could not be restored: 42704: role "nobody_knows" does not exist/),
    });
  });

  it('a backup, when PostgreSQL runs and refuses', async () => {
    const hba = '/opt/puppet/var/lib/pgsql/9.2/data/pg_hba.conf';
    await bench.shell(`cp -a ${hba} /root/hba; sed -i '1i local all all reject' ${hba}; ${postgres('restart')}`);
    const { error, cause } = await bench.backUp();
    await bench.shell(`cp -a /root/hba ${hba}; ${postgres('restart')}`);
    expect([error, cause]).toEqual([
      'CommandFailedError',
      expect.stringMatching(/PostgresRefusedError: .*refuses a session to pe-postgres.*pg_hba\.conf rejects/),
    ]);
  });
});

it('a table in a statement of its own: a database of many tables is counted under few locks, and its settings are compared', async () => {
  await bench.sql('postgres', 'CREATE DATABASE many');
  await inDatabase(
    bench,
    'many',
    "SELECT format('CREATE TABLE t%s AS SELECT generate_series(1, %s) AS i', n, n % 5) FROM generate_series(1, 1500) n \\gexec",
  );
  await bench.shell(`install -d /var/lib/holdfast/restore/many/fetched`);
  await bench.shell(
    `{ echo "rows	table"; for n in $(seq 1500); do echo "$((n % 5))	public.t$n"; done; printf 'setting\\t%s\\t\\n' "$(printf app.secret=x | base64)"; } >/var/lib/holdfast/restore/many/fetched/list`,
  );
  const answer = JSON.parse(await runDocument(bench.node, countRows, 'many', { Name: 'list', Database: 'many' }));
  await bench.sql('postgres', 'DROP DATABASE many');
  // The setting that the list has and the database has not is told by its name.
  expect(answer).toEqual({ database: 'many', tables: 1500, rows: 3000, different: 'app.secret is set otherwise' });
});
