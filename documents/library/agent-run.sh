# shellcheck shell=bash
# shellcheck disable=SC2154 # puppet_program and puppet_state are of puppet.sh, which documents source before
# One run of the agent.

readonly patience_seconds=900

# run_agent LOG: after a run that is under way. Sets agent_exit; or agent_said (why it failed, for people), and returns 1.
run_agent() {
  local lock
  agent_exit=0
  lock=$(puppet_setting agent_catalog_run_lockfile "$puppet_state/state/agent_catalog_run.lock")
  nobody_runs() { [ ! -e "$lock" ] || ! kill -0 "$(cat "$lock" 2>/dev/null)" 2>/dev/null; }
  if ! wait_until "$patience_seconds" nobody_runs; then
    agent_said="another run of the agent holds $lock for more than $patience_seconds s. Look at it, then start the upgrade again."
    return 1
  fi
  as_operator "$puppet_program" agent --onetime --verbose --no-daemonize --no-usecacheonfailure --no-splay --no-use_cached_catalog --detailed-exitcodes --color false \
    >"$1" 2>&1 </dev/null 4>&- || agent_exit=$?
  # 2: there were changes, and all of them succeeded.
  case $agent_exit in
    0 | 2) ;;
    *)
      agent_said="puppet agent ended with $agent_exit: $(last_words "$1")"
      return 1
      ;;
  esac
}
