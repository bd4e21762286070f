#!/bin/bash
#/ Usage: URL= RUN= ask-script.sh
#/
#/ Looks whether this node can fetch the script that it is upgraded by, as the upgrade will fetch it. Runs nothing of it and changes
#/ nothing.
#/   URL  of the script
#/ Exit status: 0 looked, the answer has what is against it.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/puppet.sh"
. "$(dirname "$0")/../library/served-script.sh"

main() {
  local problem=''
  begin
  fetch_script "$URL" "$work/script" "$work/log" || problem=$script_said
  answer url="$URL" host="$(hostname -f)" problem="$problem"
}

main "$@"
