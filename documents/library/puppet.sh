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

# The version of Puppet Enterprise; nothing where only an agent or nothing is installed.
installed_version() { head -qn 1 /opt/puppet/pe_version /opt/puppetlabs/server/pe_version 2>/dev/null | head -n 1 || true; }

# The version of the agent's package.
agent_version() {
  if [ -r /opt/puppetlabs/puppet/VERSION ]; then head -n 1 /opt/puppetlabs/puppet/VERSION; else installed_version; fi
}

# puppet_setting NAME DEFAULT [SECTION]: asked of puppet itself, else read from puppet.conf.
puppet_setting() {
  local value=''
  if [ -x "$puppet_program" ]; then value=$("$puppet_program" config print --section "${3:-main}" "$1" 2>/dev/null </dev/null) || value=''; fi
  if [ -z "$value" ] && [ -r "$puppet_configuration/puppet/puppet.conf" ]; then
    value=$(sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" "$puppet_configuration/puppet/puppet.conf" | tail -n 1)
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

# existing PATH...: those that are there.
existing() {
  local path
  for path; do
    if [ -e "$path" ]; then printf '%s\n' "$path"; fi
  done
}

# outside_links PATH...: what symbolic links below the paths lead to when it lies outside of them and of the system's own
# directories: a linked CA directory is the installation's heart.
outside_links() {
  local link target root inside
  find "$@" -type l -print 2>/dev/null | while IFS= read -r link; do
    if ! target=$(readlink -f "$link") || [ ! -e "$target" ]; then continue; fi
    case $target in
      /usr/* | /bin/* | /sbin/* | /lib/* | /lib64/* | /proc/* | /sys/* | /dev/* | /opt/puppet/* | /opt/puppetlabs/* | /) continue ;;
    esac
    inside=no
    for root; do case $target/ in "$(readlink -f "$root")"/*) inside=yes ;; esac done
    if [ "$inside" = no ]; then printf '%s\n' "$target"; fi
  done | sort -u
}
