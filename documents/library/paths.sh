# shellcheck shell=bash
# Paths in which others may have put links, mounts or files that can't be removed. Root enters a directory, looks whether it is
# the one that was meant, and acts there: no name that somebody points elsewhere meanwhile leads it away.

# parent_of PATH
parent_of() {
  local parent=${1%/*}
  printf '%s' "${parent:-/}"
}

# is_there PATH: also a link that leads nowhere.
is_there() { [ -e "$1" ] || [ -L "$1" ]; }

# in_directory DIRECTORY COMMAND...: runs it there, where no directory of its path is a link.
in_directory() {
  local directory=$1
  shift
  (CDPATH='' && cd -P -- "$directory" 2>/dev/null && [ "$(pwd -P)" = "$directory" ] || {
    echo "$directory is not there, or a link is in its path" >&2
    exit 1
  } && "$@")
}

# mounts_within PATH...: where something is mounted at or below a path, one per line. The device tells nothing: a bind mount of
# the same file system has the same one.
mounts_within() {
  local id parent device root point rest path
  while read -r id parent device root point rest; do
    printf -v point '%b' "$point"
    for path; do
      case $point/ in "${path%/}"/*) printf '%s\n' "$point" ;; esac
    done
  done </proc/self/mountinfo
  : "$id $parent $device $root $rest"
}

# inspect_mounts: what is mounted where a restore could put something, as JSON.
inspect_mounts() {
  local point type
  while IFS=' ' read -r point type; do
    printf -v point '%b' "$point"
    json path="$point" type="$type"
  done < <(awk '$5 !~ /^\/(proc|sys|dev|run|snap|var\/lib\/(docker|containers?|kubelet|snapd))(\/|$)/ {
    for (i = 7; i < NF && $i != "-"; i++);
    print $5, $(i + 1) }' /proc/self/mountinfo) | json_array
}

# on_one_line: the first few of many, for a message.
on_one_line() { awk 'NR <= 3 { printf "%s%s", separator, $0; separator = " " }'; }

# fixed_within PATH...: what not even root may remove or rename until chattr lets it, one per line.
fixed_within() {
  local path
  command -v lsattr >/dev/null || return 0
  for path; do
    is_there "$path" || continue
    # It fails where a file system knows no such thing, and at links.
    lsattr -d -- "$(parent_of "$path")" "$path" || true
    if [ -d "$path" ] && [ ! -L "$path" ]; then lsattr -R -a -- "$path" || true; fi
  done 2>/dev/null </dev/null | awk '$1 ~ /^[-A-Za-z]+$/ && $1 ~ /[ia]/ && !/\/\.\.?$/ { sub(/^[^ ]+ /, ""); print }' | LC_ALL=C sort -u
}

# remove_tree PATH: removes it with all below it. Returns 1, with the reason in $refused, when something is mounted there, a link
# is in the way to it, or it can't be removed.
remove_tree() {
  local name=${1##*/}
  refused=''
  is_there "$1" || return 0
  case $1 in /*) ;; *) name='' ;; esac
  case $name in '' | . | ..) refused="$1 is no path that may be removed" && return 1 ;; esac
  refused=$(mounts_within "$1" | on_one_line)
  if [ -n "$refused" ]; then
    refused="something is mounted at $refused"
    return 1
  fi
  refused=$(in_directory "$(parent_of "$1")" rm -rf --one-file-system -- "./$name" 2>&1) || true
  refused=$(printf '%s\n' "$refused" | on_one_line)
  ! is_there "$1"
}

# give_tree OWNER PATH: PATH and all below it. Who owns a directory there could name any file of root's in it: no link is followed, and a
# file that has several names keeps its owner. Returns 1, with the reason in $refused.
give_tree() {
  refused=$(mounts_within "$2" | on_one_line)
  if [ -n "$refused" ]; then
    refused="something is mounted at $refused"
    return 1
  fi
  refused=$(in_directory "$(parent_of "$2")" find "./${2##*/}" -xdev \( -type d -o -links 1 \) -execdir chown -h -- "$1" {} + 2>&1) && return 0
  refused=$(printf '%s\n' "$refused" | on_one_line)
  return 1
}

