#!/usr/bin/env bats
# What a restore does with databases, with a server of files in the place of PostgreSQL: a database is a file of its name, in base64url.

setup() {
  state_directory=$BATS_TEST_TMPDIR/state
  server=$BATS_TEST_TMPDIR/server
  mkdir -p "$state_directory/restore/run" "$server"
  for library in result paths postgres restore; do . "$BATS_TEST_DIRNAME/../../documents/library/$library.sh"; done
  find_postgres() { :; }
  databases_called() { if [ -e "$server/$(encode_text "$1")" ]; then echo 1; else echo 0; fi; }
  rename_database() { mv "$server/$(encode_text "$1")" "$server/$(encode_text "$2")"; }
  drop_database() { rm -f "$server/$(encode_text "$1")"; }
  # The functions of the document alone.
  RUN=run
  eval "$(sed -n '/^put_aside()/,/^}$/p; /^swap()/,/^}$/p' "$BATS_TEST_DIRNAME/../../documents/puppet/swap-databases.sh")"
  exec 4>"$BATS_TEST_TMPDIR/answer"
  name=$'odd\nname'
}

make() { echo "$2" >"$server/$(encode_text "$1")"; }
content() { cat "$server/$(encode_text "$1")"; }
undo() { not_rolled_back='' && roll_back run && [ -z "$not_rolled_back" ]; }

@test "a swap puts the restored one in its place, is done once, and is undone" {
  make "$name" former
  make "$(new_database "$name")" restored
  swap "$name"
  [ "$(content "$name")" = restored ]
  swap "$name"
  [ "$(content "$name")" = restored ]
  undo
  [ "$(content "$name")" = former ]
  [ "$(ls "$server" | wc -l)" -eq 1 ]
}

@test "a swap of nothing is no success, whether the database is there or not" {
  (swap "$name") || failed=yes
  [ "$failed" = yes ]
  make "$name" former
  (swap "$name") || failed=again
  [ "$failed" = again ]
  grep -q SwapFailedError "$BATS_TEST_TMPDIR/answer"
  [ "$(content "$name")" = former ]
}

@test "a database that was not there before goes when the restore fails, but not one that the restore itself had dropped" {
  make "$(new_database "$name")" restored
  swap "$name"
  undo
  [ "$(ls "$server" | wc -l)" -eq 0 ]
  rm -rf "$state_directory/restore/run"
  note_change run dropped-database "$(encode_text "$name")"
  make "$(new_database "$name")" restored
  swap "$name"
  undo
  [ "$(content "$name")" = restored ]
}

@test "a swap that lost its power between its steps goes on, and is undone anyway" {
  for step in aside noted renamed; do
    rm -rf "$state_directory/restore/run" "$server"
    mkdir -p "$server"
    make "$name" former
    make "$(new_database "$name")" restored
    note_change run database "$(encode_text "$name")"
    [ "$step" = aside ] || rename_database "$name" "$(old_database "$name")"
    [ "$step" != renamed ] || { note_change run swapped "$(encode_text "$name")" && rename_database "$(new_database "$name")" "$name"; }
    swap "$name"
    [ "$(content "$name")" = restored ]
    undo
    [ "$(content "$name")" = former ]
  done
}

@test "what a finished restore has replaced and can't be dropped is told, and tried again" {
  printf 'database\t%s\n' "$(encode_text console)" >"$state_directory/restore/run/finished"
  drop_database() {
    echo 'psql:<stdin>:2: ERROR:  55006: database "x" is being used by logical replication subscription' >&2
    return 1
  }
  left_behind=() not_rolled_back=''
  forget_restore run
  [[ ${left_behind[0]} == 'the database holdfast-old-'*', which was console before: 55006: '* ]]
  drop_database() { :; }
  left_behind=()
  forget_restore run
  [ "${#left_behind[@]}" -eq 0 ]
  [ ! -e "$state_directory/restore/run" ]
}

@test "databases that are restored side by side are each remembered, and dropped when the restore is undone" {
  for writer in 1 2 3 4 5 6 7 8; do
    (for number in $(seq 25); do note_begun run "database $writer $number"; done) &
  done
  wait
  for writer in 1 2 3 4 5 6 7 8; do
    for number in $(seq 25); do make "$(new_database "database $writer $number")" half; done
  done
  drop_unfinished "$state_directory/restore/run"
  [ "$(ls "$server" | wc -l)" -eq 0 ]
}

