#!/bin/bash
#/ Usage: CONTROLLER= CLIENT_USER= INSTANCES= STOPPED= RUN= check-fence.sh
#/
#/ Proves that no state server is left that could serve the environment beside the restored one. Changes nothing.
#/   INSTANCES  ids of the state servers of the backup, a blank between; those of provider-state are looked at as well
#/   STOPPED    allowed: a stopped one counts as gone, since somebody has seen to it that it is never started again; refused
#/ Exit status: 0 all are gone; 1 the answer says which is not.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/juju.sh"
. "$(dirname "$0")/../library/juju-provider.sh"

main() {
  local id state alive=''
  begin
  require_client
  find_provider || fail WrongEnvironmentError "the client's files do not name the control bucket of $client_name, so its instances can't be listed. Nothing was changed."
  # shellcheck disable=SC2046,SC2086 # lists of ids
  for id in $(printf '%s\n' $INSTANCES $(provider_instances || true) | sort -u); do
    state=$(instance_state "$id")
    echo "$id is $state"
    case $state in
      terminated | gone) ;;
      stopped) [ "$STOPPED" = allowed ] || alive="$alive $id is stopped: started again it would be a second state server." ;;
      unknown) alive="$alive $id cannot be asked for: $(last_words "$work/ec2.log")" ;;
      *) alive="$alive $id is $state." ;;
    esac
  done
  [ -z "$alive" ] || fail NotFencedError "a restore is only for when every state server is gone:$alive Terminate what is left, then start the restore again. Nothing was changed."
  answer
}

main "$@"
