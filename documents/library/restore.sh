# shellcheck shell=bash
# shellcheck disable=SC2154,SC2015 # state_directory is of work.sh and refused of paths.sh, which documents source before
# What a restore fetches, and how it is undone. Everything that it replaces is first written into a journal and then moved
# aside; the last step of a restore removes both. Until then, undoing the run puts back what was there before.

# Fetched artifacts, unpacked files and the journal of a run.
restore_directory() { printf '%s' "$state_directory/restore/$1"; }

# fetched_file RUN NAME: in a directory of its own, so that no object's name is that of a file which the run keeps itself.
fetched_file() { printf '%s/fetched/%s' "$(restore_directory "$1")" "$2"; }

# What this run's restore has to say about what it changed, one entry per line: KIND<TAB>NAME.
journal_file() { printf '%s/journal' "$(restore_directory "$1")"; }

# note_change RUN KIND NAME: on the disk before the change, so that a change without a note never is. Once per change. The name of
# a path is followed by a tab and the place where its former content is kept.
note_change() {
  local line
  mkdir -p "$(restore_directory "$1")"
  printf -v line '%s\t%s' "$2" "$3"
  grep -qxF -- "$line" "$(journal_file "$1")" 2>/dev/null ||
    printf '%s\n' "$line" | dd of="$(journal_file "$1")" oflag=append conv=notrunc,fsync 2>/dev/null
}

# noted RUN KIND NAME: true when the run's journal has it.
noted() { grep -qxF -- "$2"$'\t'"$3" "$(journal_file "$1")" 2>/dev/null; }

# encode_text TEXT: on one line, as decode_text takes it, since a name may hold line feeds; encoded_sql is the same in SQL.
encode_text() { printf '%s' "$1" | base64 | tr -d '\n=' | tr '+/' '-_'; }

# Databases while they are restored, and those that they replace. A name may have 63 bytes, so a hash stands for it.
new_database() { printf 'holdfast-new-%s' "$(printf '%s' "$1" | sha256sum | cut -c 1-24)"; }
old_database() { printf 'holdfast-old-%s' "$(printf '%s' "$1" | sha256sum | cut -c 1-24)"; }

# claimed KIND NAME: what lies aside is what was there before a restore that has not ended: it must not be lost.
claimed() {
  cat "$state_directory"/restore/*/journal 2>/dev/null | grep -xF -- "$1"$'\t'"$2" >/dev/null
}

# was_replaced RUN PATH: the run has put it, or what it lies in, in place.
was_replaced() {
  local kind name
  while IFS=$'\t' read -r kind name; do
    case $kind in path | new-path) ;; *) continue ;; esac
    case $2/ in "${name%%$'\t'*}"/*) return 0 ;; esac
  done < <(cat "$(journal_file "$1")" 2>/dev/null)
  return 1
}

# kept_aside PATH: where a restore that has not ended keeps what was at a path; nothing when none does.
kept_aside() {
  local kind name
  while IFS=$'\t' read -r kind name; do
    if [ "$kind" = path ] && [ "${name%%$'\t'*}" = "$1" ] && is_there "${name#*$'\t'}"; then
      printf '%s' "${name#*$'\t'}"
      return
    fi
  done < <(cat "$state_directory"/restore/*/journal 2>/dev/null)
}

# free_aside PATH: a name beside it, since a move within one directory is one step. What has the name already is not ours to
# remove, or could not be removed.
free_aside() {
  local aside=$1.before-restore number=1
  while is_there "$aside"; do
    number=$((number + 1))
    aside=$1.before-restore-$number
  done
  printf '%s' "$aside"
}

# sql STATEMENT: in the maintenance database, with an error when it fails.
sql() {
  [ -n "${maintenance-}" ] || postgres_answers || return 1
  query "$maintenance" "$1"
}

# How many there are of a name: 0 or 1, or nothing when the server does not answer.
databases_called() { sql "SELECT count(*) FROM pg_database WHERE datname = $(quoted_literal "$1")"; }
roles_called() { sql "SELECT count(*) FROM pg_roles WHERE rolname = $(quoted_literal "$1")"; }
tablespaces_called() { sql "SELECT count(*) FROM pg_tablespace WHERE spcname = $(quoted_literal "$1")"; }

database_exists() { [ "$(databases_called "$1")" = 1 ]; }

# without_sessions DATABASE STATEMENT: renames or drops a database that others may use. The statement keeps everybody out from its
# beginning on and waits for five seconds until those that are in have left, which they do when they are ended meanwhile: nothing
# has to be changed of the database, such as its limit of connections.
without_sessions() {
  local statement others
  others="pg_stat_activity WHERE datname = $(quoted_literal "$1") AND pid <> pg_backend_pid()"
  sql "$2" &
  statement=$!
  while kill -0 "$statement" 2>/dev/null; do
    sql "SELECT pg_terminate_backend(pid) FROM $others" >/dev/null 2>&1 || true
    sleep 0.1
  done
  wait "$statement"
}

