#!/bin/bash
#/ Usage: DRIVER= CONTROLLER= CLIENT_USER= DIRECTORY= BUCKET= KEY= EXPECTED_BYTES= WATCHDOG_SECONDS= RUN= backup-juju.sh
#/
#/ Streams one backup of Juju into the vault as Juju's own tools take it, and beside it the list of what it holds.
#/   DRIVER     plugin  on the state server, 1.16 to 1.21: stops the database, dumps it, starts it again, and packs it with
#/                      the files that `juju backup` takes
#/              stored  on the client, 1.22 to 2.9.21: Juju makes the backup and keeps it until it was fetched
#/              file    on a controller, 2.9.22 and later: the file that create-juju-archive has let Juju make; a controller
#/                      that has none answers nothing
#/   DIRECTORY  where Juju was told to put its backups, in base64url; may be empty
#/   KEY        key without suffix: .tar.gz and .contents.<zst|gz> are added
#/ Exit status: 0 stored and verified; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/compression.sh"
. "$(dirname "$0")/../library/vault.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/juju.sh"

readonly home=/home/ubuntu

# Whatever ends this script: the database runs again, and Juju keeps nothing.
clean_up() {
  if [ -n "${begun-}" ]; then
    if [ -z "${down-}" ] && [ -s "$(stopped_file "$RUN")" ]; then
      start_recorded "$RUN"
      [ -n "$down" ] || disarm_watchdog "$RUN"
    fi
    remove_stored "$RUN"
  fi
  remove_work
}

# --- plugin