@test "a half-restored database that can't be dropped is told, and tried again by the next undo" {
  note_begun run "$name"
  make "$(new_database "$name")" half
  drop_database() { echo 'ERROR:  55006: it is being accessed' >&2; return 1; }
  not_rolled_back=''
  forget_restore run 2>"$BATS_TEST_TMPDIR/told"
  grep -q "$(new_database "$name").*55006.*by hand" "$BATS_TEST_TMPDIR/told"
  drop_database() { rm -f "$server/$(encode_text "$1")"; }
  forget_restore run
  [ "$(ls "$server" | wc -l)" -eq 0 ]
  [ ! -e "$state_directory/restore/run" ]
}

@test "a database that is subscribed to something is dropped, and the other side keeps its slot" {
  . "$BATS_TEST_DIRNAME/../../documents/library/restore.sh"
  : >"$BATS_TEST_TMPDIR/said"
  maintenance=template1
  without_sessions() { echo "$1: $2" >>"$BATS_TEST_TMPDIR/said" && touch "$BATS_TEST_TMPDIR/dropped"; }
  databases_called() { if [ -e "$BATS_TEST_TMPDIR/dropped" ]; then echo 0; else echo 1; fi; }
  query() {
    case $2 in
      SELECT*pg_subscription*) encode_text 'it"s' && echo ;;
      UPDATE*) ;;
      *) echo "$1: $2" >>"$BATS_TEST_TMPDIR/said" ;;
    esac
  }
  drop_database "$name"
  [ "$(sed -n '2p' "$BATS_TEST_TMPDIR/said")" = 'name: ALTER SUBSCRIPTION "it""s" DISABLE; ALTER SUBSCRIPTION "it""s" SET (slot_name = NONE); DROP SUBSCRIPTION "it""s"' ]
  tail -n 2 "$BATS_TEST_TMPDIR/said" | grep -q 'DROP DATABASE'
}

# The whole document, with the rows and settings that the server would tell.
compare() {
  local documents=$BATS_TEST_TMPDIR/documents
  rm -rf "$documents"
  cp -r "$BATS_TEST_DIRNAME/../../documents" "$documents"
  sed -i "s|^readonly state_directory=.*|readonly state_directory=$state_directory|" "$documents/library/work.sh"
  printf '%s\n' 'find_postgres() { :; }' 'require_postgres() { :; }' 'counting_sql() { :; }' "run_sql() { cat >/dev/null; cat '$BATS_TEST_TMPDIR/rows'; }" "query() { cat '$BATS_TEST_TMPDIR/settings'; }" >>"$documents/library/restore.sh"
  mkdir -p "$(dirname "$(fetched_file run list)")"
  { printf 'rows\ttable\n' && cat "$BATS_TEST_TMPDIR/list"; } >"$(fetched_file run list)"
  printf '%s\n' "$@" >>"$documents/library/restore.sh"
  RUN=run START_BEFORE=9999999999 ATTEMPT=0 NAME=list DATABASE=$(encode_text console) ANSWERS=b/answers bash "$documents/puppet/count-rows.sh" 2>/dev/null
}

@test "rows and settings are compared with the backup's, and what can't be compared is no equality" {
  printf '3\tpublic.nodes\n' >"$BATS_TEST_TMPDIR/rows"
  printf 'setting\t%s\t\n' "$(encode_text 'work_mem=4MB')" >"$BATS_TEST_TMPDIR/settings"
  cat "$BATS_TEST_TMPDIR/rows" "$BATS_TEST_TMPDIR/settings" >"$BATS_TEST_TMPDIR/list"
  run compare
  [[ $output == *'"rows":3,"different":""'* ]]
  sed -i 's/^3/4/' "$BATS_TEST_TMPDIR/list"
  run compare
  [[ $output == *'public.nodes has 3 rows, the backup 4'* ]]
  : >"$BATS_TEST_TMPDIR/settings"
  run compare
  [[ $output == *'work_mem is set otherwise'* ]]
  run compare 'differing_rows() { return 2; }'
  [ "$status" -eq 1 ]
  [[ $output == *UnexpectedError* ]]
  run compare 'diff() { return 127; }'
  [ "$status" -eq 1 ]
  [[ $output == *UnexpectedError* ]]
}
