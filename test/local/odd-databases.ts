import type { Bench } from './harness.ts';

/** A server of PostgreSQL with everything that was ever found in one and is easily lost. */

export const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Runs SQL in a database of any name. */
export const inDatabase = (bench: Bench, name: string, statements: string): Promise<string> =>
  bench.shell(
    `echo ${base64(statements)} | base64 -d >/tmp/statements; su -s /bin/bash pe-postgres -c 'cd / && PGDATABASE="$(echo ${base64(name)} | base64 -d)" /opt/puppet/bin/psql -X -q -A -t -v ON_ERROR_STOP=1 -f -' </tmp/statements`,
  );

export const odd = 'odd\r\n"it\'s" \\ one';

/** Tables whose names and rows look like something else. */
const oddTables = `
CREATE SCHEMA "se""co nd.(x)";
CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE "se""co nd.(x)"."a (b) FROM stdin;
COPY public.plain (i) FROM stdin;" ("x) FROM stdin;" text, "ta	b" int);
INSERT INTO "se""co nd.(x)"."a (b) FROM stdin;
COPY public.plain (i) FROM stdin;" VALUES (E'\\\\.', 1), (E'COPY x FROM stdin;\\n\\\\.\\n', 2), (E'\\r', 3);
CREATE TABLE "back\\slash" (t text); INSERT INTO "back\\slash" VALUES ('--'), (''), (NULL);
CREATE TABLE "100%Größe" (t text); INSERT INTO "100%Größe" VALUES ('x');
CREATE TABLE "Upper" (t text); CREATE TABLE "select" (t text);
CREATE TABLE parent (i int); CREATE TABLE child (j int) INHERITS (parent);
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 2), (3, 4);
CREATE TABLE parted (i int) PARTITION BY LIST (i); CREATE TABLE parted1 PARTITION OF parted FOR VALUES IN (1);
INSERT INTO parted VALUES (1), (1);
CREATE UNLOGGED TABLE unlogged (i int); INSERT INTO unlogged VALUES (1);
CREATE TABLE made (a int GENERATED ALWAYS AS (5) STORED); INSERT INTO made DEFAULT VALUES;
CREATE SEQUENCE "seq
COPY public.evil FROM stdin;
";
SELECT lo_from_bytea(4711, E'COPY x FROM stdin;\\n1\\n\\\\\\\\.\\n');
COMMENT ON LARGE OBJECT 4711 IS 'it''s
COPY public.plain (i) FROM stdin;
1
\\.
"';
CREATE FUNCTION misleading() RETURNS text LANGUAGE sql AS $$ SELECT '
COPY public.plain (i) FROM stdin;
1' $$;
CREATE MATERIALIZED VIEW seen AS SELECT * FROM parent;
CREATE TABLE elsewhere (i int) TABLESPACE "pe-puppetdb"; INSERT INTO elsewhere VALUES (1);
CREATE TABLE own_rows (i int, owned_by name DEFAULT current_user); INSERT INTO own_rows VALUES (1);
ALTER TABLE own_rows ENABLE ROW LEVEL SECURITY; ALTER TABLE own_rows FORCE ROW LEVEL SECURITY;
ALTER TABLE own_rows OWNER TO console;
CREATE FUNCTION on_change() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION on_change();
CREATE EXTENSION siteconf; INSERT INTO site_settings VALUES ('a', '1'), ('b', '2');
`;

/** Lets the server have an extension with a table in which some rows are the site's, told by a condition of several lines. */
export const shipSiteconf = async (bench: Bench): Promise<void> => {
  await bench.shell(`d=/usr/share/postgresql/15/extension
printf "default_version = '1.0'\\nrelocatable = true\\n" >$d/siteconf.control
cat >$d/siteconf--1.0.sql <<'SQL'
CREATE TABLE site_settings (name text PRIMARY KEY, value text);
INSERT INTO site_settings VALUES ('shipped', '0');
SELECT pg_catalog.pg_extension_config_dump('site_settings', 'WHERE NOT (
name = ''shipped'')');
SQL
chmod 644 $d/siteconf*`);
};

/** Part of the values of two settings. */
export const secretOfSettings = 'tell nobody';

