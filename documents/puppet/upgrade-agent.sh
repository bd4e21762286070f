#!/bin/bash
#/ Usage: URL= AGENT_VERSION= SERVER_VERSION= RUN= upgrade-agent.sh
#/
#/ Upgrades a node by the script that its master serves, a compile master by a run of the agent behind it, and proves versions and
#/ services. The script is fetched whole, with the certificate of the authority, before anything of it is run.
#/   URL            of the script
#/   AGENT_VERSION  what the agent is to be
#/   SERVER_VERSION what Puppet Enterprise is to be, on a compile master; empty elsewhere
#/ Exit status: 0 upgraded, or it was already; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/puppet.sh"
. "$(dirname "$0")/../library/upgrade.sh"
. "$(dirname "$0")/../library/served-script.sh"
. "$(dirname "$0")/../library/agent-run.sh"

# Longer than the command may take.
readonly watchdog_seconds=7800

# A version proves nothing while the script that brought it has not succeeded.
has_versions() { [ "$(agent_version)" = "$AGENT_VERSION" ] && { [ -z "$SERVER_VERSION" ] || [ "$(installed_version)" = "$SERVER_VERSION" ]; }; }

# give_up MESSAGE: what ran before runs again, as far as it can.
give_up() {
  start_recorded "$RUN"
  disarm_watchdog "$RUN"
  fail UpgradeFailedError "$1"
}

main() {
  local before
  begin
  # What Puppet makes here, its services read.
  umask 022
  before=$(agent_version)
  if ! has_versions || [ -n "$(interrupted_upgrade)" ]; then
    running_services >"$work/running"
    fetch_script "$URL" "$work/script" "$work/log" || fail "$script_fault" "$script_said"
    # Agents are too many to be undone: a killed script's services are started by the node itself.
    guard_services "$RUN" "$work/running"
    arm_watchdog "$RUN" "$watchdog_seconds"
    printf '%s\n' "$before" >"$upgrade_marker"
    as_operator bash "$work/script" >"$work/log" 2>&1 </dev/null 4>&- || give_up "the script of $URL ended with $?. Its last output: $(last_words "$work/log")"
    # The script brings the agent and the packages; a compile master's own are installed by a run of the agent.
    if [ -n "$SERVER_VERSION" ]; then run_agent "$work/log" || give_up "the script of $URL succeeded, and the run of the agent that installs Puppet Enterprise failed: $agent_said"; fi
    has_versions || give_up "the script of $URL succeeded, and the agent is $(agent_version), expected $AGENT_VERSION${SERVER_VERSION:+; Puppet Enterprise is $(installed_version), expected $SERVER_VERSION}. Last output: $(last_words "$work/log")"
    expect_services "$work/running"
    rm -f "$upgrade_marker"
    release_services "$RUN"
    disarm_watchdog "$RUN"
  fi
  answer
}

main "$@"
