#!/bin/bash
#/ Usage: CONTROLLER= CLIENT_USER= VERSION= STAGE= SECONDS_TO_WAIT= RUN= upgrade-juju.sh
#/
#/ Lets Juju upgrade, and waits until every agent has the version: Juju itself only starts an upgrade. That none is available
#/ is a success, so that it can be run again.
#/   STAGE  controller: the environment, or the controller alone; models: all other models, one after another
#/ Exit status: 0 all have the version; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/juju.sh"
. "$(dirname "$0")/../library/juju-status.sh"

juju_seconds=600

# behind PATTERN: machines whose model's name matches and whose agent has not reported with the version.
behind() {
  collect_status || return 0
  awk -v pattern="$1" -v version="$VERSION" '$2 == "M" && $1 ~ pattern && ($6 != version || $5 != "started") { printf "%s%s has %s (%s)", separator, $3, $6, $5; separator = ", " }' "$work/status"
}

# await PATTERN: looks until no machine is behind.
await() {
  local left deadline=$((SECONDS + SECONDS_TO_WAIT))
  while :; do
    if left=$(behind "$1") && [ -s "$work/status" ] && [ -z "$left" ]; then return 0; fi
    [ "$SECONDS" -lt "$deadline" ] || fail UpgradeStuckError "not every agent has $VERSION after $SECONDS_TO_WAIT s: machine ${left:-? (the API does not answer)}. Look at the agents' logs; if an upgrade hangs, juju's --reset-previous-upgrade allows another one."
    sleep 2
  done
}

upgrade() {
  "$@" >"$work/upgrade.log" 2>&1 || fail JujuFailedError "the upgrade was refused: $(juju_words "$work/upgrade.log")"
}

main() {
  local model version
  begin
  require_client
  if [ "$STAGE" = controller ]; then
    upgrade upgrade_controller "$VERSION"
    await '^-$|(^|/)controller$'
  else
    collect_status || fail NoApiError "Juju's API does not answer: $(juju_words "$work/juju.log")"
    while read -r model version; do
      case $model in controller | */controller) continue ;; esac
      [ "$version" = "$VERSION" ] || upgrade upgrade_model "$model" "$VERSION"
    done < <(cat "$work/models")
    await '.'
  fi
  answer
}

main "$@"
