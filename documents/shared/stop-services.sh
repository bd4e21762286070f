#!/bin/bash
#/ Usage: SERVICES= WATCHDOG_SECONDS= RUN= stop-services.sh
#/
#/ Stops services in the given order and remembers which of them were running, for start-services.
#/   SERVICES          names with spaces between; one that the node does not have, or that is down, is skipped
#/   WATCHDOG_SECONDS  when the node starts them itself if nobody else did
#/ Exit status: 0 all are down; 1 failed, what was stopped is started again, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/restore.sh"

main() {
  local name names=()
  begin
  for name in $SERVICES; do
    if has_service "$name" && is_running "$name"; then names+=("$name"); fi
  done
  # The record and the watchdog come first: whatever kills this script, the services start again.
  remember_stopped "$RUN" ${names[@]+"${names[@]}"}
  arm_watchdog "$RUN" "$WATCHDOG_SECONDS"
  for name in ${names[@]+"${names[@]}"}; do
    change_service "$name" stop || true
    if ! wait_until 60 not_running "$name"; then
      start_recorded "$RUN"
      [ -n "$down" ] || disarm_watchdog "$RUN"
      fail ServiceStopError "$name does not stop.${down:+ Down now:$down.} See its log, then start the operation again."
    fi
  done
  answer
}

main "$@"
