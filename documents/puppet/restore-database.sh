#!/bin/bash
#/ Usage: NAME= CONTENTS= SPEC= RUN= restore-database.sh
#/
#/ Restores one fetched dump into a database that it makes itself, beside the one that it will replace. A second attempt
#/ begins with a fresh one, so that nothing is ever restored twice into the same database.
#/   NAME  the fetched file
#/   CONTENTS  the fetched list that was made with it, which holds the settings
#/   SPEC  what no dump holds of its database, KEY=VALUE, a NUL behind each, in base64url: name, owner, tablespace, encoding, collate,
#/         ctype, limit, template, comment, acl, schema (who owns public; empty: there is none), extension (any number)
#/ Exit status: 0 it is whole; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/restore.sh"

create_database() {
  sql "CREATE DATABASE $(quoted_identifier "$new") OWNER $(quoted_identifier "${spec[owner]}") TEMPLATE template0
       TABLESPACE $(quoted_identifier "${spec[tablespace]}") ENCODING $(quoted_literal "${spec[encoding]}")
       LC_COLLATE $(quoted_literal "${spec[collate]}") LC_CTYPE $(quoted_literal "${spec[ctype]}") CONNECTION LIMIT ${spec[limit]}"
}

# What template0 brings along and a dump takes for granted: the schema public, whose owner a dump tells from 15 on, and extensions.
empty_database() {
  local owner extension
  owner=$(query "$new" "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'public'") || return 1
  if [ -z "${spec[schema]}" ]; then
    query "$new" 'DROP SCHEMA IF EXISTS public' || return 1
  elif [ "$owner" != "${spec[schema]}" ]; then
    query "$new" "ALTER SCHEMA public OWNER TO $(quoted_identifier "${spec[schema]}")" || return 1
  fi
  while IFS= read -r extension; do
    [[ " ${extensions[*]-} " == *" $extension "* ]] || query "$new" "DROP EXTENSION $(quoted_identifier "$extension")" || return 1
  done < <(query "$new" 'SELECT extname FROM pg_extension')
}

# A dump holds no grants on its database before PostgreSQL 11, so the manifest's are given, one by one, each by whom it was given.
grant_access() {
  [ -n "${spec[acl]}" ] || return 0
  {
    printf 'REVOKE ALL ON DATABASE %s FROM PUBLIC, %s;\n' "$(quoted_identifier "$new")" "$(quoted_identifier "${spec[owner]}")"
    # PostgreSQL explodes no empty list: nobody may do anything.
    [ "${spec[acl]}" = '{}' ] || sql "SELECT 'SET SESSION AUTHORIZATION ' || quote_ident(pg_get_userbyid(grantor)) || '; GRANT ' || privilege_type ||
           ' ON DATABASE ' || quote_ident($(quoted_literal "$new")) || ' TO ' ||
           CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END ||
           CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END || ';'
         FROM aclexplode($(quoted_literal "${spec[acl]}")::aclitem[])"
  } >"$work/grants" && run_sql "$maintenance" <"$work/grants"
}

# apply_settings ROLE NAME=VALUE...: as they were stored. ALTER DATABASE would read a list's value again, and take it for one name.
apply_settings() {
  local role=$1 of=0 setting list=''
  shift
  [ "$#" -gt 0 ] || return 0
  for setting; do list="$list${list:+, }$(quoted_literal "$setting")"; done
  if [ -n "$role" ]; then
    if [ "$(roles_called "$role")" != 1 ]; then
      echo "ERROR:  there is no role $role, for which the database has settings" >&2
      return 1
    fi
    of="(SELECT oid FROM pg_roles WHERE rolname = $(quoted_literal "$role"))"
  fi
  sql "INSERT INTO pg_db_role_setting (setdatabase, setrole, setconfig)
       SELECT oid, $of, ARRAY[$list]::text[] FROM pg_database WHERE datname = $(quoted_literal "$new")"
}

describe_database() {
  [ -z "${spec[comment]}" ] || sql "COMMENT ON DATABASE $(quoted_identifier "$new") IS $(quoted_literal "${spec[comment]}")" || return 1
  sql "UPDATE pg_database SET datistemplate = ${spec[template]} WHERE datname = $(quoted_literal "$new")"
}

# Gives each role its settings; those for all stand first.
each_setting() {
  local kind value encoded role='' of='' settings=()
  while IFS=$'\t' read -r kind value encoded; do
    [ "$kind" = setting ] || continue
    if [ "$encoded" != "$of" ]; then
      apply_settings "$role" ${settings[@]+"${settings[@]}"} || return 1
      of=$encoded settings=()
      IFS= read -r -d '' role < <(decode_text "$encoded") || true
    fi
    IFS= read -r -d '' value < <(decode_text "$value") || true
    settings+=("$value")
  done <"$(fetched_file "$RUN" "$CONTENTS")"
  apply_settings "$role" ${settings[@]+"${settings[@]}"}
}

main() {
  local file new field extensions=() refused jobs
  local -A spec=()
  begin
  find_postgres
  require_postgres
  file=$(fetched_file "$RUN" "$NAME")
  while IFS= read -r -d '' field; do
    case $field in
      extension=*) extensions+=("${field#*=}") ;;
      *) spec[${field%%=*}]=${field#*=} ;;
    esac
  done < <(decode_text "$SPEC")
  new=$(new_database "${spec[name]}")
  # Remembered first: whatever ends this script, the half-restored database is found and dropped.
  note_begun "$RUN" "${spec[name]}"
  : >"$work/log"
  drop_database "$new" 2>>"$work/log" || fail RestoreFailedError "a half-restored ${spec[name]} can't be dropped: $(refusal "$work/log")"
  create_database 2>>"$work/log" || fail RestoreFailedError "no database for ${spec[name]} can be made: $(refusal "$work/log")"
  empty_database 2>>"$work/log" || fail RestoreFailedError "the new database for ${spec[name]} can't be prepared: $(refusal "$work/log")"
  # Its name is /dev/stdin to pg_restore, whose workers open it again: the directory stays closed to the server's user.
  chgrp "$postgres_user" "$file"
  chmod g+r "$file"
  jobs=$(nproc)
  [ "$jobs" -le 8 ] || jobs=8
  if ! client pg_restore --exit-on-error --jobs "$jobs" -d "$(connection_of "$new")" /dev/stdin <"$file" 2>"$work/log"; then
    refused=$(refusal "$work/log")
    drop_database "$new" 2>/dev/null || true
    fail RestoreFailedError "pg_restore of ${spec[name]}: $refused The database ${spec[name]} is as it was before this step."
  fi
  { grant_access && each_setting && describe_database; } 2>"$work/log" || fail RestoreFailedError "grants, settings or comment of ${spec[name]}: $(refusal "$work/log")"
  # The planner's statistics are not in a dump, and the first hour without them is a bad one; but the server makes them in time by itself.
  if ! echo 'ANALYZE' | run_sql "$new" 2>"$work/log"; then echo "no statistics: $(refusal "$work/log")"; fi
  answer
}

main "$@"
