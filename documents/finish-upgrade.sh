#!/bin/bash
#/ Usage: RUN= finish-upgrade.sh
#/
#/ Removes what an upgrade has fetched.
#/ Exit status: 0 done.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/restore.sh"

main() {
  begin_answer
  begin_work "$RUN"
  rm -rf --one-file-system "$(restore_directory "$RUN")"
  answer '{"finished":true}'
}

main "$@"
