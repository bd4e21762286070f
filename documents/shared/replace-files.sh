#!/bin/bash
#/ Usage: NAME= ROOTS= MISSING_ROOTS= EXCLUDES= RUN= replace-files.sh
#/
#/ Puts paths of a fetched archive in the place of those that are there. A directory is replaced as a whole, never overlaid;
#/ its former content is kept beside it until the restore is proven.
#/   NAME           the fetched archive
#/   ROOTS          absolute paths to replace, a NUL between, in base64url; one that the archive does not hold stays
#/   MISSING_ROOTS  absolute paths that are put back where nothing is, and stay where something is; may be empty
#/   EXCLUDES       absolute paths below them that stay as they are; may be empty
#/ Exit status: 0 done; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/archive.sh"

# What is replaced, and with what: a path on the node and one in the unpacked archive, side by side.
targets=() sources=()
absent=() kept=0

# live_place PATH: sets place to where it lies on this node.
live_place() {
  local link replaced
  case $1 in *$'\n'* | *$'\t'*) fail RestoreRefusedError "$1 has a tab or a line feed in its name. Exclude it from the restore with a scope, and restore it by hand." ;; esac
  if ! place_in '' "$1"; then
    [ -z "$forbidden_link" ] || fail RestoreRefusedError "$1 is reached through the link $forbidden_link, which users other than root could redirect. Make it a directory, or let only root own and write its parent directory, then start the restore again."
    place=$1
  fi
  # What an archive of this run has brought may lead anywhere.
  link=$(link_above '' "$1")
  [ -n "$link" ] || return 0
  while IFS=$'\t' read -r _ replaced _; do
    case $replaced in /*) ;; *) continue ;; esac
    case $link/ in "$replaced"/*) fail RestoreRefusedError "$1 is reached through the link $link, which this restore has put there." ;; esac
  done < <(cat "$(journal_file "$RUN")" 2>/dev/null)
}

# find_places LIST NEEDED: of each path; nothing is changed yet.
find_places() {
  local root target
  while IFS= read -r -d '' root; do
    live_place "$root"
    target=$place
    if ! place_in "$stage" "$root" || ! is_there "$place"; then
      absent+=("$root")
    elif [ "$2" = if-missing ] && is_there "$target"; then
      kept=$((kept + 1))
    else
      targets+=("$target")
      sources+=("$place")
    fi
  done < <(decode_list "$1")
}

# refuse_obstacles: what would make a replacement stop in its middle, or reach farther than it is meant to.
refuse_obstacles() {
  local found
  found=$(mounts_within "$@" | on_one_line)
  [ -z "$found" ] || fail MountedError "$found is mounted at or below what would be replaced. Unmount it, or exclude it from the restore with a scope, then start the restore again."
  found=$(fixed_within "$@" | on_one_line)
  [ -z "$found" ] || fail FixedFilesError "$found can't be moved, because chattr has set +i or +a. Run chattr -i -a on it, then start the restore again."
}

# refuse_narrow TARGET SOURCE: a new tree that lies on another file system is copied.
refuse_narrow() {
  local parent=$1 needed free
  while ! [ -d "$parent" ] || [ -L "$parent" ]; do parent=$(parent_of "$parent"); done
  [ "$(stat -c %d -- "$parent")" != "$(stat -c %d -- "$2")" ] || return 0
  needed=$(du -skx -- "$2" | cut -f 1)
  free=$(df -P -k -- "$parent" | awk 'NR == 2 { print $4 }')
  [ "$needed" -le "$free" ] || fail NoSpaceError "$1 needs $needed KiB. $(free_space "$parent") Free some space, then start the restore again."
}

# keep_excluded TARGET SOURCE: what stays is copied into the new tree, so that the old one is whole when it comes back.
keep_excluded() {
  local path below link
  while IFS= read -r -d '' path; do
    live_place "$path"
    case $place in "$1"/*) ;; *) continue ;; esac
    below=${place#"$1"}
    link=$(link_above "$2" "$below")
    if [ -n "$link" ]; then
      # Through a link in the new tree it would lie elsewhere than now.
      is_there "$place" || continue
      fail RestoreRefusedError "$place is to stay as it is, but in the backup $1$link is a link. Restore it too, by naming its scope."
    fi
    remove_tree "$2$below" || fail RestoreFailedError "$refused"
    if is_there "$place"; then
      mkdir -p "$(parent_of "$2$below")"
      in_directory "$(parent_of "$place")" cp -ax --reflink=auto -T -- "./${place##*/}" "$2$below"
    fi
  done < <(decode_list "$EXCLUDES")
}

