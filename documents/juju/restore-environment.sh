#!/bin/bash
#/ Usage: CONTROLLER= CLIENT_USER= NAME= CONSTRAINTS= RUN= restore-environment.sh
#/
#/ Lets Juju 1.x make a new state server of a fetched archive. Juju deletes provider-state first, without which it can't be run
#/ again: a copy is kept, and put back when Juju fails before it has written another one.
#/   CONSTRAINTS  what the new state server is to have, in base64url; may be empty
#/ Exit status: 0 restored; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/juju.sh"
. "$(dirname "$0")/../library/juju-provider.sh"

give_up() {
  local begun
  put_back_provider_state "$RUN" "$client_user $client_name"
  begun=$(provider_instances | tr '\n' ' ')
  if [ -n "$begun" ] && ! cmp -s "$work/provider-state" "$(saved_provider_state "$RUN")"; then
    fail JujuFailedError "juju restore failed: $(juju_words "$work/restore.log") It left an unusable new state server, ${begun% }: terminate it, then start the restore again."
  fi
  fail JujuFailedError "juju restore failed: $(juju_words "$work/restore.log") provider-state is as before, so the restore can be started again."
}

main() {
  local options=() constraints servers line lacks=()
  begin
  require_client
  find_provider || fail WrongEnvironmentError "the client's files do not name the control bucket of $client_name. Nothing was changed."
  read_provider_state "$(saved_provider_state "$RUN")" ||
    fail ProviderStateError "provider-state cannot be read from the bucket $provider_bucket: $(last_words "$work/provider.log") Without it juju restore does nothing. Nothing was changed."
  note_change "$RUN" provider-state "$client_user $client_name"
  lend_archive "$NAME"
  constraints=$(decode_text "$CONSTRAINTS")
  [ -z "$constraints" ] || options=(--constraints "$constraints")
  case $client_version in
    # There juju restore is a wrapper that hands the archive on, and not the constraints.
    1.25*) options=(backups restore -b ${options[@]+"${options[@]}"} --file "$lent_archive") ;;
    *) options=(restore -e "$client_name" ${options[@]+"${options[@]}"} "$lent_archive") ;;
  esac
  # When a machine was not told of it, the state server is restored: whoever looks at the machines next says how many do not report.
  juju "${options[@]}" >"$work/restore.log" 2>&1 || grep -q 'machine update failed' "$work/restore.log" || give_up
  servers=$(provider_instances | tr '\n' ' ') || true
  while IFS= read -r line; do lacks+=("$line"); done < <(lacks_of "${servers%% *}")
  answer servers="${servers% }" lacks:="$(json_list ${lacks[@]+"${lacks[@]}"})"
}

main "$@"
