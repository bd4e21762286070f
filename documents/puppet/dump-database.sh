#!/bin/bash
#/ Usage: BUCKET= KEY= EXPECTED_BYTES= DATABASE= RUN= dump-database.sh
#/
#/ Streams a dump of one database into the vault, and beside it what the dump does not tell: the number of rows of each table, counted
#/ in it, and the settings of the database, whose values may be secrets.
#/   KEY       key without suffix: .dump.<zst|gz> and .contents.<zst|gz> are added
#/   DATABASE  its name in base64url
#/ Exit status: 0 stored and verified; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/compression.sh"
. "$(dirname "$0")/../library/vault.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/dump.sh"

# A lock that somebody else holds for ten minutes ends the dump with an error instead of keeping it waiting.
readonly lock_milliseconds=600000

# In the database's own encoding, whatever the database or a role has set for its sessions. In large pieces, where that can be had.
pg_dump() {
  local wrapper=()
  if command -v stdbuf >/dev/null; then wrapper=(stdbuf -o1M); fi
  client pg_dump -Fc -Z0 -E "$encoding" --lock-wait-timeout="$lock_milliseconds" "$(connection_of "$database")"
}

# Reads the dump to its end; pg_restore -l would accept a truncated one. Data alone: no function's body, no view.
pg_restore() { LC_ALL=C "$postgres_bin/pg_restore" --data-only -f /dev/stdout | rows_in_dump; }

# find_reader: sets reader. A pass in perl costs less than PostgreSQL's own program, which is asked where there is no perl, or the version
# is not known.
find_reader() {
  reader=(beside pg_restore)
  command -v perl >/dev/null || return 0
  case $("$postgres_bin/pg_dump" --version) in
    *' 9.'* | *' 1'[0-8]*) reader=(pass_archive) ;;
  esac
}

main() {
  local database encoding tables rows dump reader
  begin
  find_postgres
  require_postgres
  IFS= read -r -d '' database < <(decode_text "$DATABASE") || true
  encoding=$(query "$database" 'SELECT getdatabaseencoding()' 2>"$work/log") || fail DatabaseUnreadableError "the database $database can't be read: $(refusal "$work/log")"
  find_reader
  if ! store "$BUCKET" "$KEY.dump" "$EXPECTED_BYTES" pg_dump "${reader[@]}"; then
    [ "$stored_error" != ProducerFailedError ] || stored_message=$(refusal "$work/produce.log")
    fail "$stored_error" "$stored_message"
  fi
  dump=$stored_upload
  { echo "rows	table" && cat "$stored_contents" && query "$database" "$(settings_sql "$database")"; } >"$work/contents" 2>"$work/log" ||
    fail DatabaseUnreadableError "the settings of the database $database can't be read: $(refusal "$work/log")"
  read -r tables rows < <(awk -F '\t' '{ tables++; rows += $1 } END { printf "%d %.0f\n", tables, rows }' "$stored_contents")
  store_contents "$BUCKET" "$KEY.contents" "$work/contents" || fail "$stored_error" "$stored_message"
  answer kind=database database="$database" upload:="$dump" contents:="$stored_upload" tables:="$tables" rows:="$rows" \
    verified='read to its end, its rows counted'
}

main "$@"
