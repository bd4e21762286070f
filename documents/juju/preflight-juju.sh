#!/bin/bash
#/ Usage: CONTROLLER= CLIENT_USER= VERSION= RUN= preflight-juju.sh
#/
#/ Asks Juju itself what is against an upgrade, by its dry run. Changes nothing.
#/ Exit status: 0 asked: what is against it is in the answer; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/juju.sh"
. "$(dirname "$0")/../library/juju-status.sh"

juju_seconds=120

main() {
  local problems=()
  begin
  require_client
  if ! upgrade_controller "$VERSION" --dry-run >"$work/dry-run.log" 2>&1; then problems+=("Juju's dry run says: $(juju_words "$work/dry-run.log")"); fi
  answer problems:="$(json_list ${problems[@]+"${problems[@]}"})"
}

main "$@"
