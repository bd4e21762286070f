#!/bin/bash
#/ Usage: NAME= RUN= restore-globals.sh
#/
#/ Brings roles, their passwords and tablespaces back from what fetch-artifact fetched. A role or tablespace that was there
#/ before stays and gets the backup's attributes; every other message of PostgreSQL is an error.
#/   NAME  the fetched file
#/ Exit status: 0 done; 1 the answer says what PostgreSQL refused.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/postgres.sh"
. "$(dirname "$0")/library/restore.sh"

# The only messages that are meant: of roles and tablespaces that were there before, each by its exact text.
expected_messages() {
  sql "SELECT 'role \"' || rolname || '\" already exists' FROM pg_roles
       UNION SELECT 'tablespace \"' || spcname || '\" already exists' FROM pg_tablespace"
}

main() {
  local file refused
  begin_answer
  begin_work "$RUN"
  find_postgres
  require_postgres
  file=$(restore_directory "$RUN")/$NAME
  expected_messages >"$work/expected"
  # psql goes on after an error and ends with 0: what it says is what counts.
  as_postgres env LC_ALL=C "$postgres_bin/psql" -X -q "$(connection_of postgres)" -f - <"$file" >"$work/out" 2>"$work/messages" || echo "ERROR:  psql ended with $?" >>"$work/messages"
  refused=$(sed -n 's/^.*\(ERROR\|FATAL\|PANIC\): *//p' "$work/messages" | grep -vxFf "$work/expected" | head -n 3 | tr '\n' ' ' || true)
  [ -z "$refused" ] || fail GlobalsFailedError "roles and tablespaces could not be restored: $refused"
  answer "{\"keptRolesAndTablespaces\":$(grep -c 'already exists' "$work/messages" || true)}"
}

main "$@"
