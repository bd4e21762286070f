#!/bin/bash
#/ Usage: RUN= set-owners.sh
#/
#/ Gives certificates to the users that must read them, as the manual's restore does; their numbers may differ from those of
#/ the node that was backed up. Nothing changes its owner but what this run has put in place, whatever settings and links say.
#/ Exit status: 0 done; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/puppet.sh"

# give OWNER PATH: on a node of a split installation the path may not be there.
give() {
  local place stranger
  place=$(readlink -e -- "$2") || return 0
  if ! was_replaced "$RUN" "$place"; then
    echo "$2 is at $place, which this restore has not replaced: it keeps its owner" >&2
    return 0
  fi
  if ! id "${1%%:*}" >/dev/null 2>&1; then
    # An agent alone has files of root and none of the product's users. Another owner stands for one that is not there.
    stranger=$(find "$place" -xdev ! -user root -print -quit)
    [ -z "$stranger" ] || fail OwnerMissingError "the user ${1%%:*} is not on this node, and $stranger would belong to no user of the product. Install the backup's version of Puppet Enterprise here, or restore with reinstall."
    return 0
  fi
  give_tree "$1" "$place" || fail OwnerError "$place can't be given to $1: $refused."
}

main() {
  begin
  give pe-puppet:pe-puppet "$puppet_configuration/puppet/ssl"
  # A linked CA directory is elsewhere.
  give pe-puppet:pe-puppet "$(puppet_setting cadir "$puppet_configuration/puppet/ssl/ca")"
  give pe-puppet:pe-puppet "$puppet_configuration/puppet/puppet.conf"
  give pe-puppetdb:pe-puppetdb "$puppet_configuration/puppetdb/ssl"
  give pe-orchestration-services:pe-orchestration-services "$puppet_configuration/orchestration-services/ssl"
  give puppet-dashboard /opt/puppet/share/puppet-dashboard/certs
  give pe-console-services /opt/puppet/share/console-services/certs
  give pe-console-services /opt/puppetlabs/server/data/console-services/certs
  give pe-postgres:pe-postgres "$postgres_data/certs"
  answer
}

main "$@"
