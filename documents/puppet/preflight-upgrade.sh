#!/bin/bash
#/ Usage: RUN= preflight-upgrade.sh
#/
#/ Reports what on this node is against an upgrade of Puppet Enterprise, as far as a node can tell, and which modules it has.
#/ Changes nothing.
#/ Exit status: 0 looked, the answer has every problem at once.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/puppet.sh"
. "$(dirname "$0")/../library/upgrade.sh"

# The installer unpacks about this much.
readonly unpacked_kib=1048576

problems=()
problem() { problems+=("$1"); }

check_temporary_directory() {
  local free file
  free=$(df -P -k /tmp | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$unpacked_kib" ] || problem "/tmp has $((free / 1024)) MiB free, the installer needs $((unpacked_kib / 1024)) MiB"
  # Under a name that nobody could know before: others write here, too.
  if ! file=$(mktemp /tmp/holdfast.XXXXXXXXXX) || ! { printf '#!/bin/sh\n' >"$file" && chmod 0700 "$file"; }; then
    problem "nothing can be written to /tmp"
  elif ! "$file" 2>/dev/null; then
    problem "programs cannot be run from /tmp (noexec): mount it without"
  fi
  rm -f "$file"
}

check_settings() {
  local certname
  [ "$(puppet_setting noop false agent)" != true ] || problem "puppet.conf sets noop = true: an upgrade changes nothing then"
  if grep -rqsE '^[^#]*(pe_repo|puppet_agent|puppet_enterprise)?(::)?(agent|package)_version' "$puppet_configuration/puppet/puppet.conf" "$puppet_configuration/enterprise/conf.d"; then
    problem "agent_version is set below $puppet_configuration: it keeps the agent of an infrastructure node from being upgraded"
  fi
  certname=$(puppet_setting certname "$(hostname -f)")
  case $certname in *[A-Z]*) problem "the certname $certname has capital letters" ;; esac
}

# Lines that are neither a host name, a pattern of one, nor a comment stop the new server.
check_autosign() {
  local file=$puppet_configuration/puppet/autosign.conf line
  [ -r "$file" ] && [ ! -x "$file" ] || return 0
  line=$(grep -vnE '^[[:space:]]*(#.*)?$|^[[:space:]]*(\*\.)?[A-Za-z0-9._-]+[[:space:]]*$|^[[:space:]]*\*[[:space:]]*$' "$file" | sed -n 1p) || true
  [ -z "$line" ] || problem "$file is not valid at line ${line%%:*}"
}

# Others must be able to read what agents are upgraded from.
check_packages() {
  local directory=$puppet_home/server/data/packages/public
  [ -d "$directory" ] || return 0
  [ -z "$(find "$directory" -maxdepth 1 -type d ! -perm -o=rx -print -quit)" ] || problem "$directory or a directory in it is not readable for all"
}

check_agent() {
  local file
  file=$(puppet_setting agent_disabled_lockfile "$puppet_state/state/agent_disabled.lock")
  [ ! -e "$file" ] || problem "the agent is disabled (puppet agent --enable): $(head -c 200 "$file" | tr -d '\n')"
}

# The installer makes users' directories through login shells; what those keep from others, services can't read afterwards.
check_umask() {
  local mask
  mask=$(umask 022 && su - root -c umask 2>/dev/null </dev/null | tail -n 1) || true
  case $mask in
    '' | 0022 | 022) ;;
    *) problem "a login shell of root has the umask $mask, the installer needs 0022: set it in /etc/profile, /etc/login.defs or root's own profile" ;;
  esac
}

main() {
  local name modules=()
  begin
  check_temporary_directory
  check_umask
  check_settings
  check_autosign
  check_packages
  check_agent
  while IFS= read -r name; do modules+=("$name"); done < <(module_names)
  answer problems:="$(json_list ${problems[@]+"${problems[@]}"})" modules:="$(json_list ${modules[@]+"${modules[@]}"})" \
    interrupted="$(interrupted_upgrade)"
}

main "$@"
