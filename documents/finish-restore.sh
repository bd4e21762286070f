#!/bin/bash
#/ Usage: RUN= finish-restore.sh
#/
#/ Ends a proven restore: from here on it can't be undone. Removes what was kept aside, what was fetched, and what earlier
#/ restores that broke off have left.
#/ Exit status: 0 done.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/postgres.sh"
. "$(dirname "$0")/library/services.sh"
. "$(dirname "$0")/library/restore.sh"

main() {
  local directory run
  begin_answer
  begin_work "$RUN"
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
  answer '{"finished":true}'
}

main "$@"
