# shellcheck shell=bash
# What an archive needs so that nothing is missing behind a symbolic link: paths are followed from link to link until nothing new is
# found. Each path that is kept says why: the product's own, a setting, or only a link.

# walk PATH: sets real, the path without links, and passed, the links on the way. Fails where nothing is, or links go in a circle.
walk() {
  local LC_ALL=C rest=$1 part target links=0
  real='' passed=()
  while [ -n "$rest" ]; do
    part=${rest%%/*}
    case $rest in */*) rest=${rest#*/} ;; *) rest='' ;; esac
    case $part in
      '' | .) continue ;;
      ..)
        real=${real%/*}
        continue
        ;;
    esac
    if [ -L "$real/$part" ]; then
      links=$((links + 1))
      [ "$links" -le 40 ] || return 1
      passed+=("$real/$part")
      target=$(readlink -n -- "$real/$part" && printf .)
      target=${target%.}
      case $target in /*) real='' ;; esac
      rest=$target/$rest
    else
      real=$real/$part
      [ -e "$real" ] || return 1
    fi
  done
  real=${real:-/}
}

# is_whole PATH: it belongs to the whole system, or holds what does.
is_whole() {
  local own
  case $1 in
    / | /bin | /boot | /dev | /etc | /home | /lib | /lib32 | /lib64 | /libx32 | /lost+found | /media | /mnt | /opt | /proc | /root | /run | /sbin | /snap | /srv | /sys | /tmp | /usr | /var) return 0 ;;
    /etc/default | /etc/pki | /etc/ssl | /etc/sysconfig | /usr/bin | /usr/lib | /usr/lib64 | /usr/local | /usr/sbin | /usr/share) return 0 ;;
    /var/cache | /var/lib | /var/lock | /var/log | /var/opt | /var/run | /var/spool | /var/tmp) return 0 ;;
    /opt/puppet | /opt/puppet/share | /opt/puppet/var | /opt/puppetlabs | /opt/puppetlabs/puppet | /opt/puppetlabs/server | /opt/puppetlabs/server/data) return 0 ;;
  esac
  for own in "$puppet_configuration" "$puppet_home" "$postgres_data" "$state_directory"; do
    case $own in "$1"/?*) return 0 ;; esac
  done
  return 1
}

# judge BECAUSE PATH: sets refused to why a path is neither archived nor replaced, or to nothing.
judge() {
  refused=''
  find_mount "$2"
  if is_whole "$2"; then
    refused='a directory of the whole system'
  elif [ ! -f "$2" ] && [ ! -d "$2" ]; then
    refused='neither a file nor a directory'
  elif is_kernels "$mount_type"; then
    refused="the kernel's ($mount_type)"
  elif is_remote "$mount_type" && [ "$1" != product ] && [ "$1" != key ]; then
    refused="on a network file system ($mount_type)"
  else
    case $2/ in
      "$state_directory"/*) refused="Holdfast's own" ;;
      "$postgres_data"/) refused="PostgreSQL's data, which the dumps hold" ;;
    esac
  fi
  if [ -n "$refused" ] || [ "$1" != link ]; then return 0; fi
  case $2 in
    /usr/local/*) ;;
    /bin/* | /boot/* | /dev/* | /lib/* | /lib32/* | /lib64/* | /proc/* | /run/* | /sbin/* | /sys/* | /usr/*) refused='part of the operating system' ;;
    "$postgres_data"/*) refused="PostgreSQL's data, which the dumps hold" ;;
    /opt/puppetlabs/server/data/*) ;;
    /opt/puppet/* | /opt/puppetlabs/*) refused='installed with the product' ;;
  esac
}

strength_of() {
  case $1 in product) strength=3 ;; setting | key) strength=2 ;; *) strength=1 ;; esac
}

declare -A root_at=()
root_paths=() root_reasons=() root_groups=() root_origins=() unsearched=()

# look_around BECAUSE PATH: sets around to the number of the innermost kept path that the path lies in, and held to yes where one of
# those is kept for as strong a reason.
look_around() {
  local above=$2 index wanted
  around='' held=no
  strength_of "$1"
  wanted=$strength
  find_mount "$2"
  while [ -n "$above" ]; do
    # What lies on a network file system below a directory is not archived with it.
    if is_remote "$mount_type"; then case $above/ in "${mount_point%/}"/*) ;; *) return 0 ;; esac fi
    index=${root_at["$above"]-}
    if [ -n "$index" ]; then
      around=${around:-$index}
      strength_of "${root_reasons[index]}"
      if [ "$strength" -ge "$wanted" ]; then
        held=yes
        return 0
      fi
    fi
    above=${above%/*}
  done
}

# keep BECAUSE GROUP ORIGIN PATH: unless it is held already.
keep() {
  look_around "$1" "$4"
  [ "$held" = no ] || return 0
  root_at["$4"]=${#root_paths[@]}
  root_paths+=("$4")
  root_reasons+=("${1/key/setting}")
  root_groups+=("$2")
  root_origins+=("$3")
  # What lies in a kept directory is searched with it.
  if [ -z "$around" ] && [ -d "$4" ] && [ ! -L "$4" ]; then unsearched+=("$4"); fi
}

# take BECAUSE GROUP ORIGIN PATH: keeps what a path points to and the links on the way. Sets refused, to nothing where it is kept.
# Fails where nothing is.
take() {
  local link
  refused=''
  walk "$4" || return 1
  look_around "$1" "$real"
  [ "$held" = yes ] || judge "$1" "$real"
  [ -z "$refused" ] || return 0
  for link in ${passed[@]+"${passed[@]}"}; do
    # A link of the system's own, such as /var/run, is no part of an installation.
    is_whole "$link" || keep "$1" "$2" "$3" "$link"
  done
  keep "$1" "$2" "$3" "$real"
}

follow_link() {
  local path=$2
  case $path in /*) ;; *) path=${1%/*}/$path ;; esac
  look_around link "$1"
  if ! take link "${root_groups[around]}" "$1" "$path"; then
    note broken-link "$(shown "$1") points to $(shown "$2"), which is not there: the link alone is backed up"
  elif [ -n "$refused" ]; then
    note refused-link "$(shown "$1") points to $(shown "$real"): it is $refused, and is not backed up"
  fi
}

# follow_links: keeps what links below the kept directories lead to, and below that, until nothing new is found.
follow_links() {
  local link target searched
  while [ "${#unsearched[@]}" -gt 0 ]; do
    searched=("${unsearched[@]}")
    unsearched=()
    while IFS= read -r -d '' link && IFS= read -r -d '' target; do
      follow_link "$link" "$target"
    done < <(trees_of "${searched[@]}" | xargs -0 sh -c 'exec find "$@" -xdev -type l -printf "%p\\0%l\\0"' find)
  done
}

# roots_json GROUP: the kept paths of a group, without those that are held by others.
roots_json() {
  local index path quoted
  for index in "${!root_paths[@]}"; do
    [ "${root_groups[index]}" = "$1" ] || continue
    # Itself aside: what was kept for a weaker reason before.
    look_around "${root_reasons[index]}" "${root_paths[index]%/*}"
    [ "$held" = no ] || continue
    quote_path "${root_paths[index]}"
    path=$quoted
    quote_path "${root_origins[index]}"
    json path:="$path" because="${root_reasons[index]}" by:="$quoted"
  done | json_array
}
