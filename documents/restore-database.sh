#!/bin/bash
#/ Usage: NAME= SPEC= RUN= restore-database.sh
#/
#/ Restores one fetched dump into a database that it makes itself, beside the one that it will replace. A second attempt
#/ begins with a fresh one, so that nothing is ever restored twice into the same database.
#/   NAME  the fetched file
#/   SPEC  name, owner, tablespace, encoding, collation, character type, grants and settings, one per line, in base64url
#/ Exit status: 0 it is whole; 1 failed, the answer says why.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/postgres.sh"
. "$(dirname "$0")/library/restore.sh"

create_database() {
  sql "CREATE DATABASE $(quoted_identifier "$new") OWNER $(quoted_identifier "$owner") TEMPLATE template0
       TABLESPACE $(quoted_identifier "$tablespace") ENCODING $(quoted_literal "$encoding")
       LC_COLLATE $(quoted_literal "$collate") LC_CTYPE $(quoted_literal "$ctype")"
}

# A dump holds no grants on its database before PostgreSQL 11, so the manifest's are given, statement by statement.
grant_access() {
  [ -n "$acl" ] || return 0
  sql "REVOKE ALL ON DATABASE $(quoted_identifier "$new") FROM PUBLIC, $(quoted_identifier "$owner")" || return 1
  sql "SELECT 'GRANT ' || privilege_type || ' ON DATABASE ' || quote_ident($(quoted_literal "$new")) || ' TO ' ||
         CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END ||
         CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END || ';'
       FROM aclexplode($(quoted_literal "$acl")::aclitem[])" >"$work/grants" || return 1
  as_postgres "$postgres_bin/psql" -X -q -v ON_ERROR_STOP=1 "$(connection_of postgres)" -f - <"$work/grants"
}

apply_settings() {
  local setting
  for setting in ${settings[@]+"${settings[@]}"}; do
    sql "ALTER DATABASE $(quoted_identifier "$new") SET $(quoted_identifier "${setting%%=*}") TO $(quoted_literal "${setting#*=}")" || return 1
  done
}

main() {
  local file name owner tablespace encoding collate ctype acl new line refused settings=() jobs
  begin_answer
  begin_work "$RUN"
  find_postgres
  require_postgres
  file=$(restore_directory "$RUN")/$NAME
  {
    IFS= read -r name && IFS= read -r owner && IFS= read -r tablespace && IFS= read -r encoding
    IFS= read -r collate && IFS= read -r ctype && IFS= read -r acl
    while IFS= read -r line || [ -n "$line" ]; do [ -z "$line" ] || settings+=("$line"); done
  } < <(decode_text "$SPEC" && echo)
  new=$(new_database "$name")
  # Remembered first: whatever ends this script, the half-restored database is found and dropped.
  printf '%s\n' "$name" >>"$(restore_directory "$RUN")/databases"
  : >"$work/log"
  drop_database "$new" 2>>"$work/log" || fail RestoreFailedError "a half-restored $name can not be dropped: $(last_words "$work/log")"
  create_database 2>>"$work/log" || fail RestoreFailedError "no database for $name can be made: $(last_words "$work/log")"
  # Its name is /dev/stdin to pg_restore, whose workers open it again: the directory stays closed to the server's user.
  chgrp "$postgres_user" "$file"
  chmod g+r "$file"
  jobs=$(nproc)
  [ "$jobs" -le 8 ] || jobs=8
  if ! as_postgres "$postgres_bin/pg_restore" --exit-on-error --no-tablespaces --jobs "$jobs" -d "$(connection_of "$new")" /dev/stdin <"$file" 2>"$work/log"; then
    refused=$(last_words "$work/log")
    drop_database "$new" 2>/dev/null || true
    fail RestoreFailedError "pg_restore of $name: $refused The database $name is as it was before this step."
  fi
  { grant_access && apply_settings; } 2>"$work/log" || fail RestoreFailedError "grants of $name: $(last_words "$work/log")"
  # The planner's statistics are not in a dump, and the first hour without them is a bad one.
  as_postgres "$postgres_bin/psql" -X -q -v ON_ERROR_STOP=1 "$(connection_of "$new")" -c 'ANALYZE' </dev/null
  answer "{\"database\":$(json_string "$name"),\"jobs\":$jobs}"
}

main "$@"