# leave_subscriptions DATABASE: what is subscribed to something can't be dropped. The slot on the other side belongs to the database
# that stays. Before 10 there are none.
leave_subscriptions() {
  local name
  while IFS= read -r name; do
    name=$(quoted_identifier "$(decode_text "$name")")
    query "$1" "ALTER SUBSCRIPTION $name DISABLE; ALTER SUBSCRIPTION $name SET (slot_name = NONE); DROP SUBSCRIPTION $name" || return 1
  done < <(sql "SELECT $(encoded_sql subname) FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = $(quoted_literal "$1")" 2>/dev/null)
}

# drop_database NAME: and proves that it is gone.
drop_database() {
  if database_exists "$1"; then
    # One that is marked as a template can't be dropped.
    sql "UPDATE pg_database SET datistemplate = false WHERE datistemplate AND datname = $(quoted_literal "$1")" &&
      leave_subscriptions "$1" &&
      without_sessions "$1" "DROP DATABASE $(quoted_identifier "$1")" || return 1
  fi
  [ "$(databases_called "$1")" = 0 ]
}

# rename_database FROM TO
rename_database() { without_sessions "$1" "ALTER DATABASE $(quoted_identifier "$1") RENAME TO $(quoted_identifier "$2")"; }

# roll_back RUN: undoes what the journal tells, last change first; what is done already is skipped. Sets not_rolled_back
# (text, one reason after another, empty when all is as before).
roll_back() {
  local run=$1 kind name journal undone=()
  not_rolled_back=''
  journal=$(journal_file "$run")
  [ -s "$journal" ] || return 0
  while IFS=$'\t' read -r kind name; do undone=("$kind"$'\t'"$name" ${undone[@]+"${undone[@]}"}); done <"$journal"
  local entry
  for entry in ${undone[@]+"${undone[@]}"}; do
    kind=${entry%%$'\t'*}
    name=${entry#*$'\t'}
    case $kind in
      path) roll_back_path "${name%%$'\t'*}" "${name#*$'\t'}" ;;
      new-path) remove_tree "$name" || echo "$name was not there before the restore, and stays: $refused" >&2 ;;
      database) roll_back_database "$(decode_text "$name")" ;;
      new-database) roll_back_new_database "$(decode_text "$name")" ;;
      globals) roll_back_globals "$run" ;;
      dropped-database) database_is_back "$(decode_text "$name")" || not_rolled_back="$not_rolled_back The database $(decode_text "$name") was dropped and is not restored yet." ;;
      dropped-role) role_is_back "$(decode_text "$name")" || not_rolled_back="$not_rolled_back The role $(decode_text "$name") was dropped and is not restored yet." ;;
      provider-state) put_back_provider_state "$run" "$name" ;;
      purged) [ -r /opt/puppet/pe_version ] || [ -r /opt/puppetlabs/server/pe_version ] || not_rolled_back="$not_rolled_back Puppet Enterprise was purged and is not installed again yet." ;;
    esac
  done
}

# roll_back_path PATH ASIDE: first what was there gets its name back, then what was restored is removed.
roll_back_path() {
  if is_there "$2"; then
    if is_there "$1" && ! rename_path "$1" "$1.undone" 2>/dev/null && ! remove_tree "$1"; then
      not_rolled_back="$not_rolled_back $1 is in the way of $2, which was there before: $refused."
      return 0
    fi
    rename_path "$2" "$1" || not_rolled_back="$not_rolled_back $1 lies in $2."
  fi
  remove_tree "$1.undone" || echo "$1.undone is what was restored, and stays: $refused" >&2
  remove_tree "$2.part" || true
}

# The new one has the name and the old one is aside; or the power failed between the two renames.
roll_back_database() {
  local old
  find_postgres
  old=$(old_database "$1")
  if ! database_exists "$old" 2>/dev/null; then
    database_is_back "$1" || not_rolled_back="$not_rolled_back The database $1 cannot be looked at."
    return 0
  fi
  { drop_database "$1" && rename_database "$old" "$1"; } || not_rolled_back="$not_rolled_back The database $1 is called $old."
}

# There was none of that name before.
roll_back_new_database() {
  find_postgres
  drop_database "$1" || not_rolled_back="$not_rolled_back The database $1 was not there before and cannot be dropped."
}

# remember_globals RUN: what roles and tablespaces are, before the backup's are brought back. Once a run.
remember_globals() {
  local directory
  directory=$(restore_directory "$1")
  ! noted "$1" globals before || return 0
  mkdir -p "$directory"
  client pg_dumpall --globals-only -l "$maintenance" | globals_to_apply >"$directory/globals.before" &&
    sql "SELECT $(encoded_sql rolname) FROM pg_roles" >"$directory/roles.before" &&
    sql "SELECT $(encoded_sql spcname) FROM pg_tablespace" >"$directory/tablespaces.before" &&
    note_change "$1" globals before
}

