#!/bin/bash
#/ Usage: BUCKET= KEY= EXPECTED_BYTES= RUN= dump-globals.sh
#/
#/ Streams roles, their password hashes and tablespaces into the vault: what no dump of a database holds.
#/ Exit status: 0 stored and verified; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/compression.sh"
. "$(dirname "$0")/../library/vault.sh"
. "$(dirname "$0")/../library/postgres.sh"

pg_dumpall() { client pg_dumpall --globals-only -l "$maintenance"; }

# pg_dumpall's last word, behind which nothing may follow but the end of psql's restricted mode: a comment on a role may hold any words.
closing_line() {
  LC_ALL=C awk '
    /^(--)?$/ || /^\\unrestrict / { next }
    { complete = /^-- PostgreSQL database cluster dump complete$/ }
    /^CREATE ROLE / { roles++ }
    /^CREATE TABLESPACE / { tablespaces++ }
    END { print roles + 0, tablespaces + 0; exit !complete }
  '
}

main() {
  local roles tablespaces
  begin
  find_postgres
  require_postgres
  if ! store "$BUCKET" "$KEY" "$EXPECTED_BYTES" pg_dumpall beside closing_line; then
    [ "$stored_error" != ProducerFailedError ] || stored_message=$(refusal "$work/produce.log")
    fail "$stored_error" "$stored_message"
  fi
  read -r roles tablespaces <"$stored_contents"
  answer kind=globals upload:="$stored_upload" roles:="$roles" tablespaces:="$tablespaces" verified='complete to its closing line'
}

main "$@"
