# shellcheck shell=bash
# juju-restore, which waits without end for a database that does not answer, and tells no cause but among debugging lines that
# hold the database's password.

# Between its start and the unpacking of the archive it only connects. Once the database is restored it waits for the replica
# set, up to a day, with the agents stopped.
connect_seconds=300
settle_seconds=1800
whole_seconds=43200

# run_juju_restore TOOL ARGUMENT...: waits for its end, and ends it where it waits too long. $unpacked is where it unpacks.
# On failure sets restore_cause.
run_juju_restore() {
  local pid status=0 begun=$SECONDS restored='' late=''
  timeout -k 10 "$whole_seconds" "$@" </dev/null >"$work/restore.out" 2>"$work/juju-restore.log" 4>&- &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    if [ -z "$(ls -A "$unpacked")" ] && [ $((SECONDS - begun)) -ge "$connect_seconds" ]; then
      late="it did not get through to the database in $connect_seconds s, so it was ended. Nothing was changed. Look at the database's log."
    elif grep -q 'Database restore complete' "$work/restore.out"; then
      [ -n "$restored" ] || restored=$SECONDS
      if [ $((SECONDS - restored)) -ge "$settle_seconds" ]; then
        late="the database is restored, but its replica set was not healthy after $settle_seconds s, so juju-restore was ended. Look at the database's log on every controller."
      fi
    fi
    if [ -n "$late" ]; then
      # To timeout, which passes it on to all that it started, and kills what does not end.
      kill -TERM "$pid" 2>/dev/null || true
      break
    fi
    sleep 0.5
  done
  wait "$pid" || status=$?
  [ "$status" -ne 0 ] || return 0
  case $status in
    124 | 137) [ -n "$late" ] || late="it timed out after $whole_seconds s and was killed: the database may be half restored." ;;
  esac
  # With the command line goes the password.
  grep -v 'running restore command' "$work/juju-restore.log" >"$work/restore.words" || true
  restore_cause=${late:-$(juju_words "$work/restore.words")}
  return 1
}

# restore_stage: what it did last, for people.
restore_stage() {
  local line
  # A log that goes with this run is no help.
  line=$(grep -v -e '^[[:space:]]*$' -e '^Detailed mongorestore output' "$work/restore.out" | tail -n 1) || true
  [ -z "$line" ] || printf 'Its last step was "%s".' "${line%"${line##*[![:space:]]}"}"
}
