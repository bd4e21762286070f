#!/bin/bash
#/ Usage: CONTROLLER= CLIENT_USER= COUNT= RUN= ensure-availability.sh
#/
#/ Lets Juju 1.x add state servers until there are COUNT.
#/ Exit status: 0 they were asked for; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/juju.sh"

main() {
  begin
  require_client
  juju ensure-availability -n "$COUNT" >"$work/juju.log" 2>&1 || fail JujuFailedError "juju ensure-availability failed: $(juju_words "$work/juju.log")"
  answer
}

main "$@"
