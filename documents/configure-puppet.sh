#!/bin/bash
#/ Usage: RUN= configure-puppet.sh
#/
#/ Lets Puppet Enterprise 2015.2 and later put rights of databases and its settings in order, as its manual's restore ends.
#/ Exit status: 0 done; 1 failed, the answer says why.
set -Eeuo pipefail
umask 022

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/puppet.sh"

main() {
  local face
  begin_answer
  begin_work "$RUN"
  # Its name until 2016.5 was enterprise.
  for face in infrastructure enterprise; do
    if "$puppet_program" help "$face" >/dev/null 2>&1 </dev/null 4>&-; then
      env -u HOLDFAST_RUN "$puppet_program" "$face" configure >"$work/log" 2>&1 </dev/null 4>&- ||
        fail ConfigureFailedError "puppet $face configure: $(last_words "$work/log")"
      answer "{\"configured\":\"$face\"}"
      return
    fi
  done
  fail ConfigureFailedError "neither puppet infrastructure nor puppet enterprise is known to $puppet_program. Look at the installation."
}

main "$@"
