# shellcheck shell=bash
# How files are put into an archive: owners by name, modes, ACLs, extended attributes with capabilities, holes, and names of any bytes.
# A list of contents has one line per entry; a line feed in a name is `//n` there, since no path holds two slashes.

# Owner names rather than numbers: the ids of Puppet's users differ after a reinstallation or on another host. From one file system
# to the next only where the list of paths says so.
tar_options=(--create --file=- --one-file-system --sparse --null --no-unquote)

readonly line_feed=$'\n'

# find_tar_options: adds what this tar knows, and sets tar_warnings.
find_tar_options() {
  local option help
  help=$(tar --help)
  tar_warnings=()
  for option in --acls --xattrs --selinux; do
    case $help in
      *"$option"*) tar_options+=("$option") ;;
      *) tar_warnings+=("this tar knows no $option: such attributes of files are not backed up") ;;
    esac
  done
  case $help in *--xattrs-include*) tar_options+=('--xattrs-include=*') ;; esac
}

# tar_files DIRECTORY LIST: LIST holds paths relative to the directory, a NUL behind each.
tar_files() { LC_ALL=C tar "${tar_options[@]}" --directory="$1" --files-from="$2"; }

tar_list() { LC_ALL=C tar --list --file=- --quoting-style=literal --show-transformed-names --transform="s,$line_feed,//n,g"; }

# listed: names with a NUL behind each become lines, as a list of contents has them.
listed() {
  local name
  while IFS= read -r -d '' name; do printf '%s\n' "${name//$line_feed//\/n}"; done
}

# tar_fault: what is wrong with this tar; nothing when it packs and lists any name.
tar_fault() {
  local name=$'back\\tslash and line\nfeed' directory=$work/tar
  mkdir -p "$directory" && : >"$directory/$name" && printf '%s\0' "$name" >"$directory.list"
  if ! (tar_files "$directory" "$directory.list" | tar_list) >"$directory.contents" 2>"$directory.log" ||
    [ "$(cat "$directory.contents")" != 'back\tslash and line//nfeed' ]; then
    last_words "$directory.log"
  fi
}
