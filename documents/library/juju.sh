# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034,SC2164 # what is not set or not used here is of documents and libraries that source it
# Juju as it is found on a node: the state server (1.x) or controller (2.0 and later), and the client.

readonly juju_data=/var/lib/juju
readonly juju_note='holdfast'

# setting FILE KEY: the value of a line `key: value`, quotes taken off.
setting() { sed -n "s/^[[:space:]]*$2:[[:space:]]*[\"']\{0,1\}\([^\"']*\)[\"']\{0,1\}[[:space:]]*\$/\1/p" "$1" 2>/dev/null | sed -n 1p; }

# juju_words FILE: the last output of a tool, without passwords.
juju_words() {
  local words secret
  words=$(last_words "$1" | sed 's/\(--\{0,1\}p\(assword\)\{0,1\}[ =]\)[^ ]*/\1…/g')
  # Where they are known they are taken out wherever they stand.
  while IFS= read -r secret; do
    [ "${#secret}" -lt 8 ] || words=${words//"$secret"/…}
  done < <(known_secrets)
  printf '%s' "$words"
}

# known_secrets: passwords of this machine's agents, one per line.
known_secrets() { sed -n "s/^[a-z]*password:[[:space:]]*[\"']\{0,1\}\([^\"']*\)[\"']\{0,1\}[[:space:]]*\$/\1/p" "$juju_data"/agents/*/agent.conf 2>/dev/null || true; }

# find_server: sets server_machine, server_version, server_conf, mongo_service, agent_service and database_directory, or
# returns 1 on a machine that is none.
find_server() {
  local conf
  for conf in "$juju_data"/agents/machine-*/agent.conf "$juju_data"/agents/controller-*/agent.conf; do
    [ -r "$conf" ] || continue
    [ -e "$juju_data/server.pem" ] || [ -d "$juju_data/dqlite" ] || grep -q 'JobManage' "$conf" || continue
    server_conf=$conf
    server_machine=$(basename "$(dirname "$conf")")
    server_machine=${server_machine#*-}
    server_version=$(setting "$conf" upgradedToVersion)
    mongo_service=juju-db
    database_directory=$juju_data/db
    if [ -d /var/snap/juju-db ]; then mongo_service=snap.juju-db.daemon database_directory=/var/snap/juju-db/common/db; fi
    agent_service=jujud-machine-$server_machine
    has_service "$agent_service" || agent_service=jujuagentd-machine-$server_machine
    return 0
  done
  return 1
}

# The controller's UUID, before 2.0 the environment's.
server_uuid() {
  local uuid
  uuid=$(setting "$server_conf" controller)
  [ -n "$uuid" ] || uuid=$(setting "$server_conf" environment)
  uuid=${uuid#controller-}
  printf '%s' "${uuid#environment-}"
}

# The series that the agent's tools are made for; newer ones say ubuntu, so the system itself is asked.
server_series() {
  local series
  series=$(readlink "$juju_data/tools/machine-$server_machine" | sed -n 's/^[0-9][^-]*-\([a-z]*\)-[a-z0-9]*$/\1/p')
  case $series in '' | ubuntu) series=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release) ;; esac
  printf '%s' "$series"
}

database_kib() { du -sk "$database_directory" 2>/dev/null | cut -f 1; }

api_answers() { (exec 9<>/dev/tcp/localhost/17070) 2>/dev/null 4>&-; }

# is_classic VERSION
is_classic() { case $1 in 1.*) return 0 ;; *) return 1 ;; esac }

# refuse_unsupported VERSION: whether later ones can be backed up, their own create-backup says.
refuse_unsupported() {
  # A client adds its series and architecture.
  set -- "${1%%-*}"
  case $1 in
    0.* | 1.[0-9] | 1.[0-9].* | 1.1[0-5] | 1.1[0-5].*) fail UnsupportedJujuError "Juju $1 is older than 1.16, the first version with backups." ;;
  esac
}

# find_client USER: sets client_home, client_program, client_version and client_directory, or returns 1.
find_client() {
  client_user=$1
  client_home=$(getent passwd "$client_user" | cut -d : -f 6)
  [ -n "$client_home" ] || return 1
  client_program=$(PATH=$PATH:/snap/bin command -v juju) || return 1
  client_version=$(as_client timeout -k 5 60 "$client_program" version 2>/dev/null) || return 1
  if is_classic "$client_version"; then client_directory=$client_home/.juju; else client_directory=$client_home/.local/share/juju; fi
  [ -d "$client_directory" ]
}

