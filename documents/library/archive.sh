# shellcheck shell=bash
# Archives of files at a restore. Whoever could write one could hold anything: it is looked through before it is unpacked, and
# unpacked where root alone can go.

# list_archive ARCHIVE: one line per entry, names and targets of links in quotes as C has them, so that nothing in them is taken for more.
list_archive() { LC_ALL=C tar --list --verbose --numeric-owner --quoting-style=c --file="$1"; }

# Reads the list twice: first for its links, then for what is below them.
# shellcheck disable=SC2016 # awk's own
readonly look_through='
  function bad(why) { if (!told) print name " " why; told = 1; exit 1 }
  function unquoted(text) {
    if (!match(text, /"([^"\\]|\\.)*"/)) return ""
    after = substr(text, RSTART + RLENGTH)
    text = substr(text, RSTART + 1, RLENGTH - 2)
    sub(/^(\.\/)+/, "", text)
    sub(/\/+$/, "", text)
    return text
  }
  function leads_out(path) { return path ~ /^\// || ("/" path "/") ~ /\/\.\.\// }
  # The first part of a path that is a link in the archive.
  function link_above(path,    part, at, rest) {
    part = ""; rest = path
    while (at = index(rest, "/")) {
      part = part substr(rest, 1, at - 1)
      if (part in link) return part
      part = part "/"
      rest = substr(rest, at + 1)
    }
    return ""
  }
  { type = substr($0, 1, 1); name = unquoted($0) }
  NR == FNR { if (type == "l" || type == "h") link[name] = 1; next }
  index("-dlhp", type) == 0 { bad(type == "b" || type == "c" ? "is a device" : "is of an unknown kind, " type) }
  name == "" && type != "d" { bad("has no name") }
  leads_out(name) { bad("leads out of it") }
  link_above(name) != "" { bad("lies below " link_above(name) ", which is a link in it") }
  type == "h" {
    target = unquoted(after)
    if (leads_out(target) || link_above(target) != "") bad("is a hard link to " target)
  }
'

# check_archive ARCHIVE LIST: writes its list. Returns 1, with the reason in $refused, when it is not whole or could touch what is not
# below the directory in which it is unpacked. Sets entries and privileged, those names that run with the rights of their owner.
check_archive() {
  refused='' privileged=()
  local name
  if ! refused=$(list_archive "$1" 2>&1 >"$2"); then
    refused=$(printf '%s\n' "$refused" | on_one_line)
    return 1
  fi
  refused=$(LC_ALL=C awk "$look_through" "$2" "$2") || return 1
  # shellcheck disable=SC2034 # for the caller
  entries=$(wc -l <"$2")
  while IFS= read -r name; do privileged+=("/$name"); done < <(LC_ALL=C sed -n -e 's/^-..[sS][^"]*"\(.*\)"$/\1/p' -e 's/^-.....[sS][^"]*"\(.*\)"$/\1/p' "$2" | sort -u)
}

# extract_archive ARCHIVE DIRECTORY: unpacks it into a new directory, with all that it knows of each file, and compares every entry
# with the archive. Returns 1, with the reason in $refused.
extract_archive() {
  local option options=() help
  help=$(tar --help)
  for option in --acls --xattrs --selinux --delay-directory-restore; do
    case $help in *"$option"*) options+=("$option") ;; esac
  done
  # Without it, capabilities and what is not the user's own stay behind.
  case $help in *--xattrs-include*) options+=('--xattrs-include=*') ;; esac
  remove_tree "$2" || return 1
  mkdir -p "$2"
  refused=$(LC_ALL=C tar --extract --same-owner --same-permissions ${options[@]+"${options[@]}"} --directory="$2" --file="$1" 2>&1) &&
    refused=$(LC_ALL=C tar --diff --directory="$2" --file="$1" 2>&1) && return 0
  refused=$(printf '%s\n' "$refused" | on_one_line)
  return 1
}

# list_tree PATH: a line per file below it, the path itself among them: kind, mode, owner, size, time, name and target.
list_tree() {
  in_directory "$(parent_of "$1")" find "./${1##*/}" -xdev \( -type d -printf 'd %m %U:%G %p\0' \) -o \( -type l -printf 'l %U:%G %p %l\0' \) \
    -o -printf '%y %m %U:%G %s %Ts %p\0' | LC_ALL=C sort -z | tr '\n\0' '?\n'
}
