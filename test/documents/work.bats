#!/usr/bin/env bats
# How every document begins and ends, and how it is undone: the real scripts, with a directory of state and a systemctl of the
# test's own.

setup() {
  cp -r "$BATS_TEST_DIRNAME/../../documents" "$BATS_TEST_TMPDIR/documents"
  state=$BATS_TEST_TMPDIR/state
  sed -i "s|^readonly state_directory=.*|readonly state_directory=$state|" "$BATS_TEST_TMPDIR/documents/library/work.sh"
  mkdir "$BATS_TEST_TMPDIR/bin" "$BATS_TEST_TMPDIR/running"
  mkfifo "$BATS_TEST_TMPDIR/gate"
  # A service runs while there is a file of its name; stopping a slow one takes until the gate opens.
  cat >"$BATS_TEST_TMPDIR/bin/systemctl" <<SH
#!/bin/bash
cd "$BATS_TEST_TMPDIR"
name=\${!#}
name=\${name%.service}
case \$1 in
  cat) ;;
  is-active) [ -e "running/\$name" ] ;;
  start)
    { env; umask; } >"started-\$name"
    touch "running/\$name"
    ;;
  stop)
    echo \$\$ >"stopping-\$name"
    case \$name in *slow) read -r _ <gate ;; esac
    rm -f "running/\$name"
    ;;
esac
SH
  chmod +x "$BATS_TEST_TMPDIR/bin/systemctl"
  export PATH=$BATS_TEST_TMPDIR/bin:$PATH
  export RUN=run-$BATS_TEST_NUMBER-$$ ATTEMPT=0 START_BEFORE=$(($(date +%s) + 3600))
  touch "$BATS_TEST_TMPDIR"/running/test-{quick,slow}
}

teardown() {
  # A watchdog of a test that failed.
  run_document undo >/dev/null 2>&1 || true
}

