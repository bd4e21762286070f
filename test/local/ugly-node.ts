import { readFileSync } from 'node:fs';
import type { Bench } from './harness.ts';
import { base64, inDatabase, serverOf } from './odd-databases.ts';

/** What a node and its server are, how they are destroyed, and how they become again what they were. */

const script = readFileSync(new URL('tree.py', import.meta.url), 'utf8');

const onTree = (bench: Bench, what: 'tell' | 'destroy', paths: readonly string[]): Promise<string> =>
  bench.shell(
    `echo ${base64(script)} | base64 -d >/tmp/tree.py; echo ${base64(JSON.stringify(paths))} | base64 -d | /usr/bin/python3 /tmp/tree.py ${what}`,
  );

/** Every file that could be of the system, or near it, with all that it has. */
export const filesOf = async (bench: Bench): Promise<Record<string, string>> => {
  const lines = await onTree(bench, 'tell', [
    '/etc',
    '/srv',
    '/mnt',
    '/home',
    '/opt/custom',
    '/opt/puppet/share',
    '/var/lib/peadmin',
  ]);
  return Object.fromEntries(
    lines
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );
};

/** A restore runs the product's own program, which writes these again. */
const recreated = /^\/etc\/puppetlabs\/puppetdb\/ssl/;

/**
 * What differs, by name: of thousands of files the few that matter. What is put in a directory changes the time of that directory, when it
 * is none that is put back itself.
 */
export const differences = (
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
  putBack: readonly string[] = [],
): string[] => {
  const around = new Set(putBack.map((path) => path.replace(/\/[^/]*$/, '')));
  const told = (files: Readonly<Record<string, string>>, path: string): string | undefined =>
    around.has(path) || recreated.test(path) ? files[path]?.replace(/"time": \d+/, '') : files[path];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((path) => {
    const [was, is] = [told(before, path), told(after, path)];
    return was === is ? [] : [`${path}: ${was ?? 'nothing'} became ${is ?? 'nothing'}`];
  });
};

export const stateOf = async (bench: Bench) => ({ files: await filesOf(bench), server: await serverOf(bench) });

/** Takes databases, roles' attributes and every path of the backup away, and gives roles and tablespaces what they had not. Says which paths these are. */
export const destroy = async (bench: Bench, backup: string): Promise<readonly string[]> => {
  const { nodes } = await bench.manifest(backup);
  const paths = Object.values(nodes[0]?.inspection.paths ?? {}).flatMap((some) => some.map(({ path }) => path));
  await onTree(bench, 'destroy', paths);
  await inDatabase(
    bench,
    'template1',
    `\\set ON_ERROR_STOP 0
SELECT format('ALTER DATABASE %I IS_TEMPLATE false', datname) FROM pg_database WHERE datname !~ '^(template[01]|postgres)$' \\gexec
SELECT format('DROP DATABASE %I', datname) FROM pg_database WHERE datname !~ '^(template[01]|postgres|pe-puppetdb)$' \\gexec
SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname !~ '^p[eg][-_]' AND oid % 2 = 0 \\gexec
SELECT format('ALTER ROLE %I PASSWORD ''x'' NOLOGIN CONNECTION LIMIT 1', rolname) FROM pg_roles WHERE rolname !~ '^p[eg][-_]' \\gexec
SELECT format('GRANT console TO %I WITH ADMIN OPTION', rolname) FROM pg_roles WHERE rolname !~ '^(p[eg][-_]|console)' \\gexec
SELECT format('ALTER TABLESPACE %I OWNER TO console; COMMENT ON TABLESPACE %I IS ''x''', spcname, spcname) FROM pg_tablespace WHERE spcname !~ '^pg_' \\gexec
ALTER DATABASE "pe-puppetdb" CONNECTION LIMIT 2; COMMENT ON DATABASE "pe-puppetdb" IS 'x'; ALTER DATABASE "pe-puppetdb" SET work_mem = '1MB';`,
  );
  return paths;
};

/** The node as it was before all oddities. */
export const tidy = async (bench: Bench): Promise<void> => {
  await bench.shell('rm -rf /srv/odd*; rm -rf /etc/puppetlabs && tar -xf /root/configuration.tar -C / 2>&1');
  // One that is subscribed to something can't be dropped.
  const subscribed = await bench.sql(
    'postgres',
    "SELECT translate(encode(convert_to(datname, 'UTF8'), 'base64'), chr(10), '') FROM pg_database WHERE oid IN (SELECT subdbid FROM pg_subscription)",
  );
  for (const name of subscribed.split('\n').filter((line) => line !== ''))
    await inDatabase(
      bench,
      Buffer.from(name, 'base64').toString(),
      "SELECT format('DROP SUBSCRIPTION %I', subname) FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = current_database() \\gexec",
    );
  await inDatabase(
    bench,
    'template1',
    `\\set ON_ERROR_STOP 0
SELECT format('ALTER DATABASE %I IS_TEMPLATE false', datname) FROM pg_database WHERE datname ~ '[abc][0-9]+$' \\gexec
SELECT format('DROP DATABASE %I', datname) FROM pg_database WHERE datname ~ '[abc][0-9]+$' \\gexec
SELECT format('DROP TABLESPACE %I', spcname) FROM pg_tablespace WHERE spcname ~ '[abc][0-9]+$' \\gexec
SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname ~ '[abc][0-9]+$' \\gexec`,
  );
};
