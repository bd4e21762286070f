#!/bin/bash
#/ Usage: RUN= ON_PROBLEM= CONTROLLER= CLIENT_USER= inspect-juju.sh
#/
#/ Reports what a node of Juju holds: a state server or controller, the client, and what Juju says of all its machines. Changes
#/ nothing.
#/   ON_PROBLEM  fail: a problem on the node ends the command; report: the answer lists it, because a restore is to repair it
#/   CONTROLLER  the environment's or controller's name; empty for the one that the client is switched to
#/ Exit status: 0 inspected; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/juju.sh"
. "$(dirname "$0")/../library/juju-provider.sh"
. "$(dirname "$0")/../library/juju-status.sh"
. "$(dirname "$0")/../library/compression.sh"
. "$(dirname "$0")/../library/node.sh"

# A client that reaches no API server tries for minutes.
juju_seconds=90

# problem NAME MESSAGE: fails, or lists the message among the answer's problems, as ON_PROBLEM says.
problem() {
  [ "$ON_PROBLEM" = report ] || fail "$1" "$2"
  printf '%s\n' "$2" >>"$work/problems"
}

inspect_server() {
  local name
  if ! find_server; then
    printf 'null'
    return
  fi
  json machine="$server_machine" version="$server_version" uuid="$(server_uuid)" series="$(server_series)" \
    services:="$(services_json "$mongo_service" "$agent_service")" databaseBytes:="$(($(database_kib || echo 0) * 1024))"
}

# The UUID by which the client knows the environment or controller; empty when it does not know it at all.
client_uuid() {
  if is_classic "$client_version"; then
    setting "$client_directory/environments/$client_name.jenv" environ-uuid
  else
    awk -v name="$client_name" '/^  [^ ]/ { key = $1; gsub(/["\047:]/, "", key); inside = (key == name) } inside && /^    uuid:/ { print $2; exit }' "$client_directory/controllers.yaml" 2>/dev/null
  fi
}

is_known() {
  if is_classic "$client_version"; then
    [ -r "$client_directory/environments/$client_name.jenv" ]
  else
    [ -n "$(client_uuid)" ]
  fi
}

# What Juju 1.x takes for its state servers, asked with Juju's own account.
inspect_provider() {
  local id
  if [ "$ON_PROBLEM" != report ] || ! is_classic "$client_version" || ! find_provider; then
    printf 'null'
    return
  fi
  for id in $(provider_instances); do json instanceId="$id" state="$(instance_state "$id")"; done >"$work/instances"
  json bucket="$provider_bucket" instances:="$(json_array <"$work/instances")"
}

inspect_client() {
  local status=null directory=''
  if ! find_client "$CLIENT_USER"; then
    printf 'null'
    return
  fi
  if ! choose_controller "$CONTROLLER"; then
    problem WrongEnvironmentError "the client of $CLIENT_USER has no current environment or controller. Name it in holdfast.yaml."
    client_name=''
  elif ! is_known; then
    problem WrongEnvironmentError "the client of $CLIENT_USER does not know $client_name, or it was never bootstrapped from there. Correct \"controller\" in holdfast.yaml."
  elif collect_status; then
    status=$(status_json)
    is_classic "$client_version" || directory=$(told model-config -m "$client_name:controller" backup-dir || true)
  else
    problem NoApiError "Juju's API does not answer: $(juju_words "$work/juju.log") Look at the agents and the database of the state servers."
  fi
  json version="$client_version" user="$client_user" directory="$client_directory" name="$client_name" uuid="$(client_uuid)" \
    status:="$status" backupDirectory="$directory" provider:="$(inspect_provider)"
}

main() {
  local tool line server space roles=() problems=() warnings=()
  begin
  for tool in aws tar openssl; do require_tool "$tool"; done
  : >"$work/problems"
  if find_server; then
    refuse_unsupported "$server_version"
    roles+=(juju-controller)
    for tool in "$mongo_service" "$agent_service"; do
      if has_service "$tool" && ! is_running "$tool"; then
        problem ServiceDownError "$tool does not run. See its log and start it."
      fi
    done
    if has_service "$mongo_service" && ! wait_until 10 is_up "$mongo_service"; then problem ServiceDownError "$mongo_service takes no connections. See its log."; fi
  fi
  if find_client "$CLIENT_USER"; then
    refuse_unsupported "$client_version"
    roles+=(juju-client)
  fi
  server=$(inspect_server)
  # No subshell: what is wrong there is the answer.
  inspect_client >"$work/client"
  space=$(printf '%s\n' "$state_directory" "$juju_data" | space_of)
  while IFS= read -r line; do problems+=("$line"); done <"$work/problems"
  find_compressor
  if [ -n "$compression_warning" ]; then warnings+=("$compression_warning"); fi
  answer product=juju hostname="$(hostname -f)" roles:="$(json_list ${roles[@]+"${roles[@]}"})" server:="$server" client:=@"$work/client" \
    tools:="$(tools_of)" space:="$space" problems:="$(json_list ${problems[@]+"${problems[@]}"})" \
    warnings:="$(json_list ${warnings[@]+"${warnings[@]}"})"
}

main "$@"
