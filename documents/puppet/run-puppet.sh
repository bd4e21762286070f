#!/bin/bash
#/ Usage: RUN= run-puppet.sh
#/
#/ Runs the agent once, after a run that is under way. Changes are no failure.
#/ Exit status: 0 the run succeeded; 1 the answer says why not.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/puppet.sh"
. "$(dirname "$0")/../library/agent-run.sh"

main() {
  begin
  # What Puppet makes here, its services read.
  umask 022
  run_agent "$work/log" || fail PuppetRunError "$agent_said"
  answer
}

main "$@"