# The dump, and beside it the packed archive.
require_room() {
  local needed free
  needed=$(($(database_kib) * 22 / 10 + $(du -sk "$juju_data/agents" | cut -f 1) + 131072))
  free=$(df -P -k "$work" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$needed" ] || fail NoSpaceError "the dump and its archive need $needed KiB. $(free_space "$work") Free some space, then start the operation again."
}

# mongo_tool NAME ARGUMENT...
mongo_tool() {
  local name=$1 program=/usr/lib/juju/bin/$1
  shift
  [ -x "$program" ] || program=$name
  (cd "$content" && LC_ALL=C "$program" "$@") >"$work/$name.log" 2>&1 4>&- || fail DumpFailedError "$name failed: $(juju_words "$work/$name.log")"
}

dump_database() {
  remember_stopped "$RUN" "$mongo_service"
  arm_watchdog "$RUN" "$WATCHDOG_SECONDS"
  change_service "$mongo_service" stop || true
  wait_until 60 not_running "$mongo_service" || fail ServiceStopError "$mongo_service does not stop. See its log, then start the operation again."
  mongo_tool mongodump --dbpath "$database_directory"
  mongo_tool mongoexport --dbpath "$database_directory" --db juju --collection settings --out environconfig.json
  start_recorded "$RUN"
  if [ -n "$down" ]; then
    # It stays noted: the run's undoing and the watchdog try again.
    fail DatabaseDownError "$mongo_service does not come back after the dump. See its log and start it by hand; the dump is not used."
  fi
  disarm_watchdog "$RUN"
}

# Settings of the environment name it; the state server of another one must not pass for it.
require_environment() {
  [ -z "$CONTROLLER" ] || grep -qE "\"name\"[[:space:]]*:[[:space:]]*\"$CONTROLLER\"" "$content/environconfig.json" ||
    fail WrongEnvironmentError "this state server is not of the environment $CONTROLLER. Correct \"controller\" or the nodes in holdfast.yaml."
}

# Logs are written to all the time: that they change while they are read is no fault of theirs.
pack_files() {
  local file files=() logs=() status=0
  shopt -s nullglob
  for file in /etc/init/juju-db.conf /etc/init/jujud-machine-*.conf "$juju_data"/agents/machine-* "$juju_data/tools" "$juju_data/server.pem" \
    "$juju_data"/{system-identity,nonce.txt,shared-secret} "$home/.ssh/authorized_keys" /etc/rsyslog.d/*juju.conf; do
    if [ -e "$file" ]; then files+=("${file#/}"); fi
  done
  for file in /var/log/juju/all-machines.log "/var/log/juju/machine-$server_machine.log"; do
    if [ -e "$file" ]; then logs+=("${file#/}"); fi
  done
  shopt -u nullglob
  LC_ALL=C tar -C / -cf "$content/root.tar" "${files[@]}" 2>"$work/tar.log" 4>&- || fail ArchiveFailedError "tar failed: $(last_words "$work/tar.log") $(free_space "$work")"
  [ -z "${logs[*]-}" ] || LC_ALL=C tar -C / -rf "$content/root.tar" "${logs[@]}" 2>"$work/tar.log" 4>&- || status=$?
  [ "$status" -le 1 ] || fail ArchiveFailedError "tar failed: $(last_words "$work/tar.log") $(free_space "$work")"
}

make_with_plugin() {
  find_server || fail WrongNodeError "no state server on this node. Check the roles in holdfast.yaml."
  require_room
  content=$work/archive/juju-backup
  mkdir -p "$content"
  dump_database
  require_environment
  pack_files
  archive=$work/archive.tar.gz
  LC_ALL=C tar -C "$work/archive" -czf "$archive" juju-backup 2>"$work/tar.log" 4>&- || fail ArchiveFailedError "tar failed: $(last_words "$work/tar.log") $(free_space "$work")"
  rm -rf --one-file-system "$work/archive"
}

# --- stored

make_with_juju() {
  local stored_id downloaded
  require_client
  begin_client_work
  downloaded=$client_work/juju-backup.tar.gz
  if is_classic "$client_version"; then
    make_archive backups create --no-download "$juju_note $RUN"
  else
    make_archive create-backup -m "$client_name:controller" --no-download "$juju_note $RUN"
  fi
  stored_id=$(printed_id)
  [ -n "$stored_id" ] || fail JujuFailedError "juju printed no id for its backup."
  note_stored "$RUN" "$stored_id"
  require_told "$stored_id"
  require_initial
  expected_sha1=$(printed checksum)
  if is_classic "$client_version"; then
    juju backups download "$stored_id" --filename "$downloaded" >"$work/download.log" 2>&1 || fail JujuFailedError "juju backups download failed: $(juju_words "$work/download.log")"
  else
    juju download-backup -m "$client_name:controller" "$stored_id" --filename "$downloaded" >"$work/download.log" 2>&1 || fail JujuFailedError "juju download-backup failed: $(juju_words "$work/download.log")"
  fi
  open_archive "$downloaded" "$(id -u "$client_user")" || fail JujuFailedError "juju reported a download, but $downloaded is no file of $client_user. Nothing was stored. Start the backup again."
}

# --- every driver

produce_archive() { cat "$archive"; }

# Reads to the end of the archive and of its packing, which has a checksum of its own.
list_archive() {
  gzip -d -c | { LC_ALL=C tar -tv --quoting-style=literal -f - && cat >/dev/null; } |
    awk '{ size = $3; $1 = $2 = $3 = $4 = $5 = ""; sub(/^ +/, ""); print size "\t" $0 }'
}

# number KEY, text KEY: of metadata.json, which is one line.
metadata_text() { printf '%s' "$metadata" | sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }
metadata_number() { printf '%s' "$metadata" | sed -n "s/.*\"$1\": *\([0-9][0-9]*\).*/\1/p"; }

empty() { fail ArchiveEmptyError "$1 Nothing was committed, although the tool reported success. See its log on the node, then start the backup again."; }

# size_of PATH: in the archive, 0 when it is not there.
size_of() { awk -F '\t' -v path="juju-backup/$1" '$2 == path { size = $1 } END { printf "%d\n", size }' "$work/listing"; }

# An archive counts by what is in it, never by what the tool says.
check_content() {
  local needed
  read -r collections database_bytes < <(awk -F '\t' '$2 ~ /^juju-backup\/dump\/juju\/.*\.bson$/ && $1 > 0 { count++; bytes += $1 } END { printf "%d %.0f\n", count, bytes }' "$work/listing")
  [ "$(size_of root.tar)" -gt 0 ] || empty 'the archive has no root.tar.'
  if [ "$collections" -eq 0 ] || [ "$(size_of dump/juju/machines.bson)" -eq 0 ]; then empty 'the archive holds no database.'; fi
  if [ "$DRIVER" = plugin ]; then
    [ "$(size_of environconfig.json)" -gt 0 ] || empty 'the archive has no environconfig.json.'
  else
    [ "$(size_of metadata.json)" -gt 0 ] || empty 'the archive has no metadata.json.'
    [ "$(size_of dump/oplog.bson)" -gt 0 ] || empty 'the archive has no oplog.bson: the dump is not of one moment.'
  fi
  tar -xzO -f "$archive" juju-backup/root.tar | tar -t >"$work/files" 2>"$work/tar.log" 4>&- || fail VerificationFailedError "root.tar is not whole: $(last_words "$work/tar.log")"
  for needed in 'var/lib/juju/agents/machine-[0-9]*/agent.conf' 'var/lib/juju/server.pem' 'var/lib/juju/tools/.*'; do
    grep -qE "^/?$needed\$" "$work/files" || empty "root.tar lacks /${needed%%[[]*}."
  done
}

describe() {
  if [ "$DRIVER" = plugin ]; then
    json version="$server_version" format:=0 controllerUuid="$(server_uuid)" modelUuid="$(server_uuid)" haNodes:=0 \
      series="$(server_series)" machine="$server_machine" hostname="$(hostname -f)"
    return
  fi
  metadata=$(metadata_of "$archive" | tr -d '\n')
  local format nodes series uuid model
  format=$(metadata_number FormatVersion)
  nodes=$(metadata_number HANodes)
  series=$(metadata_text Series)
  [ -n "$series" ] || series=$(metadata_text Base)
  model=$(metadata_text ModelUUID)
  [ -n "$model" ] || model=$(metadata_text Environment)
  uuid=$(metadata_text ControllerUUID)
  json version="$(metadata_text Version)" format:="${format:-0}" controllerUuid="${uuid:-$model}" modelUuid="$model" haNodes:="${nodes:-0}" \
    series="$series" machine="$(metadata_text Machine)" hostname="$(metadata_text Hostname)"
}

main() {
  local sha1 stored described
  begin
  # A command that refused to begin has left nothing.
  begun=yes
  expected_sha1='' metadata=''
  case $DRIVER in
    plugin) make_with_plugin ;;
    stored) make_with_juju ;;
    file)
      # Where the run's undoing looks for what a run that breaks off leaves.
      mkdir -p "$state_directory/juju" && decode_text "$DIRECTORY" >"$state_directory/juju/$RUN"
      if ! find_archive "$RUN" "$(decode_text "$DIRECTORY")"; then
        remove_archives "$RUN"
        answer kind=nothing
        exit 0
      fi
      ;;
  esac
  sha1=$(openssl dgst -sha1 -binary "$archive" | base64)
  if [ -n "$expected_sha1" ] && [ "$sha1" != "$expected_sha1" ]; then
    fail ChecksumError "the archive's SHA-1 is $sha1, juju printed $expected_sha1. Nothing was stored. Start the backup again."
  fi
  store_packed "$BUCKET" "$KEY.tar.gz" "$EXPECTED_BYTES" produce_archive beside list_archive || fail "$stored_error" "$stored_message"
  stored=$stored_upload
  cp "$stored_contents" "$work/listing"
  check_content
  store_contents "$BUCKET" "$KEY.contents" "$work/listing" || fail "$stored_error" "$stored_message"
  described=$(describe)
  [ "$DRIVER" != file ] || remove_archives "$RUN"
  answer kind=juju driver="$DRIVER" upload:="$stored" contents:="$stored_upload" entries:="$(wc -l <"$work/listing")" \
    files:="$(grep -vc '/$' "$work/files")" collections:="$collections" databaseBytes:="$database_bytes" sha1="$sha1" metadata:="$described" \
    verified='read to its end by tar, with database and keys'
}

main "$@"
