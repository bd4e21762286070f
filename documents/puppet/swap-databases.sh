#!/bin/bash
#/ Usage: DATABASES= RUN= swap-databases.sh
#/
#/ Gives the restored databases their names. Those that had them are kept under another one until the restore is proven.
#/   DATABASES  names, a NUL between, in base64url
#/ Exit status: 0 done; 1 the answer says which one could not be renamed.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/restore.sh"

# put_aside NAME: what has the name now, if anything has.
put_aside() {
  local name=$1 encoded old
  encoded=$(encode_text "$name") old=$(old_database "$name")
  if ! database_exists "$name"; then
    noted "$RUN" dropped-database "$encoded" || claimed database "$encoded" || note_change "$RUN" new-database "$encoded"
  elif database_exists "$old" && claimed database "$encoded"; then
    # An earlier restore broke off: the one aside is the original.
    drop_database "$name"
  else
    drop_database "$old" && note_change "$RUN" database "$encoded" && rename_database "$name" "$old"
  fi
}

swap() {
  local name=$1 new
  new=$(new_database "$name")
  if database_exists "$new"; then
    put_aside "$name" && note_change "$RUN" swapped "$(encode_text "$name")" && rename_database "$new" "$name"
  elif ! noted "$RUN" swapped "$(encode_text "$name")" || ! database_exists "$name"; then
    # Not done before by this run either.
    fail SwapFailedError "there is no restored copy of $name to take its place. Start the restore again."
  fi
}

main() {
  local name
  begin
  find_postgres
  require_postgres
  while IFS= read -r -d '' name || [ -n "$name" ]; do
    swap "$name" 2>"$work/log" </dev/null || fail SwapFailedError "$name can't be renamed: $(refusal "$work/log")"
  done < <(decode_text "$DATABASES")
  answer
}

main "$@"