# rename_path FROM TO: in one directory, in one step or not at all. mv copies where an overlay can't rename a directory of a lower
# layer, and a copy that was cut off must never pass for the original.
rename_path() {
  local parent
  parent=$(parent_of "$1")
  ! is_there "$2" || return 1
  # shellcheck disable=SC2016 # Perl's own
  if command -v perl >/dev/null; then
    in_directory "$parent" perl -e 'rename($ARGV[0], $ARGV[1]) or exit 1' -- "./${1##*/}" "./${2##*/}"
  else
    case $(stat -f -c %T -- "$parent") in overlayfs | *794c7630*) return 1 ;; esac
    in_directory "$parent" mv -T -- "./${1##*/}" "./${2##*/}"
  fi
}

# copy_beside FROM TO: in one directory, with everything that a file has, down to the disk.
copy_beside() {
  remove_tree "$2" && in_directory "$(parent_of "$1")" cp -ax --reflink=auto -T -- "./${1##*/}" "./${2##*/}" && sync
}

# move_aside PATH ASIDE: at each moment one of the two is whole: ASIDE from when it exists, PATH before. Returns 1, with the reason
# in $refused.
move_aside() {
  local said
  refused=''
  rename_path "$1" "$2" 2>/dev/null && return 0
  refused=$(mounts_within "$1" | on_one_line)
  if [ -n "$refused" ]; then
    refused="something is mounted at $refused"
    return 1
  fi
  if ! said=$(copy_beside "$1" "$2.part" 2>&1) || ! rename_path "$2.part" "$2"; then
    refused="it can neither be renamed nor copied to $2: $(printf '%s\n' "${said:-$refused}" | on_one_line)"
    return 1
  fi
  remove_tree "$1"
}

# place_in BASE PATH: sets place, below BASE, with the links above its last component followed as if BASE were the root. Returns 1
# when a directory of it is not there, or a link of it may not be followed, which is then in forbidden_link.
place_in() {
  forbidden_link=''
  local base=$1 rest=${2#/} so_far='' component target links=0
  while [[ $rest == */* ]]; do
    component=${rest%%/*}
    rest=${rest#*/}
    case $component in
      '' | .) continue ;;
      ..)
        so_far=${so_far%/*}
        continue
        ;;
    esac
    if [ -L "$base$so_far/$component" ]; then
      links=$((links + 1))
      if [ "$links" -gt 40 ] || ! may_follow "$base" "$so_far/$component"; then
        # shellcheck disable=SC2034 # for the caller
        forbidden_link=$so_far/$component
        return 1
      fi
      target=$(readlink -- "$base$so_far/$component")
      case $target in /*) so_far='' ;; esac
      rest=$target/$rest
    elif [ -d "$base$so_far/$component" ]; then
      so_far=$so_far/$component
    else
      place=$base$so_far/$component/$rest
      return 1
    fi
  done
  # shellcheck disable=SC2034 # for the caller
  place=$base$so_far/$rest
}

# may_follow BASE LINK: below a BASE any, since they stay there; on the node's own root those that root alone can have made.
may_follow() {
  [ -z "$1" ] || return 0
  [ "$(stat -c %u -- "$2")" = 0 ] && only_roots "$(parent_of "$2")"
}

# link_above BASE PATH: the first directory of PATH, below BASE, that is a link; nothing when none is.
link_above() {
  local rest=${2#/} so_far=''
  while [[ $rest == */* ]]; do
    so_far=$so_far/${rest%%/*}
    rest=${rest#*/}
    if [ -L "$1$so_far" ]; then
      printf '%s' "$so_far"
      return
    fi
  done
}

# only_roots DIRECTORY: nobody but root can make or rename a name in it.
only_roots() {
  case $(stat -c '%u %A' -- "$1") in "0 d"????[!w]??[!w]*) return 0 ;; *) return 1 ;; esac
}
