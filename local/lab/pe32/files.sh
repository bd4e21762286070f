#!/bin/bash
#/ Usage: files.sh
#/
#/ Lays out /etc/puppetlabs, /opt/puppet and the services of the node's roles from the tree beside this script, and on the
#/ master modules that are hard to archive: odd names, links, owners and access control lists.
#/   ANSWERS  the answers that the installer was given, when it is the one that calls
set -Eeuo pipefail
umask 022

here=$(dirname "$0")
# shellcheck source=system.sh
. "$here/system.sh"
modules=/etc/puppetlabs/puppet/modules
hostname=$(hostname -f)

main() {
  local parts=(every)
  # What a later part has too replaces what an earlier one has laid out.
  if has master || has console; then parts+=(httpd); fi
  if has master; then parts+=(master); fi
  if has puppetdb; then parts+=(puppetdb); fi
  if has console; then parts+=(console); fi
  local part
  for part in "${parts[@]}"; do cp -a --no-preserve=ownership "$here/root/$part/." /; done
  grep -rlZ --exclude-dir=var '@[A-Z_]*@' /etc/puppetlabs /opt/puppet | xargs -0 sed -i -f <(names)
  answers
  links
  state
  if has master; then modules; fi
  owners
}

# The tree names hosts by what they are.
names() {
  local libdir=/opt/puppet/libexec/mcollective/
  if has master; then libdir+=:/opt/custom/mcollective; fi
  cat <<NAMES
s|@HOSTNAME@|$hostname|g
s|@MASTER@|$MASTER|g
s|@PUPPETDB@|$PUPPETDB|g
s|@CONSOLE@|$CONSOLE|g
s|@LIBDIR@|$libdir|g
s|@IS_MASTER@|$(yes_when master)|g
s|@IS_PUPPETDB@|$(yes_when puppetdb)|g
s|@IS_CONSOLE@|$(yes_when console)|g
s|@ALL_IN_ONE@|$(if has master && has puppetdb && has console; then echo y; else echo n; fi)|g
NAMES
}

yes_when() {
  if has "$1"; then echo y; else echo n; fi
}

# The answers that the installer was given, or those that it would have been given for this layout.
answers() {
  local directory=/etc/puppetlabs/installer part parts=("$here/answers/every")
  install -d "$directory"
  if [[ -n ${ANSWERS-} ]]; then
    cp "$ANSWERS" "$directory/answers.install"
  else
    for part in $ROLES; do
      if [[ -e $here/answers/$part ]]; then parts+=("$here/answers/$part"); fi
    done
    sed -f <(names) "${parts[@]}" | LC_ALL=C sort -u >"$directory/answers.install"
  fi
  if has puppetdb; then
    grep -E '^q_(database_(host|port)|.*database_(name|password|user))=' "$directory/answers.install" \
      >"$directory/database_info.install"
  fi
  chmod -R go-rwx "$directory"
}

links() {
  local program
  if has puppetdb; then
    for program in pg_dump pg_dumpall pg_restore dropdb createdb createuser dropuser initdb pg_ctl postgres; do
      ln -s "/usr/lib/postgresql/15/bin/$program" "/opt/puppet/bin/$program"
    done
  fi
  for program in puppet facter; do
    ln -sf "/opt/puppet/bin/$program" "/usr/local/bin/$program"
  done
}

state() {
  local vardir=/var/opt/lib/pe-puppet
  install -d "$vardir"/{clientbucket,client_data/catalog,state} /var/log/pe-puppet /var/log/pe-mcollective
  echo "{\"data\":{\"name\":\"$hostname\",\"version\":1393632000,\"classes\":[\"settings\",\"ntp\"]}}" \
    >"$vardir/client_data/catalog/$hostname.json"
  if has master; then
    install -d "$vardir"/{bucket,"reports/$hostname",yaml/facts}
    echo '--- !ruby/object:Puppet::Transaction::Report' >"$vardir/reports/$hostname/201403010000.yaml"
  fi
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
  chmod 0660 mcollective/server.cfg
  if has master; then owners_on_master; fi
  if has puppetdb; then
    chown -R pe-puppetdb:pe-puppetdb puppetdb
    chmod -R o-rwx puppetdb/conf.d
  fi
  if has console; then
    chown -R puppet-dashboard:puppet-dashboard puppet-dashboard
    chmod 0660 puppet-dashboard/database.yml
    chown -R pe-auth:pe-auth console-auth rubycas-server /opt/puppet/share/console-auth
    chmod 0600 rubycas-server/config.yml /opt/puppet/share/console-auth/db/database.yml
  fi
}

owners_on_master() {
  chmod 0640 puppet/console.conf
  chown -R pe-activemq:pe-activemq activemq
  chmod 0640 activemq/activemq.xml
  chmod 0600 mcollective/credentials
  install -o peadmin -g peadmin -m 0600 mcollective/client.cfg /var/lib/peadmin/.mcollective

  chown -h peadmin:pe-apache "$modules/site/files/shared.conf"
  chmod 0640 "$modules/site/files/shared.conf"
  setfacl -m u:pe-apache:r,g:pe-activemq:rw "$modules/site/files/binary.bin"
  setfacl -d -m u:pe-apache:rx "$modules/site/files"
}

main "$@"
