#!/usr/bin/env bats
# fetch-artifact with an AWS CLI that has one object of two versions.

setup() {
  export TEST_ROOT=$BATS_TEST_TMPDIR
  mkdir -p "$TEST_ROOT/bin" "$TEST_ROOT/versions"
  printf 'what was committed' >"$TEST_ROOT/versions/v1"
  printf 'something else now' >"$TEST_ROOT/versions/v2"
  cat >"$TEST_ROOT/bin/aws" <<'A'
#!/bin/bash
# s3api get-object --bucket B --key K --version-id=V --range bytes=F-T FILE
printf '%s\n' "$*" >>"$TEST_ROOT/calls"
[ "$1 $2" = 's3api get-object' ] || exit 252
version=${7#--version-id=}
[ -e "$TEST_ROOT/versions/$version" ] || { echo 'An error occurred (NoSuchVersion)' >&2; exit 254; }
if [ -e "$TEST_ROOT/broken" ]; then rm "$TEST_ROOT/broken"; echo 'Connection broken' >&2; exit 255; fi
range=${9#bytes=}
tail -c "+$((${range%-*} + 1))" "$TEST_ROOT/versions/$version" | head -c "$((${range#*-} - ${range%-*} + 1))" >"${10}"
echo '{"ContentLength": 18}'
A
  chmod +x "$TEST_ROOT/bin/aws"
  # The document as it runs, but for where it works, and with ranges of five bytes.
  for f in "$BATS_TEST_DIRNAME"/../../documents/library/{result,work,begin,restore}.sh "$BATS_TEST_DIRNAME/../../documents/shared/fetch-artifact.sh"; do
    grep -v '^\. ' "$f" | sed "s|/var/lib/holdfast|$TEST_ROOT/state|; s|range_bytes=268435456|range_bytes=5|"
  done >"$TEST_ROOT/fetch.sh"
}

fetch() {
  BUCKET=b OBJECT=backups/s/b/n/x VERSION_ID=$1 BYTES=18 COMPRESSION=none NAME=x RUN=run-1 ATTEMPT=0 START_BEFORE=$(($(date +%s) + 3600)) \
    SHA256=$(printf '%s' "${WANTED:-what was committed}" | sha256sum | cut -d ' ' -f 1) \
    PATH="$TEST_ROOT/bin:$PATH" run bash "$TEST_ROOT/fetch.sh"
}

@test "the version that was asked for is fetched, range by range" {
  fetch v1
  [ "$status" -eq 0 ]
  [ "$(cat "$TEST_ROOT/state/restore/run-1/fetched/x")" = 'what was committed' ]
  [ "$(wc -l <"$TEST_ROOT/calls")" -eq 4 ]
}

@test "a range that breaks off is asked for again, and no byte of it twice" {
  touch "$TEST_ROOT/broken"
  fetch v1
  [ "$status" -eq 0 ]
  [ "$(cat "$TEST_ROOT/state/restore/run-1/fetched/x")" = 'what was committed' ]
  [ "$(wc -l <"$TEST_ROOT/calls")" -eq 5 ]
}

@test "another version is not what the plan says, and nothing is left" {
  fetch v2
  [ "$status" -eq 1 ]
  [[ $output == *ArtifactDamagedError*SHA-256* ]]
  [ ! -e "$TEST_ROOT/state/restore/run-1/fetched/x" ]
}

@test "a version that is not there is told in S3's words" {
  fetch v3
  [ "$status" -eq 1 ]
  [[ $output == *DownloadFailedError*NoSuchVersion* ]]
}

@test "what is fetched already is not fetched again, unless the run, redriven, wants another" {
  fetch v1
  fetch v1
  [ "$status" -eq 0 ]
  [ "$(wc -l <"$TEST_ROOT/calls")" -eq 4 ]
  WANTED='something else now' fetch v2
  [ "$status" -eq 0 ]
  [ "$(cat "$TEST_ROOT/state/restore/run-1/fetched/x")" = 'something else now' ]
}
