#!/bin/bash
#/ Usage: LOCATIONS= RUN= prepare-tablespaces.sh
#/
#/ Makes the directories of tablespaces where they are missing: CREATE TABLESPACE wants an empty one that the server owns.
#/   LOCATIONS  absolute paths, one per line, in base64url
#/ Exit status: 0 they are there; 1 one holds something that is not PostgreSQL's, the answer says what.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/postgres.sh"

# make_location DIRECTORY: as the server's user, who could have put a link anywhere that he may write to; by root only where nobody
# else can.
make_location() {
  local above=$1
  if as_postgres mkdir -p -m 0700 -- "$1" 2>"$work/log"; then return 0; fi
  while ! is_there "$above"; do above=$(parent_of "$above"); done
  if in_directory "$above" roots_alone "$above" 2>/dev/null; then
    (umask 022 && mkdir -p -- "$(parent_of "$1")") && install -d -o "$postgres_user" -g "$postgres_user" -m 0700 -- "$1" 2>"$work/log" && return 0
  fi
  fail TablespaceOwnerError "$1 can't be made: $(last_words "$work/log") Make it by hand (install -d -o $postgres_user -g $postgres_user -m 0700 DIRECTORY), then start the restore again."
}

# roots_alone DIRECTORY: nobody but root can write to it or to one above it.
roots_alone() {
  local directory=$1
  while only_roots "$directory"; do
    [ "$directory" != / ] || return 0
    directory=$(parent_of "$directory")
  done
  return 1
}

main() {
  local location foreign
  begin
  find_postgres
  while IFS= read -r location || [ -n "$location" ]; do
    [ -n "$location" ] || continue
    [ -e "$location" ] || make_location "$location"
    foreign=$(find "$location/" -mindepth 1 -maxdepth 1 ! -name 'PG_*' -print -quit)
    if [ -n "$foreign" ]; then
      fail TablespaceNotEmptyError "$location holds $foreign, which is not PostgreSQL's. Move it away, then start the restore again."
    fi
    if [ "$(stat -L -c %U "$location")" != "$postgres_user" ]; then
      fail TablespaceOwnerError "$location belongs to $(stat -L -c %U "$location"). Give it to $postgres_user, then start the restore again."
    fi
  done < <(decode_text "$LOCATIONS")
  answer
}

main "$@"
