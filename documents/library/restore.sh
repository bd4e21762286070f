# shellcheck shell=bash
# What a restore fetches, and how it is undone. Everything that it replaces is first written into a journal and then moved
# aside; the last step of a restore removes both. Until then, undoing the run puts back what was there before.

# Fetched artifacts, staged files and the journal of a run.
restore_directory() { printf '%s' "$state_directory/restore/$1"; }

# What this run's restore has to say about what it changed, one entry per line: KIND<TAB>NAME.
journal_file() { printf '%s/journal' "$(restore_directory "$1")"; }

# note_change RUN KIND NAME: written before the change, so that a change without a note never is. Once per change.
note_change() {
  local line
  mkdir -p "$(restore_directory "$1")"
  printf -v line '%s\t%s' "$2" "$3"
  grep -qxF -- "$line" "$(journal_file "$1")" 2>/dev/null || printf '%s\n' "$line" >>"$(journal_file "$1")"
}

# Databases while they are restored, and those that they replace. A name may have 63 bytes, so a hash stands for it.
new_database() { printf 'holdfast-new-%s' "$(printf '%s' "$1" | sha256sum | cut -c 1-24)"; }
old_database() { printf 'holdfast-old-%s' "$(printf '%s' "$1" | sha256sum | cut -c 1-24)"; }

# claimed KIND NAME: what lies aside is what was there before a restore that has not ended: it must not be lost.
claimed() {
  cat "$state_directory"/restore/*/journal 2>/dev/null | grep -qxF -- "$1"$'\t'"$2"
}

# Where a path's former content is kept: beside it, since a move within one file system is one step.
aside() { printf '%s.before-restore' "$1"; }

# quoted_identifier NAME, quoted_literal TEXT: for SQL.
quoted_identifier() { printf '"%s"' "${1//\"/\"\"}"; }
quoted_literal() { printf "'%s'" "${1//\'/\'\'}"; }

# sql STATEMENT: in the maintenance database, with an error when it fails.
sql() { query postgres "$1" </dev/null; }

database_exists() { [ "$(sql "SELECT count(*) FROM pg_database WHERE datname = $(quoted_literal "$1")")" = 1 ]; }

# end_sessions DATABASE: nobody but a superuser can come back, so that what follows needs no luck.
end_sessions() {
  sql "ALTER DATABASE $(quoted_identifier "$1") CONNECTION LIMIT 0" >/dev/null &&
    sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $(quoted_literal "$1") AND pid <> pg_backend_pid()" >/dev/null
}

# drop_database NAME: and proves that it is gone.
drop_database() {
  if database_exists "$1"; then
    end_sessions "$1" && sql "DROP DATABASE $(quoted_identifier "$1")" || return 1
  fi
  ! database_exists "$1"
}

# rename_database FROM TO: and lets users in again.
rename_database() {
  end_sessions "$1" &&
    sql "ALTER DATABASE $(quoted_identifier "$1") RENAME TO $(quoted_identifier "$2")" &&
    sql "ALTER DATABASE $(quoted_identifier "$2") CONNECTION LIMIT -1"
}

# roll_back RUN: undoes what the journal tells, last change first; what is done already is passed over. Sets not_rolled_back
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
      path) roll_back_path "$name" ;;
      new-path) rm -rf -- "$name" ;;
      database) roll_back_database "$name" ;;
      dropped-database) database_is_back "$name" || not_rolled_back="$not_rolled_back The database $name was dropped and is not restored yet." ;;
      dropped-role) role_is_back "$name" || not_rolled_back="$not_rolled_back The role $name was dropped and is not restored yet." ;;
      provider-state) put_back_provider_state "$run" "$name" ;;
      purged) [ -r /opt/puppet/pe_version ] || [ -r /opt/puppetlabs/server/pe_version ] || not_rolled_back="$not_rolled_back Puppet Enterprise was purged and is not installed again yet." ;;
    esac
  done
}

roll_back_path() {
  if [ -e "$(aside "$1")" ] || [ -L "$(aside "$1")" ]; then
    rm -rf -- "$1"
    mv -T -- "$(aside "$1")" "$1" || not_rolled_back="$not_rolled_back $1 lies in $(aside "$1")."
  fi
}

# The new one has the name and the old one is aside; or the power failed between the two renames.
roll_back_database() {
  local old
  find_postgres
  old=$(old_database "$1")
  if ! database_exists "$old" 2>/dev/null; then
    database_is_back "$1" || not_rolled_back="$not_rolled_back The database $1 can not be looked at."
    return 0
  fi
  { drop_database "$1" && rename_database "$old" "$1"; } || not_rolled_back="$not_rolled_back The database $1 is called $old."
}

database_is_back() {
  find_postgres
  database_exists "$1" 2>/dev/null
}

role_is_back() {
  find_postgres
  [ "$(sql "SELECT count(*) FROM pg_roles WHERE rolname = $(quoted_literal "$1")" 2>/dev/null)" = 1 ]
}

# forget_restore RUN: drops what a finished restore has replaced and databases that were never finished, and removes what was
# fetched. What could not be rolled back stays noted, for the next restore.
forget_restore() {
  local directory kind name
  directory=$(restore_directory "$1")
  [ -e "$directory" ] || return 0
  if [ -e "$directory/finished" ]; then
    while IFS=$'\t' read -r kind name; do
      case $kind in
        path) rm -rf -- "$(aside "$name")" ;;
        database) find_postgres && drop_database "$(old_database "$name")" 2>/dev/null || true ;;
      esac
    done <"$directory/finished"
  fi
  while IFS= read -r name; do
    [ -n "$name" ] || continue
    find_postgres
    drop_database "$(new_database "$name")" 2>/dev/null || true
  done < <(cat "$directory/databases" 2>/dev/null)
  if [ -z "${not_rolled_back-}" ]; then rm -rf "$directory"; else find "$directory" -mindepth 1 -maxdepth 1 ! -name journal -exec rm -rf -- {} +; fi
}
