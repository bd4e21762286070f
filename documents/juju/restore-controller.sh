#!/bin/bash
#/ Usage: NAME= DOWNGRADE= RUN= restore-controller.sh
#/
#/ Restores the database of a controller of 2.9.22 to 3.6 from a fetched archive with juju-restore, on the primary. The agents
#/ that it stops are started by the step after this, whether it succeeds or not.
#/   NAME       ends in .gz, since juju-restore unpacks nothing else
#/   DOWNGRADE  allowed: the backup may be of an older version; refused
#/ Exit status: 0 restored; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/juju.sh"
. "$(dirname "$0")/../library/juju-restore.sh"

main() {
  local tool='' options candidate
  begin
  # SSM sets no HOME, and its PATH lacks what snaps bring. The tool renames the dump into HOME, so both lie on one file system.
  export HOME=/root PATH=$PATH:/snap/bin
  unpacked=$HOME/.holdfast-$RUN
  for candidate in juju-restore /root/juju-restore /home/ubuntu/juju-restore; do
    if tool=$(command -v "$candidate"); then break; fi
  done
  [ -n "$tool" ] || fail MissingToolError "juju-restore is not on this controller. Install it in /usr/local/bin (github.com/juju/juju-restore), then start the restore again. Nothing was changed."
  find_server || fail WrongNodeError "no controller of Juju on this node. Check the roles in holdfast.yaml."
  wait_until 60 is_up "$mongo_service" ||
    fail DatabaseDownError "$mongo_service takes no connections, and juju-restore would wait for it forever. See its log and start it, then start the restore again. Nothing was changed."
  # Its own log has a default path in the working directory, and mongorestore's output stands only among its debugging lines.
  options=(--yes --verbose --temp-root "$unpacked" --restore-log "$work/mongorestore.log")
  [ "$DOWNGRADE" = refused ] || options+=(--allow-downgrade)
  mkdir -p "$unpacked"
  cd "$work"
  if ! run_juju_restore "$tool" "${options[@]}" "$(fetched_file "$RUN" "$NAME")"; then
    rm -rf --one-file-system "$unpacked"
    fail JujuFailedError "juju-restore failed: $restore_cause $(restore_stage) The agents have been restarted. Fix the cause, then start the restore again, or restore the safety backup."
  fi
  rm -rf --one-file-system "$unpacked"
  answer
}

main "$@"
