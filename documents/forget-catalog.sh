#!/bin/bash
#/ Usage: RUN= forget-catalog.sh
#/
#/ Removes the agent's cached catalog: it was made with certificates and databases that are no longer there.
#/ Exit status: 0 it is gone, the answer says whether it was there.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/puppet.sh"

main() {
  local catalog removed=false
  begin_answer
  begin_work "$RUN"
  catalog=$(puppet_setting vardir "$puppet_state")/client_data/catalog/$(puppet_setting certname "$(hostname -f)").json
  if [ -e "$catalog" ]; then
    rm -f -- "$catalog"
    removed=true
  fi
  answer "{\"catalog\":$(json_string "$catalog"),\"removed\":$removed}"
}

main "$@"