# as_client COMMAND...: as the user whose home holds the client's directory, in the session of this script.
as_client() {
  local quoted command
  command=(env HOME="$client_home" USER="$client_user" PATH="$PATH:/snap/bin" "$@")
  cd "$client_home"
  if runuser -u root true 2>/dev/null; then
    runuser -u "$client_user" -- "${command[@]}"
  else
    printf -v quoted '%q ' "${command[@]}"
    su -s /bin/bash "$client_user" -c "exec $quoted"
  fi
}

# choose_controller NAME: sets client_name; without a name it is what the client is switched to.
choose_controller() {
  client_name=$1
  [ -n "$client_name" ] || client_name=$(as_client timeout -k 5 60 "$client_program" switch 2>/dev/null) || return 1
  client_name=${client_name%%:*}
  [ -n "$client_name" ]
}

# require_client: the client and the environment or controller that the parameters name.
require_client() {
  find_client "$CLIENT_USER" || fail WrongNodeError "no Juju client of $CLIENT_USER on this node. Check the roles in holdfast.yaml."
  choose_controller "$CONTROLLER" || fail WrongEnvironmentError "the client of $CLIENT_USER has no current environment or controller. Name it in holdfast.yaml."
}

# juju ARGUMENT...: the client's program, for at most $juju_seconds. Before 2.0 it is told the environment by a variable; from
# 2.0 on every command names controller or model itself, since JUJU_CONTROLLER is known from 2.5 on only.
juju() {
  local chosen=() status=0 seconds=${juju_seconds:-21600}
  if is_classic "$client_version"; then chosen=(JUJU_ENV="$client_name"); fi
  as_client env ${chosen[@]+"${chosen[@]}"} timeout -k 30 "$seconds" "$client_program" "$@" </dev/null 4>&- || status=$?
  # 137: by KILL, since it did not end by TERM.
  case $status in 124 | 137) echo "juju $1 timed out after $seconds s and was killed." >&2 ;; esac
  return "$status"
}

# begin_client_work: sets client_work, a directory that the client's user may write to and that goes with the run's own.
begin_client_work() {
  chmod 0711 "$state_directory" "$state_directory/runs" "$work"
  client_work=$work/client
  install -d -m 0700 -o "$client_user" "$client_work"
}

# lend_archive NAME: what this run has fetched, where the client's user may read it. The user writes it: root writes by no name
# in a directory of somebody else.
lend_archive() {
  begin_client_work
  lent_archive=$client_work/$1
  # shellcheck disable=SC2016 # of the user's own shell
  as_client bash -c 'umask 077 && cat >"$1"' bash "$lent_archive" <"$(fetched_file "$RUN" "$1")" 4>&- ||
    fail NoSpaceError "$client_user can't write $lent_archive. $(free_space "$client_work") Free some space, then start the restore again."
}

# open_archive FILE OWNER: opens a regular file of that user for whoever reads $archive; returns 1 for everything else. What is
# read is what was looked at, whoever may rename in its directory meanwhile.
open_archive() {
  local named opened
  named=$(stat -c '%F %u %h %d:%i' -- "$1" 2>/dev/null) || return 1
  case $named in "regular file $2 1 "*) ;; *) return 1 ;; esac
  { exec 8<"$1"; } 2>/dev/null || return 1
  opened=$(stat -L -c '%F %u %h %d:%i' /dev/fd/8)
  if [ "$named" != "$opened" ]; then
    exec 8<&-
    return 1
  fi
  archive=/dev/fd/8
}

# metadata_of ARCHIVE
metadata_of() { tar -xzO --occurrence=1 -f "$1" juju-backup/metadata.json 2>/dev/null || true; }

# find_archive RUN DIRECTORY: opens the archive that the agent of this controller, which is root, made for the run, and sets
# archive_file; returns 1 when there is none. Files of others in /tmp, and links, are none.
find_archive() {
  local place file told
  for place in "$2" /tmp /tmp/snap-private-tmp/snap.juju-db /tmp/snap-private-tmp/snap.juju-db/tmp; do
    [ -n "$place" ] || continue
    for file in "$place"/juju-backup-*.tar.gz; do
      open_archive "$file" "${juju_owner:-0}" || continue
      told=$(metadata_of "$archive")
      archive_file=$file
      case $told in *"\"$juju_note $1\""*) return 0 ;; esac
      exec 8<&-
    done
  done
  return 1
}

# remove_archives RUN: what a run that broke off has left on this controller.
remove_archives() {
  local directory
  [ -d "$juju_data/agents" ] || return 0
  directory=$(cat "$state_directory/juju/$1" 2>/dev/null || true)
  while find_archive "$1" "$directory"; do
    exec 8<&-
    rm -f -- "$archive_file" || break
  done
  rm -f "$state_directory/juju/$1"
}

