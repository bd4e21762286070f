# shellcheck shell=bash
# The run's own directory on the node: small files and FIFOs, never data. Undoing removes what a killed script leaves.

readonly state_directory=/var/lib/holdfast

# begin_work RUN: makes $work and marks every process of this script as the run's. Refuses when the command comes too late.
begin_work() {
  refuse_late
  export HOLDFAST_RUN=$1
  # A directory of the run's own around these would be removed by one command while another one enters it.
  if ! made_work=$(umask 077 && mkdir -p "$state_directory/runs" && mktemp -d "$state_directory/runs/$1.XXXXXXXX") ||
    ! head -c 65536 /dev/zero >"$made_work/room" || ! rm "$made_work/room"; then
    fail NoSpaceError "can't write below $state_directory. $(free_space "$state_directory") Free some space, then start the operation again."
  fi
  work=$made_work
  # In this order, as undoing marks the node first and looks for scripts then: one of the two always sees the other.
  note_script "$work/script"
  refuse_undone "$1"
}

clean_up() { remove_work; }

remove_work() { [ -z "${made_work-}" ] || rm -rf --one-file-system "$made_work"; }

# The agent keeps its queue on disk and runs a command days later, even one that was cancelled.
refuse_late() {
  local late=$(($(date +%s) - START_BEFORE))
  [ "$late" -lt 0 ] || fail CommandLateError "it began $late s after its deadline by this node's clock, and did nothing. Either it waited in the queue of the SSM agent, which runs five commands at once, or the clock is ahead: look at date, and at what else Run Command does on this node. Then start the operation again."
}

# What was undone, one file per run that holds the number of its last undone attempt.
undone_file() { printf '%s' "$state_directory/undone/$1"; }

# refuse_undone RUN: a redriven run has a higher attempt, and may go on.
refuse_undone() {
  local undone
  if undone=$(cat "$(undone_file "$1")" 2>/dev/null) && [ "$ATTEMPT" -le "$undone" ]; then
    fail RunUndoneError "the run $1 was undone on this node before this command began, so it did nothing. Start the operation again."
  fi
}

readonly boot_id=/proc/sys/kernel/random/boot_id

# read_stat PID: sets stat to the fields of /proc/PID/stat from the third on, the state; none when there is no such process.
read_stat() {
  local line=''
  IFS= read -r -d '' line 2>/dev/null <"/proc/$1/stat" || true
  # The name before may hold anything.
  # shellcheck disable=SC2206 # numbers and a letter
  stat=(${line##*\) })
}

# started PID: when it began, in ticks since the node's start; nothing when it is gone.
started() {
  local stat
  read_stat "$1"
  printf '%s' "${stat[19]-}"
}

# note_script FILE: which process this script is, which group it is in, and when both began.
note_script() {
  local stat
  read_stat "$$"
  printf '%s %s %s %s %s\n' "$$" "${stat[19]}" "${stat[2]}" "$(started "${stat[2]}")" "$(cat "$boot_id")" >"$1"
}

# One sentence on the room where a path lies.
free_space() {
  local path=$1
  while [ ! -e "$path" ]; do path=$(dirname "$path"); done
  df -P -k "$path" | awk 'NR == 2 { printf "%s has %d KiB free of %d KiB.", $6, $4, $2 }'
}
