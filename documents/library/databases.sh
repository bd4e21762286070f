# shellcheck shell=bash
# What a server of PostgreSQL holds, for an inspection: everything that a restore has to bring back and a dump does not hold, and what
# no backup includes. The script that sources this has `problem NAME MESSAGE`, and a line per warning in $work/warnings.

# Those that a restore has left half done are its own business, not the installation's.
readonly ours="datname ~ '^holdfast-(new|old)-[0-9a-f]{24}\$'"

# One line of JSON about the database that it runs in: PostgreSQL writes it itself.
readonly database_sql="
  SELECT row_to_json(d) FROM (
    SELECT datname AS name, pg_get_userbyid(datdba) AS owner, spcname AS tablespace, pg_encoding_to_char(encoding) AS encoding,
           datcollate AS collate, datctype AS ctype, pg_database_size(d.oid) AS bytes, coalesce(datacl::text, '') AS acl,
           datconnlimit AS \"connectionLimit\", datistemplate AS \"isTemplate\",
           coalesce(shobj_description(d.oid, 'pg_database'), '') AS comment,
           coalesce((SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'public'), '') AS \"publicOwner\",
           (SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
            WHERE relkind = 'r' AND nspname NOT IN ('pg_catalog', 'information_schema')) AS \"rowsEstimated\",
           ARRAY(SELECT extname::text FROM pg_extension ORDER BY extname) AS extensions,
           (SELECT coalesce(array_to_json(array_agg(row_to_json(s))), '[]') FROM (
              SELECT coalesce((SELECT rolname::text FROM pg_roles r WHERE r.oid = setrole), '') AS role,
                     ARRAY(SELECT split_part(setting, '=', 1) FROM unnest(setconfig) setting) AS names
              FROM pg_db_role_setting WHERE setdatabase = d.oid ORDER BY 1) s) AS settings
    FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = current_database()) d"
readonly tablespaces_sql="
  SELECT pg_tablespace_location(oid), row_to_json((SELECT t FROM (SELECT spcname AS name, pg_tablespace_location(oid) AS location, pg_get_userbyid(spcowner) AS owner) t))
  FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY spcname"
# What a role owns or may use inside of databases, or of a database itself: it can't be dropped while any of them stays.
readonly dependents_sql="
  SELECT coalesce(array_to_json(array_agg(row_to_json(t))), '[]') FROM (
    SELECT rolname AS role, datname AS database, count(*) AS objects
    FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
      JOIN pg_database d ON d.oid = s.dbid OR (s.dbid = 0 AND s.classid = 'pg_database'::regclass AND d.oid = s.objid)
    WHERE s.refclassid = 'pg_authid'::regclass AND NOT $ours GROUP BY 1, 2 ORDER BY 1, 2) t"
readonly roles_sql="SELECT coalesce(array_to_json(array_agg(rolname ORDER BY rolname)), '[]') FROM pg_roles WHERE rolname !~ '^pg_'"
readonly names_sql="
  SELECT datname FROM pg_database WHERE datname NOT IN ('template0', 'template1', 'postgres') AND NOT $ours ORDER BY datname"
# True of a database in which somebody keeps something: initdb's own have smaller numbers.
readonly in_use_sql="
  SELECT 1 WHERE EXISTS (
      SELECT 1 FROM pg_depend d JOIN pg_namespace n ON d.refclassid = 'pg_namespace'::regclass AND n.oid = d.refobjid
      WHERE d.objid >= 16384 AND nspname !~ '^pg_(toast_)?temp_')
    OR EXISTS (SELECT 1 FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_')
    OR EXISTS (SELECT 1 FROM pg_foreign_data_wrapper) OR EXISTS (SELECT 1 FROM pg_largeobject_metadata)"
# Sentences on what no dump of the database holds.
readonly not_dumped_sql="
  SELECT 'the database ' || quote_ident(current_database()) || ' has ' || count(*) || ' tables or functions in pg_catalog or information_schema, which no dump holds: move them to a schema of their own'
  FROM (SELECT oid, 'pg_class'::regclass AS class, relnamespace AS place FROM pg_class
        UNION ALL SELECT oid, 'pg_proc'::regclass, pronamespace FROM pg_proc) o
    JOIN pg_namespace n ON n.oid = place
  WHERE o.oid >= 16384 AND nspname IN ('pg_catalog', 'information_schema')
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = class AND d.objid = o.oid AND d.deptype IN ('e', 'i'))
  HAVING count(*) > 0"

