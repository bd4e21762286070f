#!/usr/bin/env bats
# What Juju's client prints, version by version, read by the functions of the documents. test/documents/juju holds what the
# client of each version says, to the blank at a line's end; a stand-in for it is first in PATH.

setup() {
  work=$BATS_TEST_TMPDIR/work
  said=$work/create.out
  mkdir -p "$work" "$BATS_TEST_TMPDIR/bin"
  cat >"$BATS_TEST_TMPDIR/bin/juju" <<'JUJU'
#!/bin/bash
# As the client of one version: before 2.5 no variable chooses a controller, and what is not named is another's.
golden=$GOLDEN model=${3#main:}
case "$*" in
  'status --format yaml') [ "$JUJU_ENV" = main ] && cat "$golden/status.out" ;;
  'status -m main:'*) cat "$golden/status-${model#admin/}.out" ;;
  'models -c main '*) cat "$golden/models.out" ;;
  models*) printf 'models:\n- name: theirs\n' ;;
  'show-backup -m main:controller 20260412-030405.5f0c2c8e-55ad-4e1c-8a0b-3f2b1b0f7c11') cat "$golden/show-backup.out" ;;
  *--dry-run) cat "$golden/dry-run.err" >&2 ;;
  'hang '*) exec sleep 60 ;;
  *) cat "$golden/create-backup.out" && cat "$golden/create-backup.err" >&2 && ! grep -q '^ERROR' "$golden/create-backup.err" ;;
esac
JUJU
  chmod +x "$BATS_TEST_TMPDIR/bin/juju"
  export PATH=$BATS_TEST_TMPDIR/bin:$PATH
  for library in result work services restore juju juju-provider juju-status juju-restore; do . "$BATS_TEST_DIRNAME/../../documents/library/$library.sh"; done
  work=$BATS_TEST_TMPDIR/work
  as_client() { "$@"; }
  client_name=main client_program=$BATS_TEST_TMPDIR/bin/juju
  exec 4>/dev/null
}

# as VERSION: the client of it.
as() {
  export GOLDEN=$BATS_TEST_DIRNAME/juju/$1
  client_version=$1.4-jammy-amd64
}

# refused COMMAND...: it fails; a leading ! would not fail a test.
refused() { if "$@"; then return 1; fi; }

created() { juju create-backup >"$said" 2>"$work/create.log"; }

# The id by which a version up to 2.9.21 keeps it.
id=20260412-030405.5f0c2c8e-55ad-4e1c-8a0b-3f2b1b0f7c11

@test "checksum and machine of a backup are read without quotes and without blanks, from 1.22 to 3.6, also where create-backup prints neither" {
  for each in 1.22 2.0 2.2 2.4 2.5 2.8 2.9.22 3.6; do
    as "$each"
    created
    require_told "$id"
    [ "$(printed checksum)" = '2jmj7l5rSw0yVb/aYlkK8YBwkgI=' ]
    [ "$(printed 'machine ID')" = 0 ]
    [ "$(printed notes)" = 'holdfast nightly-1' ]
    [ "$(printed nonsense)" = '' ]
  done
}

@test "up to 2.9.21 the id of a stored backup is found, from 2.9.22 on the path of its file" {
  for each in 1.22 2.0 2.2 2.4 2.5 2.8; do
    as "$each"
    created
    [ "$(printed_id)" = "$id" ]
  done
  for each in 2.9.22 3.6; do
    as "$each"
    created
    [ "$(printed_path)" = /tmp/juju-backup-20260412-030405.tar.gz ]
    [ "$(printed_id)" = '' ]
  done
}

@test "every model is found with its version, the controller's first, also where the list tells no version or JUJU_CONTROLLER is unknown" {
  for each in 2.0:2.0.4 2.2:2.2.9 2.4:2.4.7 2.5:2.5.8 2.8:2.8.13 2.9.22:2.9.22 3.6:3.6.4; do
    as "${each%:*}"
    collect_status
    [ "$(sed 's|admin/||' "$work/models")" = "controller ${each#*:}"$'\n'"default ${each#*:}" ]
  done
}

@test "the status of every version tells controllers, machines that report, applications, and from 2.8 on the primary" {
  for each in 2.0:2.0.4:false 2.2:2.2.9:false 2.4:2.4.7:false 2.5:2.5.8:false 2.8:2.8.13:true 2.9.22:2.9.22:true 3.6:3.6.4:true; do
    IFS=: read -r name number primary <<<"$each"
    as "$name"
    collect_status
    run status_json
    echo "$output"
    [[ $output == *"\"version\":\"$number\",\"controllers\":[{\"machine\":\"0\",\"instanceId\":\"i-0caaaaaaaaaaaaa0\",\"healthy\":true,\"primary\":false},{\"machine\":\"1\",\"instanceId\":\"i-0caaaaaaaaaaaaa1\",\"healthy\":true,\"primary\":$primary},"* ]]
    # The machine of the workload is down, and what runs in containers is no machine.
    [[ $output == *'"machines":4,"started":3'* ]]
  done
}

