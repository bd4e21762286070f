#!/bin/bash
#/ Usage: ROLES= MASTER= PUPPETDB= CONSOLE= [LOADBALANCER=] [COMPILE_MASTERS=] files.sh
#/
#/ Lays out what the node's roles need of /etc/puppetlabs, /opt/puppetlabs and the services from the trees beside this script,
#/ one for each part of the product.
set -Eeuo pipefail
umask 022
# shellcheck source=roles.sh
. "$(dirname "$0")/roles.sh"

trees=$(dirname "$0")/root
modules=/etc/puppetlabs/code/environments/production/modules

main() {
  lay every
  agent
  if has master puppetdb console compile-master activemq-hub activemq-spoke; then lay mcollective; fi
  if has master puppetdb console compile-master; then lay platform; fi
  if has master puppetdb console; then lay core; fi
  if has master compile-master; then
    lay puppetserver
    puppetserver
  fi
  if has master activemq-hub activemq-spoke; then lay activemq && activemq; fi
  if has master; then lay master && master; fi
  if has puppetdb; then lay puppetdb && puppetdb; fi
  if has console; then lay console && console; fi
  find /etc/puppetlabs -mindepth 2 -maxdepth 2 -name conf.d -exec chmod -R o-rwx {} +
}

# lay PART: copies its tree and fills in the names.
lay() {
  local file server=$MASTER repository=$name
  # Infrastructure asks the master of masters, an ordinary agent whoever compiles for it.
  if [[ $ROLES == agent ]]; then server=${LOADBALANCER:-$MASTER}; fi
  if has compile-master && ! has master; then repository=${LOADBALANCER:-$name}; fi
  cp -a --no-preserve=ownership "$trees/$1/." /
  [[ -d $trees/$1/etc ]] || return 0
  (cd "$trees/$1" && grep -rlZE '@[A-Z]+@' etc) | while IFS= read -r -d '' file; do
    sed -i "s/@HOSTNAME@/$name/g; s/@MASTER@/$MASTER/g; s/@PUPPETDB@/$PUPPETDB/g; s/@CONSOLE@/$CONSOLE/g
            s/@SERVER@/$server/g; s/@REPOSITORY@/$repository/g; s/@ALTERNATIVES@/$(alternative_names "$name")/g" "/$file"
  done
}

agent() {
  local program cache=/opt/puppetlabs/puppet/cache
  for program in curl openssl; do
    ln -sf "/usr/bin/$program" "/opt/puppetlabs/puppet/bin/$program"
  done
  install -d /opt/puppetlabs/bin /opt/puppetlabs/puppet/modules /opt/puppetlabs/mcollective/plugins /etc/puppetlabs/code \
    "$cache"/{client_data/catalog,clientbucket,state,facts.d} /var/log/puppetlabs/puppet
  for program in puppet facter; do
    ln -sf "../puppet/bin/$program" "/opt/puppetlabs/bin/$program"
    ln -sf "/opt/puppetlabs/bin/$program" "/usr/local/bin/$program"
  done
  echo "{\"name\":\"$name\",\"version\":1470000000,\"environment\":\"production\",\"files\":{}}" \
    >"$cache/client_data/catalog/$name.json"
}

puppetserver() {
  local module
  for module in puppet_agent:1.2.0 stdlib:4.12.0 inifile:1.5.0 apt:2.2.2; do
    module "$modules/${module%:*}" "${module#*:}"
  done
  module /opt/puppetlabs/puppet/modules/pe_repo 2016.2.1
  module /opt/puppetlabs/puppet/modules/puppet_enterprise 2016.2.1
  install -d /etc/puppetlabs/code/modules /var/log/puppetlabs/puppetserver
  /opt/puppetlabs/server/libexec/publish-packages
  chown -R pe-puppet:pe-puppet /etc/puppetlabs/{puppet,puppetserver,code} "$server_data/puppetserver" \
    /var/log/puppetlabs/{puppet,puppetserver}
  chmod 0600 /etc/puppetlabs/puppet/puppet.conf
}

