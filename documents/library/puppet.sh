# shellcheck shell=bash
# Where Puppet Enterprise keeps things, asked of the installation rather than assumed. Two layouts: 3.x below /opt/puppet,
# 2015.2 and later below /opt/puppetlabs.

readonly puppet_configuration=/etc/puppetlabs

# Every service of PE 3.0 to 2018.1, in the order of stopping; PostgreSQL last.
readonly puppet_services='pe-httpd pe-nginx pe-puppetserver pe-console-services pe-orchestration-services pe-puppet puppet pe-mcollective mcollective pxp-agent pe-puppet-dashboard-workers pe-activemq pe-puppetdb pe-memcached pe-postgresql'

if [ -e /opt/puppetlabs ]; then
  puppet_home=/opt/puppetlabs
  puppet_program=/opt/puppetlabs/puppet/bin/puppet
  puppet_state=/opt/puppetlabs/puppet/cache
  puppet_modules=$puppet_configuration/code/environments/production/modules:$puppet_configuration/code/modules:/opt/puppetlabs/puppet/modules
  for postgres_data in /opt/puppetlabs/server/data/postgresql/[0-9]*/data; do :; done
else
  puppet_home=/opt/puppet
  puppet_program=/opt/puppet/bin/puppet
  puppet_state=/var/opt/lib/pe-puppet
  puppet_modules=$puppet_configuration/puppet/modules:/opt/puppet/share/puppet/modules
  postgres_data=/opt/puppet/var/lib/pgsql/9.2/data
fi
readonly puppet_home puppet_program puppet_state puppet_modules postgres_data

# What settings are where nobody has set them.
readonly puppet_defaults="
confdir $puppet_configuration/puppet
vardir $puppet_state
ssldir \$confdir/ssl
cadir \$ssldir/ca
cakey \$cadir/ca_key.pem
cacert \$cadir/ca_crt.pem
cacrl \$cadir/ca_crl.pem
serial \$cadir/serial
cert_inventory \$cadir/inventory.txt
capass \$cadir/private/ca.pass
certdir \$ssldir/certs
privatekeydir \$ssldir/private_keys
hostcert \$certdir/\$certname.pem
hostprivkey \$privatekeydir/\$certname.pem
localcacert \$certdir/ca.pem
hiera_config \$confdir/hiera.yaml
fileserverconfig \$confdir/fileserver.conf
autosign \$confdir/autosign.conf
csr_attributes \$confdir/csr_attributes.yaml
codedir $puppet_configuration/code
environmentpath \$codedir/environments
modulepath $puppet_modules
"
# What an installer was told by, whichever of them it was.
readonly puppet_answers="$puppet_configuration/installer/answers.install $puppet_configuration/enterprise/conf.d/pe.conf"

# The version of Puppet Enterprise; nothing where only an agent or nothing is installed.
installed_version() { head -qn 1 /opt/puppet/pe_version /opt/puppetlabs/server/pe_version 2>/dev/null | sed -n 1p || true; }

# The version of the agent's package.
agent_version() {
  if [ -r /opt/puppetlabs/puppet/VERSION ]; then head -n 1 /opt/puppetlabs/puppet/VERSION; else installed_version; fi
}

# settings_in FILE: one line `section<TAB>name<TAB>value` per setting of a file in Puppet's form; what stands before any section
# belongs to main.
settings_in() {
  tr -d '\r' <"$1" | LC_ALL=C awk '
    BEGIN { section = "main" }
    /^[ \t]*[#;]/ { next }
    /^[ \t]*\[[^]]*\]/ { sub(/^[ \t]*\[[ \t]*/, ""); sub(/[ \t]*\].*/, ""); section = $0; next }
    /^[ \t]*[A-Za-z_0-9]+[ \t]*=/ {
      name = $0
      sub(/^[ \t]*/, "", name)
      sub(/[ \t]*=.*/, "", name)
      value = $0
      sub(/^[^=]*=[ \t]*/, "", value)
      # A comment, or the owner and mode that a setting may carry.
      sub(/[ \t]+#.*$/, "", value)
      sub(/[ \t]+\{.*$/, "", value)
      sub(/[ \t]+$/, "", value)
      if (value ~ /^".*"$/ || value ~ /^\047.*\047$/) value = substr(value, 2, length(value) - 2)
      print section "\t" name "\t" value
    }'
}

# puppet_setting NAME DEFAULT [SECTION]: asked of puppet itself, else read from puppet.conf.
puppet_setting() {
  local value='' section=${3:-main} file=$puppet_configuration/puppet/puppet.conf
  if [ -x "$puppet_program" ]; then value=$("$puppet_program" config print --section "$section" "$1" 2>/dev/null </dev/null) || value=''; fi
  if [ -z "$value" ] && [ -r "$file" ]; then
    value=$(settings_in "$file" | awk -F '\t' -v section="$section" -v name="$1" '
      $2 == name && $1 == "main" { common = $3 }
      $2 == name && $1 == section { own = $3 }
      END { print (own == "" ? common : own) }')
  fi
  printf '%s' "${value:-$2}"
}

# split_path LIST: a list of directories with colons between, one per line.
split_path() { printf '%s\n' "$1" | tr ':' '\n' | sed 's|/*$||; /^$/d'; }

# module_names: the modules that this node has, one per line.
module_names() {
  local directory file
  while IFS= read -r directory; do
    for file in "$directory"/*/metadata.json; do
      if [ -r "$file" ]; then basename "$(dirname "$file")"; fi
    done
  done < <(split_path "$(puppet_setting modulepath "$puppet_modules")")
}
