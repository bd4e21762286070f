# shellcheck shell=bash
# Streams into the vault: producer -> compressor -> S3, nothing staged on disk.
#
# The plain pipe is a trap: when the producer dies, the uploader sees an end of file and completes a truncated object. So
# this shell holds the write end of the uploader's FIFO and closes it only when the producer has succeeded and the stream
# was read to its end; otherwise the uploader is killed first, and the object never comes to be.

# store BUCKET KEY EXPECTED_BYTES PRODUCE READ...
#   PRODUCE  function that writes the raw stream to standard output
#   READ     command that copies the raw stream from its standard input to its output and reads it to its end on the way. Told two more
#            arguments: a file for what it found, kept in $stored_contents, and one for the number of raw bytes. Ends with 1 when the
#            stream is not whole, with another status when it could not do its work
# Sets stored_upload (JSON) and stored_contents (a file). On failure sets stored_error, stored_message and returns 1.
store() {
  local bucket=$1 key=$2 expected=$3 produce=$4
  shift 4
  local directory uploader hasher counter statuses notes=written extension compression compression_warning compressor=(cat)
  stored_error='' stored_message='' stored_upload=''
  if ! directory=$(mktemp -d "$work/store.XXXXXX") || ! mkfifo "$directory/upload" "$directory/hash" "$directory/count"; then
    stored_error=NoSpaceError stored_message="can't write below $work. $(free_space "$work")"
    return 1
  fi
  if [ "${is_packed-}" = yes ]; then
    compression=none extension=''
  else
    find_compressor
    case $compression in zstd) extension=.zst ;; gzip) extension=.gz ;; esac
  fi

  aws s3 cp - "s3://$bucket/$key$extension" --expected-size "$expected" --no-progress --only-show-errors \
    <"$directory/upload" >"$directory/upload.log" 2>&1 4>&- &
  uploader=$!
  exec 3>"$directory/upload"
  digest_stream <"$directory/hash" >"$directory/sha256" 3>&- 4>&- &
  hasher=$!
  wc -c <"$directory/count" >"$directory/bytes" 3>&- 4>&- &
  counter=$!

  trap - ERR
  set +e
  { "$produce" 2>"$directory/produce.log" 3>&- | "$@" "$directory/contents" "$directory/raw.bytes" 2>"$directory/read.log" 3>&- |
    "${compressor[@]}" 2>"$directory/compress.log" 3>&- | tee "$directory/hash" "$directory/count" >&3; } 4>&-
  statuses=("${PIPESTATUS[@]}")
  wait "$hasher" && wait "$counter" && cp "$directory/produce.log" "$work/produce.log" || notes=lost

  # What ends early ends those before it by a broken pipe: the last one has the cause.
  if [ "${statuses[3]}" -ne 0 ]; then
    stored_error=UploadFailedError stored_message="the upload to s3://$bucket/$key$extension broke off"
  elif [ "${statuses[2]}" -ne 0 ]; then
    stored_error=CompressorFailedError stored_message="$compression ended with ${statuses[2]}: $(last_words "$directory/compress.log")"
  elif [ "$notes" = lost ] || [ "${statuses[1]}" -eq 2 ]; then
    stored_error=NoSpaceError stored_message="can't write below $work. $(free_space "$work")"
  elif [ "${statuses[1]}" -gt 1 ]; then
    stored_error=VerificationFailedError stored_message="what reads the stream ended with ${statuses[1]}: $(last_words "$directory/read.log")"
  elif [ "${statuses[0]}" -gt 128 ] && [ "${statuses[0]}" -lt 160 ]; then
    stored_error=ProducerKilledError stored_message="$produce was killed by signal $((statuses[0] - 128)) after $(cat "$directory/raw.bytes") bytes"
  elif [ "${statuses[0]}" -ne 0 ]; then
    stored_error=ProducerFailedError stored_message="$produce ended with ${statuses[0]}: $(last_words "$directory/produce.log")"
  elif [ "$(cat "$directory/raw.bytes")" -eq 0 ]; then
    stored_error=EmptyStreamError stored_message="$produce wrote nothing"
  elif [ "${statuses[1]}" -ne 0 ]; then
    stored_error=VerificationFailedError stored_message="what $produce wrote is not whole: $(last_words "$directory/read.log")"
  fi
  if [ -n "$stored_error" ]; then
    pkill -KILL -P "$uploader" 2>/dev/null
    kill -KILL "$uploader" 2>/dev/null
    exec 3>&-
    wait "$uploader" 2>/dev/null
    [ "$stored_error" != UploadFailedError ] || stored_message="$stored_message: $(last_words "$directory/upload.log")"
  else
    exec 3>&-
    if ! wait "$uploader"; then
      stored_error=UploadFailedError
      stored_message="the upload to s3://$bucket/$key$extension failed: $(last_words "$directory/upload.log")"
    fi
  fi
  stored_producer_status=${statuses[0]}
  set -e
  trap 'unexpected "$?" "$LINENO" "$BASH_COMMAND"' ERR

  stored_contents=$directory/contents
  [ -z "$stored_error" ] || return 1
  stored_upload=$(json key="$key$extension" bytes:=@"$directory/bytes" rawBytes:=@"$directory/raw.bytes" \
    sha256="$(cat "$directory/sha256")" compression="$compression")
}

# store_packed: what is packed already is stored as it is, under the key itself.
store_packed() {
  local is_packed=yes
  store "$@"
}

# digest_stream: prints the SHA-256 of what it reads. openssl uses what the processor has for it.
digest_stream() { if command -v openssl >/dev/null; then openssl dgst -sha256; else sha256sum; fi | grep -oE '[0-9a-f]{64}'; }

# beside JUDGE CONTENTS BYTES: a reader for store from a function that can't pass the stream on. What JUDGE prints is kept.
beside() {
  local directory=${2%/*} judge sizer status
  mkfifo "$directory/judge" "$directory/size" || return 2
  # A judge that gives up early still drains the stream: its verdict counts, not a broken pipe.
  { if "$1"; then cat >/dev/null; else cat >/dev/null && false; fi; } <"$directory/judge" >"$2" &
  judge=$!
  wc -c <"$directory/size" >"$3" &
  sizer=$!
  tee "$directory/judge" "$directory/size"
  status=$?
  wait "$sizer" || return 2
  [ "$status" -eq 0 ] || return "$status"
  wait "$judge"
}

# store_contents BUCKET KEY FILE: a list that belongs to what was stored before.
store_contents() {
  contents_file=$3
  store "$1" "$2" "$(($(wc -c <"$3") + 1))" list_contents beside read_to_end
}

list_contents() { cat "$contents_file"; }

read_to_end() { cat >/dev/null; }
