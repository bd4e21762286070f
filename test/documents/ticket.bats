#!/usr/bin/env bats
# Tickets on a node: the library's own function, a real openssl and a key of the test's own.

setup_file() {
  openssl genrsa -out "$BATS_FILE_TMPDIR/key" 2048 2>/dev/null
}

setup() {
  cp -r "$BATS_TEST_DIRNAME/../../documents" "$BATS_TEST_TMPDIR/documents"
  state=$BATS_TEST_TMPDIR/state
  sed -i "s|^readonly state_directory=.*|readonly state_directory=$state|" "$BATS_TEST_TMPDIR/documents/library/work.sh"
  mkdir "$BATS_TEST_TMPDIR/bin"
  export PATH=$BATS_TEST_TMPDIR/bin:$PATH
  export RUN=run START_BEFORE=9999999999 ATTEMPT=0 NODES=i-1 NONCE=one AWS_SSM_INSTANCE_ID=i-1 SSM_COMMAND_ID=c-1
  export STATEMENT=$'Holdfast-Test\nRun=run'
  TICKET_KEY=$(openssl rsa -in "$BATS_FILE_TMPDIR/key" -pubout -outform DER 2>/dev/null | base64 -w 0)
  TICKET=$(printf '%s' "$STATEMENT" | openssl dgst -sha256 -sign "$BATS_FILE_TMPDIR/key" | base64 -w 0)
  export TICKET_KEY TICKET
  # A document that does nothing but demand its ticket.
  printf '%s\n' ". '$BATS_TEST_TMPDIR/documents/library/begin.sh'" begin_answer demand_ticket answer >"$BATS_TEST_TMPDIR/document.sh"
}

demand() { bash "$BATS_TEST_TMPDIR/document.sh" 2>/dev/null; }

@test "a ticket is good once, and its use is noted where root alone looks" {
  run demand
  [ "$output" = '{}' ]
  [ "$(stat -c %a "$state/tickets")" = 700 ]
  [ "$(ls "$state/tickets")" = 9999999999.one ]
  run demand
  [ "$status" -eq 1 ]
  [[ $output == *'"error":"TicketRefusedError","message":"its ticket was used before, so it did nothing.'*'SendCommand for the command c-1'* ]]
}

@test "of several at the same moment one alone goes on" {
  for _ in 1 2 3 4; do demand >>"$BATS_TEST_TMPDIR/answers" & done
  wait
  [ "$(grep -cx '{}' "$BATS_TEST_TMPDIR/answers")" -eq 1 ]
  [ "$(grep -c 'used before' "$BATS_TEST_TMPDIR/answers")" -eq 3 ]
}

@test "a use is forgotten when every ticket of its time is late" {
  run demand
  touch -d '8 days ago' "$state/tickets/9999999999.one"
  touch -d '6 days ago' "$state/tickets/young"
  NONCE=two run demand
  [ "$(ls "$state/tickets" | tr '\n' ' ')" = '9999999999.two young ' ]
}

@test "what can't be noted is not refused: a full disk keeps nothing from being undone" {
  touch "$state"
  run demand
  [ "$output" = '{}' ]
}

@test "another statement, another key and no signature at all are refused" {
  STATEMENT=$'Holdfast-Test\nRun=other' run demand
  [[ $output == *TicketRefusedError*'was not made for it'* ]]
  openssl genrsa -out "$BATS_TEST_TMPDIR/other" 2048 2>/dev/null
  TICKET=$(printf '%s' "$STATEMENT" | openssl dgst -sha256 -sign "$BATS_TEST_TMPDIR/other" | base64 -w 0) run demand
  [[ $output == *TicketRefusedError*'was not made for it'* ]]
  TICKET='' run demand
  [[ $output == *TicketRefusedError*'was not made for it'* ]]
  # What was refused uses nothing up.
  [ ! -e "$state" ]
  run demand
  [ "$output" = '{}' ]
}

@test "another digest is no signature" {
  TICKET=$(printf '%s' "$STATEMENT" | openssl dgst -sha1 -sign "$BATS_FILE_TMPDIR/key" | base64 -w 0) run demand
  [[ $output == *TicketRefusedError* ]]
}

@test "a ticket for others, or on a node whose agent says no id, is refused; one for several or for any is good" {
  NODES='i-2 i-11' run demand
  [[ $output == *TicketRefusedError*'its ticket is for i-2 i-11, and this is i-1,'* ]]
  AWS_SSM_INSTANCE_ID='' run demand
  [[ $output == *TicketRefusedError*'an instance whose id the SSM agent does not tell'* ]]
  AWS_SSM_INSTANCE_ID='*' run demand
  [[ $output == *TicketRefusedError* ]]
  NODES='i-2 i-1' run demand
  [ "$output" = '{}' ]
  NODES=any NONCE=two run demand
  [ "$output" = '{}' ]
}

@test "an openssl that fails, is missing or lies with its exit status refuses; one that warns does not" {
  local said
  for said in 'exit 1' 'echo Verified OK; exit 1' 'echo Verification Failure' 'exit 0' 'echo Verified OK; echo more'; do
    printf '#!/bin/bash\ncat >/dev/null\n%s\n' "$said" >"$BATS_TEST_TMPDIR/bin/openssl"
    chmod +x "$BATS_TEST_TMPDIR/bin/openssl"
    run demand
    [[ $output == *TicketRefusedError*'openssl'* ]]
  done
  printf '#!/bin/bash\necho "WARNING: can not open config file" >&2\nexec /usr/bin/openssl "$@"\n' >"$BATS_TEST_TMPDIR/bin/openssl"
  run demand
  [ "$output" = '{}' ]
}

@test "openssl is started once" {
  printf '#!/bin/bash\necho >>"%s/starts"\nexec /usr/bin/openssl "$@"\n' "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/bin/openssl"
  chmod +x "$BATS_TEST_TMPDIR/bin/openssl"
  run demand
  [ "$output" = '{}' ]
  [ "$(wc -l <"$BATS_TEST_TMPDIR/starts")" -eq 1 ]
}
