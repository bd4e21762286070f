# shellcheck shell=bash
# The run's own directory on the node: small files and FIFOs, never data. Undoing removes what a killed script leaves.

readonly state_directory=/var/lib/holdfast

# begin_work RUN: makes $work and marks every process of this script as the run's.
begin_work() {
  export HOLDFAST_RUN=$1
  work=''
  trap end_work EXIT
  # A directory of the run's own around these would be removed by one command while another one enters it.
  if ! work=$(umask 077 && mkdir -p "$state_directory/runs" && mktemp -d "$state_directory/runs/$1.XXXXXXXX") ||
    ! head -c 65536 /dev/zero >"$work/room" || ! rm "$work/room"; then
    fail NoSpaceError "can't write below $state_directory. $(free_space "$state_directory") Free some space, then start the operation again."
  fi
}

end_work() {
  [ -z "$work" ] || rm -rf "$work"
}

# One sentence on the room where a path lies.
free_space() {
  local path=$1
  while [ ! -e "$path" ]; do path=$(dirname "$path"); done
  df -P -k "$path" | awk 'NR == 2 { printf "%s has %d KiB free of %d KiB.", $6, $4, $2 }'
}
