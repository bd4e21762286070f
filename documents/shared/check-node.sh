#!/bin/bash
#/ Usage: BUCKET= KEY= KEYS= RUN= check-node.sh
#/
#/ Reports whether this node could be backed up now: what its clock says, whether the vault takes an upload, and which keys can
#/ not be read. Changes nothing: the upload is begun and taken back.
#/   KEY   where in the vault the upload is begun
#/   KEYS  absolute paths that a backup would archive, a NUL between, in base64url
#/ Exit status: 0 looked, the answer has every problem at once.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/secrets.sh"

# A way to S3 that swallows packets is found out within a minute.
call_s3() { AWS_MAX_ATTEMPTS=2 aws --cli-connect-timeout 10 --cli-read-timeout 20 s3api "$@"; }

# What was said to an upload; nothing when the vault took it.
refused_upload() {
  local upload
  if ! upload=$(call_s3 create-multipart-upload --bucket "$BUCKET" --key "$KEY" --query UploadId --output text 2>"$work/s3.log"); then
    last_words "$work/s3.log"
  elif ! call_s3 abort-multipart-upload --bucket "$BUCKET" --key "$KEY" --upload-id "$upload" 2>"$work/s3.log"; then
    printf 'an upload was begun and could not be taken back: %s' "$(last_words "$work/s3.log")"
  fi
}

unreadable_keys() {
  local path key
  while IFS= read -r -d '' path; do
    if [ ! -e "$path" ] && [ ! -L "$path" ]; then
      printf '%s is not there\n' "$path"
      continue
    fi
    broken_secrets "$path" | while IFS= read -r -d '' key; do printf '%s\n' "$(broken_words "$key")"; done
    find_secrets -type f -- "$path" | while IFS= read -r -d '' key; do
      head -c 1 "$key" >/dev/null 2>"$work/read.log" || printf '%s cannot be read: %s\n' "$key" "$(last_words "$work/read.log")"
    done
  done < <(decode_list "$KEYS")
}

main() {
  local line refused unreadable=()
  begin
  refused=$(refused_upload)
  while IFS= read -r line; do unreadable+=("$line"); done < <(unreadable_keys | sed -n 1,20p)
  answer clock:="$(date +%s)" vault="$refused" unreadable:="$(json_list ${unreadable[@]+"${unreadable[@]}"})"
}

main "$@"
