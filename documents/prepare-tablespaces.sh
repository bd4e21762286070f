#!/bin/bash
#/ Usage: LOCATIONS= RUN= prepare-tablespaces.sh
#/
#/ Makes the directories of tablespaces where they are missing: CREATE TABLESPACE wants an empty one that the server owns.
#/   LOCATIONS  absolute paths, one per line, in base64url
#/ Exit status: 0 they are there; 1 one holds something that is not PostgreSQL's, the answer says what.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/postgres.sh"

main() {
  local location foreign
  begin_answer
  begin_work "$RUN"
  find_postgres
  while IFS= read -r location || [ -n "$location" ]; do
    [ -n "$location" ] || continue
    if [ ! -e "$location" ]; then install -d -o "$postgres_user" -g "$postgres_user" -m 0700 "$location"; fi
    foreign=$(find "$location" -mindepth 1 -maxdepth 1 ! -name 'PG_*' -print | head -n 1)
    if [ -n "$foreign" ]; then
      fail TablespaceNotEmptyError "$location holds $foreign, which is not PostgreSQL's. Move it away, then start the restore again."
    fi
    if [ "$(stat -c %U "$location")" != "$postgres_user" ]; then
      fail TablespaceOwnerError "$location belongs to $(stat -c %U "$location"). Give it to $postgres_user, then start the restore again."
    fi
  done < <(decode_text "$LOCATIONS")
  answer '{"prepared":true}'
}

main "$@"
