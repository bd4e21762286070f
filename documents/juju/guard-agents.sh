#!/bin/bash
#/ Usage: WATCHDOG_SECONDS= RUN= guard-agents.sh
#/
#/ Notes the agent of a controller as one that this run stops, since juju-restore stops agents and leaves them so when it
#/ fails: from here on the run, its undo or a watchdog start it. Stops nothing itself.
#/ Exit status: 0 noted; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/juju.sh"

main() {
  begin
  find_server || fail WrongNodeError "no controller of Juju on this node. Check the roles in holdfast.yaml."
  remember_stopped "$RUN" "$agent_service" "$mongo_service"
  arm_watchdog "$RUN" "$WATCHDOG_SECONDS"
  answer
}

main "$@"
