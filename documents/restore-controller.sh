#!/bin/bash
#/ Usage: NAME= DOWNGRADE= RUN= restore-controller.sh
#/
#/ Restores the database of a controller of 2.9.22 to 3.6 from a fetched archive with juju-restore, on the primary. The agents
#/ that it stops are started by the step after this, whether it succeeds or not.
#/   DOWNGRADE  allowed: the backup may be of an older version; refused
#/ Exit status: 0 restored; 1 failed, the answer says why.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/postgres.sh"
. "$(dirname "$0")/library/services.sh"
. "$(dirname "$0")/library/restore.sh"
. "$(dirname "$0")/library/juju.sh"

main() {
  local tool='' options=(--yes) candidate
  begin_answer
  begin_work "$RUN"
  # SSM sets no HOME, and its PATH lacks what snaps bring. The tool renames the dump into HOME, so both lie on one file system.
  export HOME=/root PATH=$PATH:/snap/bin
  for candidate in juju-restore /root/juju-restore /home/ubuntu/juju-restore; do
    if tool=$(command -v "$candidate"); then break; fi
  done
  [ -n "$tool" ] || fail MissingToolError "juju-restore is not on this controller. Put it to /usr/local/bin (github.com/juju/juju-restore), then start the restore again. Nothing was touched."
  [ "$DOWNGRADE" = refused ] || options+=(--allow-downgrade)
  mkdir -p "$HOME/.holdfast-$RUN"
  cd "$work"
  if ! "$tool" "${options[@]}" --temp-root "$HOME/.holdfast-$RUN" "$(restore_directory "$RUN")/$NAME" </dev/null >"$work/restore.out" 2>"$work/restore.log" 4>&-; then
    rm -rf "$HOME/.holdfast-$RUN"
    fail JujuFailedError "juju-restore failed: $(juju_words "$work/restore.log") After \"$(tail -n 1 "$work/restore.out")\". The agents are started again. Mend that, then start the restore again, or go back with the safety backup."
  fi
  rm -rf "$HOME/.holdfast-$RUN"
  answer '{"restored":true}'
}

main "$@"
