# shellcheck shell=bash source-path=SCRIPTDIR source-path=SCRIPTDIR/../library
# How every document begins: nothing goes on after an error, what it makes is root's alone, and it answers one line of JSON.

set -Eeuo pipefail
umask 077

. "$(dirname "${BASH_SOURCE[0]}")/result.sh"
. "$(dirname "${BASH_SOURCE[0]}")/work.sh"
. "$(dirname "${BASH_SOURCE[0]}")/ticket.sh"

# begin: the first thing that a document does. Every command brings, beside its own parameters,
#   RUN           the run that sends it
#   START_BEFORE  seconds since 1970 after which it must not begin
#   ATTEMPT       how often its run was redriven
#   ANSWERS       where an answer goes that is too long for Run Command
# As a document, one that changes its node demands its ticket right behind begin_answer; as a script it has none.
begin() {
  begin_answer
  begin_work "$RUN"
}
