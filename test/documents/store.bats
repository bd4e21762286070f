#!/usr/bin/env bats
# The stream into the vault, with a stand-in for the AWS CLI first in PATH that keeps what it is given.

setup() {
  work=$BATS_TEST_TMPDIR/work
  vault=$BATS_TEST_TMPDIR/vault
  mkdir -p "$work" "$vault" "$BATS_TEST_TMPDIR/bin"
  # As the real one does, it makes the object only at the end of its input, and asks nobody whether that was the end.
  cat >"$BATS_TEST_TMPDIR/bin/aws" <<'AWS'
#!/bin/bash
object=$VAULT/$(basename "$4")
cat >"$object.part" && mv "$object.part" "$object"
AWS
  chmod +x "$BATS_TEST_TMPDIR/bin/aws"
  cat >"$BATS_TEST_TMPDIR/run.sh" <<SH
set -Eeuo pipefail
export PATH=$BATS_TEST_TMPDIR/bin:\$PATH VAULT=$vault
work=$work
for library in result work compression vault; do . "$BATS_TEST_DIRNAME/../../documents/library/\$library.sh"; done
work=$work
begin_answer
whole() { cat >/dev/null; }
produce() { eval "\$PRODUCE"; }
verify() { eval "\$VERIFY"; }
store bucket key 1000 produce beside verify || fail "\$stored_error" "\$stored_message"
printf "%s\n" "\$stored_upload" >&4
SH
}

stream() { PRODUCE=$1 VERIFY=${2:-whole} timeout 30 bash "$BATS_TEST_TMPDIR/run.sh" 2>/dev/null; }

@test "a whole stream arrives, and its numbers are those of the object" {
  run stream 'seq 100000'
  [ "$status" -eq 0 ]
  [ "$(zstd -dc "$vault/key.zst" | sha256sum)" = "$(seq 100000 | sha256sum)" ]
  [[ $output == *"\"bytes\":$(wc -c <"$vault/key.zst"),\"rawBytes\":$(seq 100000 | wc -c)"* ]]
  [[ $output == *"\"sha256\":\"$(sha256sum <"$vault/key.zst" | cut -d ' ' -f 1)\",\"compression\":\"zstd\""* ]]
}

@test "a producer that fails, after nothing, little or much, leaves no object" {
  for body in 'exit 7' 'echo little; exit 7' 'seq 3000000; exit 7'; do
    run stream "$body"
    [ "$status" -eq 1 ]
    [[ $output == *ProducerFailedError* ]]
    [ ! -e "$vault/key.zst" ]
  done
}

@test "a producer that is killed says by which signal" {
  run stream 'seq 1000; kill -KILL $BASHPID'
  [ "$status" -eq 1 ]
  [[ $output == *'ProducerKilledError'*'signal 9'* ]]
  [ ! -e "$vault/key.zst" ]
}

@test "a producer with a status of its own that no signal has says the status" {
  for code in 168 194; do
    run stream "seq 1000; exit $code"
    [ "$status" -eq 1 ]
    [[ $output == *ProducerFailedError*"ended with $code"* ]]
    [ ! -e "$vault/key.zst" ]
  done
}

@test "a stream without a byte is no success" {
  run stream 'true'
  [ "$status" -eq 1 ]
  [[ $output == *EmptyStreamError* ]]
  [ ! -e "$vault/key.zst" ]
}

@test "a verifier that is not content leaves no object, also when it gives up early" {
  for body in 'cat >/dev/null; false' 'head -c 10 >/dev/null; false'; do
    run stream 'seq 1000000' "$body"
    [ "$status" -eq 1 ]
    [[ $output == *VerificationFailedError* ]]
    [ ! -e "$vault/key.zst" ]
  done
}

