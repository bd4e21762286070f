#!/usr/bin/env bats
# What PostgreSQL's programs of each supported version write, as it is written down in dumps/, read by the functions that read it on a node.

setup() {
  . "$BATS_TEST_DIRNAME/../../documents/library/result.sh"
  . "$BATS_TEST_DIRNAME/../../documents/library/dump.sh"
  . "$BATS_TEST_DIRNAME/../../documents/library/postgres.sh"
  dumps=$BATS_TEST_DIRNAME/dumps
}

@test "rows are counted in the text of pg_restore of every version, under one spelling of each table" {
  for rows in "$dumps"/*.rows; do
    diff "$rows" <(rows_in_dump <"${rows%.rows}.sql")
  done
}

@test "a text that ends before its end is not whole, wherever that is" {
  for text in "$dumps"/*.sql; do
    # The line at which a table's rows begin, one of its rows, the middle of a comment with line feeds.
    for line in $(grep -n -e '^COPY .*FROM stdin;$' -e '^COMMENT ON LARGE OBJECT' "$text" | cut -d : -f 1); do
      run rows_in_dump < <(head -n "$line" "$text")
      [ "$status" -eq 1 ]
    done
  done
}

@test "a COPY that nobody knows fails, rather than being left out" {
  run rows_in_dump <<<'COPY reports (id) FROM stdin;'
  [ "$status" -eq 1 ]
  run rows_in_dump <<<"COPY public.reports (id) FROM '/tmp/file';"
  [ "$status" -eq 1 ]
  [[ $output == *'not understood: COPY public.reports'* ]]
}

@test "twenty thousand tables, and rows of a million, are counted in a moment" {
  seq 20000 | awk '{ print "COPY public.t" $1 " (i) FROM stdin;"; print $1; print "\\."; print "" } END { print "COPY public.big (i) FROM stdin;"; for (i = 0; i < 1000000; i++) print i; print "\\." }' |
    rows_in_dump >"$BATS_TEST_TMPDIR/rows"
  [ "$(wc -l <"$BATS_TEST_TMPDIR/rows")" -eq 20001 ]
  [ "$(tail -n 1 "$BATS_TEST_TMPDIR/rows")" = "1000000	public.big" ]
}

@test "rows that differ are told by table, those that are missing too, and others are not asked for" {
  printf '5\tpublic.a\n0\tpublic.b\n7\tpublic.c\n' >"$BATS_TEST_TMPDIR/expected"
  printf '5\tpublic.a\n2\tpublic.b\n9\tpublic.own\n' >"$BATS_TEST_TMPDIR/found"
  run differing_rows "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/found"
  [ "$output" = $'public.b has 2 rows, the backup 0\npublic.c is missing' ]
  run differing_rows "$BATS_TEST_TMPDIR/expected" /dev/null
  [ "${#lines[@]}" -eq 3 ]
}

@test "what pg_dumpall up to 10 says of roles in databases is left to the databases, and nothing else is" {
  diff <(globals_to_apply <"$dumps/9.2.globals" | grep -v -e '^\(UPDATE\|DELETE FROM\) pg_catalog' -e '^ALTER TABLESPACE .* OWNER TO' -e ' RESET ALL;$' -e ' IS NULL;$') <(sed '/^ALTER ROLE console IN DATABASE console SET work_mem TO '\''64MB/d; /^ALTER ROLE "x.*" IN DATABASE "odd$/,/^'\'';$/d' "$dumps/9.2.globals")
  run globals_to_apply < <(sed "/^COMMENT ON ROLE/q" "$dumps/9.2.globals")
  [ "$status" -eq 1 ]
}

@test "a role or tablespace that is there already loses what the backup's does not have" {
  printf "CREATE ROLE \"it's\n\"\"one\"\"\";\nALTER ROLE \"it's\n\"\"one\"\"\" WITH NOLOGIN;\nCREATE TABLESPACE \"a ' b\" OWNER \"it's\n\"\"one\"\"\" LOCATION '/srv/a';\n" \
    >"$BATS_TEST_TMPDIR/globals"
  diff <(globals_to_apply <"$BATS_TEST_TMPDIR/globals") - <<'SQL'
CREATE ROLE "it's
""one""";
UPDATE pg_catalog.pg_authid SET rolconnlimit = -1, rolvaliduntil = NULL, rolpassword = NULL WHERE rolname = 'it''s
"one"';
DELETE FROM pg_catalog.pg_auth_members WHERE member = (SELECT oid FROM pg_catalog.pg_authid WHERE rolname = 'it''s
"one"');
ALTER ROLE "it's
""one""" RESET ALL;
COMMENT ON ROLE "it's
""one""" IS NULL;
ALTER ROLE "it's
""one""" WITH NOLOGIN;
CREATE TABLESPACE "a ' b" OWNER "it's
""one""" LOCATION '/srv/a';
ALTER TABLESPACE "a ' b" OWNER TO "it's
""one""";
DELETE FROM pg_catalog.pg_shdepend WHERE classid = 'pg_catalog.pg_tablespace'::pg_catalog.regclass AND deptype = 'a' AND objid = (SELECT oid FROM pg_catalog.pg_tablespace WHERE spcname = 'a '' b');
UPDATE pg_catalog.pg_tablespace SET spcacl = NULL, spcoptions = NULL WHERE spcname = 'a '' b';
COMMENT ON TABLESPACE "a ' b" IS NULL;
SQL
}

# A psql that says what it is told, and fails.
refusing() {
  postgres_user=pe-postgres postgres_bin=$BATS_TEST_TMPDIR
  # As runuser does where the program is missing, which pg_isready is in 9.2.
  as_postgres() { case $1 in */pg_isready) [ -x "$1" ] || return 1 ;; esac && "$@"; }
  printf '#!/bin/bash\ncat >/dev/null\nprintf "%%s\\n" "$SAID" >&2\nexit 2\n' >"$BATS_TEST_TMPDIR/psql"
  chmod +x "$BATS_TEST_TMPDIR/psql"
  SAID=$1 export SAID
  ! postgres_answers
}

