#!/bin/bash
#/ Usage: RUN= finish-upgrade.sh
#/
#/ Removes what an upgrade has fetched.
#/ Exit status: 0 done.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/restore.sh"

main() {
  begin
  rm -rf --one-file-system "$(restore_directory "$RUN")"
  answer
}

main "$@"
