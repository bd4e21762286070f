# shellcheck shell=bash
# What PostgreSQL's programs write, read by one rule when a dump is made and when it is restored. Tables have one spelling, whichever
# version wrote their names: schema.table, each part in double quotes unless it is plain, with %XX for what would break a line.

# Functions of awk that follow SQL through its lines: names, comments and settings may hold any text, whole statements too.
sql_awk() {
  cat <<'AWK'
    # Takes a line into the statement that it belongs to; true at the end of the statement.
    function is_whole(line) {
      statement = within ? statement "\n" line : line
      while (match(line, quote == "" ? "['\"]" : quote)) {
        quote = quote == "" ? substr(line, RSTART, 1) : ""
        line = substr(line, RSTART + 1)
      }
      within = quote != "" || line !~ /;$/
      return !within
    }
    # Takes the identifier away that the rest of the statement begins with.
    function identifier(  name) {
      if (rest !~ /^"/) {
        if (!match(rest, /^[^ .,;("]+/)) strange()
        name = substr(rest, 1, RLENGTH)
        rest = substr(rest, RLENGTH + 1)
        return name
      }
      for (rest = substr(rest, 2); match(rest, /"/); rest = substr(rest, 2)) {
        name = name substr(rest, 1, RSTART - 1)
        rest = substr(rest, RSTART + 1)
        if (rest !~ /^"/) return name
        name = name "\""
      }
      strange()
    }
    function strange() {
      print "not understood: " substr(statement, 1, 200) > "/dev/stderr"
      failed = 1
      exit 1
    }
AWK
}

# rows_in_dump: reads what pg_restore --data-only prints, and prints ROWS<TAB>TABLE of each table. Fails where the text ends within a
# table or a statement, or has a COPY that is not understood. Before the versions of March 2018 (10.3, 9.6.8, 9.5.12, 9.4.17, 9.3.22)
# a table's schema stands in a SET before its COPY, from then on in the COPY itself.
rows_in_dump() {
  LC_ALL=C awk "$(sql_awk)"'
    function spelled(name) {
      if (name ~ /^[a-z_][a-z0-9_$]*$/) return name
      gsub(/"/, "&&", name)
      gsub(/%/, "%25", name)
      gsub(/\t/, "%09", name)
      gsub(/\n/, "%0A", name)
      gsub(/\r/, "%0D", name)
      return "\"" name "\""
    }
    reading && $0 != "\\." { rows++; next }
    reading { printf "%.0f\t%s\n", rows, table; reading = 0; next }
    # Between statements: nothing, comments, commands to psql.
    !within && /^(--|\\|$)/ { next }
    !is_whole($0) { next }
    statement ~ /^SET search_path = / { rest = substr(statement, 19); schema = identifier(); next }
    statement !~ /^COPY / { next }
    {
      rest = substr(statement, 6)
      table = identifier()
      if (rest ~ /^\./) { rest = substr(rest, 2); table = spelled(table) "." spelled(identifier()) }
      else if (schema != "") table = spelled(schema) "." spelled(table)
      else strange()
      if (statement !~ / FROM stdin;$/) strange()
      rows = 0
      reading = 1
    }
    END { exit failed || reading || within }
  '
}

# globals_to_apply: leaves out what pg_dumpall up to 10 says of databases, each of which brings its own settings.
globals_to_apply() {
  LC_ALL=C awk "$(sql_awk)"'
    !within && /^(--|\\|$)/ { print; next }
    !is_whole($0) { next }
    statement ~ /^ALTER ROLE / { rest = substr(statement, 12); identifier(); if (rest ~ /^ IN DATABASE /) next }
    { print statement }
    END { exit failed || within }
  '
}

# The spelling of a name in a column.
spelled_sql() {
  printf "CASE WHEN %s::text COLLATE \"C\" ~ '^[a-z_][a-z0-9_\$]*\$' THEN %s::text ELSE " "$1" "$1"
  printf "'\"' || replace(replace(replace(replace(replace(%s::text, '\"', '\"\"'), '%%', '%%25'), chr(9), '%%09'), chr(10), '%%0A'), chr(13), '%%0D') || '\"' END" "$1"
}

# counting_sql: finds the tables of a database that a dump copies, and makes a statement of each that counts its rows: none is too long,
# and none holds more than one lock. An extension's rows are its script's, but for those that it leaves to its users.
counting_sql() {
  printf "
    SELECT 'SELECT count(*) || chr(9) || ' || quote_literal(spelled) || ' FROM ' ||
             CASE WHEN coalesce(condition, '') = '' THEN 'ONLY ' ELSE '' END || place || ' ' || coalesce(condition, '') || ';'
    FROM (
      SELECT (%s) || '.' || (%s) AS spelled, quote_ident(nspname) || '.' || quote_ident(relname) AS place, condition
      FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        LEFT JOIN (SELECT unnest(extconfig) AS configuration, unnest(extcondition) AS condition FROM pg_extension) e ON configuration = c.oid
      WHERE relkind = 'r' AND relpersistence <> 't' AND nspname <> 'information_schema' AND nspname !~ '^pg_'
        AND (configuration IS NOT NULL OR NOT EXISTS (
          SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))) t;
  " "$(spelled_sql nspname)" "$(spelled_sql relname)"
}

# differing_rows EXPECTED FOUND: says of each table of the first list how the second differs.
differing_rows() {
  LC_ALL=C awk -F '\t' '
    list == "found" { found[$2] = $1; next }
    !($2 in found) { print $2 " is missing"; next }
    found[$2] != $1 { print $2 " has " found[$2] " rows, the backup " $1 }
  ' list=found "$2" list=expected "$1"
}