# Sentences on what no backup of the server holds; not_backed_up_sql VERSION, since views came with the years.
not_backed_up_sql() {
  printf "
    SELECT 'the settings or limit of the database ' || datname || ' are not backed up: keep the statements that make them'
    FROM pg_database d WHERE datname IN ('template1', 'postgres')
      AND (datconnlimit <> -1 OR EXISTS (SELECT 1 FROM pg_db_role_setting WHERE setdatabase = d.oid))
    UNION ALL SELECT 'the security label of the database ' || quote_ident(datname) || ' is not backed up: set it again after a restore'
    FROM pg_shseclabel JOIN pg_database d ON d.oid = objoid WHERE classoid = 'pg_database'::regclass
    UNION ALL SELECT 'the prepared transaction ' || gid || ' of the database ' || quote_ident(database) || ' is not backed up, and would keep a restore from replacing it: COMMIT PREPARED or ROLLBACK PREPARED it'
    FROM pg_prepared_xacts"
  if [ "$1" -ge 90400 ]; then
    printf "
      UNION ALL SELECT 'the replication slot ' || slot_name || ' is not backed up: make it again after a restore' FROM pg_replication_slots"
  fi
  if [ "$1" -ge 100000 ]; then
    printf "
      UNION ALL SELECT 'the subscription ' || quote_ident(subname) || ' of the database ' || quote_ident(datname) || ' comes back disabled: enable it after a restore (ALTER SUBSCRIPTION ... ENABLE)'
      FROM pg_subscription JOIN pg_database d ON d.oid = subdbid"
  fi
  if [ "$1" -ge 150000 ]; then
    printf "
      UNION ALL SELECT 'the database ' || quote_ident(datname) || ' takes its collation from ICU, and would be restored with that of the system: dump it by hand'
      FROM pg_database WHERE datlocprovider NOT IN ('c') AND NOT %s" "$ours"
  fi
}

# rows_of DATABASE SQL: to $work/rows, a NUL behind each value, since a failure would be lost behind a pipe.
rows_of() { query "$1" "$2" -z -0 >"$work/rows" 2>"$work/query.log"; }

# warn_of DATABASE SQL: what the statement says, each on a line.
warn_of() {
  local sentence
  if ! rows_of "$1" "$2"; then
    echo "what no backup holds of the database $1 could not be asked: $(refusal "$work/query.log")" >>"$work/warnings"
    return 0
  fi
  while IFS= read -r -d '' sentence; do printf '%s\n' "${sentence//$'\n'/ }" >>"$work/warnings"; done <"$work/rows"
}

# is_in_use DATABASE: one that can't be asked is told, and taken for empty.
is_in_use() {
  if ! rows_of "$1" "$in_use_sql"; then
    echo "the database $1 can't be read, and is not backed up: $(refusal "$work/query.log")" >>"$work/warnings"
    return 1
  fi
  [ -s "$work/rows" ]
}

# unreadable DATABASE: says so, and what to do about it.
unreadable() {
  local said
  said=$(refusal "$work/query.log")
  if [ "$(query "$maintenance" "SELECT datallowconn FROM pg_database WHERE datname = $(quoted_literal "$1")")" = f ]; then
    said="it takes no connections. Allow them (ALTER DATABASE ... ALLOW_CONNECTIONS true; before 9.5 UPDATE pg_database SET datallowconn = true WHERE ...), or drop it."
  fi
  problem DatabaseUnreadableError "the database $1 can't be read: $said"
}

# A list of objects, to $work/databases.
inspect_databases() {
  local name one names=()
  if ! rows_of "$maintenance" "$names_sql"; then
    problem DatabaseUnreadableError "PostgreSQL cannot list its databases: $(refusal "$work/query.log")"
    : >"$work/rows"
  fi
  while IFS= read -r -d '' name; do names+=("$name"); done <"$work/rows"
  # The maintenance database, which may be missing, counts as soon as somebody keeps something in it.
  if [ "$(query "$maintenance" "SELECT count(*) FROM pg_database WHERE datname = 'postgres'")" = 1 ] && is_in_use postgres; then names+=(postgres); fi
  if is_in_use template1; then
    echo 'the database template1 holds objects of its own, which are not backed up: keep the statements that make them' >>"$work/warnings"
  fi
  : >"$work/found"
  for name in ${names[@]+"${names[@]}"}; do
    if one=$(query "$name" "$database_sql" 2>"$work/query.log"); then
      printf '%s\n' "${one//$'\n'/}" >>"$work/found"
      warn_of "$name" "$not_dumped_sql"
    else
      unreadable "$name"
    fi
  done
  json_array <"$work/found" >"$work/databases"
  warn_of "$maintenance" "$(not_backed_up_sql "$(query "$maintenance" 'SHOW server_version_num')")"
}

inspect_tablespaces() {
  local location one directory
  rows_of "$maintenance" "$tablespaces_sql" || return 1
  while IFS= read -r -d '' location && IFS= read -r -d '' one; do
    directory=ok
    if [ ! -d "$location" ]; then
      directory=missing
    elif [ -n "$(find "$location" -mindepth 1 -maxdepth 1 ! -name 'PG_*' -print -quit)" ]; then
      directory=foreign
    fi
    printf '%s,"directory":"%s"}\n' "${one%\}}" "$directory"
    printf '%s\n' "$location" >>"$work/locations"
  done <"$work/rows" | json_array
}

# One object for the answer, from what inspect_databases has found.
inspect_postgres() {
  if [ "$has_postgres" = no ]; then
    printf 'null'
    return
  fi
  json version="$(query "$maintenance" 'SHOW server_version')" user="$postgres_user" databases:=@"$work/databases" \
    tablespaces:="$(inspect_tablespaces)" roles:="$(query "$maintenance" "$roles_sql")" dependents:="$(query "$maintenance" "$dependents_sql")"
}
