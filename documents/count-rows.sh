#!/bin/bash
#/ Usage: NAME= DATABASE= RUN= count-rows.sh
#/
#/ Counts the rows of every table of a restored database and compares them with the list that was made of the dump.
#/   NAME      the fetched list, `rows<TAB>table`
#/   DATABASE  its name in base64url
#/ Exit status: 0 counted, the answer says whether they are equal.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/postgres.sh"
. "$(dirname "$0")/library/restore.sh"

# One statement for all tables; names are quoted as a dump quotes them.
readonly statements_sql="
  SELECT coalesce(string_agg(format('SELECT count(*) || chr(9) || %L FROM ONLY %I.%I', quote_ident(nspname) || '.' || quote_ident(relname), nspname, relname), ' UNION ALL '), 'SELECT NULL WHERE false')
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE relkind = 'r' AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_toast'
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"

main() {
  local database different tables rows
  begin_answer
  begin_work "$RUN"
  find_postgres
  require_postgres
  database=$(decode_text "$DATABASE")
  { query "$database" "$statements_sql" </dev/null && echo ';'; } >"$work/statement"
  as_postgres "$postgres_bin/psql" -X -A -t -q -v ON_ERROR_STOP=1 "$(connection_of "$database")" -f - <"$work/statement" | sed '/^$/d' | LC_ALL=C sort >"$work/found"
  tail -n +2 "$(restore_directory "$RUN")/$NAME" | LC_ALL=C sort >"$work/expected"
  different=$(LC_ALL=C comm -3 "$work/expected" "$work/found" | tr '\t' ' ' | head -n 3 | tr '\n' ';')
  read -r tables rows < <(awk -F '\t' '{ tables++; rows += $1 } END { printf "%d %.0f\n", tables, rows }' "$work/found")
  answer "{\"database\":$(json_string "$database"),\"tables\":$tables,\"rows\":$rows,\"different\":$(json_string "$different")}"
}

main "$@"
