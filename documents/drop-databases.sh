#!/bin/bash
#/ Usage: DATABASES= ROLES= TABLESPACES= RUN= drop-databases.sh
#/
#/ Drops databases, then roles, then tablespaces, and proves of each that it is gone. What is gone already is passed over.
#/   DATABASES ROLES TABLESPACES  names, one per line, in base64url; may be empty
#/ Exit status: 0 all are gone; 1 the answer says which is not, and why.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/postgres.sh"
. "$(dirname "$0")/library/restore.sh"

# each LIST FUNCTION: calls it with every name of a list.
each() {
  local name
  while IFS= read -r name || [ -n "$name" ]; do
    [ -z "$name" ] || "$2" "$name" </dev/null
  done < <(decode_text "$1")
}

drop_one_database() {
  note_change "$RUN" dropped-database "$1"
  # What earlier restores have left of it would keep its role and tablespace in use.
  drop_database "$(new_database "$1")" 2>>"$work/log" || true
  drop_database "$(old_database "$1")" 2>>"$work/log" || true
  drop_database "$1" 2>>"$work/log" || fail DropFailedError "the database $1 is still there: $(last_words "$work/log")"
}

drop_role() {
  [ "$(sql "SELECT count(*) FROM pg_roles WHERE rolname = $(quoted_literal "$1")")" = 1 ] || return 0
  note_change "$RUN" dropped-role "$1"
  sql "DROP ROLE $(quoted_identifier "$1")" 2>>"$work/log" || fail DropFailedError "the role $1 is still there: $(last_words "$work/log")"
  [ "$(sql "SELECT count(*) FROM pg_roles WHERE rolname = $(quoted_literal "$1")")" = 0 ] || fail DropFailedError "the role $1 is still there."
}

# remove_orphans LOCATION: a server that loses its power while it makes a database leaves a directory that belongs to none
# and keeps the tablespace from being dropped. Nobody is connected, so none is being made now.
remove_orphans() {
  local directory oid
  for directory in "$1"/PG_*/[0-9]*; do
    oid=${directory##*/}
    case $oid in *[!0-9]*) continue ;; esac
    if [ "$(sql "SELECT count(*) FROM pg_database WHERE oid = $oid")" = 0 ]; then rm -rf -- "$directory"; fi
  done
}

drop_tablespace() {
  [ "$(sql "SELECT count(*) FROM pg_tablespace WHERE spcname = $(quoted_literal "$1")")" = 1 ] || return 0
  remove_orphans "$(sql "SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = $(quoted_literal "$1")")"
  sql "DROP TABLESPACE $(quoted_identifier "$1")" 2>>"$work/log" || fail DropFailedError "the tablespace $1 is still there: $(last_words "$work/log")"
  [ "$(sql "SELECT count(*) FROM pg_tablespace WHERE spcname = $(quoted_literal "$1")")" = 0 ] || fail DropFailedError "the tablespace $1 is still there."
}

main() {
  begin_answer
  begin_work "$RUN"
  find_postgres
  require_postgres
  : >"$work/log"
  each "$DATABASES" drop_one_database
  each "$ROLES" drop_role
  each "$TABLESPACES" drop_tablespace
  answer '{"dropped":true}'
}

main "$@"
