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

# connection_of DATABASE: a connection string in which no name can mean anything else.
connection_of() {
  local name=$1
  name=${name//\\/\\\\}
  name=${name//\'/\\\'}
  printf "dbname='%s'" "$name"
}

# query DATABASE SQL: unaligned tuples.
query() { as_postgres "$postgres_bin/psql" -X -A -t -q -v ON_ERROR_STOP=1 "$(connection_of "$1")" -c "$2"; }

# Says why PostgreSQL does not answer; nothing when it does.
postgres_answers() {
  local said
  said=$(query postgres 'SELECT 1' 2>&1 </dev/null) && return 0
  echo "PostgreSQL does not answer: $(printf '%s' "$said" | tail -n 2 | tr '\n' ' ') Start it (service pe-postgresql start), then start the operation again."
  return 1
}

require_postgres() {
  local said
  said=$(postgres_answers) || fail PostgresDownError "$said"
}
