#!/bin/bash
#/ Usage: RUN= keep-authority.sh
#/
#/ Copies what the living certificate authority has signed and revoked, before a restore replaces it. Changes nothing else.
#/ Done before in this run, it is not done again.
#/ Exit status: 0 kept, or there is none.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/paths.sh"
. "$(dirname "$0")/library/restore.sh"
. "$(dirname "$0")/library/puppet.sh"
. "$(dirname "$0")/library/authority.sh"

main() {
  local living
  begin_answer
  begin_work "$RUN"
  keep_authority "$RUN"
  living=$(kept_authorities "$RUN")/living
  answer "{\"fingerprint\":$(json_string "$(fingerprint_of "$living/ca_crt.pem" || true)"),\"serial\":$(json_string "$(serial_in "$living/serial")")}"
}

main "$@"
