# shellcheck shell=bash
# What an upgrade leaves on a node until it has proven itself.

# Holds the version from which an upgrade was begun that has not succeeded.
readonly upgrade_marker=$state_directory/upgrade-from

# The version from which a broken-off upgrade was begun; nothing when there is none.
interrupted_upgrade() { head -n 1 "$upgrade_marker" 2>/dev/null || true; }

# running_services: Puppet Enterprise's that run now, one per line: an upgrade may stop any of them.
running_services() {
  local name
  for name in $puppet_services; do
    if has_service "$name" && is_running "$name"; then printf '%s\n' "$name"; fi
  done
}

# guard_services RUN FILE: whatever ends this script, the undo of the run starts those that are listed.
guard_services() {
  local name names=()
  cp "$(stopped_file "$1")" "$work/stopped-before" 2>/dev/null || true
  while IFS= read -r name; do names+=("$name"); done <"$2"
  remember_stopped "$1" ${names[@]+"${names[@]}"}
}

# release_services RUN: they run again; what else the run has stopped stays remembered.
release_services() {
  if [ -e "$work/stopped-before" ]; then
    cp "$work/stopped-before" "$(stopped_file "$1")"
  else
    rm -f "$(stopped_file "$1")"
  fi
}

# expect_services FILE: those that are listed must run again; what the new version does not have any more is skipped.
expect_services() {
  local name
  while IFS= read -r name; do
    has_service "$name" || continue
    wait_until 120 is_running "$name" || fail ServicesDownError "$name ran before the upgrade and does not run after it. See its log, then start the upgrade again: it continues from here."
  done <"$1"
}
