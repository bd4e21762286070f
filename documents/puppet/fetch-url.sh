#!/bin/bash
#/ Usage: URL= SHA256= NAME= RUN= fetch-url.sh
#/
#/ Downloads an archive from an https URL, by TLS 1.2 or later and within limits of size and time, compares it with its SHA-256, and unpacks its gzip.
#/   NAME  the file that it becomes
#/ Exit status: 0 it is there and is what it should be; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/restore.sh"

# The largest installer of Puppet Enterprise has a gigabyte.
largest_bytes=4294967296
# Below the command's own two hours, after which nothing could be told.
longest_seconds=6900

# download FILE: within the limits. A server need not say how long its answer is, so the file's own growth is limited too.
download() (
  ulimit -f "$((largest_bytes / 1024))"
  exec curl --silent --show-error --fail --location --max-redirs 5 --proto '=https' --proto-redir '=https' --tlsv1.2 \
    --connect-timeout 60 --speed-limit 1024 --speed-time 300 --max-time "$longest_seconds" --max-filesize "$largest_bytes" \
    --output "$1" "$URL" </dev/null
)

main() {
  local target sum
  begin
  target=$(fetched_file "$RUN" "$NAME")
  mkdir -p "${target%/*}"
  if [ ! -e "$target" ]; then
    download "$work/archive" 2>"$work/log" ||
      fail DownloadFailedError "$URL cannot be fetched within $largest_bytes bytes and $longest_seconds s (status $?): $(last_words "$work/log") $(free_space "$work") Nothing was changed."
    sum=$(sha256sum "$work/archive" | cut -d ' ' -f 1)
    [ "$sum" = "$SHA256" ] || fail ArtifactDamagedError "$URL is not the requested file: its SHA-256 is $sum, not $SHA256. Nothing was changed."
    gzip -d -c <"$work/archive" >"$work/unpacked" 2>"$work/log" || fail ArtifactDamagedError "$URL cannot be unpacked: $(last_words "$work/log") $(free_space "$work")"
    mv "$work/unpacked" "$target"
  fi
  answer
}

main "$@"
