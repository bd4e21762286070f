#!/bin/bash
#/ Usage: ROLES= PUPPETDB= databases.sh
#/
#/ Makes the PostgreSQL cluster of Puppet Enterprise 2016.2 with its roles, tablespaces and databases, and fills these, on the
#/ node that holds PuppetDB.
set -Eeuo pipefail
umask 022
# shellcheck source=roles.sh
. "$(dirname "$0")/roles.sh"

here=$(cd "$(dirname "$0")" && pwd)
root=$server_data/postgresql/9.4

main() {
  has puppetdb || return 0
  # The databases want the locale en_US.utf8, which a slim host lacks.
  locale -a | grep -qx en_US.utf8 || localedef -i en_US -f UTF-8 en_US.UTF-8
  install -d -o pe-postgres -g pe-postgres -m 0700 "$root" "$root"/{puppetdb,classifier,rbac,activity,orchestrator}
  as_postgres initdb --username pe-postgres --auth-local peer --auth-host md5 --encoding UTF8 --locale en_US.utf8 \
    --pgdata "$root/data" --no-sync >/dev/null
  install -d -o pe-postgres -g pe-postgres -m 0700 "$root/data/certs"
  install -o pe-postgres -g pe-postgres -m 0400 "$ssl/certs/$name.pem" "$root/data/certs/_local.cert.pem"
  install -o pe-postgres -g pe-postgres -m 0400 "$ssl/private_keys/$name.pem" "$root/data/certs/_local.private_key.pem"
  configure
  /etc/init.d/pe-postgresql start
  fill
  /etc/init.d/pe-postgresql stop
}

as_postgres() {
  (cd / && PATH=/opt/puppetlabs/server/bin:$PATH exec setpriv --reuid pe-postgres --regid pe-postgres --init-groups "$@")
}

configure() {
  cat >>"$root/data/postgresql.conf" <<CONFIG
listen_addresses = '$name'
unix_socket_directories = '/var/run/postgresql'
password_encryption = md5
max_connections = 200
ssl = on
ssl_cert_file = 'certs/_local.cert.pem'
ssl_key_file = 'certs/_local.private_key.pem'
ssl_ca_file = '$ssl/certs/ca.pem'
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
hostssl all all 0.0.0.0/0 md5
CONFIG
}

# password DATABASE: as the services' configuration says it.
password() {
  sed -n "s/.*\"puppet_enterprise::$1_database_password\": \"\(.*\)\"/\1/p" /etc/puppetlabs/enterprise/conf.d/pe.conf
}

fill() {
  local part variables=(-v "root=$root")
  for part in puppetdb classifier rbac activity orchestrator; do
    variables+=(-v "${part}_password=$(password "$part")")
  done
  as_postgres psql -X -q -v ON_ERROR_STOP=1 -d postgres "${variables[@]}" -f - <"$here/databases.sql"
  as_postgres psql -X -q -v ON_ERROR_STOP=1 -d postgres -f /opt/puppetlabs/server/share/grants.sql
}

main "$@"
