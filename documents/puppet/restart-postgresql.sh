#!/bin/bash
#/ Usage: DATABASES= RUN= restart-postgresql.sh
#/
#/ Restarts PostgreSQL, so that no lock and no session of a stopped service is left, and proves that none is.
#/   DATABASES  names, a NUL between, in base64url
#/ Exit status: 0 it is another server process, and nobody is in any of them; 1 the answer says what is wrong.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/restore.sh"

# A client that comes back at once has a service behind it that was not stopped: look for a while.
readonly quiet_seconds=2

# The service that starts it: its name differs between packages.
postgres_service() {
  local name
  for name in pe-postgresql postgresql postgresql-9.{2,3,4,5,6} postgresql-1{0,1,2,3,4,5,6,7}; do
    if has_service "$name"; then
      printf '%s' "$name"
      return 0
    fi
  done
  return 1
}

started_at() {
  local database
  for database in template1 postgres; do query "$database" 'SELECT pg_postmaster_start_time()' 2>/dev/null && return 0; done
  return 1
}

is_another() {
  local now
  now=$(started_at) && [ "$now" != "$before" ]
}

sessions() {
  local name list=''
  while IFS= read -r -d '' name || [ -n "$name" ]; do list="$list${list:+, }$(quoted_literal "$name")"; done < <(decode_text "$DATABASES")
  sql "SELECT datname || ': ' || coalesce(usename, '?') || ' from ' || coalesce(host(client_addr), 'this node') ||
         coalesce(' (' || nullif(application_name, '') || ')', '') || ', process ' || pid
       FROM pg_stat_activity WHERE datname IN ($list) AND pid <> pg_backend_pid() ORDER BY 1 LIMIT 5"
}

main() {
  local service before found end restarted=yes
  begin
  find_postgres
  service=$(postgres_service) || fail RestartFailedError "no service of this node starts PostgreSQL: neither pe-postgresql nor postgresql is there. Restart it by hand, then start the restore again."
  # Down already, it is another one in any case.
  before=$(started_at) || before=''
  # Killed between stop and start, it would stay down: the record makes the undo start it, before all others.
  remember_stopped "$RUN" "$service"
  change_service "$service" restart || true
  # A script may answer before the old process has ended, and one that says it failed may have restarted it anyway.
  wait_until 30 is_another || restarted=no
  require_postgres
  if [ "$restarted" = no ]; then
    fail RestartFailedError "service $service restart did not restart PostgreSQL: the same process still runs. Restart it by hand, then start the restore again."
  fi
  end=$((SECONDS + quiet_seconds))
  while :; do
    found=$(sessions) || fail PostgresDownError "PostgreSQL does not list its sessions. See its log, then start the restore again."
    if [ -n "$found" ]; then
      fail SessionsLeftError "sessions still use a database that is to be replaced: $(printf '%s' "$found" | tr '\n' ';'). End them on every node, then start the restore again."
    fi
    [ "$SECONDS" -lt "$end" ] || break
    sleep 0.2
  done
  answer
}

main "$@"
