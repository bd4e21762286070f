#!/bin/bash
#/ Usage: URL= SHA256= NAME= RUN= fetch-url.sh
#/
#/ Downloads an archive from an https URL, compares it with its SHA-256, and unpacks its gzip.
#/   NAME  the file that it becomes
#/ Exit status: 0 it is there and is what it should be; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/restore.sh"

main() {
  local target sum
  begin
  target=$(fetched_file "$RUN" "$NAME")
  mkdir -p "${target%/*}"
  if [ ! -e "$target" ]; then
    curl --silent --show-error --fail --location --proto '=https' --proto-redir '=https' --output "$work/archive" "$URL" 2>"$work/log" </dev/null ||
      fail DownloadFailedError "$URL can not be fetched: $(last_words "$work/log") $(free_space "$work") Nothing was touched."
    sum=$(sha256sum "$work/archive" | cut -d ' ' -f 1)
    [ "$sum" = "$SHA256" ] || fail ArtifactDamagedError "$URL is not what was asked for: its SHA-256 is $sum, not $SHA256. Nothing was touched."
    gzip -d -c <"$work/archive" >"$work/unpacked" 2>"$work/log" || fail ArtifactDamagedError "$URL can not be unpacked: $(last_words "$work/log") $(free_space "$work")"
    mv "$work/unpacked" "$target"
  fi
  answer
}

main "$@"
