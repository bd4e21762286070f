#!/bin/bash
#/ Usage: databases.sh
#/
#/ Makes the PostgreSQL cluster of Puppet Enterprise 3.2 with its roles, tablespaces and databases, and fills these. Does
#/ nothing on a node without the role puppetdb.
# shellcheck disable=SC2154 # the answers q_* come from the installer's file
set -Eeuo pipefail
umask 022

here=$(dirname "$0")
root=/opt/puppet/var/lib/pgsql/9.2
# shellcheck source=system.sh
. "$here/system.sh"

main() {
  has puppetdb || return 0
  # shellcheck source=/dev/null
  . /etc/puppetlabs/installer/database_info.install
  # The databases want the locale en_US.utf8, which a slim host lacks.
  locale -a | grep -qx en_US.utf8 || localedef -i en_US -f UTF-8 en_US.UTF-8
  install -d -o pe-postgres -g pe-postgres -m 0700 "$root" "$root/console" "$root/puppetdb"
  as_postgres initdb --username pe-postgres --auth-local peer --auth-host md5 --encoding UTF8 --locale en_US.utf8 \
    --pgdata "$root/data" --no-sync >/dev/null
  configure
  /etc/init.d/pe-postgresql start
  fill
  /etc/init.d/pe-postgresql stop
}

as_postgres() {
  (cd / && PATH=/opt/puppet/bin:$PATH exec setpriv --reuid pe-postgres --regid pe-postgres --init-groups "$@")
}

configure() {
  cat >>"$root/data/postgresql.conf" <<CONFIG
listen_addresses = '$q_database_host'
port = $q_database_port
unix_socket_directories = '/var/run/postgresql'
password_encryption = md5
max_connections = 200
shared_buffers = 64MB
max_wal_size = 256MB
min_wal_size = 32MB
# A lab node that is killed loses no page cache, so it can do without the waits.
fsync = off
full_page_writes = off
CONFIG
  cat >"$root/data/pg_hba.conf" <<CONFIG
local all pe-postgres peer
local all all md5
host all all 0.0.0.0/0 md5
CONFIG
}

fill() {
  as_postgres psql -X -q -v ON_ERROR_STOP=1 -d postgres \
    -v root="$root" \
    -v console_password="$q_puppet_enterpriseconsole_database_password" \
    -v console_auth_password="$q_puppet_enterpriseconsole_auth_database_password" \
    -v puppetdb_password="$q_puppetdb_database_password" \
    -f - <"$here/databases.sql"
}

main "$@"
