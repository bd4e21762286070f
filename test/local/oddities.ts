import fc from 'fast-check';
import type { Bench } from './harness.ts';
import { base64, inDatabase } from './odd-databases.ts';

/**
 * What nodes and servers of people hold, one oddity each. Whatever is put together of them has to come back, or to be refused before
 * anything is touched.
 */

/** What an oddity gets for itself, so that any number of them fit on one node. */
export interface Place {
  readonly number: number;
  /** Names of files, one character a byte: as bad as names can be, UTF-8 or not. */
  readonly files: readonly [string, string];
  /** Names of roles, databases, schemas, tables: any text that PostgreSQL takes. */
  readonly names: readonly [string, string, string];
}

export interface Oddity {
  readonly what: string;
  /** A script of bash. It knows $in, a new directory of the configuration; $out, one that is not there yet beside /etc; $a and $b, odd names. */
  readonly files?: string;
  /** Statements for the database postgres, and after them for a new database of the first name. */
  readonly server?: (names: Place['names'], number: number) => string;
  readonly database?: (names: Place['names'], number: number) => string;
  /** Why a restore is refused while this is there, and a script that takes it away. */
  readonly inTheWay?: { readonly said: RegExp; readonly remove: string };
}

/** An oddity at its place. */
export interface Odd extends Oddity {
  readonly place: Place;
}

const quoted = (mark: string) => (text: string) => mark + text.replaceAll(mark, mark + mark) + mark;
const identifier = quoted('"');
/** Text in SQL, whatever standard_conforming_strings is. */
const literal = (text: string): string => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

const python = (statements: string): string => `/usr/bin/python3 - "$in" "$out" "$a" "$b" <<'PYTHON'
import os, socket, sys
inside, outside, a, b = map(os.fsencode, sys.argv[1:])
os.chdir(inside)
def write(name, content=b'odd'):
    with open(name, 'wb') as file: file.write(content)
${statements}
PYTHON`;

const conf = '/etc/puppetlabs/puppet';

