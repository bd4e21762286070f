#!/bin/bash
#/ Usage: CONTROLLER= CLIENT_USER= RUN= create-juju-archive.sh
#/
#/ Lets Juju 2.9.22 to 3.6 make a backup that stays on the controller. It carries the run's name in its notes, by which the
#/ controller finds it: downloading it would delete it there before the first byte has arrived.
#/ Exit status: 0 made; 1 failed, the answer says why.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/services.sh"
. "$(dirname "$0")/library/juju.sh"

main() {
  begin_answer
  begin_work "$RUN"
  require_client
  make_archive create-backup -m "$client_name:controller" --no-download "$juju_note $RUN"
  answer "{\"sha1\":$(json_string "$(printed checksum)"),\"machine\":$(json_string "$(printed 'machine ID')"),\"path\":$(json_string "$(printed_path)")}"
}

main "$@"
