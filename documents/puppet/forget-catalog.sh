#!/bin/bash
#/ Usage: RUN= forget-catalog.sh
#/
#/ Removes the agent's cached catalog: it was made with certificates and databases that are no longer there.
#/ Exit status: 0 it is gone.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/puppet.sh"

main() {
  local catalog
  begin
  catalog=$(puppet_setting vardir "$puppet_state")/client_data/catalog/$(puppet_setting certname "$(hostname -f)").json
  rm -f -- "$catalog"
  answer
}

main "$@"