@test "a server that is down is told from one that refuses, in the words of every version" {
  for said in 'psql: could not connect to server: No such file or directory
	Is the server running locally and accepting
	connections on Unix domain socket "/tmp/.s.PGSQL.5432"?' \
    'psql: could not connect to server: Connection refused
	Is the server running locally and accepting
	connections on Unix domain socket "/var/run/postgresql/.s.PGSQL.5432"?' \
    'psql: error: connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: No such file or directory
	Is the server running locally and accepting connections on that socket?' \
    'psql: FATAL:  the database system is starting up' \
    'psql: error: connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: FATAL:  the database system is shutting down'; do
    refusing "$said"
    [ "$postgres_error" = PostgresDownError ]
    [[ $postgres_said == *'Start it (service pe-postgresql start)'* ]]
  done
  for said in 'psql: FATAL:  Peer authentication failed for user "pe-postgres"' \
    'psql: FATAL:  no pg_hba.conf entry for host "[local]", user "pe-postgres", database "template1", SSL off' \
    'psql: FATAL:  kein pg_hba.conf-Eintrag für Host »[local]«, Benutzer »pe-postgres«, Datenbank »template1«, SSL aus' \
    'psql: fe_sendauth: no password supplied' \
    'psql: error: connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: FATAL:  password authentication failed for user "pe-postgres"' \
    'psql: error: FATAL:  sorry, too many clients already'; do
    refusing "$said"
    [ "$postgres_error" = PostgresRefusedError ]
    [[ $postgres_said == *"refuses a session to pe-postgres: $said "*pg_hba.conf* ]]
  done
}

@test "a server that starts is not taken for one that refuses, whatever its language" {
  printf '#!/bin/bash\nexit 1\n' >"$BATS_TEST_TMPDIR/pg_isready"
  chmod +x "$BATS_TEST_TMPDIR/pg_isready"
  refusing 'psql: FATAL:  das Datenbanksystem startet'
  [ "$postgres_error" = PostgresDownError ]
}

@test "a session depends on nothing: no variable of the agent's, and settings that every version knows" {
  id() { [ "$1" = pe-postgres ]; }
  PGHOST=elsewhere PGOPTIONS='-c work_mem=1' PGUSER=somebody PGPASSFILE=/root/.pgpass PGCLIENTENCODING=LATIN1
  fail() { :; }
  find_postgres
  [ -z "${!PG@}" ]
  postgres_bin=$BATS_TEST_TMPDIR
  as_postgres() { "$@"; }
  printf '#!/bin/bash\necho "$LC_ALL|$PGOPTIONS|$*"\ncat\n' >"$BATS_TEST_TMPDIR/psql"
  chmod +x "$BATS_TEST_TMPDIR/psql"
  run query "it's" 'SELECT 1'
  for setting in lc_messages=C statement_timeout=0 default_transaction_read_only=off role=none search_path=pg_catalog client_encoding=UTF8 zero_damaged_pages=off; do
    [[ ${lines[0]} == C\|*"-c $setting "* || ${lines[0]} == C\|*"-c $setting|"* ]]
  done
  # 9.2 refuses a session whose options it does not know.
  [[ ${lines[0]} != *lock_timeout* && ${lines[0]} != *row_security* ]]
  [[ ${lines[0]} == *"-w "*"dbname='it\\'s'" ]]
  [[ $output == *lock_timeout*row_security*'SELECT 1' ]]
}

@test "what PostgreSQL refuses is told by SQLSTATE, without the statement and without a row's content" {
  cat >"$BATS_TEST_TMPDIR/log" <<'LOG'
psql:<stdin>:9: ERROR:  2BP01: role "console" cannot be dropped because some objects depend on it
DETAIL:  owner of tablespace later
LOCATION:  DropRole, user.c:1108
psql:<stdin>:10: ERROR:  42601: syntax error at or near "x"
LINE 1: ALTER ROLE x PASSWORD 'secret';
        ^
LOG
  run refusal "$BATS_TEST_TMPDIR/log"
  [ "$output" = '2BP01: role "console" cannot be dropped because some objects depend on it owner of tablespace later 42601: syntax error at or near "x" ' ]
  cat >"$BATS_TEST_TMPDIR/log" <<'LOG'
pg_restore: [archiver (db)] Error while PROCESSING TOC:
pg_restore: [archiver (db)] Error from TOC entry 2033; 2606 16425 CONSTRAINT users_pkey console
pg_restore: [archiver (db)] could not execute query: ERROR:  could not create unique index "users_pkey"
DETAIL:  Key (password)=(secret) is duplicated.
    Command was: ALTER TABLE ONLY users
    ADD CONSTRAINT users_pkey PRIMARY KEY (password);
LOG
  run refusal "$BATS_TEST_TMPDIR/log"
  [ "$output" = 'could not create unique index "users_pkey" ' ]
}

@test "a name is the same in an answer whatever it holds" {
  for name in $'carriage\rreturn' $'a\001\037\177b' $'it\'s "quoted" \\ \n\t done' 'größe & ~'; do
    [ "$(json name="$name" | node -e 'process.stdout.write(JSON.parse(require("fs").readFileSync(0, "utf8")).name + "|")')" = "$name|" ]
  done
}