@test "the status of 1.18 and 1.22 is told by one document" {
  for each in 1.18:1.18.4 1.22:1.22.8; do
    as "${each%:*}"
    collect_status
    run status_json
    [[ $output == '{"version":"'"${each#*:}"'","controllers":[{"machine":"0","instanceId":"i-0aaaaaaaaaaaaaaa0","healthy":true,"primary":false}],"machines":2,"started":1,"applications":1,'*'"models":[]}' ]]
  done
}

@test "a Juju whose own create-backup says that it makes none is refused with its words" {
  as 4.0
  answer() { printf '%s\n' "$*" >"$work/answer"; }
  (make_archive create-backup) || true
  grep -q 'UnsupportedJujuError.*Dqlite-based backups not implemented.*runbook' "$work/answer"
}

@test "a backup of which Juju tells no checksum is none" {
  as 2.4
  created
  answer() { printf '%s\n' "$*" >"$work/answer"; }
  (GOLDEN=/nowhere require_told "$id") || true
  grep -q 'JujuFailedError.*show-backup failed' "$work/answer"
  juju() { echo "$*"; }
  (require_told "$id") || true
  grep -q 'JujuFailedError.*no checksum' "$work/answer"
  as 1.22
  (require_told "$id") || true
  [ "$(cat "$said")" = "backups info $id" ]
}

@test "a client that does not end is ended, and said to be" {
  as 3.6
  juju_seconds=1
  run juju hang --forever
  [ "$status" -eq 124 ]
  [ "$output" = 'juju hang timed out after 1 s and was killed.' ]
}

@test "a backup that 1.22 has made on another machine than 0 is no backup" {
  as 1.22
  created
  client_directory=/home/ubuntu/.juju
  require_initial
  sed -i 's/^\(machine ID: *\)"0"/\1"2"/' "$said"
  answer() { printf '%s\n' "$*" >"$work/answer"; }
  (require_initial) || true
  grep -q 'WrongNodeError.*on machine 2.*state-servers in /home/ubuntu/.juju/environments/main.jenv' "$work/answer"
  # From 2.0 on every controller's archive will do.
  as 2.4
  require_initial
}

@test "a state server that Juju has just launched lacks what EC2 and the machine do not tell" {
  as 1.18
  provider_aws() { echo "$told"; }
  juju() { echo "$found"; }
  told=$'None\tNone' found=''
  [ "$(lacks_of i-0 | tr '\n' ' ')" = 'tag profile amazon-ssm-agent aws ' ]
  told=$'arn:aws:iam::1:instance-profile/p\tjuju-main' found=$'/usr/bin/amazon-ssm-agent\nhas:amazon-ssm-agent\nhas:aws'
  [ "$(lacks_of i-0)" = '' ]
  provider_aws() { return 1; }
  [ "$(lacks_of i-0 | tr '\n' ' ')" = 'tag profile ' ]
}

# archive_in DIRECTORY NOTE: an archive as Juju leaves it, with the run's name in its notes.
archive_in() {
  local made=$BATS_TEST_TMPDIR/made
  mkdir -p "$1" "$made/juju-backup"
  printf '{"Notes":"%s"}\n' "$2" >"$made/juju-backup/metadata.json"
  tar -C "$made" -czf "$1/juju-backup-20260412-030405.tar.gz" juju-backup
}

@test "the archive of a run is found in the configured directory, and is read by its descriptor whatever becomes of its name" {
  juju_owner=$(id -u)
  archive_in "$work/backups" 'holdfast nightly-1'
  refused find_archive nightly-2 "$work/backups"
  find_archive nightly-1 "$work/backups"
  [ "$archive_file" = "$work/backups/juju-backup-20260412-030405.tar.gz" ]
  rm "$archive_file"
  ln -s /etc/passwd "$archive_file"
  [[ $(metadata_of "$archive") == *'holdfast nightly-1'* ]]
}

