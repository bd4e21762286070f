#!/bin/bash
#/ Usage: NAME= ROOTS= EXCLUDES= RUN= replace-files.sh
#/
#/ Puts paths of a fetched archive in the place of those that are there. A directory is replaced as a whole, never overlaid;
#/ its former content is kept beside it until the restore is proven.
#/   NAME      the fetched archive
#/   ROOTS     absolute paths to replace, one per line, in base64url; one that the archive does not hold stays
#/   EXCLUDES  absolute paths below them that stay as they are; may be empty
#/ Exit status: 0 done; 1 failed, the answer says why.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/restore.sh"

extract() {
  local option options=() help
  help=$(tar --help)
  for option in --acls --xattrs --selinux --delay-directory-restore; do
    case $help in *"$option"*) options+=("$option") ;; esac
  done
  rm -rf "$stage"
  mkdir -p "$stage"
  tar --extract --same-owner --same-permissions ${options[@]+"${options[@]}"} --directory="$stage" --file="$(restore_directory "$RUN")/$NAME"
}

# keep_excluded ROOT: what stays is copied into the new tree, so that the old one is whole when it comes back.
keep_excluded() {
  local path
  while IFS= read -r path || [ -n "$path" ]; do
    case $path in "$1"/*) ;; *) continue ;; esac
    rm -rf -- "${stage:?}$path"
    if [ -e "$path" ] || [ -L "$path" ]; then
      mkdir -p "$stage$(dirname "$path")"
      cp -a --reflink=auto -T -- "$path" "$stage$path"
    fi
  done < <(decode_text "$EXCLUDES")
}

replace() {
  local root=$1
  if [ -e "$(aside "$root")" ] && claimed path "$root"; then
    # An attempt broke off: what lies aside is the original, what is here is not.
    rm -rf -- "$root"
    note_change "$RUN" path "$root"
  elif [ -e "$root" ] || [ -L "$root" ]; then
    rm -rf -- "$(aside "$root")"
    note_change "$RUN" path "$root"
    mv -T -- "$root" "$(aside "$root")"
  else
    note_change "$RUN" new-path "$root"
    (umask 022 && mkdir -p "$(dirname "$root")")
  fi
  mv -T -- "$stage$root" "$root"
  if command -v restorecon >/dev/null; then restorecon -R "$root" || true; fi
}

main() {
  local root replaced=0
  begin_answer
  begin_work "$RUN"
  stage=$(restore_directory "$RUN")/staged-$NAME
  extract 2>"$work/log" || fail RestoreFailedError "$NAME can not be unpacked: $(last_words "$work/log") $(free_space "$stage")"
  while IFS= read -r root || [ -n "$root" ]; do
    if [ -z "$root" ] || { [ ! -e "$stage$root" ] && [ ! -L "$stage$root" ]; }; then continue; fi
    keep_excluded "$root"
    replace "$root"
    replaced=$((replaced + 1))
  done < <(decode_text "$ROOTS")
  rm -rf "$stage"
  answer "{\"replaced\":$replaced}"
}

main "$@"
