#!/bin/bash
#/ Usage: RUN= finish-restore.sh
#/
#/ Ends a proven restore: from here on it can't be undone. Removes what was kept aside, what was fetched, and what earlier
#/ restores that broke off have left. What can't be removed is told and fails nothing: the restore is proven.
#/ Exit status: 0 done.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/restore.sh"

main() {
  local directory run left_behind=()
  begin
  # What was there before goes only when what is there now is on the disk.
  sync
  for directory in "$state_directory"/restore/*; do
    [ -d "$directory" ] || continue
    run=${directory##*/}
    # One step: with the journal gone nothing is rolled back any more, and what it told is what is to be removed.
    [ ! -e "$directory/journal" ] || mv "$directory/journal" "$directory/finished"
    not_rolled_back=''
    forget_restore "$run"
    disarm_watchdog "$run"
    rm -f "$(stopped_file "$run")"
  done
  answer left:="$(json_list ${left_behind[@]+"${left_behind[@]:0:20}"})"
}

main "$@"