@test "what another user puts where archives lie is none: his file, a link, a second name, a pipe, a directory" {
  juju_owner=$(id -u)
  archive_in "$work/elsewhere" 'holdfast nightly-1'
  hostile=$work/backups/juju-backup-20260412-030405.tar.gz
  mkdir "$work/backups"
  # Each would be taken by its notes.
  ln -s "$work/elsewhere/juju-backup-20260412-030405.tar.gz" "$hostile"
  refused find_archive nightly-1 "$work/backups"
  ln -f "$work/elsewhere/juju-backup-20260412-030405.tar.gz" "$hostile"
  refused find_archive nightly-1 "$work/backups"
  rm "$hostile" && mkfifo "$hostile"
  refused find_archive nightly-1 "$work/backups"
  rm "$hostile" && mkdir "$hostile"
  refused find_archive nightly-1 "$work/backups"
  rmdir "$hostile" && cp "$work/elsewhere/juju-backup-20260412-030405.tar.gz" "$hostile"
  find_archive nightly-1 "$work/backups"
  juju_owner=$((juju_owner + 1))
  refused find_archive nightly-1 "$work/backups"
}

@test "an archive is lent by the user that it is lent to, who writes it, not root" {
  restore_directory() { printf '%s' "$work"; }
  free_space() { :; }
  begin_client_work() { client_work=$work/client && mkdir -p "$client_work"; }
  as_client() { echo "$1" >>"$work/written-as-client" && "$@"; }
  mkdir "$work/fetched" && echo content >"$work/fetched/juju-backup.tar.gz"
  RUN=r lend_archive juju-backup.tar.gz
  [ "$(cat "$work/written-as-client")" = bash ]
  [ "$lent_archive" = "$work/client/juju-backup.tar.gz" ]
  [ "$(cat "$lent_archive")" = content ]
  [ "$(stat -c %a "$lent_archive")" = 600 ]
}

# tool BODY: a stand-in for juju-restore.
tool() {
  printf '#!/bin/bash\n%s\n' "$1" >"$BATS_TEST_TMPDIR/bin/juju-restore"
  chmod +x "$BATS_TEST_TMPDIR/bin/juju-restore"
  unpacked=$work/unpacked
  mkdir -p "$unpacked"
}

@test "the cause of a failed juju-restore is mongorestore's, without the password" {
  known_secrets() { echo hunter2-secret; }
  tool 'printf "Running restore...\nDetailed mongorestore output in restore.log.\n"
echo "DEBUG running restore command: mongorestore --username machine-0 --password hunter2-secret /tmp/dump" >&2
printf "DEBUG mongorestore output:\n2026-04-12 restoring juju.machines\nFailed: juju.machines: error restoring as hunter2-secret: EOF\n" >&2
echo "ERROR restoring dump from \"/tmp/dump\": running mongorestore: exit status 1" >&2
exit 1'
  refused run_juju_restore juju-restore archive.tar.gz
  [[ $restore_cause == *'Failed: juju.machines: error restoring as'*'exit status 1'* ]]
  [[ $restore_cause != *'--password'* ]] && [[ $restore_cause != *hunter2* ]]
  [ "$(restore_stage)" = 'Its last step was "Running restore...".' ]
  # Killed, it says nothing: then the command line stands last.
  tool 'echo "DEBUG running restore command: mongorestore --password hunter2-secret /tmp/dump" >&2; echo "ERROR signal: killed" >&2; exit 1'
  refused run_juju_restore juju-restore archive.tar.gz
  [ "$restore_cause" = 'ERROR signal: killed ' ]
}

@test "a juju-restore that waits for the database, or for its replica set, is ended with all that it has started" {
  tool 'echo "Connecting to database..."; sleep 60 & echo $! >"'"$work"'/child"; wait'
  connect_seconds=1
  refused run_juju_restore juju-restore archive.tar.gz
  [[ $restore_cause == *'did not get through to the database in 1 s'*'Nothing was changed'* ]]
  # A process that has ended and was not looked after yet counts as ended.
  [[ $(sed 's/.*) //' "/proc/$(cat "$work/child")/stat" 2>/dev/null) != [RS]* ]]
  tool 'mkdir "'"$work"'/unpacked/juju-restore1"; printf "\nDatabase restore complete."; exec sleep 60'
  settle_seconds=1
  refused run_juju_restore juju-restore archive.tar.gz
  [[ $restore_cause == *'the database is restored, but its replica set was not healthy after 1 s'* ]]
  tool 'exec sleep 60'
  mkdir -p "$unpacked/juju-restore1"
  whole_seconds=1
  refused run_juju_restore juju-restore archive.tar.gz
  [[ $restore_cause == *'timed out after 1 s'*'half restored'* ]]
}

@test "what a product has packed itself stays as it is, whatever its name ends in" {
  eval "$(sed -n '/^unpack()/,/^}/p' "$BATS_TEST_DIRNAME/../../documents/shared/fetch-artifact.sh")"
  OBJECT=backups/juju/20260412T030405Z/i-0/juju/juju-backup-20260412-030405.tar.gz
  echo content | gzip >"$work/packed"
  COMPRESSION=none unpack <"$work/packed" | cmp - "$work/packed"
  [ "$(COMPRESSION=gzip unpack <"$work/packed")" = content ]
}
