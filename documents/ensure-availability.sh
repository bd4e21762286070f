#!/bin/bash
#/ Usage: CONTROLLER= CLIENT_USER= COUNT= RUN= ensure-availability.sh
#/
#/ Lets Juju 1.x add state servers until there are COUNT.
#/ Exit status: 0 they were asked for; 1 failed, the answer says why.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/postgres.sh"
. "$(dirname "$0")/library/services.sh"
. "$(dirname "$0")/library/restore.sh"
. "$(dirname "$0")/library/juju.sh"

main() {
  begin_answer
  begin_work "$RUN"
  require_client
  juju ensure-availability -n "$COUNT" >"$work/juju.log" 2>&1 || fail JujuFailedError "juju ensure-availability failed: $(juju_words "$work/juju.log")"
  answer "{\"said\":$(json_string "$(last_words "$work/juju.log")")}"
}

main "$@"
