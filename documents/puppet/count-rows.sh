#!/bin/bash
#/ Usage: NAME= DATABASE= RUN= count-rows.sh
#/
#/ Counts the rows of every table of a restored database, and compares them and its settings with the list that was made with the dump.
#/   NAME      the fetched list, `rows<TAB>table`, and settings
#/   DATABASE  its name in base64url
#/ Exit status: 0 counted, the answer says whether they are equal; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/dump.sh"
. "$(dirname "$0")/../library/restore.sh"

# Names come in the database's own encoding, as in the dump.
in_own_encoding() { printf "SELECT 1 WHERE set_config('client_encoding', getdatabaseencoding(), false) IS NULL;\n"; }

count_rows() {
  local more_options='-c search_path=pg_catalog'
  { in_own_encoding && counting_sql; } | run_sql "$database" >"$work/statements" &&
    { in_own_encoding && cat "$work/statements"; } | run_sql "$database" >"$work/found"
}

main() {
  local database file different number tables rows
  begin
  find_postgres
  require_postgres
  IFS= read -r -d '' database < <(decode_text "$DATABASE") || true
  count_rows 2>"$work/log" || fail RestoreFailedError "the rows of $database can't be counted: $(refusal "$work/log")"
  query "$database" "$(settings_sql "$database")" >"$work/settings" 2>"$work/log" || fail RestoreFailedError "the settings of $database can't be read: $(refusal "$work/log")"
  file=$(fetched_file "$RUN" "$NAME")
  grep '^[0-9]' "$file" >"$work/expected" || true
  grep '^setting' "$file" >"$work/expected.settings" || true
  differing_rows "$work/expected" "$work/found" >"$work/different"
  differing_settings "$work/expected.settings" "$work/settings" >>"$work/different"
  different=$(head -n 3 "$work/different" | awk 'NR > 1 { printf "; " } { printf "%s", $0 }')
  number=$(wc -l <"$work/different")
  [ "$number" -le 3 ] || different="$different; and $((number - 3)) more"
  read -r tables rows < <(awk -F '\t' '{ tables++; rows += $1 } END { printf "%d %.0f\n", tables, rows }' "$work/expected")
  answer database="$database" tables:="$tables" rows:="$rows" different="$different"
}

main "$@"
