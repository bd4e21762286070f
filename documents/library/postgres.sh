# shellcheck shell=bash
# PostgreSQL as Puppet Enterprise brings it: its own binaries, run as its own user, over the local socket.

# find_postgres: sets postgres_user and postgres_bin, or fails.
find_postgres() {
  for postgres_user in pe-postgres postgres; do
    if id "$postgres_user" >/dev/null 2>&1; then break; fi
    postgres_user=''
  done
  for postgres_bin in /opt/puppet/bin /opt/puppetlabs/server/bin; do
    if [ -x "$postgres_bin/pg_dump" ]; then break; fi
    postgres_bin=''
  done
  if [ -z "$postgres_user" ] || [ -z "$postgres_bin" ]; then
    fail WrongNodeError "this node has no PostgreSQL of Puppet Enterprise. Check the roles in holdfast.yaml."
  fi
  # Whatever the agent's environment says of hosts, users and options is about another server.
  unset "${!PG@}"
}

# as_postgres COMMAND...: from a directory that the user may read. runuser keeps the process group, so that a killed
# command takes its children along; su, on systems whose runuser knows no -u, starts a session of its own.
as_postgres() {
  local quoted
  cd /
  if runuser -u root true 2>/dev/null; then
    runuser -u "$postgres_user" -- "$@"
  else
    printf -v quoted '%q ' "$@"
    su -s /bin/bash "$postgres_user" -c "exec $quoted"
  fi
}

# session_options: what a session must not take from postgresql.conf, its database or its role, since a dump would be another one, a
# restore would stop or wait without end, or a message would come in a language that nobody expects. 9.2 knows each of them, and
# they go before all settings of databases and roles.
session_options() {
  printf -- '-c %s ' lc_messages=C role=none session_replication_role=origin statement_timeout=0 client_min_messages=warning \
    default_transaction_read_only=off default_transaction_deferrable=off default_tablespace= temp_tablespaces= \
    synchronous_commit=local standard_conforming_strings=on bytea_output=hex DateStyle=ISO IntervalStyle=postgres \
    extra_float_digits=3 zero_damaged_pages=off ignore_system_indexes=off
}

# Those that only later versions know: a statement that prints nothing. pg_dump and pg_restore set them on their own.
later_settings() {
  printf '%s\n' "
    SELECT 1 FROM pg_catalog.pg_settings JOIN (VALUES ('lock_timeout', '0'), ('idle_in_transaction_session_timeout', '0'),
      ('idle_session_timeout', '0'), ('transaction_timeout', '0'), ('row_security', 'off'), ('ignore_checksum_failure', 'off')) v(setting_name, wanted)
      ON setting_name = name WHERE pg_catalog.set_config(name, wanted, false) IS NULL;"
}

# client PROGRAM ARGUMENT...: one of PostgreSQL's own, which never asks for a password and reads no settings of a person.
client() {
  local program=$postgres_bin/$1
  shift
  as_postgres env LC_ALL=C "PGOPTIONS=$(session_options)${more_options-}" ${wrapper[@]+"${wrapper[@]}"} "$program" -w "$@"
}

