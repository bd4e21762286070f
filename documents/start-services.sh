#!/bin/bash
#/ Usage: RUN= start-services.sh
#/
#/ Starts exactly what stop-services stopped for this run, last stopped first, and puts its watchdog to rest.
#/ Exit status: 0 all are running; 1 the answer says which are down.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/services.sh"

main() {
  begin_answer
  begin_work "$RUN"
  start_recorded "$RUN"
  if [ -n "$down" ]; then fail ServicesDownError "still down:$down. Start them by hand (service NAME start) and look at their logs."; fi
  disarm_watchdog "$RUN"
  # shellcheck disable=SC2086 # a list of names without spaces
  answer "{\"started\":$(json_list $started)}"
}

main "$@"
