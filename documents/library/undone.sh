# shellcheck shell=bash
# shellcheck disable=SC2154 # what is not set here is of work.sh, which documents source before
# How a node is kept from doing more of a run that is being undone.

# How long an agent may keep a command at most, as far as anybody knows, and how many marks are kept beside.
readonly undone_days=60 undone_marks=1000

# mark_undone RUN: from here on no document of this attempt of the run begins. A full disk keeps nothing from being undone.
mark_undone() {
  local file undone old
  file=$(undone_file "$1")
  undone=$(cat "$file" 2>/dev/null) || undone=0
  [ "$undone" -ge "$ATTEMPT" ] || undone=$ATTEMPT
  if ! mkdir -p "${file%/*}" || ! printf '%s\n' "$undone" >"$file.new" || ! mv -f "$file.new" "$file"; then
    echo "can't note that $1 is undone. $(free_space "$state_directory")" >&2
    return 0
  fi
  find "${file%/*}" -type f -mtime "+$undone_days" -exec rm -f {} +
  find "${file%/*}" -type f -printf '%T@ %p\n' | sort -rn | tail -n "+$((undone_marks + 1))" | cut -d ' ' -f 2- |
    while IFS= read -r old; do rm -f "$old"; done
}

# end_scripts RUN: ends the groups of the run's scripts that still live, and waits until nothing of them is left. A script
# outlives the agent's worker, and what it began to stop would be stopped after its undo. Ids are used again: a group counts
# when its script or its leader began at the noted time, or when nobody has the leader's id any more. Sets ended.
end_scripts() {
  local file pid began group group_began boot stat own
  ended=0
  read_stat "$$"
  own=${stat[2]}
  for file in "$state_directory/runs/$1".????????/script; do
    read -r pid began group group_began boot 2>/dev/null <"$file" || continue
    if [ "$boot" != "$(cat "$boot_id")" ] || [ "$group" = "$own" ]; then continue; fi
    [ "$(started "$pid")" = "$began" ] || [ "$(started "$group")" = "$group_began" ] || [ ! -e "/proc/$group" ] || continue
    kill -KILL -- "-$group" 2>/dev/null || continue
    ended=$((ended + 1))
    wait_until 30 is_empty_group "$group" || echo "a process of the group $group does not end; it was killed and does nothing more" >&2
  done
}

# is_empty_group GROUP: nothing of it runs; what is dead and not reaped does not count.
is_empty_group() {
  local process stat
  for process in /proc/[0-9]*; do
    read_stat "${process#/proc/}"
    case ${stat[2]-}:${stat[0]-} in
      "$1":[ZX]) ;;
      "$1":*) return 1 ;;
    esac
  done
}
