#!/bin/bash
#/ Usage: RUN= configure-puppet.sh
#/
#/ Lets Puppet Enterprise 2015.2 and later put rights of databases and its settings in order, as its manual's restore ends.
#/ Exit status: 0 done; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/puppet.sh"

main() {
  local face=infrastructure
  begin
  # What Puppet makes here, its services read.
  umask 022
  # Its name in the first versions that have it.
  case $(installed_version) in 2015.* | 2016.*) face=enterprise ;; esac
  as_operator "$puppet_program" "$face" configure >"$work/log" 2>&1 </dev/null 4>&- ||
    fail ConfigureFailedError "puppet $face configure: $(last_words "$work/log")"
  answer
}

main "$@"
