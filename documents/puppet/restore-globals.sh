#!/bin/bash
#/ Usage: NAME= RUN= restore-globals.sh
#/
#/ Brings roles, their passwords and tablespaces back from what fetch-artifact fetched. A role or tablespace that was there
#/ before stays and gets the backup's attributes; everything else that PostgreSQL refuses is an error.
#/   NAME  the fetched file
#/ Exit status: 0 done; 1 the answer says what PostgreSQL refused.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/dump.sh"
. "$(dirname "$0")/../library/restore.sh"

main() {
  local file refused
  begin
  find_postgres
  require_postgres
  file=$(fetched_file "$RUN" "$NAME")
  remember_globals "$RUN" 2>"$work/log" || fail GlobalsFailedError "today's roles and tablespaces can't be read: $(refusal "$work/log")"
  globals_to_apply <"$file" >"$work/globals" || fail GlobalsFailedError "the backup's roles and tablespaces are not whole."
  refused=$(apply_globals "$work/globals" "$work/messages")
  [ -z "$refused" ] || fail GlobalsFailedError "roles and tablespaces could not be restored: $refused"
  answer
}

main "$@"
