# shellcheck shell=bash
# Juju as it is found on a node: the state server (1.x) or controller (2.0 and later), and the client.

readonly juju_data=/var/lib/juju
readonly juju_note='holdfast'

# setting FILE KEY: the value of a line `key: value`, quotes taken off.
setting() { sed -n "s/^[[:space:]]*$2:[[:space:]]*[\"']\{0,1\}\([^\"']*\)[\"']\{0,1\}[[:space:]]*\$/\1/p" "$1" 2>/dev/null | head -n 1; }

# juju_words FILE: the last words of a tool, without what it tells of passwords.
juju_words() { last_words "$1" | sed 's/\(--\{0,1\}p\(assword\)\{0,1\}[ =]\)[^ ]*/\1…/g'; }

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

# refuse_unsupported VERSION: from 4.0 on the database is another one, and Juju has no backup of it that could be trusted.
refuse_unsupported() {
  # A client adds its series and architecture.
  set -- "${1%%-*}"
  case $1 in
    0.* | 1.[0-9] | 1.[0-9].* | 1.1[0-5] | 1.1[0-5].*) fail UnsupportedJujuError "Juju $1 is older than 1.16, from which on backups are known." ;;
    [0-3].*) ;;
    *) fail UnsupportedJujuError "Juju $1 keeps its state in Dqlite, and its own backup and recovery are not stable yet, so none is made. Until then stop the agents of the controllers (jujud), take an EBS snapshot of each controller's volumes, and start them again." ;;
  esac
}

# find_client USER: sets client_home, client_program, client_version and client_directory, or returns 1.
find_client() {
  client_user=$1
  client_home=$(getent passwd "$client_user" | cut -d : -f 6)
  [ -n "$client_home" ] || return 1
  client_program=$(PATH=$PATH:/snap/bin command -v juju) || return 1
  client_version=$(as_client "$client_program" version 2>/dev/null) || return 1
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
  [ -n "$client_name" ] || client_name=$(as_client "$client_program" switch 2>/dev/null) || return 1
  client_name=${client_name%%:*}
  [ -n "$client_name" ]
}

# require_client: the client and the environment or controller that the parameters name.
require_client() {
  find_client "$CLIENT_USER" || fail WrongNodeError "no Juju client of $CLIENT_USER on this node. Check the roles in holdfast.yaml."
  choose_controller "$CONTROLLER" || fail WrongEnvironmentError "the client of $CLIENT_USER is switched to no environment or controller. Name it in holdfast.yaml."
}

# juju ARGUMENT...: of the chosen environment or controller, for at most $juju_seconds.
juju() {
  local chosen=JUJU_CONTROLLER
  if is_classic "$client_version"; then chosen=JUJU_ENV; fi
  as_client env "$chosen=$client_name" timeout "${juju_seconds:-21600}" "$client_program" "$@" </dev/null 4>&-
}

# begin_client_work: sets client_work, a directory that the client's user may write to and that goes with the run's own.
begin_client_work() {
  chmod 0711 "$state_directory" "$state_directory/runs" "$work"
  client_work=$work/client
  install -d -m 0700 -o "$client_user" "$client_work"
}

# lend_archive NAME: what this run has fetched, where the client's user may read it.
lend_archive() {
  begin_client_work
  cp "$(restore_directory "$RUN")/$1" "$client_work/archive.tgz"
  chown "$client_user" "$client_work/archive.tgz"
}

# metadata_of ARCHIVE
metadata_of() { tar -xzO --occurrence=1 -f "$1" juju-backup/metadata.json 2>/dev/null || true; }

# archives_of RUN DIRECTORY: the archives on this controller that juju made for the run.
archives_of() {
  local place file told
  for place in "$2" /tmp /tmp/snap-private-tmp/snap.juju-db /tmp/snap-private-tmp/snap.juju-db/tmp; do
    [ -n "$place" ] || continue
    for file in "$place"/juju-backup-*.tar.gz; do
      [ -f "$file" ] || continue
      told=$(metadata_of "$file")
      case $told in *"\"$juju_note $1\""*) printf '%s\n' "$file" ;; esac
    done
  done | sort -u
}

# remove_archives RUN: what a run that broke off has left on this controller.
remove_archives() {
  local file
  [ -d "$juju_data/agents" ] || return 0
  while IFS= read -r file; do rm -f -- "$file"; done < <(archives_of "$1" "$(cat "$state_directory/juju/$1" 2>/dev/null)")
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
    if [ "$attempt" -ge 6 ] || ! grep -q 'HA not ready' "$work/create.log"; then
      fail JujuFailedError "juju $1 failed: $(juju_words "$work/create.log") Nothing was stored."
    fi
    echo "attempt $attempt: the replica set is not ready" >&2
    sleep 5
  done
}

# printed KEY: what the client has printed of the backup.
printed() { sed -n "s/^$1:[[:space:]]*\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$said" | head -n 1; }

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