# connection_of DATABASE: a connection string in which no name can mean anything else.
connection_of() {
  local name=$1
  name=${name//\\/\\\\}
  name=${name//\'/\\\'}
  printf "dbname='%s'" "$name"
}

# quoted_identifier NAME, quoted_literal TEXT: for SQL.
quoted_identifier() { printf '"%s"' "${1//\"/\"\"}"; }
quoted_literal() { printf "'%s'" "${1//\'/\'\'}"; }

# run_sql DATABASE [OPTION...]: runs the statements that it reads, each by itself, up to the first error; prints unaligned tuples.
run_sql() {
  local connection
  connection=$(connection_of "$1")
  shift
  { later_settings && cat; } | client psql -X -A -t -q -v ON_ERROR_STOP=1 -v VERBOSITY=verbose "$@" -f - "$connection"
}

# query DATABASE SQL [OPTION...]: names mean PostgreSQL's own tables and functions, and come in UTF-8.
query() {
  local more_options='-c search_path=pg_catalog -c client_encoding=UTF8'
  printf '%s\n' "$2" | run_sql "$1" "${@:3}"
}

# encoded_sql COLUMN: text on one line, as decode_text takes it.
encoded_sql() { printf "translate(encode(convert_to(%s::text, 'UTF8'), 'base64'), '+/=' || chr(10), '-_')" "$1"; }

# settings_sql DATABASE: what is set for a database, for all (no role) and for roles in it, as the list of a dump's contents has it:
# setting<TAB>NAME=VALUE<TAB>ROLE, both encoded.
settings_sql() {
  printf "
    SELECT 'setting' || chr(9) || %s || chr(9) || %s
    FROM (SELECT coalesce((SELECT rolname::text FROM pg_roles r WHERE r.oid = setrole), '') AS role, setconfig, generate_subscripts(setconfig, 1) AS place
          FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = %s)) s
    ORDER BY role COLLATE \"C\", place" "$(encoded_sql 'setconfig[place]')" "$(encoded_sql role)" "$(quoted_literal "$1")"
}

# differing_settings EXPECTED FOUND: names the settings of which the two lists differ, without their values.
differing_settings() {
  local setting value role
  { diff "$1" "$2" || [ "$?" -eq 1 ]; } | sed -n 's/^[<>] //p' | while IFS=$'\t' read -r setting value role; do
    IFS= read -r -d '=' setting < <(decode_text "$value") || true
    printf '%q%s is set otherwise\n' "$setting" "${role:+ for $(decode_text "$role" | tr '\n\t' '  ')}"
  done | sort -u
}

# refusal LOG: what PostgreSQL refused, for people: SQLSTATE and words, never the statement. Details of a row stay out, too.
refusal() {
  local words
  words=$(LC_ALL=C awk '
    match($0, /(ERROR|FATAL|PANIC):  /) { print substr($0, RSTART + RLENGTH); next }
    /^psql:/ { ours = 1 }
    /^HINT:  / || (/^DETAIL:  / && !/=\(|^DETAIL:  Failing row/) { print substr($0, index($0, ":") + 3) }
  ' "$1" | sed -n 1,4p | tr '\n' ' ' | cut -c 1-500)
  printf '%s' "${words:-$(last_words "$1")}"
}

# postgres_answers: sets maintenance, a database from which others can be made, renamed and dropped; else postgres_error and
# postgres_said. No SQLSTATE reaches psql's user when a session is refused, but what the server says has two blanks behind its severity.
postgres_answers() {
  local said first=''
  for maintenance in template1 postgres; do
    said=$(query "$maintenance" 'SELECT 1' 2>&1 >/dev/null </dev/null) && return 0
    first=${first:-$said}
  done
  maintenance=''
  said=$(printf '%s' "$first" | tail -n 2 | tr '\n\t' '  ')
  case $first in
    *'the database system is '*) postgres_error=PostgresDownError ;;
    *:\ \ * | *fe_sendauth*) postgres_error=PostgresRefusedError ;;
    *) postgres_error=PostgresDownError ;;
  esac
  # 9.3 and later have a program that tells a server that starts, in any language, from one that refuses.
  if [ -x "$postgres_bin/pg_isready" ]; then as_postgres "$postgres_bin/pg_isready" >/dev/null 2>&1 || [ "$?" -ne 1 ] || postgres_error=PostgresDownError; fi
  if [ "$postgres_error" = PostgresRefusedError ]; then
    postgres_said="PostgreSQL runs, but refuses a session to $postgres_user: $said Let 'local all $postgres_user peer' be the first line of its pg_hba.conf, reload it (service pe-postgresql reload), then start the operation again."
  else
    postgres_said="PostgreSQL does not answer: $said Start it (service pe-postgresql start), then start the operation again."
  fi
  return 1
}

require_postgres() { postgres_answers || fail "$postgres_error" "$postgres_said"; }
