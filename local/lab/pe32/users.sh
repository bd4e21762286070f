#!/bin/bash
#/ Usage: users.sh
#/
#/ Makes the system users of Puppet Enterprise 3.2 that the node's roles need.
set -Eeuo pipefail
umask 022

here=$(dirname "$0")
# shellcheck source=system.sh
. "$here/system.sh"

main() {
  add pe-puppet /var/opt/lib/pe-puppet
  if has puppetdb; then
    add pe-postgres /opt/puppet/var/lib/pgsql
    add pe-puppetdb /opt/puppet/share/puppetdb
    profile
  fi
  if has master || has console; then add pe-apache /var/opt/lib/pe-httpd; fi
  if has master; then add pe-activemq /opt/puppet/share/activemq; fi
  if has console; then
    add puppet-dashboard /opt/puppet/share/puppet-dashboard
    add pe-auth /opt/puppet/share/console-auth
    add pe-memcached /var/opt/lib/pe-memcached
  fi
  if has master; then add peadmin /var/lib/peadmin /bin/bash; fi
}

add() {
  install -d "$(dirname "$2")"
  if id "$1" >/dev/null 2>&1; then
    # An uninstallation leaves the users and takes their homes.
    install -d -o "$1" -g "$1" -m 0700 "$2"
  else
    useradd --system --user-group --create-home --skel /dev/null --home-dir "$2" --shell "${3:-/usr/sbin/nologin}" "$1"
  fi
}

# A login as pe-postgres finds the product's own programs first, as the manual's commands expect.
profile() {
  cat >/opt/puppet/var/lib/pgsql/.bash_profile <<'PROFILE'
export PATH=/opt/puppet/bin:$PATH
export PGDATA=/opt/puppet/var/lib/pgsql/9.2/data
PROFILE
  chown pe-postgres:pe-postgres /opt/puppet/var/lib/pgsql/.bash_profile
}

main "$@"
