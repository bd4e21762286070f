#!/bin/bash
#/ Usage: users.sh
#/
#/ Makes the system users of Puppet Enterprise 3.2.
set -Eeuo pipefail
umask 022

add() {
  install -d "$(dirname "$2")"
  if id "$1" >/dev/null 2>&1; then
    # An uninstallation leaves the users and takes their homes.
    install -d -o "$1" -g "$1" -m 0700 "$2"
  else
    useradd --system --user-group --create-home --skel /dev/null --home-dir "$2" --shell "${3:-/usr/sbin/nologin}" "$1"
  fi
}

add pe-puppet /var/opt/lib/pe-puppet
add pe-postgres /opt/puppet/var/lib/pgsql
add pe-puppetdb /opt/puppet/share/puppetdb
add pe-apache /var/opt/lib/pe-httpd
add pe-activemq /opt/puppet/share/activemq
add puppet-dashboard /opt/puppet/share/puppet-dashboard
add pe-auth /opt/puppet/share/console-auth
add pe-memcached /var/opt/lib/pe-memcached
add peadmin /var/lib/peadmin /bin/bash

# A login as pe-postgres finds the product's own programs first, as the manual's commands expect.
cat >/opt/puppet/var/lib/pgsql/.bash_profile <<'PROFILE'
export PATH=/opt/puppet/bin:$PATH
export PGDATA=/opt/puppet/var/lib/pgsql/9.2/data
PROFILE
chown pe-postgres:pe-postgres /opt/puppet/var/lib/pgsql/.bash_profile