# module DIRECTORY VERSION
module() {
  install -d "$1/manifests"
  printf '{\n  "name": "puppetlabs-%s",\n  "version": "%s",\n  "author": "puppetlabs"\n}\n' "${1##*/}" "$2" >"$1/metadata.json"
  echo "class ${1##*/} { }" >"$1/manifests/init.pp"
}

activemq() {
  install -d "$server_data/activemq/kahadb" /var/log/puppetlabs/activemq
  chown -R pe-activemq:pe-activemq /etc/puppetlabs/activemq "$server_data/activemq" /var/log/puppetlabs/activemq
  chmod 0640 /etc/puppetlabs/activemq/activemq.xml
}

master() {
  secrets orchestration-services pe-orchestration-services
  install -d -o pe-puppet -g pe-puppet -m 0700 /etc/puppetlabs/puppetserver/ssh
  openssl genrsa -traditional -out /etc/puppetlabs/puppetserver/ssh/id-control_repo.rsa 2048 2>/dev/null
  chown pe-puppet:pe-puppet /etc/puppetlabs/puppetserver/ssh/id-control_repo.rsa
  chmod 0600 /etc/puppetlabs/enterprise/conf.d/pe.conf
  odd_files
  chown -R pe-puppet:pe-puppet /etc/puppetlabs/{puppet,puppetserver,code}
  chown -h peadmin:pe-activemq "$modules/site/files/shared.conf"
  setfacl -m u:pe-activemq:r "$modules/site/files/with spaces.txt"
}

# What is hard to archive: odd names, links, owners and access control lists.
odd_files() {
  install -d "$modules/site"/{files,manifests}
  echo 'class site { }' >"$modules/site/manifests/init.pp"
  echo spaces >"$modules/site/files/with spaces.txt"
  echo newline >"$modules/site/files/with"$'\n'"newline.txt"
  echo unicode >"$modules/site/files/schön – ✓.txt"
  ln -s nowhere "$modules/site/files/dangling"
  echo shared >"$modules/site/files/shared.conf"
  ln "$modules/site/files/shared.conf" "$modules/site/files/shared-hardlink.conf"
  head -c 300000 /dev/urandom >"$modules/site/files/binary.bin"
}

puppetdb() {
  local program
  install -d /opt/puppetlabs/server/{bin,apps/postgresql/bin} /var/log/puppetlabs/{postgresql,puppetdb}
  for program in psql pg_dump pg_dumpall pg_restore dropdb createdb createuser dropuser initdb pg_ctl postgres; do
    if [[ $program != psql ]]; then
      ln -sf "/usr/lib/postgresql/15/bin/$program" "/opt/puppetlabs/server/apps/postgresql/bin/$program"
    fi
    ln -sf "../apps/postgresql/bin/$program" "/opt/puppetlabs/server/bin/$program"
  done
  # A login as pe-postgres finds the product's own programs first.
  # shellcheck disable=SC2016
  echo 'export PATH=/opt/puppetlabs/server/bin:$PATH' >"$server_data/postgresql/.bash_profile"
  chown -R pe-postgres:pe-postgres "$server_data/postgresql" /var/log/puppetlabs/postgresql
  chown -R pe-puppetdb:pe-puppetdb /etc/puppetlabs/puppetdb /var/log/puppetlabs/puppetdb
}

console() {
  secrets console-services pe-console-services
  install -d /var/log/puppetlabs/{console-services,nginx} "$server_data/console-services/certs"
  chown -R pe-console-services:pe-console-services "$server_data/console-services" /var/log/puppetlabs/console-services
}

# secrets SERVICE USER: the keys without which what it has encrypted in its database is lost.
secrets() {
  local directory=/etc/puppetlabs/$1/conf.d/secrets
  install -d "$directory" "/var/log/puppetlabs/$1"
  printf '{"keys":[{"id":"%s","algorithm":"AES256","key":"%s"}]}\n' "$(openssl rand -hex 8)" "$(openssl rand -hex 32)" \
    >"$directory/keys.json"
  chown -R "$2:$2" "/etc/puppetlabs/$1" "/var/log/puppetlabs/$1"
  chmod 0700 "$directory"
  chmod 0600 "$directory/keys.json"
}

main "$@"