run_document() { bash "$BATS_TEST_TMPDIR"/documents/*/"$1.sh"; }

# body LINE...: a document of these lines.
body() {
  {
    for library in begin services; do printf '. "%s/documents/library/%s.sh"\n' "$BATS_TEST_TMPDIR" "$library"; done
    printf '%s\n' begin "$@"
  } >"$BATS_TEST_TMPDIR/body.sh"
  bash "$BATS_TEST_TMPDIR/body.sh" 2>/dev/null
}

undo() { run_document undo 2>/dev/null; }

# A plain `!` fails no test.
refute() { if "$@"; then return 1; fi; }

is_alive() { [ -e "/proc/$1/stat" ] && ! grep -q ') [ZX] ' "/proc/$1/stat"; }

# A script in a process group of its own, as the agent runs it, that is in the middle of stopping a service.
stop_slowly() {
  SERVICES='test-quick test-slow' WATCHDOG_SECONDS=9999 setsid bash "$BATS_TEST_TMPDIR/documents/shared/stop-services.sh" >/dev/null 2>&1 3>&- &
  script=$!
  until [ -s "$BATS_TEST_TMPDIR/stopping-test-slow" ]; do sleep 0.05; done
  stopping=$(cat "$BATS_TEST_TMPDIR/stopping-test-slow")
}

@test "a command that begins in time works" {
  run body answer
  [ "$status" -eq 0 ]
  [ "$output" = '{}' ]
}

@test "a command that begins after its deadline does nothing and says how late it is" {
  export START_BEFORE=$(($(date +%s) - 100))
  run body 'touch "$state_directory/worked"' 'answer "{}"'
  [ "$status" -eq 1 ]
  [[ $output == *'"error":"CommandLateError","message":"it began 10'*' s after its deadline'* ]]
  [ ! -e "$state" ]
}

@test "an undo that begins after its deadline does nothing" {
  export START_BEFORE=$(($(date +%s) - 100))
  run undo
  [ "$status" -eq 1 ]
  [[ $output == *CommandLateError* ]]
  [ ! -e "$state" ]
}

@test "no command of a run works on a node where the run was undone, but other runs do" {
  undo
  undo
  run body 'touch "$state_directory/worked"' 'answer "{}"'
  [ "$status" -eq 1 ]
  [[ $output == *'"error":"RunUndoneError"'* ]]
  [ ! -e "$state/worked" ]
  [ -z "$(ls -A "$state/runs")" ]
  RUN=$RUN-other run body answer
  [ "$status" -eq 0 ]
}

@test "a run that was redriven after its undo works again, until that attempt is undone too" {
  undo
  ATTEMPT=1 run body answer
  [ "$status" -eq 0 ]
  ATTEMPT=1 undo
  # An undo of the first attempt that comes twice takes nothing back.
  undo
  ATTEMPT=1 run body answer
  [ "$status" -eq 1 ]
  [[ $output == *RunUndoneError* ]]
}

@test "marks of undone runs are kept for 60 days, and 1,000 of them" {
  mkdir -p "$state/undone"
  for number in $(seq 1001); do : >"$state/undone/kept-$number"; done
  touch -d '2 hours ago' "$state/undone/kept-1" "$state/undone/kept-2"
  : >"$state/undone/old"
  touch -d '61 days ago' "$state/undone/old"
  undo
  [ ! -e "$state/undone/old" ]
  [ ! -e "$state/undone/kept-1" ]
  [ -e "$state/undone/kept-3" ]
  [ "$(cat "$state/undone/$RUN")" = 0 ]
  [ "$(find "$state/undone" -type f | wc -l)" -eq 1000 ]
}

@test "a full disk keeps nothing from being undone" {
  mkdir -p "$state/stopped"
  echo test-quick >"$state/stopped/$RUN"
  rm "$BATS_TEST_TMPDIR/running/test-quick"
  : >"$state/undone"
  run undo
  [ "$status" -eq 0 ]
  [ -e "$BATS_TEST_TMPDIR/running/test-quick" ]
}

@test "undoing ends a script that outlived its worker: nothing that it starts is stopped afterwards" {
  stop_slowly
  [ ! -e "$BATS_TEST_TMPDIR/running/test-quick" ]
  run undo
  [ "$status" -eq 0 ]
  refute is_alive "$script"
  refute is_alive "$stopping"
  exec 8<>"$BATS_TEST_TMPDIR/gate"
  echo >&8
  wait "$script" || true
  [ -e "$BATS_TEST_TMPDIR/running/test-quick" ]
  [ -e "$BATS_TEST_TMPDIR/running/test-slow" ]
  [ -z "$(ls -A "$state/runs")" ]
}

@test "undoing ends what a killed script has left in its process group" {
  stop_slowly
  kill -KILL "$script"
  wait "$script" || true
  is_alive "$stopping"
  run undo
  [ "$status" -eq 0 ]
  refute is_alive "$stopping"
  [ -e "$BATS_TEST_TMPDIR/running/test-slow" ]
}

@test "undoing leaves a process alone that was given the same ids later" {
  setsid sleep 300 3>&- &
  innocent=$!
  until [ "$(ps -o comm= -p "$innocent")" = sleep ]; do sleep 0.05; done
  mkdir -p "$state/runs/$RUN.abcdefgh"
  echo "$innocent 1 $innocent 1 $(cat /proc/sys/kernel/random/boot_id)" >"$state/runs/$RUN.abcdefgh/script"
  run undo
  [ "$status" -eq 0 ]
  is_alive "$innocent"
  kill "$innocent"
}

@test "a service is started as an operator would start it: the usual umask, nothing of ours or the agent's around it" {
  export SSM_COMMAND_ID=1 AWS_SSM_INSTANCE_ID=i-1 AWS_SSM_REGION_NAME=here INVOCATION_ID=2 JOURNAL_STREAM=3
  rm "$BATS_TEST_TMPDIR"/running/*
  umask 077
  SERVICES=test-quick run run_document start-services
  [ "$status" -eq 0 ]
  [ "$(tail -n 1 "$BATS_TEST_TMPDIR/started-test-quick")" = 0022 ]
  refute grep -E 'HOLDFAST|RUN|ATTEMPT|SSM|INVOCATION|JOURNAL' "$BATS_TEST_TMPDIR/started-test-quick"
}

@test "the watchdog has nothing of the agent around it either" {
  export SSM_COMMAND_ID=1 JOURNAL_STREAM=3
  SERVICES=test-quick WATCHDOG_SECONDS=9999 run run_document stop-services
  [ "$status" -eq 0 ]
  watchdog=$(pgrep -f "$state/stopped/$RUN.watchdog")
  tr '\0' '\n' <"/proc/$watchdog/environ" >"$BATS_TEST_TMPDIR/environment"
  grep -qx "HOLDFAST_WATCHDOG=$RUN" "$BATS_TEST_TMPDIR/environment"
  refute grep -E 'SSM|JOURNAL|HOLDFAST_RUN' "$BATS_TEST_TMPDIR/environment"
}

@test "nothing that a document starts has the agent's variables around it" {
  export SSM_COMMAND_ID=1 AWS_SSM_INSTANCE_ID=i-1 AWS_SSM_REGION_NAME=here INVOCATION_ID=2 JOURNAL_STREAM=3
  run body 'env >"$work/../environment"' 'answer "{}"'
  [ "$status" -eq 0 ]
  refute grep -E '^(SSM|AWS_SSM|INVOCATION|JOURNAL)_' "$state/runs/environment"
  grep -qx "HOLDFAST_RUN=$RUN" "$state/runs/environment"
}

@test "no exit code that means something to the agent comes out of a document" {
  for code in 2 137 168 169 194; do
    run body "exit $code"
    [ "$status" -eq 1 ]
    run body "(exit $code)"
    [ "$status" -eq 1 ]
    [[ $output == *"UnexpectedError"*"exit code $code"* ]]
  done
  run body 'answer said="$(exit 168)"' 'sh -c "kill -KILL \$\$"'
  [ "$status" -eq 1 ]
  [ -z "$(ls -A "$state/runs")" ]
}

@test "a long answer is handed over in the state bucket, and what is answered names it" {
  cat >"$BATS_TEST_TMPDIR/bin/aws" <<SH
#!/bin/bash
[ ! -e "$BATS_TEST_TMPDIR/denied" ] || exit 1
echo "\$*" >"$BATS_TEST_TMPDIR/called"
cat >"$BATS_TEST_TMPDIR/object"
SH
  chmod +x "$BATS_TEST_TMPDIR/bin/aws"
  export ANSWERS=bucket/answers/pe-main/$RUN SSM_COMMAND_ID=c-1 AWS_SSM_INSTANCE_ID=i-1
  run body 'answer n="$(printf "%019992d" 0)"'
  [ "${#output}" -eq 20000 ]
  run body 'answer n="$(printf "%019993d" 0)"'
  [ "$status" -eq 0 ]
  [ "$output" = "{\"answer\":{\"key\":\"answers/pe-main/$RUN/c-1/i-1.json\",\"bytes\":20002,\"sha256\":\"$(sha256sum <"$BATS_TEST_TMPDIR/object" | cut -d ' ' -f 1)\"}}" ]
  [[ $(cat "$BATS_TEST_TMPDIR/called") == "s3 cp - s3://bucket/answers/pe-main/$RUN/c-1/i-1.json "* ]]
  [ "$(wc -c <"$BATS_TEST_TMPDIR/object")" -eq 20002 ]
  touch "$BATS_TEST_TMPDIR/denied"
  run body 'answer n="$(printf "%019993d" 0)"'
  [ "$status" -eq 1 ]
  [[ $output == *AnswerLostError* ]]
}

@test "programs in the usual places are found whatever the agent's PATH and directory are" {
  cd /usr/bin
  PATH=$BATS_TEST_TMPDIR/bin:/usr/bin:/bin run body 'answer at="$PWD $PATH"'
  [[ $output == '{"at":"/ '"$BATS_TEST_TMPDIR/bin:/usr/bin:/bin:"*:/usr/local/bin:*:/snap/bin'"}' ]]
}