@test "an uploader that dies ends the stream with its own words" {
  printf '#!/bin/bash\nhead -c 1000 >/dev/null\necho AccessDenied >&2\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/aws"
  run stream 'seq 3000000'
  [ "$status" -eq 1 ]
  [[ $output == *UploadFailedError*AccessDenied* ]]
}

@test "what reads or packs the stream and dies is the cause, not the producer that its end broke" {
  reading='beside() { head -c 10; kill -KILL $BASHPID; }'
  sed -i "s/^store /$reading\n&/" "$BATS_TEST_TMPDIR/run.sh"
  run stream 'seq 3000000'
  [ "$status" -eq 1 ]
  [[ $output == *VerificationFailedError*'ended with 137'* ]]
  sed -i '/^beside() /s/.*/find_compressor() { compressor=(false) compression=gzip; }/' "$BATS_TEST_TMPDIR/run.sh"
  run stream 'seq 3000000'
  [ "$status" -eq 1 ]
  [[ $output == *CompressorFailedError*'gzip ended with 1'* ]]
  [ ! -e "$vault/key.zst" ] && [ ! -e "$vault/key.gz" ]
}

@test "a node without openssl or zstd makes the same numbers with what it has" {
  mkdir "$BATS_TEST_TMPDIR/few"
  for tool in bash cat cp cut df awk grep gzip head kill ls mkfifo mktemp mv basename pkill rm seq sha256sum tail tee timeout tr wc od sed; do
    ln -s "$(command -v "$tool")" "$BATS_TEST_TMPDIR/few/$tool"
  done
  sed -i "s|^store |PATH=$BATS_TEST_TMPDIR/bin:$BATS_TEST_TMPDIR/few; &|" "$BATS_TEST_TMPDIR/run.sh"
  sed -i '1s|.*|#!/usr/bin/env bash|' "$BATS_TEST_TMPDIR/bin/aws"
  run stream 'seq 100000'
  [ "$status" -eq 0 ]
  [ "$(gzip -dc "$vault/key.gz" | sha256sum)" = "$(seq 100000 | sha256sum)" ]
  [[ $output == *"\"sha256\":\"$(sha256sum <"$vault/key.gz" | cut -d ' ' -f 1)\",\"compression\":\"gzip\""* ]]
}

@test "texts reach a document and come back as JSON unharmed" {
  . "$BATS_TEST_DIRNAME/../../documents/library/result.sh"
  [ "$(decode_text "$(printf '%s' "it's a \"db\"" | base64 -w 0 | tr '+/' '-_' | tr -d =)")" = "it's a \"db\"" ]
  [ "$(json key='a "b" \ c	d' 'equal=a=b' none=)" = '{"key":"a \"b\" \\ c\td","equal":"a=b","none":""}' ]
  [ "$(json_list 'a b' c)" = '["a b","c"]' ]
  [ "$(json_list)" = '[]' ]
  printf '3' >"$BATS_TEST_TMPDIR/number"
  [ "$(json n:=@"$BATS_TEST_TMPDIR/number" list:="$(json_list '@x' ']')" yes:="$(json_flag true)" no:="$(json_flag [ 1 = 2 ])" object:="$(json)")" = \
    '{"n":3,"list":["@x","]"],"yes":true,"no":false,"object":{}}' ]
  [ "$({ json a=1 && json b=2; } | json_array)" = '[{"a":"1"},{"b":"2"}]' ]
  [ "$(json_array </dev/null)" = '[]' ]
}

@test "JSON that could not be made is an error, not an answer with a hole" {
  . "$BATS_TEST_DIRNAME/../../documents/library/result.sh"
  run json first=1 count:="$(false)"
  [ "$status" -eq 1 ]
  [ -z "$output" ]
  run bash -c "set -Eeuo pipefail; . '$BATS_TEST_DIRNAME/../../documents/library/result.sh'; begin_answer; answer count:=\"\$(false)\""
  [ "$status" -eq 1 ]
  [[ $output == '{"error":"UnexpectedError"'* ]]
}
