#!/bin/bash
#/ Usage: CONTROLLER= CLIENT_USER= SECONDS_TO_WAIT= SHARE= RUN= check-juju.sh
#/
#/ Looks until Juju's API answers and the agents of enough machines report to it. Changes nothing.
#/   SHARE  of all machines of all models, as a percentage
#/ Exit status: 0 they do; 1 they did not in time, the answer says how many.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/juju.sh"
. "$(dirname "$0")/../library/juju-status.sh"

juju_seconds=60

enough() {
  collect_status || { reported='' && return 1; }
  read -r reported machines < <(awk '$2 == "M" { machines++; if ($5 == "started") started++ } END { printf "%d %d\n", started, machines }' "$work/status")
  [ "$machines" -gt 0 ] && [ $((reported * 100)) -ge $((machines * SHARE)) ]
}

main() {
  local deadline=$((SECONDS + SECONDS_TO_WAIT))
  begin
  reported='' machines=0
  require_client
  until enough; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      [ -n "$reported" ] || fail UnhealthyError "Juju's API does not answer after $SECONDS_TO_WAIT s: $(juju_words "$work/juju.log")"
      fail UnhealthyError "$reported of $machines machines report after $SECONDS_TO_WAIT s, $SHARE % are needed. The others may still contact the old state server: see the addresses in their agent.conf."
    fi
    sleep 2
  done
  answer
}

main "$@"