/** Makes the lab's server one of these. */
export const oddServer = async (bench: Bench): Promise<void> => {
  await shipSiteconf(bench);
  await bench.sql(
    'postgres',
    `CREATE ROLE "odd
role""'"; CREATE ROLE leaver LOGIN PASSWORD 'leaver';
CREATE DATABASE "odd\r
""it's"" \\ one" OWNER "odd
role""'";
CREATE DATABASE company_template; CREATE DATABASE bare;
CREATE DATABASE latin1 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
CREATE DATABASE raw ENCODING SQL_ASCII LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
CREATE FUNCTION site_helper() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER DATABASE console SET search_path = "$user", public, 'a b', pg_catalog;
ALTER DATABASE console SET temp_tablespaces = '';
ALTER DATABASE console SET app.secret = '${secretOfSettings}'; ALTER ROLE console IN DATABASE console SET app.secret = 'of one: ${secretOfSettings}';
ALTER DATABASE console CONNECTION LIMIT 50;
COMMENT ON DATABASE console IS 'it''s
ours \\ "';
ALTER ROLE console IN DATABASE console SET work_mem = '65536kB';
GRANT CONNECT ON DATABASE console TO console_auth WITH GRANT OPTION;
SET SESSION AUTHORIZATION console_auth; GRANT CONNECT ON DATABASE console TO "pe-puppetdb"; RESET SESSION AUTHORIZATION;
REVOKE ALL ON DATABASE console_auth FROM PUBLIC, console_auth;
ALTER DATABASE template1 CONNECTION LIMIT 90;
SELECT pg_create_physical_replication_slot('waiting');`,
  );
  await inDatabase(bench, 'template1', 'CREATE FUNCTION site_default() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$');
  await inDatabase(bench, 'company_template', 'CREATE TABLE only_here (i int); INSERT INTO only_here VALUES (42)');
  await bench.sql('postgres', 'ALTER DATABASE company_template IS_TEMPLATE true');
  await inDatabase(bench, 'console', `${oddTables} ALTER SCHEMA public OWNER TO console;`);
  await inDatabase(
    bench,
    'bare',
    'DROP SCHEMA public; DROP EXTENSION plpgsql; DROP SCHEMA IF EXISTS nothing; CREATE PUBLICATION everything FOR ALL TABLES',
  );
  await inDatabase(
    bench,
    'latin1',
    'CREATE TABLE "größe" (t text); INSERT INTO "größe" VALUES (\'größe\'); SET allow_system_table_mods = on; CREATE TABLE pg_catalog.astray (i int)',
  );
  await inDatabase(bench, 'raw', "CREATE TABLE t (t text); INSERT INTO t VALUES (convert_from('\\xf6', 'SQL_ASCII'))");
  // Whatever a session could be led astray by, and functions in the place of PostgreSQL's own.
  await inDatabase(
    bench,
    odd,
    `${oddTables}
CREATE FUNCTION public.quote_ident(name) RETURNS text LANGUAGE sql AS $$ SELECT 'nobody'::text $$;
CREATE VIEW public.pg_class AS SELECT 1 AS nothing;
DO $do$ DECLARE d text := quote_ident(current_database()); s text; BEGIN
  FOREACH s IN ARRAY ARRAY['search_path = public, pg_catalog', 'statement_timeout = 1', 'lock_timeout = 1', 'default_transaction_read_only = on',
    'role = console', 'client_encoding = LATIN1', 'DateStyle = German', 'IntervalStyle = sql_standard', 'bytea_output = escape',
    'row_security = off', 'standard_conforming_strings = off', 'idle_in_transaction_session_timeout = 1', 'session_replication_role = replica',
    'default_tablespace = "pe-console"', 'quote_all_identifiers = on', 'app.list = ''a, "b"'''] LOOP
    EXECUTE format('ALTER DATABASE %s SET %s', pg_catalog.quote_ident(current_database()), s);
  END LOOP; END $do$;`,
  );
};

/** Takes away what was made, and changes what stays. */
export const emptyServer = async (bench: Bench): Promise<void> => {
  await bench.sql(
    'postgres',
    `DROP FUNCTION site_helper(); DROP DATABASE "odd\r
""it's"" \\ one"; DROP DATABASE latin1; DROP DATABASE raw; DROP ROLE "odd
role""'";
ALTER DATABASE console RESET ALL; ALTER DATABASE console CONNECTION LIMIT 3; COMMENT ON DATABASE console IS NULL;
ALTER ROLE console IN DATABASE console RESET ALL; GRANT ALL ON DATABASE console TO PUBLIC;
ALTER DATABASE company_template IS_TEMPLATE false;
GRANT console_auth, pg_monitor TO console WITH ADMIN OPTION; CREATE ROLE later; GRANT CREATE ON TABLESPACE "pe-console" TO later;
ALTER TABLESPACE "pe-console" OWNER TO console_auth; ALTER TABLESPACE "pe-console" SET (seq_page_cost = 3); COMMENT ON TABLESPACE "pe-console" IS 'x';`,
  );
  await inDatabase(bench, 'console', 'DROP TABLE elsewhere; DROP EXTENSION siteconf CASCADE; TRUNCATE nodes CASCADE');
  await inDatabase(bench, 'bare', 'CREATE SCHEMA public; DROP PUBLICATION everything');
};

/** Roles, tablespaces and every database with its settings, as pg_dump and pg_dumpall write them, one text. */
export const serverOf = (bench: Bench): Promise<string> =>
  bench.shell(`su -s /bin/bash pe-postgres <<'BASH'
cd /
unset PGOPTIONS
{
  /opt/puppet/bin/pg_dumpall --globals-only
  /opt/puppet/bin/psql -X -A -t -0 -d template1 -c "SELECT datname FROM pg_database WHERE datname <> 'template0' ORDER BY 1" |
    while IFS= read -r -d '' name; do
      name=\${name//\\\\/\\\\\\\\}
      /opt/puppet/bin/pg_dump -C "dbname='\${name//\\'/\\\\\\'}'" </dev/null || echo "no dump of $name"
    done
  /opt/puppet/bin/psql -X -A -t -d template1 -c "SELECT datname, datacl, datistemplate, datconnlimit FROM pg_database ORDER BY 1"
} | grep -v -e '^\\\\restrict' -e '^\\\\unrestrict'
BASH`);
