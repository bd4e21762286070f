#!/bin/bash
#/ Usage: BUCKET= KEY= EXPECTED_BYTES= GROUP= PATHS= RUN= archive-files.sh
#/
#/ Streams an archive of files into the vault, with owner names, modes, ACLs and symbolic links, and beside it the list of
#/ what it holds. Every private key, keystore and passphrase below the paths must be found in the archive again.
#/   KEY    key without suffix: .tar.<zst|gz> and .contents.<zst|gz> are added
#/   PATHS  absolute paths, a NUL between, in base64url
#/ Exit status: 0 stored and verified; 1 failed, the answer says why.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/vault.sh"
. "$(dirname "$0")/library/secrets.sh"

# A file that changes while it is read makes tar end with 1; a second look a moment later mostly finds it at rest.
readonly attempts=3

tar_options=(--create --file=- --directory=/ --files-from)

# Owner names rather than numbers: the ids of Puppet's users differ after a reinstallation or on another host.
tar_files() { LC_ALL=C tar "${tar_options[@]}" "$work/paths"; }

tar_list() { LC_ALL=C tar --list --file=- --quoting-style=literal; }

use_what_tar_knows() {
  local option help
  help=$(tar --help)
  warnings=()
  for option in --acls --xattrs --selinux; do
    case $help in
      *"$option"*) tar_options=("$option" "${tar_options[@]}") ;;
      *) warnings+=("this tar knows no $option") ;;
    esac
  done
}

refuse_broken_links() {
  local broken
  broken=$(broken_secrets "$@" | head -n 1)
  [ -z "$broken" ] || fail SecretUnreadableError "$(broken_words "$broken"). Mount or mend it, then start the operation again."
}

require_secrets() {
  local missing
  find_secrets -type f -- "$@" | sed 's|^/||' | LC_ALL=C sort -u >"$work/secrets"
  missing=$(LC_ALL=C sort -u "$stored_contents" | LC_ALL=C comm -23 "$work/secrets" - | head -n 1)
  if [ -n "$missing" ]; then
    fail SecretMissingError "/$missing exists and is not in the archive. Nothing was committed; start the operation again."
  fi
}

main() {
  local path attempt archive changed paths=()
  begin_answer
  begin_work "$RUN"
  while IFS= read -r -d '' path; do
    if [ ! -e "$path" ] && [ ! -L "$path" ]; then
      fail MissingPathError "$path is not there. Take it out of holdfast.yaml, or mend the node."
    fi
    paths+=("$path")
    printf '%s\n' "${path#/}"
  done < <(decode_list "$PATHS") >"$work/paths"
  use_what_tar_knows
  refuse_broken_links "${paths[@]}"

  for ((attempt = 1; ; attempt++)); do
    if store "$BUCKET" "$KEY.tar" "$EXPECTED_BYTES" tar_files tar_list; then break; fi
    if [ "$stored_error" != ProducerFailedError ] || [ "$stored_producer_status" -ne 1 ]; then fail "$stored_error" "$stored_message"; fi
    changed=$(grep -E 'changed as we read it|removed before we read it|shrank' "$work/produce.log" | head -n 1 | sed 's/^tar: //')
    if [ "$attempt" -ge "$attempts" ]; then
      fail FileChangedError "${changed:-a file changed} in each of $attempts attempts. Back up when nothing writes there, or with consistency: quiesced."
    fi
    echo "attempt $attempt: $changed" >&2
    sleep "$attempt"
  done
  archive=$stored_upload
  require_secrets "${paths[@]}"
  cp "$stored_contents" "$work/contents"
  store_contents "$BUCKET" "$KEY.contents" "$work/contents" || fail "$stored_error" "$stored_message"
  answer "{\"kind\":\"files\",\"group\":$(json_string "$GROUP"),\"upload\":$archive,\"contents\":$stored_upload,\"entries\":$(wc -l <"$work/contents"),\"secrets\":$(wc -l <"$work/secrets"),\"verified\":\"read to its end by tar\",\"warnings\":$(json_list ${warnings[@]+"${warnings[@]}"})}"
}

main "$@"
