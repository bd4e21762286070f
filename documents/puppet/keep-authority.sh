#!/bin/bash
#/ Usage: RUN= keep-authority.sh
#/
#/ Copies what the living certificate authority has signed and revoked, before a restore replaces it. Changes nothing else.
#/ Done before in this run, it is not done again.
#/ Exit status: 0 kept, or there is none.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/puppet.sh"
. "$(dirname "$0")/../library/authority.sh"

main() {
  begin
  keep_authority "$RUN"
  answer
}

main "$@"
