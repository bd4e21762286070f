#!/bin/bash
#/ Usage: MODULES= RUN= check-modules.sh
#/
#/ Looks whether this node has the modules that an upgrade of agents needs.
#/   MODULES  their names with blanks between
#/ Exit status: 0 all are there; 1 the answer names those that are missing.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/puppet.sh"

main() {
  local name missing=''
  begin
  module_names >"$work/modules"
  for name in $MODULES; do grep -qxF "$name" "$work/modules" || missing="$missing $name"; done
  [ -z "$missing" ] || fail ModulesMissingError "this node lacks the modules:$missing. Install them (puppet module install puppetlabs-NAME), then start the upgrade again: it goes on from here."
  answer
}

main "$@"
