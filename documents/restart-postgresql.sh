#!/bin/bash
#/ Usage: DATABASES= RUN= restart-postgresql.sh
#/
#/ Restarts PostgreSQL, so that no lock and no session of a stopped service is left, and proves that none is.
#/   DATABASES  names, one per line, in base64url
#/ Exit status: 0 nobody is in any of them; 1 the answer says who.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/postgres.sh"
. "$(dirname "$0")/library/services.sh"
. "$(dirname "$0")/library/restore.sh"

# A client that comes back at once has a service behind it that was not stopped: look for a while.
readonly quiet_seconds=2

sessions() {
  local name list=''
  while IFS= read -r name; do list="$list${list:+, }$(quoted_literal "$name")"; done < <(decode_text "$DATABASES" && echo)
  sql "SELECT datname || ': ' || coalesce(usename, '?') || ' from ' || coalesce(host(client_addr), 'this node') ||
         coalesce(' (' || nullif(application_name, '') || ')', '') || ', process ' || pid
       FROM pg_stat_activity WHERE datname IN ($list) AND pid <> pg_backend_pid() ORDER BY 1 LIMIT 5"
}

answers() { postgres_answers >/dev/null; }

main() {
  local found end
  begin_answer
  begin_work "$RUN"
  find_postgres
  # Killed between stop and start, it would stay down: the record makes the undoing start it, before all others.
  remember_stopped "$RUN" pe-postgresql
  change_service pe-postgresql restart || true
  wait_until 120 answers || require_postgres
  end=$((SECONDS + quiet_seconds))
  while :; do
    found=$(sessions)
    if [ -n "$found" ]; then
      fail SessionsLeftError "somebody still uses a database that is to be replaced: $(printf '%s' "$found" | tr '\n' ';'). End what holds it, on every node, then start the restore again."
    fi
    [ "$SECONDS" -lt "$end" ] || break
    sleep 0.2
  done
  answer '{"sessions":0}'
}

main "$@"
