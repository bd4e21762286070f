#!/bin/bash
#/ Usage: CONTROLLER= CLIENT_USER= NAME= RUN= restore-juju-archive.sh
#/
#/ Lets Juju 2.0 to 2.9.21 restore the database of a controller that answers from a fetched archive (juju restore-backup). Its
#/ agent begins again by itself; the step after this starts it where it does not, whether this succeeds or not.
#/ Exit status: 0 restored; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/juju.sh"

main() {
  begin
  require_client
  lend_archive "$NAME"
  juju restore-backup -m "$client_name:controller" --file "$lent_archive" >"$work/restore.log" 2>&1 ||
    fail JujuFailedError "juju restore-backup failed: $(juju_words "$work/restore.log") The controller's agent has been restarted. Fix that, then start the restore again, or restore the safety backup."
  answer
}

main "$@"