export const oddities: readonly Oddity[] = [
  // Names.
  {
    what: 'odd names',
    files: 'mkdir "$in/$a" && echo 1 >"$in/$a/$b" && ln -s "$b" "$in/$a/link to $b" && ln "$in/$a/$b" "$in/$b."',
  },
  {
    what: 'names that look like options and patterns',
    files: python(
      `for name in (b'-rf', b'--checkpoint-action=exec=false', b'*', b'{}', b'$(reboot)', b'a -> b', b';', b'~', b'#', b'!', b'[a]', b'%s', b'-', b'...', b'a.before-restore', b'a.undone', b'a.part'): write(name)`,
    ),
  },
  {
    what: 'every byte in names',
    files: python(`for byte in range(1, 256):
    if byte != 47: write(b'x%cx' % byte); write(b'y%c' % byte)`),
  },
  {
    what: 'long names in deep directories',
    files: python(`for depth in range(6):
    os.mkdir(b'd' * 250); os.chdir(b'd' * 250); write(b'\\xe4' * 255)`),
  },
  // Links.
  { what: 'a link to an odd place', files: 'mkdir -p "$out/$a" && echo 2 >"$out/$a/$b" && ln -s "$out/$a" "$in/link"' },
  {
    what: 'a link behind a link',
    files:
      'mkdir -p "$out/one" "$out/two" "$out/three" && echo 3 >"$out/three/$b" && ln -s ../three "$out/two/$a" && ln -s ../two/"$a" "$out/one/next" && ln -s "$out/one" "$in/first"',
  },
  {
    what: 'links in circles and to nowhere',
    files:
      'ln -s . "$in/self"; ln -s loop "$in/loop"; ln -s two "$in/one"; ln -s one "$in/two"; ln -s "$out/not there/$a" "$in/$b"; mkdir "$out"; ln -s "$in" "$out/back"; ln -s "$out" "$in/out"',
  },
  {
    what: 'a link to a file outside, and to one in a directory that another link points to',
    files:
      'mkdir -p "$out/far"; echo 4 >"$out/$a"; echo 5 >"$out/far/$b"; ln -s "$out/$a" "$in/file"; ln -s "$out/far/$b" "$in/inner"; ln -s "$out/far" "$in/far"',
  },
  {
    what: 'links to what belongs to the system',
    files:
      'ln -s /usr/share/doc "$in/doc"; ln -s / "$in/root"; ln -s /dev/null "$in/null"; ln -s /proc/self "$in/self"; ln -s ../../../../../../../../etc/hostname "$in/host"',
  },
  {
    what: "what lies beside a linked directory is nobody's",
    files: 'mkdir -p "$out/linked"; echo 6 >"$out/beside"; echo 7 >"$out/linked/$a"; ln -s "$out/linked" "$in/link"',
  },
  // Settings that lead elsewhere.
  {
    what: 'an environment whose modules lie elsewhere',
    files: `mkdir -p "$out/modules/$a" ${conf}/environments/odd$number && echo 8 >"$out/modules/$a/$b" && printf 'modulepath = modules:%s/modules\\r\\n' "$out" >${conf}/environments/odd$number/environment.conf`,
  },
  {
    what: 'a library of agents elsewhere',
    files:
      'mkdir -p "$out/agents" && echo 9 >"$out/agents/$a" && echo "libdir = $out/agents" >>/etc/puppetlabs/mcollective/server.cfg',
  },
  {
    what: 'a mount of the file server elsewhere',
    files: `mkdir -p "$out/served" && echo 10 >"$out/served/$a" && printf '[odd%s]\\n  path %s/served\\n  allow *\\n' "$number" "$out" >>${conf}/fileserver.conf`,
  },
  {
    what: 'a key that only its content tells',
    files:
      'openssl genrsa 1024 >"$in/$a" 2>/dev/null; mkdir -p "$out/keys"; cp "$in/$a" "$out/keys/$b"; ln -s "$out/keys/$b" "$in/key"',
  },
  // What a file has beside its content.
  {
    what: 'modes and owners',
    files:
      'cd "$in"; for mode in 0000 0001 1777 2755 4711 6000 7777; do echo $mode >f$mode; mkdir d$mode; chown 12345:54321 f$mode; chown pe-puppet:nogroup d$mode; chmod $mode f$mode d$mode; done; chmod 0000 .',
  },
  {
    what: 'times',
    files:
      'cd "$in"; touch -d "1969-01-01 00:00:00.5" before; touch -d "2100-02-28 12:00:00.999999999" after; mkdir d; ln -s x l; touch -h -d "2001-01-01 00:00:00.123456789" d l',
  },
  {
    what: 'access control lists',
    files:
      'cd "$in"; echo x >f; mkdir d; setfacl -m u:12345:r,g:54321:rwx,u:pe-puppet:-,m::r f; setfacl -m d:u:pe-puppet:rwx,u:12345:x d; echo x >d/inherits',
  },
  {
    what: 'extended attributes and capabilities',
    files: `cp /bin/true "$in/able"; setcap cap_net_raw+ep "$in/able"; ${python(`write(b'f'); os.mkdir(b'd')
for name in (b'f', b'd'):
    os.setxattr(name, b'user.odd \\xff=\\n', bytes(range(256))); os.setxattr(name, b'user.empty', b''); os.setxattr(name, b'trusted.odd', b'\\0')`)}`,
  },
  {
    what: 'holes',
    files:
      'cd "$in"; truncate -s 700M all; truncate -s 20M some; printf x | dd of=some bs=1 seek=9999999 conv=notrunc 2>/dev/null; : >none; head -c 300000 /dev/urandom >full',
  },
  {
    what: 'hard links',
    files: 'cd "$in"; echo x >one; ln one two; mkdir d; ln one d/three; ln -s "$a" l; ln -P l m',
  },
  {
    what: 'many files',
    files: python(`for one in range(40):
    os.mkdir(b'%d' % one)
    for two in range(25): write(b'%d/%s %d' % (one, a[:200], two))`),
  },
  {
    what: 'pipes, sockets and devices',
    files: `mkfifo "$in/$a"; mknod "$in/null" c 1 3; mknod "$in/$b" b 7 0; mkdir "$in/private"; ${python(`s = socket.socket(socket.AF_UNIX); s.bind(b'private/s')`)}`,
  },
  // What else lies there, and what is in the way.
  {
    what: 'a directory from elsewhere, mounted',
    files: 'mkdir -p "$out/$a" "$in/$b"; echo x >"$out/$a/precious"; mount --bind "$out/$a" "$in/$b"',
    inTheWay: { said: /is a mount|is mounted/, remove: 'umount "$in/$b"' },
  },
  {
    what: 'a file system of its own, with one in it',
    files:
      'mkdir "$in/own"; mount -t tmpfs tmpfs "$in/own"; mkdir "$in/own/$a" "$in/own/proc"; mount -t tmpfs tmpfs "$in/own/$a"; echo x >"$in/own/$a/f"; mount -t proc proc "$in/own/proc"',
    inTheWay: { said: /is a mount|is mounted/, remove: 'umount "$in/own/proc" "$in/own/$a" "$in/own"' },
  },
  {
    what: 'files that chattr keeps',
    files: 'echo x >"$in/$a"; chattr +i "$in/$a"; mkdir "$in/log"; chattr +a "$in/log"',
    inTheWay: { said: /chattr/, remove: 'chattr -i "$in/$a"; chattr -a "$in/log"' },
  },
  // Roles and tablespaces.
  {
    what: 'roles with every attribute',
    server: ([
      a,
      b,
    ]) => `CREATE ROLE ${identifier(a)} LOGIN NOINHERIT CREATEROLE CONNECTION LIMIT 3 VALID UNTIL '2099-01-01' PASSWORD ${literal(b)};
CREATE ROLE ${identifier(b)} NOLOGIN REPLICATION BYPASSRLS; GRANT ${identifier(b)} TO ${identifier(a)} WITH ADMIN OPTION; GRANT pg_read_all_data TO ${identifier(b)};
COMMENT ON ROLE ${identifier(a)} IS ${literal(b)};`,
  },
  {
    what: 'roles with settings',
    server: ([
      a,
      b,
    ]) => `CREATE ROLE ${identifier(a)}; ALTER ROLE ${identifier(a)} SET search_path = "$user", ${identifier(b)}, 'x y'; ALTER ROLE ${identifier(a)} SET "odd.setting" = ${literal(b)};
ALTER ROLE ${identifier(a)} SET temp_tablespaces = ''; ALTER ROLE ${identifier(a)} SET session_preload_libraries = '';`,
  },
  {
    what: 'settings of a database, and of a role in it',
    server: ([
      a,
      b,
    ]) => `CREATE ROLE ${identifier(b)}; CREATE DATABASE ${identifier(a)} OWNER ${identifier(b)} CONNECTION LIMIT 4;
ALTER DATABASE ${identifier(a)} SET search_path = ${identifier(b)}, public; ALTER DATABASE ${identifier(a)} SET "odd.list" = 'a, "b"'; ALTER DATABASE ${identifier(a)} SET statement_timeout = 1;
ALTER ROLE ${identifier(b)} IN DATABASE ${identifier(a)} SET "odd.setting" = ${literal(b)}; ALTER DATABASE ${identifier(a)} SET default_transaction_read_only = on;
COMMENT ON DATABASE ${identifier(a)} IS ${literal(b)};`,
    database: () => '',
  },
  {
    what: 'grants on a database',
    server: ([
      a,
      b,
      c,
    ]) => `CREATE ROLE ${identifier(b)}; CREATE ROLE ${identifier(c)}; CREATE DATABASE ${identifier(a)};
GRANT CONNECT, TEMP ON DATABASE ${identifier(a)} TO ${identifier(b)} WITH GRANT OPTION; SET SESSION AUTHORIZATION ${identifier(b)};
GRANT CONNECT ON DATABASE ${identifier(a)} TO ${identifier(c)}; RESET SESSION AUTHORIZATION; REVOKE ALL ON DATABASE ${identifier(a)} FROM PUBLIC;`,
    database: () => '',
  },
  {
    what: 'a database that nobody may use',
    server: ([a]) =>
      `CREATE DATABASE ${identifier(a)}; REVOKE ALL ON DATABASE ${identifier(a)} FROM PUBLIC, CURRENT_USER; ALTER DATABASE ${identifier(a)} CONNECTION LIMIT 0;`,
    database: () => 'CREATE TABLE t (i int); INSERT INTO t VALUES (1)',
  },
  {
    what: 'a template of the site',
    server: ([a]) => `CREATE DATABASE ${identifier(a)} IS_TEMPLATE true;`,
    database: ([, b]) => `CREATE TABLE ${identifier(b)} (i int); INSERT INTO ${identifier(b)} VALUES (1)`,
  },
  {
    what: 'other encodings',
    server: ([a, b]) =>
      `CREATE DATABASE ${identifier(a)} ENCODING SQL_ASCII LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0; CREATE DATABASE ${identifier(b)} ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;`,
    database: () => "CREATE TABLE t (t text); INSERT INTO t VALUES (convert_from('\\\\xf6fe', 'SQL_ASCII'))",
  },
  // Objects.
  {
    what: 'names of objects',
    server: ([a]) => `CREATE DATABASE ${identifier(a)};`,
    database: ([
      a,
      b,
      c,
    ]) => `CREATE SCHEMA ${identifier(a)}; CREATE TABLE ${identifier(a)}.${identifier(b)} (${identifier(c)} text, ${identifier(a)} int);
INSERT INTO ${identifier(a)}.${identifier(b)} VALUES (${literal(a)}, 1), (NULL, 2), ('', 3), (E'\\\\.', 4), (${literal(`${b}\n\\.\n`)}, 5); CREATE INDEX ON ${identifier(a)}.${identifier(b)} (${identifier(c)});
COMMENT ON TABLE ${identifier(a)}.${identifier(b)} IS ${literal(c)}; CREATE SEQUENCE ${identifier(c)}; SELECT setval('${identifier(c).replaceAll("'", "''")}', 42);`,
  },
  {
    what: 'tables without columns, inherited, parted, generated',
    server: ([a]) => `CREATE DATABASE ${identifier(a)};`,
    database: ([, b]) => `CREATE TABLE ${identifier(b)} (); INSERT INTO ${identifier(b)} DEFAULT VALUES;
CREATE TABLE parent (i int); CREATE TABLE child (j int) INHERITS (parent); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 3);
CREATE TABLE parted (i int, t text) PARTITION BY LIST (i); CREATE TABLE parted1 PARTITION OF parted FOR VALUES IN (1) PARTITION BY HASH (t); CREATE TABLE parted11 PARTITION OF parted1 FOR VALUES WITH (MODULUS 1, REMAINDER 0); CREATE TABLE others PARTITION OF parted DEFAULT;
INSERT INTO parted VALUES (1, 'x'), (2, 'y'), (NULL, 'z'); CREATE TABLE made (a int GENERATED ALWAYS AS (b * 2) STORED, b int, c int GENERATED ALWAYS AS IDENTITY); INSERT INTO made (b) VALUES (1), (2);
CREATE UNLOGGED TABLE unlogged (i int); INSERT INTO unlogged VALUES (1); CREATE MATERIALIZED VIEW full_view AS SELECT * FROM parent; CREATE MATERIALIZED VIEW empty_view AS SELECT * FROM parent WITH NO DATA;`,
  },
  {
    what: 'large objects',
    server: ([a, b]) => `CREATE DATABASE ${identifier(a)}; CREATE ROLE ${identifier(b)};`,
    database: ([a, b]) =>
      `SELECT lo_from_bytea(4711, E'COPY x FROM stdin;\\n1\\n\\\\\\\\.\\n'), lo_from_bytea(4712, ''); COMMENT ON LARGE OBJECT 4711 IS ${literal(a)}; GRANT SELECT ON LARGE OBJECT 4711 TO ${identifier(b)}; ALTER LARGE OBJECT 4712 OWNER TO ${identifier(b)};`,
  },
  {
    what: 'rights on rows, columns and defaults',
    server: ([a, b]) => `CREATE DATABASE ${identifier(a)}; CREATE ROLE ${identifier(b)};`,
    database: ([
      ,
      b,
    ]) => `CREATE TABLE t (i int, o name DEFAULT current_user); INSERT INTO t VALUES (1), (2); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (false); ALTER TABLE t OWNER TO ${identifier(b)};
CREATE TABLE u (i int, j int); GRANT SELECT (i), UPDATE (j) ON u TO ${identifier(b)}; ALTER DEFAULT PRIVILEGES FOR ROLE ${identifier(b)} GRANT SELECT ON TABLES TO PUBLIC; ALTER SCHEMA public OWNER TO ${identifier(b)}; CREATE TABLE nobodys (i int); REVOKE ALL ON nobodys FROM CURRENT_USER;`,
  },
  {
    what: 'functions, triggers and rules that mislead',
    server: ([a]) => `CREATE DATABASE ${identifier(a)};`,
    database: () => `CREATE FUNCTION misleading() RETURNS text LANGUAGE sql AS $$ SELECT '
COPY public.plain (i) FROM stdin;
1
\\.
' $$;
CREATE TABLE t (i int); INSERT INTO t VALUES (1); CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$; CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse(); ALTER TABLE t ENABLE ALWAYS TRIGGER refuse;
CREATE TABLE r (i int); INSERT INTO r VALUES (1); CREATE RULE away AS ON INSERT TO r DO INSTEAD NOTHING; CREATE FUNCTION on_change() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION on_change();
CREATE FUNCTION public.quote_ident(name) RETURNS text LANGUAGE sql AS $$ SELECT 'nobody'::text $$; CREATE VIEW public.pg_class AS SELECT 1 AS nothing; CREATE FUNCTION public.count(int) RETURNS int LANGUAGE sql AS $$ SELECT 0 $$;`,
  },
  {
    what: 'types, domains and values at the edge',
    server: ([a]) => `CREATE DATABASE ${identifier(a)};`,
    database: ([
      ,
      b,
      c,
    ]) => `CREATE TYPE ${identifier(b)} AS ENUM (${literal(c.slice(0, 15))}, ''); CREATE DOMAIN even AS int CHECK (VALUE % 2 = 0); CREATE TYPE pair AS (a even, b text[]); CREATE TYPE span AS RANGE (subtype = float8);
CREATE TABLE v (e ${identifier(b)}, d even, p pair, s span, f float8, f4 float4, n numeric, t timestamptz, i interval, b bytea, j jsonb, a int[], x xml, c "char");
INSERT INTO v VALUES ('', 2, ROW(4, ARRAY['{', NULL, '"\\']), '[1,2)', 'NaN', '-Infinity', 'NaN', '-infinity', '-1 mons +2 days -03:04:05.000006', '\\x00ff', '{"\\u00e4": 1e400}', '[2:3]={1,NULL}', '<a/>', 'x'), (${literal(c.slice(0, 15))}, NULL, NULL, 'empty', 1e-323, 0.1::float4, 1e-1000, '4713-01-01 00:00:00 BC', '178000000 years', '', 'null', '{}', NULL, '');`,
  },
  {
    what: 'extensions, one with rows of the site',
    server: ([a]) => `CREATE DATABASE ${identifier(a)};`,
    database: ([, b]) =>
      `CREATE SCHEMA ${identifier(b)}; CREATE EXTENSION pg_trgm SCHEMA ${identifier(b)}; CREATE EXTENSION hstore; CREATE EXTENSION siteconf SCHEMA ${identifier(b)}; INSERT INTO ${identifier(b)}.site_settings VALUES (${literal(b)}, '1'); CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', dbname ${literal(b)}); CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'x', password 'y'); CREATE FOREIGN TABLE away (i int) SERVER far;`,
  },
  {
    what: 'no schema public, no language, a publication, a subscription',
    server: ([a]) => `CREATE DATABASE ${identifier(a)};`,
    database: ([, b, c]) =>
      `DROP SCHEMA public; DROP EXTENSION plpgsql; CREATE PUBLICATION ${identifier(b)} FOR ALL TABLES; CREATE SUBSCRIPTION ${identifier(c)} CONNECTION 'host=127.0.0.1 password=x' PUBLICATION p WITH (connect = false, slot_name = NONE); CREATE SUBSCRIPTION ${identifier(`${c}2`)} CONNECTION 'host=127.0.0.1 password=x' PUBLICATION p WITH (connect = false, slot_name = NONE)`,
  },
  {
    what: 'tables in a tablespace of their own',
    server: ([a, b, c], number) =>
      `CREATE ROLE ${identifier(b)}; CREATE TABLESPACE ${identifier(c)} OWNER ${identifier(b)} LOCATION '/srv/odd${number}'; CREATE DATABASE ${identifier(a)} TABLESPACE ${identifier(c)};`,
    files: 'install -d -o pe-postgres -g pe-postgres -m 0700 "$out"',
    database: () => 'CREATE TABLE t (i int PRIMARY KEY) TABLESPACE pg_default; INSERT INTO t VALUES (1)',
  },
];

