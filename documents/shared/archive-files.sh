#!/bin/bash
#/ Usage: BUCKET= KEY= EXPECTED_BYTES= GROUP= PATHS= REQUIRED= RUN= archive-files.sh
#/
#/ Streams an archive of files into the vault, with owner names, modes, ACLs, extended attributes and symbolic links, and beside
#/ it the list of what it holds. Every private key, keystore and passphrase below the paths must be found in the archive again.
#/   KEY       key without suffix: .tar.<zst|gz> and .contents.<zst|gz> are added
#/   PATHS     absolute paths, a NUL between, in base64url
#/   REQUIRED  absolute paths, a NUL between, in base64url: those that the archive holds are told; may be empty
#/ Exit status: 0 stored and verified; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/compression.sh"
. "$(dirname "$0")/../library/vault.sh"
. "$(dirname "$0")/../library/mounts.sh"
. "$(dirname "$0")/../library/tar.sh"
. "$(dirname "$0")/../library/told.sh"
. "$(dirname "$0")/../library/secrets.sh"

# A file that changes while it is read makes tar end with 1; a second look a moment later mostly finds it at rest.
readonly attempts=3

archive() { tar_files / "$work/paths"; }

refuse_broken_links() {
  local broken
  while IFS= read -r -d '' broken; do
    fail SecretUnreadableError "$(broken_words "$broken"). Mount or fix it, then start the operation again."
  done < <(broken_secrets "$@")
}

# leave_out_devices PATH...: an archive that could let root make a device is not restored.
leave_out_devices() {
  local device
  tar_options+=(--anchored --no-wildcards)
  while IFS= read -r -d '' device; do
    tar_options+=("--exclude=${device#/}")
    note device "$(shown "$device") is a device, and is not backed up"
  done < <(find "$@" -xdev \( -type b -o -type c \) -print0)
}

# note_outer_names PATH...: files that have a name outside of the archive as well: only their content is the archive's.
note_outer_names() {
  local inode links path
  local -A found=() linked=() named=()
  while IFS=' ' read -r -d '' inode links path; do
    found[$inode]=$((${found[$inode]-0} + 1)) linked[$inode]=$links named[$inode]=$path
  done < <(find "$@" -xdev -type f -links +1 -printf '%D:%i %n %p\0')
  for inode in "${!found[@]}"; do
    if [ "${found[$inode]}" -lt "${linked[$inode]}" ]; then
      note outer-name "$(shown "${named[$inode]}") is a hard link to a file outside of this archive: it comes back as a file of its own"
    fi
  done
}

require_secrets() {
  local missing
  { find_secrets -type f -- "$@" && secrets_by_content "$@"; } | listed | sed 's|^/||' | LC_ALL=C sort -u >"$work/secrets"
  missing=$(LC_ALL=C comm -23 "$work/secrets" "$work/held" | sed -n 1p)
  if [ -n "$missing" ]; then
    fail SecretMissingError "/$missing exists and is not in the archive. Nothing was committed. Start the operation again."
  fi
}

# held_json: those of the required paths that the archive holds.
held_json() {
  local path quoted
  while IFS= read -r -d '' path; do
    if printf '%s\0' "${path#/}" | listed | LC_ALL=C comm -12 - "$work/held" | grep . >/dev/null; then
      quote_path "$path"
      printf '%s\n' "$quoted"
    fi
  done < <(decode_list "$REQUIRED") | json_array
}

main() {
  local path attempt archive changed warning paths=() trees=() warnings=()
  begin
  load_mounts
  while IFS= read -r -d '' path; do
    if [ ! -e "$path" ] && [ ! -L "$path" ]; then
      fail MissingPathError "$(shown "$path") is not there. Remove it from holdfast.yaml, or fix the node."
    fi
    paths+=("$path")
  done < <(decode_list "$PATHS")
  while IFS= read -r -d '' path; do
    trees+=("$path")
    printf '%s\0' "${path#/}"
  done < <(trees_of "${paths[@]}") >"$work/paths"
  find_tar_options
  leave_out_devices "${trees[@]}"
  refuse_broken_links "${trees[@]}"

  for ((attempt = 1; ; attempt++)); do
    if store "$BUCKET" "$KEY.tar" "$EXPECTED_BYTES" archive beside tar_list; then break; fi
    if [ "$stored_error" != ProducerFailedError ] || [ "$stored_producer_status" -ne 1 ]; then fail "$stored_error" "$stored_message"; fi
    changed=$(grep -E 'changed as we read it|removed before we read it|shrank' "$work/produce.log" | sed -n '1s/^tar: //p')
    if [ "$attempt" -ge "$attempts" ]; then
      fail FileChangedError "${changed:-a file changed} in each of $attempts attempts. Back up when nothing writes there, or with consistency: quiesced."
    fi
    echo "attempt $attempt: $changed" >&2
    sleep "$attempt"
  done
  archive=$stored_upload
  cp "$stored_contents" "$work/contents"
  LC_ALL=C sort -u "$work/contents" >"$work/held"
  foreign_mounts "${paths[@]}" | while IFS= read -r warning; do note mount "$warning"; done
  sed -n 's/^tar: \(.*\): \(.*\) ignored$/\/\1 is not backed up: \2/p' "$work/produce.log" | while IFS= read -r warning; do note ignored "$warning"; done
  note_outer_names "${trees[@]}"
  require_secrets "${trees[@]}"
  warnings=(${tar_warnings[@]+"${tar_warnings[@]}"})
  while IFS= read -r warning; do warnings+=("$warning"); done < <(tell_notes)
  store_contents "$BUCKET" "$KEY.contents" "$work/contents" || fail "$stored_error" "$stored_message"
  answer kind=files group="$GROUP" upload:="$archive" contents:="$stored_upload" entries:="$(wc -l <"$work/contents")" \
    secrets:="$(wc -l <"$work/secrets")" holds:="$(held_json)" verified='read to its end by tar' \
    warnings:="$(json_list ${warnings[@]+"${warnings[@]}"})"
}

main "$@"