# note_stored RUN ID: what Juju keeps in its database until it is removed, for whoever undoes a run that breaks off.
note_stored() {
  mkdir -p "$state_directory/juju"
  printf '%s %s %s\n' "$client_user" "$client_name" "$2" >"$state_directory/juju/$1.stored"
}

# remove_stored RUN
remove_stored() {
  local user id note=$state_directory/juju/$1.stored
  [ -e "$note" ] || return 0
  read -r user client_name id <"$note"
  juju_seconds=60
  if find_client "$user"; then
    if is_classic "$client_version"; then juju backups remove "$id"; else juju remove-backup -m "$client_name:controller" "$id"; fi >/dev/null 2>&1 || true
  fi
  rm -f "$note"
}

# make_archive ARGUMENT...: lets Juju make a backup, and tries again while its replica set is not ready. Sets said, a file.
make_archive() {
  local attempt
  said=$work/create.out
  for ((attempt = 1; ; attempt++)); do
    if juju "$@" >"$said" 2>"$work/create.log"; then return 0; fi
    # 4.0 says so of itself; later ones take other options, keep no archive on the controller, and restore otherwise.
    if grep -qE 'not implemented|(flag|option) provided but not defined' "$work/create.log"; then
      fail UnsupportedJujuError "Juju ${client_version%%-*} makes no backup that Holdfast supports: $(juju_words "$work/create.log") Nothing was stored. See \"Juju 4\" in docs/runbook.md."
    fi
    if [ "$attempt" -ge 6 ] || ! grep -q 'HA not ready' "$work/create.log"; then
      fail JujuFailedError "juju $1 failed: $(juju_words "$work/create.log") Nothing was stored."
    fi
    echo "attempt $attempt: the replica set is not ready" >&2
    sleep 5
  done
}

# printed KEY: what the client has printed of the backup. Up to 2.7 values are quoted, from 2.8 on a blank follows them.
printed() { sed -n "/^$1:/{s/^$1:[[:space:]]*//;s/[[:space:]]*\$//;s/^\"\(.*\)\"\$/\1/;p;q;}" "$said"; }

# require_told ID: what Juju knows of its backup lies in $said. From 2.0 to 2.7 create-backup itself prints the id alone.
require_told() {
  local show=(show-backup -m "$client_name:controller")
  if [ -n "$(printed checksum)" ]; then return 0; fi
  if is_classic "$client_version"; then show=(backups info); fi
  juju "${show[@]}" "$1" >"$said" 2>"$work/show.log" || fail JujuFailedError "juju ${show[0]} failed: $(juju_words "$work/show.log") Nothing was stored."
  [ -n "$(printed checksum)" ] || fail JujuFailedError "juju prints no checksum for its backup $1. Nothing was stored."
}

# require_initial: the backup was made on machine 0. Up to 1.25 any state server may answer the client, and juju restore reads
# the files of machine 0 alone.
require_initial() {
  local machine
  machine=$(printed 'machine ID')
  if is_classic "$client_version" && [ "$machine" != 0 ]; then
    fail WrongNodeError "juju made the backup on machine ${machine:-?}, and juju restore takes only one of machine 0. Put the address of machine 0 first below state-servers in $client_directory/environments/$client_name.jenv, then start the backup again. Nothing was stored."
  fi
}

# printed_id: by which a version up to 2.9.21 keeps the backup. Some print it, some tell it among the errors.
printed_id() { { grep -ohE '[0-9]{8}-[0-9]{6}\.[0-9a-f-]{36}' "$said" "$work/create.log" || true; } | sed -n 1p; }

# printed_path: where a version from 2.9.22 on says that it keeps the backup.
printed_path() { sed -n 's/^Remote backup stored on the controller as //p' "$work/create.log" | sed 's/[[:space:]]*$//; s/^"\(.*\)"$/\1/; 1!d'; }

# upgrade_controller VERSION [--dry-run]: of the environment before 2.0.
upgrade_controller() {
  local version=$1
  shift
  case $client_version in
    1.*) juju upgrade-juju --version "$version" "$@" ;;
    2.[0-5].*) juju upgrade-juju -m "$client_name:controller" --agent-version "$version" "$@" ;;
    *) juju upgrade-controller -c "$client_name" --agent-version "$version" "$@" ;;
  esac
}

# upgrade_model MODEL VERSION
upgrade_model() {
  case $client_version in
    2.[0-3].*) juju upgrade-juju -m "$client_name:$1" --agent-version "$2" ;;
    *) juju upgrade-model -m "$client_name:$1" --agent-version "$2" ;;
  esac
}
