#!/bin/bash
#/ Usage: RUN= SERVICES= start-services.sh
#/
#/ Starts what stop-services stopped for this run, last stopped first, and puts its watchdog to rest.
#/   SERVICES  more to start, in the order of stopping, spaces between; may be empty; one that the node does not have is no error
#/ Exit status: 0 all are running; 1 the answer says which are down.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/restore.sh"

# The order is that of the record where both name a service.
remember_services() {
  local name
  for name in $SERVICES; do
    if has_service "$name"; then remember_stopped "$RUN" "$name"; fi
  done
}

main() {
  begin
  remember_services
  start_recorded "$RUN"
  if [ -n "$down" ]; then fail ServicesDownError "still down:$down. Start them by hand (service NAME start) and look at their logs."; fi
  disarm_watchdog "$RUN"
  answer
}

main "$@"
