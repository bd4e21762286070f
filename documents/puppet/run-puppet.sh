#!/bin/bash
#/ Usage: RUN= run-puppet.sh
#/
#/ Runs the agent once, after a run that is under way. Changes are no failure.
#/ Exit status: 0 the run ended well; 1 the answer says why not.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/puppet.sh"

readonly patience_seconds=900

main() {
  local lock status=0
  begin
  # What Puppet makes here, its services read.
  umask 022
  lock=$(puppet_setting agent_catalog_run_lockfile "$puppet_state/state/agent_catalog_run.lock")
  nobody_runs() { [ ! -e "$lock" ] || ! kill -0 "$(cat "$lock" 2>/dev/null)" 2>/dev/null; }
  wait_until "$patience_seconds" nobody_runs || fail PuppetRunError "another run of the agent holds $lock for more than $patience_seconds s. Look at it, then start the upgrade again."
  env -u HOLDFAST_RUN "$puppet_program" agent --onetime --verbose --no-daemonize --no-usecacheonfailure --no-splay --no-use_cached_catalog --detailed-exitcodes --color false \
    >"$work/log" 2>&1 </dev/null 4>&- || status=$?
  # 2: there were changes, and all of them succeeded.
  case $status in
    0 | 2) answer ;;
    *) fail PuppetRunError "puppet agent ended with $status: $(last_words "$work/log")" ;;
  esac
}

main "$@"
