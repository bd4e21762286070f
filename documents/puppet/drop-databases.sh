#!/bin/bash
#/ Usage: DATABASES= ROLES= TABLESPACES= RUN= drop-databases.sh
#/
#/ Drops databases, then tablespaces, then roles, and proves of each that it is gone. What is gone already is skipped.
#/   DATABASES ROLES TABLESPACES  names, a NUL between, in base64url; may be empty
#/ Exit status: 0 all are gone; 1 the answer says which is not, and why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/restore.sh"

# each LIST FUNCTION: calls it with every name of a list.
each() {
  local name
  while IFS= read -r -d '' name || [ -n "$name" ]; do
    "$2" "$name" </dev/null
  done < <(decode_text "$1")
}

drop_one_database() {
  note_change "$RUN" dropped-database "$(encode_text "$1")"
  # What earlier restores have left of it would keep its role and tablespace in use.
  drop_database "$(new_database "$1")" 2>>"$work/log" || true
  drop_database "$(old_database "$1")" 2>>"$work/log" || true
  drop_database "$1" 2>>"$work/log" || fail DropFailedError "the database $1 is still there: $(refusal "$work/log") Remove what depends on it, then start the restore again."
}

drop_role() {
  [ "$(roles_called "$1")" != 0 ] || return 0
  note_change "$RUN" dropped-role "$(encode_text "$1")"
  sql "DROP ROLE $(quoted_identifier "$1")" 2>>"$work/log" || fail DropFailedError "the role $1 is still there: $(refusal "$work/log") Remove what depends on it, then start the restore again."
  [ "$(roles_called "$1")" = 0 ] || fail DropFailedError "the role $1 is still there."
}

# remove_orphans LOCATION: a server that loses its power while it makes a database leaves a directory that belongs to none
# and keeps the tablespace from being dropped. Nobody is connected, so none is being made now. They are removed as the user who owns
# them: his links lead no further than he could go himself.
remove_orphans() {
  local directory oid
  for directory in "$1"/PG_*/[0-9]*; do
    oid=${directory##*/}
    case $oid in *[!0-9]*) continue ;; esac
    if [ "$(sql "SELECT count(*) FROM pg_database WHERE oid = $oid")" = 0 ]; then as_postgres rm -rf --one-file-system -- "$directory"; fi
  done
}

drop_tablespace() {
  [ "$(tablespaces_called "$1")" != 0 ] || return 0
  remove_orphans "$(sql "SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = $(quoted_literal "$1")")"
  sql "DROP TABLESPACE $(quoted_identifier "$1")" 2>>"$work/log" || fail DropFailedError "the tablespace $1 is still there: $(refusal "$work/log") Remove what depends on it, then start the restore again."
  [ "$(tablespaces_called "$1")" = 0 ] || fail DropFailedError "the tablespace $1 is still there."
}

main() {
  begin
  find_postgres
  require_postgres
  : >"$work/log"
  each "$DATABASES" drop_one_database
  # A tablespace may belong to one of the roles.
  each "$TABLESPACES" drop_tablespace
  each "$ROLES" drop_role
  answer
}

main "$@"
