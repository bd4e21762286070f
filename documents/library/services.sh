# shellcheck shell=bash
# shellcheck disable=SC2154 # state_directory is of work.sh, which documents source before
# Services that are stopped for a run are recorded first and always started again: by the run, by its undo, or by a
# watchdog on the node, since a time-out kills a script's whole process group and no trap runs.

# The record of what a run stopped, in the order of stopping, one name per line.
stopped_file() { printf '%s' "$state_directory/stopped/$1"; }

# remember_stopped RUN NAME...: once each, in the order of stopping.
remember_stopped() {
  local file name
  file=$(stopped_file "$1")
  shift
  mkdir -p "$state_directory/stopped"
  touch "$file"
  for name; do grep -qxF -- "$name" "$file" || printf '%s\n' "$name" >>"$file"; done
}

# manager_of NAME: what starts and stops it.
manager_of() {
  if [ -x "/etc/init.d/$1" ]; then
    echo script
  elif [ -e "/etc/init/$1.conf" ]; then
    echo upstart
  else
    echo systemd
  fi
}

is_running() {
  case $(manager_of "$1") in
    script) service "$1" status >/dev/null 2>&1 4>&- ;;
    upstart) initctl status "$1" 2>/dev/null 4>&- | grep 'start/running' >/dev/null ;;
    systemd) systemctl is-active --quiet "$1.service" >/dev/null 2>&1 4>&- ;;
  esac
}

# services_json NAME...: those of them that the node has, and whether they run.
services_json() {
  local name
  for name; do
    if has_service "$name"; then json name="$name" running:="$(json_flag is_running "$name")"; fi
  done | json_array
}

has_service() { [ "$(manager_of "$1")" != systemd ] || systemctl cat "$1.service" >/dev/null 2>&1; }

# change_service NAME ACTION: as an operator would. A daemon must hold neither our marks and descriptors nor what the agent
# has in its environment, and writes its logs with the umask that it is given.
change_service() {
  local command=(service "$1" "$2")
  case $(manager_of "$1") in
    upstart) command=(initctl "$2" "$1") ;;
    systemd) command=(systemctl "$2" "$1.service") ;;
  esac
  (umask 022 && exec env -i PATH="$PATH" LANG="${LANG-C}" TERM=dumb "${command[@]}") </dev/null >&2 3>&- 4>&-
}

# wait_until SECONDS COMMAND...: looks twice a second.
wait_until() {
  local looks=$(($1 * 2))
  shift
  until "$@"; do
    looks=$((looks - 1))
    [ "$looks" -gt 0 ] || return 1
    sleep 0.5
  done
}

# is_up NAME: it runs, and where a supervisor starts it again and again it takes connections, too.
is_up() {
  is_running "$1" || return 1
  case $1 in juju-db | snap.juju-db.daemon) (exec 9<>/dev/tcp/localhost/37017) 2>/dev/null 4>&- ;; esac
}

not_running() { ! is_running "$1"; }

# start_recorded RUN: starts what the run stopped, last stopped first. Sets started and down (lists of names). Judged by
# status: the dashboard workers' start script says it failed although it did not.
start_recorded() {
  local file name names=()
  file=$(stopped_file "$1")
  started='' down=''
  [ -e "$file" ] || return 0
  while read -r name; do names=("$name" ${names[@]+"${names[@]}"}); done <"$file"
  for name in ${names[@]+"${names[@]}"}; do
    is_running "$name" || change_service "$name" start || true
    if wait_until 60 is_up "$name"; then started="$started $name"; else down="$down $name"; fi
  done
  [ -n "$down" ] || rm -f "$file"
}

# recover RUN: puts back what the run replaced, then starts what it stopped; services stay down where starting them would
# show users an installation with holes. Sets started, down and not_rolled_back.
recover() {
  not_rolled_back=''
  roll_back "$1"
  if [ -z "$not_rolled_back" ]; then
    start_recorded "$1"
  else
    started=''
    down=$(tr '\n' ' ' <"$(stopped_file "$1")" 2>/dev/null || true)
  fi
}

# arm_watchdog RUN SECONDS: recovers by itself when nobody else did in time.
arm_watchdog() {
  local script
  script=$(stopped_file "$1").watchdog
  {
    printf 'set -uo pipefail\nstate_directory=%q\n' "$state_directory"
    declare -f
    printf 'sleep %d\n' "$2"
    # A name of its own at the beginning of a word: what a document does not name, it does not carry.
    printf 'recover %q\n' "$1"
    # shellcheck disable=SC2016 # for the watchdog to expand
    printf '[ -n "$down" ] || rm -f %q\n' "$script"
  } >"$script"
  env -i PATH="$PATH" LANG="${LANG-C}" HOLDFAST_WATCHDOG="$1" setsid bash "$script" </dev/null >/dev/null 2>&1 3>&- 4>&- &
}

# disarm_watchdog RUN
disarm_watchdog() {
  kill_marked "HOLDFAST_WATCHDOG=$1"
  rm -f "$(stopped_file "$1").watchdog"
}

# kill_marked NAME=VALUE: ends every process but this one whose environment holds it, and those that they have begun
# meanwhile. Sets killed.
kill_marked() {
  local environment pid before
  killed=0
  for _ in 1 2 3 4 5; do
    before=$killed
    while IFS= read -r environment; do
      pid=${environment#/proc/}
      pid=${pid%/environ}
      if [ "$pid" -ne "$$" ] && kill -KILL "$pid" 2>/dev/null; then killed=$((killed + 1)); fi
    done < <(grep -lzxF -- "$1" /proc/[0-9]*/environ 2>/dev/null)
    [ "$killed" -gt "$before" ] || return 0
  done
}