# apply_globals FILE LOG: prints what PostgreSQL refused. What is there already (42710, duplicate_object) gets the file's attributes.
apply_globals() {
  # Passwords' hashes stay out of the server's log.
  local more_options='-c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic'
  run_sql "$maintenance" -v ON_ERROR_STOP=0 <"$1" >/dev/null 2>"$2" || echo "ERROR:  psql ended with $?" >>"$2"
  sed -n 's/^.*\(ERROR\|FATAL\|PANIC\):  //p' "$2" | grep -v '^42710: ' | sed -n 1,3p | tr '\n' ' ' || true
}

# Roles get back the passwords and attributes with which what is put back connects, and those that were not there before go; what a
# restore has dropped itself stays restored.
roll_back_globals() {
  local directory name refused
  directory=$(restore_directory "$1")
  [ -e "$directory/globals.before" ] || return 0
  find_postgres
  if ! postgres_answers; then
    not_rolled_back="$not_rolled_back Roles and tablespaces are the backup's."
    return 0
  fi
  refused=$(apply_globals "$directory/globals.before" "$directory/globals.log")
  [ -z "$refused" ] || not_rolled_back="$not_rolled_back Roles and tablespaces are the backup's: $refused"
  drop_unfinished "$directory"
  while IFS= read -r name; do
    grep -qxF -- "$name" "$directory/tablespaces.before" || sql "DROP TABLESPACE $(quoted_identifier "$(decode_text "$name")")" || true
  done < <(sql "SELECT $(encoded_sql spcname) FROM pg_tablespace")
  while IFS= read -r name; do
    grep -qxF -- "$name" "$directory/roles.before" || noted "$1" dropped-role "$name" || sql "DROP ROLE $(quoted_identifier "$(decode_text "$name")")" || true
  done < <(sql "SELECT $(encoded_sql rolname) FROM pg_roles")
}

# note_begun RUN DATABASE: that the restore makes one of its own for it. In one write, since several are restored side by side.
note_begun() { printf '%s\n' "$(encode_text "$2")" >>"$(restore_directory "$1")/databases"; }

# drop_unfinished DIRECTORY: databases that a restore has begun and not put in their place. One that can't be dropped is told, stays
# remembered and is tried again when this run is undone again or the next restore is finished.
drop_unfinished() {
  local name new
  [ -e "$1/databases" ] || return 0
  find_postgres
  : >"$1/databases.left"
  while IFS= read -r name; do
    new=$(new_database "$(decode_text "$name")")
    drop_database "$new" 2>"$1/log" && continue
    echo "the database $new, a half-restored $(decode_text "$name" | tr '\n' ' '), can't be dropped and takes room: $(refusal "$1/log") Drop it by hand." >&2
    printf '%s\n' "$name" >>"$1/databases.left"
  done <"$1/databases"
  mv -f "$1/databases.left" "$1/databases"
  [ -s "$1/databases" ] || rm -f "$1/databases"
}

database_is_back() {
  find_postgres
  database_exists "$1" 2>/dev/null
}

role_is_back() {
  find_postgres
  [ "$(roles_called "$1" 2>/dev/null)" = 1 ]
}

# forget_restore RUN: drops what a finished restore has replaced and databases that were never finished, and removes what was
# fetched. What could not be rolled back stays noted, for the next restore, with what a living authority was; what can't be removed is told in left_behind, stays
# noted and is tried again when the next restore is finished.
forget_restore() {
  local directory kind name entry
  directory=$(restore_directory "$1")
  [ -e "$directory" ] || return 0
  if [ -e "$directory/finished" ]; then
    : >"$directory/left"
    while IFS=$'\t' read -r kind name; do
      case $kind in
        path)
          remove_tree "${name#*$'\t'}" && continue
          left_behind+=("${name#*$'\t'}: $refused")
          printf '%s\t%s\n' "$kind" "$name" >>"$directory/left"
          ;;
        database)
          find_postgres
          drop_database "$(old_database "$(decode_text "$name")")" 2>"$directory/log" && continue
          left_behind+=("the database $(old_database "$(decode_text "$name")"), which was $(decode_text "$name") before: $(refusal "$directory/log")")
          printf '%s\t%s\n' "$kind" "$name" >>"$directory/left"
          ;;
      esac
    done <"$directory/finished"
    mv -f "$directory/left" "$directory/finished"
    [ -s "$directory/finished" ] || rm -f "$directory/finished"
  fi
  drop_unfinished "$directory"
  for entry in "$directory"/*; do
    case ${entry##*/} in
      finished | databases) continue ;;
      journal | provider-state | authority) [ -z "${not_rolled_back-}" ] || continue ;;
    esac
    remove_tree "$entry" || left_behind+=("$entry: $refused")
  done
  rmdir "$directory" 2>/dev/null || true
}
