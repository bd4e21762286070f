#!/bin/bash
#/ Usage: DATABASES= RUN= swap-databases.sh
#/
#/ Gives the restored databases their names. Those that had them are kept under another one until the restore is proven.
#/   DATABASES  names, one per line, in base64url
#/ Exit status: 0 done; 1 the answer says which one could not be renamed.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/postgres.sh"
. "$(dirname "$0")/library/restore.sh"

swap() {
  local name=$1 new old
  new=$(new_database "$name")
  old=$(old_database "$name")
  # Done before: the new one has lost its name to the one that it replaces.
  if ! database_exists "$new"; then
    if database_exists "$name"; then return 0; fi
    fail SwapFailedError "neither $name nor its restored copy is there."
  fi
  if database_exists "$name"; then
    if database_exists "$old" && claimed database "$name"; then
      # An earlier restore broke off: the one aside is the original.
      drop_database "$name" || return 1
    else
      drop_database "$old" && note_change "$RUN" database "$name" && rename_database "$name" "$old" || return 1
    fi
  fi
  rename_database "$new" "$name"
}

main() {
  local name
  begin_answer
  begin_work "$RUN"
  find_postgres
  require_postgres
  while IFS= read -r name || [ -n "$name" ]; do
    [ -n "$name" ] || continue
    swap "$name" 2>"$work/log" </dev/null || fail SwapFailedError "$name can not be renamed: $(last_words "$work/log")"
  done < <(decode_text "$DATABASES")
  answer '{"swapped":true}'
}

main "$@"