# replace TARGET SOURCE
replace() {
  local target=$1 aside said
  aside=$(kept_aside "$target")
  if [ -n "$aside" ]; then
    # An attempt broke off: what lies aside is the original, what is here is not.
    remove_tree "$target" || fail RestoreFailedError "$target is left over from an interrupted restore and can't be removed: $refused."
    note_change "$RUN" path "$target"$'\t'"$aside"
  elif is_there "$target"; then
    aside=$(free_aside "$target")
    note_change "$RUN" path "$target"$'\t'"$aside"
    move_aside "$target" "$aside" || fail RestoreFailedError "$target can't be moved aside: $refused."
  else
    note_change "$RUN" new-path "$target"
    (umask 022 && mkdir -p "$(parent_of "$target")")
  fi
  said=$(in_directory "$(parent_of "$target")" mv -T -- "$2" "./${target##*/}" 2>&1) || fail RestoreFailedError "$target can't be moved into place: $(printf '%s' "$said" | on_one_line)"
  if command -v restorecon >/dev/null && [ ! -L "$target" ]; then restorecon -R "$target" || true; fi
}

main() {
  local archive directory index=0 found=0
  begin
  archive=$(fetched_file "$RUN" "$NAME")
  directory=$(restore_directory "$RUN")
  stage=$directory/staged/$NAME
  mkdir -p "$directory/staged" "$directory/lists"
  check_archive "$archive" "$directory/lists/$NAME" || fail ArchiveRefusedError "$NAME is not unpacked: $refused. Restore another backup, and find out who could write to this one."
  extract_archive "$archive" "$stage" || fail RestoreFailedError "$NAME cannot be unpacked: $refused $(free_space "$stage")"
  find_places "$ROOTS" always
  find_places "$MISSING_ROOTS" if-missing
  refuse_obstacles ${targets[@]+"${targets[@]}"}
  for index in ${targets[@]+"${!targets[@]}"}; do refuse_narrow "${targets[index]}" "${sources[index]}"; done
  for index in ${targets[@]+"${!targets[@]}"}; do keep_excluded "${targets[index]}" "${sources[index]}"; done
  : >"$directory/lists/$NAME.placed"
  for index in ${targets[@]+"${!targets[@]}"}; do
    list_tree "${sources[index]}" >"$directory/lists/$NAME.wanted"
    replace "${targets[index]}" "${sources[index]}"
    list_tree "${targets[index]}" >"$directory/lists/$NAME.found"
    cmp -s "$directory/lists/$NAME.wanted" "$directory/lists/$NAME.found" || fail RestoreFailedError "${targets[index]} is not what was unpacked: $(LC_ALL=C comm -3 "$directory/lists/$NAME.wanted" "$directory/lists/$NAME.found" | on_one_line)"
    cat "$directory/lists/$NAME.found" >>"$directory/lists/$NAME.placed"
  done
  found=$(wc -l <"$directory/lists/$NAME.placed")
  remove_tree "$stage" || echo "$stage stays: $refused" >&2
  answer archive="$NAME" replaced:="${#targets[@]}" kept:="$kept" absent:="$(json_list ${absent[@]+"${absent[@]:0:20}"})" entries:="$entries" \
    found:="$found" privileged:="$(json_list ${privileged[@]+"${privileged[@]:0:20}"})"
}

main "$@"
