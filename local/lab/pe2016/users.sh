#!/bin/bash
#/ Usage: ROLES= users.sh
#/
#/ Makes the system users of Puppet Enterprise 2016.2 that the node's roles need.
set -Eeuo pipefail
umask 022
# shellcheck source=roles.sh
. "$(dirname "$0")/roles.sh"

add() {
  install -d "$(dirname "$2")"
  if id "$1" >/dev/null 2>&1; then
    # An uninstallation leaves the users and takes their homes.
    install -d -o "$1" -g "$1" -m 0700 "$2"
  else
    useradd --system --user-group --create-home --skel /dev/null --home-dir "$2" --shell "${3:-/usr/sbin/nologin}" "$1"
  fi
}

! has master compile-master || add pe-puppet "$server_data/puppetserver"
! has master activemq-hub activemq-spoke || add pe-activemq "$server_data/activemq"
! has master || add pe-orchestration-services "$server_data/orchestration-services"
! has master || add peadmin /var/lib/peadmin /bin/bash
! has puppetdb || add pe-postgres "$server_data/postgresql" /bin/bash
! has puppetdb || add pe-puppetdb "$server_data/puppetdb"
! has console || add pe-console-services "$server_data/console-services"
! has console || add pe-webserver "$server_data/nginx"
