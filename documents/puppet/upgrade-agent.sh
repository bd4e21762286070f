#!/bin/bash
#/ Usage: URL= AGENT_VERSION= SERVER_VERSION= RUN= upgrade-agent.sh
#/
#/ Upgrades a node by the script that its master serves, and proves versions and services. The script is fetched whole, with
#/ the certificate of the authority, before anything of it is run.
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

# Longer than the command may take.
readonly watchdog_seconds=7800

# A version proves nothing while the script that brought it has not ended well.
has_versions() { [ "$(agent_version)" = "$AGENT_VERSION" ] && { [ -z "$SERVER_VERSION" ] || [ "$(installed_version)" = "$SERVER_VERSION" ]; }; }

fetch() {
  local curl=/opt/puppetlabs/puppet/bin/curl authority=$puppet_configuration/puppet/ssl/certs/ca.pem status=0
  [ -x "$curl" ] || curl=curl
  [ -r "$authority" ] || fail ScriptUnreachableError "$authority is not there: this node has no certificate of the master's authority."
  "$curl" --silent --show-error --fail --proto '=https' --max-time 300 --cacert "$authority" --output "$work/script" "$URL" 2>"$work/log" </dev/null || status=$?
  case $status in
    0) ;;
    18 | 28 | 56) fail ScriptDamagedError "$URL was cut off: $(last_words "$work/log")" ;;
    22) fail ScriptUnreachableError "$URL is not served: $(last_words "$work/log") Is pe_repo classified there, and is the load balancer right?" ;;
    35 | 51 | 60 | 77 | 83) fail ScriptUntrustedError "$URL is not served by a master of this authority: $(last_words "$work/log")" ;;
    *) fail ScriptUnreachableError "$URL can not be fetched (curl $status): $(last_words "$work/log")" ;;
  esac
  # A proxy's error page, or half a script: neither may be run.
  case $(head -c 2 "$work/script") in '#!') ;; *) fail ScriptDamagedError "$URL is no script." ;; esac
  bash -n "$work/script" 2>"$work/log" || fail ScriptDamagedError "$URL is not a whole script: $(last_words "$work/log")"
}

# What ran before runs again, as far as it can.
leave_running() {
  start_recorded "$RUN"
  disarm_watchdog "$RUN"
}

main() {
  local before status=0 differs=''
  begin
  # What Puppet makes here, its services read.
  umask 022
  before=$(agent_version)
  if ! has_versions || [ -n "$(interrupted_upgrade)" ]; then
    running_services >"$work/running"
    fetch
    # Agents are too many to be undone: a killed script's services are started by the node itself.
    guard_services "$RUN" "$work/running"
    arm_watchdog "$RUN" "$watchdog_seconds"
    printf '%s\n' "$before" >"$upgrade_marker"
    env -u HOLDFAST_RUN bash "$work/script" >"$work/log" 2>&1 </dev/null 4>&- || status=$?
    has_versions || differs="; the agent is $(agent_version), expected $AGENT_VERSION${SERVER_VERSION:+; Puppet Enterprise is $(installed_version), expected $SERVER_VERSION}"
    if [ "$status" -ne 0 ] || [ -n "$differs" ]; then
      leave_running
      fail UpgradeFailedError "the script of $URL ended with $status$differs. Its last words: $(last_words "$work/log")"
    fi
    expect_services "$work/running"
    rm -f "$upgrade_marker"
    release_services "$RUN"
    disarm_watchdog "$RUN"
  fi
  answer
}

main "$@"
