#!/bin/bash
#/ Usage: files.sh
#/
#/ Lays out /etc/puppetlabs, /opt/puppet and the services from the tree beside this script, and makes modules that are hard
#/ to archive: odd names, links, owners and access control lists.
set -Eeuo pipefail
umask 022

tree=$(dirname "$0")/root
modules=/etc/puppetlabs/puppet/modules

main() {
  cp -a --no-preserve=ownership "$tree/." /
  links
  state
  modules
  owners
}

links() {
  local program
  for program in psql pg_dump pg_dumpall pg_restore dropdb createdb createuser dropuser initdb pg_ctl postgres; do
    ln -s "/usr/lib/postgresql/15/bin/$program" "/opt/puppet/bin/$program"
  done
  for program in puppet facter; do
    ln -sf "/opt/puppet/bin/$program" "/usr/local/bin/$program"
  done
}

state() {
  local vardir=/var/opt/lib/pe-puppet
  install -d "$vardir"/{bucket,client_data/catalog,clientbucket,reports/master.pe.example.com,state,yaml/facts} \
    /var/log/pe-puppet /var/log/pe-mcollective
  echo '{"data":{"name":"master.pe.example.com","version":1393632000,"classes":["settings","ntp"]}}' \
    >"$vardir/client_data/catalog/master.pe.example.com.json"
  echo '--- !ruby/object:Puppet::Transaction::Report' >"$vardir/reports/master.pe.example.com/201403010000.yaml"
}

modules() {
  local module number
  for module in apache concat ntp stdlib; do
    install -d "$modules/$module"/{files,lib/facter,manifests,templates}
    echo "{\"name\": \"puppetlabs-$module\", \"version\": \"1.0.$RANDOM\"}" >"$modules/$module/metadata.json"
    echo "class $module { }" >"$modules/$module/manifests/init.pp"
    for number in $(seq -w 80); do
      echo "define $module::part$number(\$value = $number) { notify { \$title: } }" \
        >"$modules/$module/manifests/part$number.pp"
    done
  done
  install -d /opt/puppet/share/puppet/modules/pe_mcollective/manifests
  echo 'class pe_mcollective { }' >/opt/puppet/share/puppet/modules/pe_mcollective/manifests/init.pp

  install -d "$modules/site/files"
  echo spaces >"$modules/site/files/with spaces and 'quotes' and \"double quotes\".txt"
  echo newline >"$modules/site/files/with"$'\n'"newline.txt"
  echo unicode >"$modules/site/files/schön – ✓.txt"
  echo dash >"$modules/site/files/-rf"
  : >"$modules/site/files/empty"
  head -c 3000000 /dev/urandom >"$modules/site/files/binary.bin"
  ln -s ../../apache/templates "$modules/site/templates"
  ln -s /srv/puppet/files/motd "$modules/site/files/motd"
  ln -s nowhere "$modules/site/files/dangling"
  echo shared >"$modules/site/files/shared.conf"
  ln "$modules/site/files/shared.conf" "$modules/site/files/shared-hardlink.conf"
  truncate -s 20M "$modules/site/files/sparse.img"
}

owners() {
  cd /etc/puppetlabs
  chown -R pe-puppet:pe-puppet puppet /var/opt/lib/pe-puppet /var/log/pe-puppet
  chmod 0600 puppet/puppet.conf
  chmod 0640 puppet/console.conf
  chown -R pe-puppetdb:pe-puppetdb puppetdb
  chmod -R o-rwx puppetdb/conf.d
  chown -R puppet-dashboard:puppet-dashboard puppet-dashboard
  chmod 0660 puppet-dashboard/database.yml
  chown -R pe-auth:pe-auth console-auth rubycas-server /opt/puppet/share/console-auth
  chmod 0600 rubycas-server/config.yml /opt/puppet/share/console-auth/db/database.yml
  chown -R pe-activemq:pe-activemq activemq
  chmod 0640 activemq/activemq.xml
  chmod 0660 mcollective/server.cfg
  chmod 0600 mcollective/credentials
  install -o peadmin -g peadmin -m 0600 mcollective/client.cfg /var/lib/peadmin/.mcollective
  chmod -R go-rwx installer

  chown -h peadmin:pe-apache "$modules/site/files/shared.conf"
  chmod 0640 "$modules/site/files/shared.conf"
  setfacl -m u:pe-apache:r,g:pe-auth:rw "$modules/site/files/binary.bin"
  setfacl -d -m u:pe-apache:rx "$modules/site/files"
}

main "$@"
