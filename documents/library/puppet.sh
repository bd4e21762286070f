# shellcheck shell=bash
# Where Puppet Enterprise 3.x keeps things, asked of the installation rather than assumed.

readonly puppet_configuration=/etc/puppetlabs
readonly postgres_data=/opt/puppet/var/lib/pgsql/9.2/data

# puppet_setting NAME DEFAULT: asked of puppet itself, else read from puppet.conf.
puppet_setting() {
  local value=''
  if [ -x /opt/puppet/bin/puppet ]; then value=$(/opt/puppet/bin/puppet config print "$1" 2>/dev/null </dev/null) || value=''; fi
  if [ -z "$value" ] && [ -r "$puppet_configuration/puppet/puppet.conf" ]; then
    value=$(sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" "$puppet_configuration/puppet/puppet.conf" | tail -n 1)
  fi
  printf '%s' "${value:-$2}"
}

# split_path LIST: a list of directories with colons between, one per line.
split_path() { printf '%s\n' "$1" | tr ':' '\n' | sed 's|/*$||; /^$/d'; }

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
      /usr/* | /bin/* | /sbin/* | /lib/* | /lib64/* | /proc/* | /sys/* | /dev/* | /opt/puppet/* | /) continue ;;
    esac
    inside=no
    for root; do case $target/ in "$(readlink -f "$root")"/*) inside=yes ;; esac done
    if [ "$inside" = no ]; then printf '%s\n' "$target"; fi
  done | sort -u
}