/** Pieces of names of files, a character a byte. */
const pieces = [
  'a',
  ' ',
  '\n',
  '\\',
  '\t',
  '"',
  "'",
  '$(x)',
  '`',
  '*',
  '-',
  '.',
  '\r',
  '\x01',
  '\x7f',
  '\xff',
  '\xc3\xa4',
  '\xe2\x80\xae',
  '\xed\xb2\x80',
  '//n'.replaceAll('/', '\\'),
  '%n',
  ',',
  ':',
  '{',
  '&',
];
/** The same in text that PostgreSQL takes. */
const textPieces = [
  'a',
  ' ',
  '\n',
  '\\',
  '\t',
  '"',
  "'",
  '$x$',
  ';',
  '--',
  '/*',
  '\r',
  '\x01',
  '\x7f',
  'ä',
  '\u202e',
  '😀',
  '%',
  ',',
  ':',
  '{',
  '=',
  '.',
  'COPY',
  "\\'",
];

const fileName = fc
  .array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 8 })
  .map((some) => `${some.join('')}~`);

const place = fc.record({
  files: fc.tuple(fileName, fileName),
  text: fc.array(fc.constantFrom(...textPieces), { minLength: 1, maxLength: 8 }),
});

/** Some of the oddities, each in a place of its own. */
export const someOddities = (minLength: number, maxLength: number): fc.Arbitrary<readonly Odd[]> =>
  fc
    .tuple(
      fc.shuffledSubarray([...oddities], { minLength, maxLength }),
      fc.array(place, { minLength: maxLength, maxLength }),
    )
    .map(([chosen, places]) =>
      chosen.map((oddity, index) => {
        const number = index + 1;
        const {
          files: [a, b],
          text,
        } = places[index] ?? { files: ['a', 'b'], text: [] };
        const name = (letter: string): string => `${text.join('')}${letter}${number}`;
        const own: Place = { number, files: [`${a}a`, `${b}b`], names: [name('a'), name('b'), name('c')] };
        return { ...oddity, place: own, [fc.toStringMethod]: () => `${oddity.what}, ${JSON.stringify(own)}` };
      }),
    );

/** Runs a script of an oddity on the node. */
const runOf = (bench: Bench, { place: { number, files } }: Odd, script: string): Promise<string> => {
  const bytes = (text: string): string =>
    `$'${[...text].map((byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`).join('')}'`;
  const whole = `set -euo pipefail; number=${number} in=${conf}/odd${number} out=/srv/odd${number} a=${bytes(files[0])} b=${bytes(files[1])}\n${script}`;
  return bench.shell(`echo ${base64(whole)} | base64 -d >/tmp/script && bash /tmp/script`);
};

export const makeOdd = async (bench: Bench, odd: Odd): Promise<void> => {
  const {
    files,
    server,
    database,
    place: { names, number },
  } = odd;
  if (files !== undefined) await runOf(bench, odd, `mkdir "$in"\n${files}`);
  if (server) await inDatabase(bench, 'postgres', server(names, number));
  const statements = database?.(names, number) ?? '';
  if (statements !== '') await inDatabase(bench, names[0], statements);
};

export const clearTheWay = async (bench: Bench, odd: Odd): Promise<void> => {
  if (odd.inTheWay) await runOf(bench, odd, odd.inTheWay.remove);
};
