#!/bin/bash
#/ Usage: RUN= undo.sh
#/
#/ Removes a run's traces from the node: lets none of its commands begin any more, ends its processes, puts back what it
#/ replaced, starts the services that it stopped, deletes its directories. Doing it twice is the same as once.
#/ Exit status: 0 nothing is left; 1 the answer says which services are down, and why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/undone.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/juju.sh"
. "$(dirname "$0")/../library/juju-provider.sh"

main() {
  # No mark of the run on this process: it would be among those that are ended.
  begin_answer
  refuse_late
  mark_undone "$RUN"
  end_scripts "$RUN"
  kill_marked "HOLDFAST_RUN=$RUN"
  ended=$((ended + killed))
  recover "$RUN"
  forget_restore "$RUN"
  remove_archives "$RUN"
  remove_stored "$RUN"
  rm -rf --one-file-system "$state_directory/runs/$RUN".???????? "/root/.holdfast-$RUN"
  if [ -n "$not_rolled_back" ]; then
    disarm_watchdog "$RUN"
    fail ServicesLeftDownError "these services stay down:${down:+ $down}, because:$not_rolled_back Start the restore again: it continues from here."
  fi
  if [ -n "$down" ]; then fail ServicesDownError "still down:$down. Start them by hand (service NAME start) and look at their logs."; fi
  disarm_watchdog "$RUN"
  answer
}

main "$@"
