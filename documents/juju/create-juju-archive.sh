#!/bin/bash
#/ Usage: CONTROLLER= CLIENT_USER= RUN= create-juju-archive.sh
#/
#/ Lets Juju 2.9.22 to 3.6 make a backup that stays on the controller. It carries the run's name in its notes, by which the
#/ controller finds it: downloading it would delete it there before the first byte has arrived.
#/ Exit status: 0 made; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/juju.sh"

main() {
  begin
  require_client
  make_archive create-backup -m "$client_name:controller" --no-download "$juju_note $RUN"
  answer sha1="$(printed checksum)" machine="$(printed 'machine ID')" path="$(printed_path)"
}

main "$@"
