#!/bin/bash
#/ Usage: BUCKET= OBJECT= VERSION_ID= SHA256= BYTES= COMPRESSION= NAME= RUN= fetch-artifact.sh
#/
#/ Downloads one version of an object, compares it with what the plan says of it and unpacks it below the run's own directory.
#/ Nothing else is touched. Done before with the same bytes, it is not done again.
#/   OBJECT       its key
#/   VERSION_ID   what was written to the key since does not count
#/   SHA256       SHA-256 of the stored bytes
#/   COMPRESSION  zstd, gzip; none for what stays as it is, whatever its name ends in
#/   NAME         the file that it becomes
#/ Exit status: 0 it lies there, whole; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/restore.sh"

# At most this much is staged, and asked for again when the connection breaks.
readonly range_bytes=268435456

# Writes the version to standard output, range by range: aws s3 cp knows no versions, and get-object does not go on by itself.
download() {
  local from=0 to try
  while [ "$from" -lt "$BYTES" ]; do
    to=$((from + range_bytes - 1))
    [ "$to" -lt "$BYTES" ] || to=$((BYTES - 1))
    for try in 1 2 3; do
      if aws s3api get-object --bucket "$BUCKET" --key "$OBJECT" --version-id="$VERSION_ID" --range "bytes=$from-$to" \
        "$work/range" >/dev/null 2>"$work/download.log"; then break; fi
      [ "$try" -lt 3 ] || return 1
    done
    cat "$work/range" || return 1
    from=$((to + 1))
  done
  rm -f "$work/range"
}

unpack() {
  case $COMPRESSION in
    zstd) zstd -q -d -c ;;
    gzip) gzip -d -c ;;
    none) cat ;;
  esac
}

main() {
  local target known statuses bytes sum hasher counter
  begin
  target=$(fetched_file "$RUN" "$NAME")
  # A run that was redriven may have chosen another backup.
  known=$(restore_directory "$RUN")/sums/$NAME
  mkdir -p "${target%/*}" "${known%/*}"
  if [ ! -e "$target" ] || [ "$(cat "$known" 2>/dev/null)" != "$SHA256" ]; then
    rm -f "$known"
    mkfifo "$work/hash" "$work/count"
    sha256sum <"$work/hash" >"$work/sha256" 4>&- &
    hasher=$!
    wc -c <"$work/count" >"$work/bytes" 4>&- &
    counter=$!
    trap - ERR
    set +e
    { download | tee "$work/hash" "$work/count" | unpack 2>"$work/unpack.log" >"$work/artifact"; } 4>&-
    statuses=("${PIPESTATUS[@]}")
    wait "$hasher" "$counter"
    set -e
    trap 'unexpected "$?" "$LINENO" "$BASH_COMMAND"' ERR
    bytes=$(tr -d ' ' <"$work/bytes")
    sum=$(cut -d ' ' -f 1 "$work/sha256")
    # The unpacker first: when the disk is full, the download dies of it.
    if [ "${statuses[2]}" -ne 0 ] && [ "$(df -P -k "$work" | awk 'NR == 2 { print $4 }')" -lt 1024 ]; then
      fail NoSpaceError "can't unpack $OBJECT. $(free_space "$work") Free some space, then start the restore again."
    fi
    if [ "${statuses[0]}" -ne 0 ]; then
      fail DownloadFailedError "s3://$BUCKET/$OBJECT cannot be read: $(last_words "$work/download.log") Nothing was changed. Make sure that the instance has its profile, the right time and access to S3, then start the restore again."
    fi
    if [ "$bytes" != "$BYTES" ]; then
      fail ArtifactDamagedError "s3://$BUCKET/$OBJECT has $bytes bytes, its manifest says $BYTES. Nothing was changed. Restore another backup."
    fi
    if [ "$sum" != "$SHA256" ]; then
      fail ArtifactDamagedError "s3://$BUCKET/$OBJECT is not what was backed up: its SHA-256 is $sum, its manifest says $SHA256. Nothing was changed. Restore another backup."
    fi
    [ "${statuses[2]}" -eq 0 ] || fail ArtifactDamagedError "s3://$BUCKET/$OBJECT cannot be unpacked: $(last_words "$work/unpack.log")"
    mv "$work/artifact" "$target"
    printf '%s' "$SHA256" >"$known"
  fi
  answer
}

main "$@"
