#!/bin/bash
#/ Usage: RUN= ON_PROBLEM= inspect-puppet.sh
#/
#/ Reports what a node of Puppet Enterprise holds: version, names, roles, services, databases, paths, space, tools. Changes
#/ nothing.
#/   ON_PROBLEM  fail: a problem on the node ends the command; report: the answer lists it, because a restore is to repair it
#/ Exit status: 0 inspected; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/databases.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/puppet.sh"
. "$(dirname "$0")/../library/puppet-settings.sh"
. "$(dirname "$0")/../library/told.sh"
. "$(dirname "$0")/../library/mounts.sh"
. "$(dirname "$0")/../library/closure.sh"
. "$(dirname "$0")/../library/compression.sh"
. "$(dirname "$0")/../library/tar.sh"
. "$(dirname "$0")/../library/authority.sh"
. "$(dirname "$0")/../library/node.sh"

# problem NAME MESSAGE: fails, or lists the message among the answer's problems, as ON_PROBLEM says.
problem() {
  [ "$ON_PROBLEM" = report ] || fail "$1" "$2"
  printf '%s\n' "$2" >>"$work/problems"
}

inspect_space() { { printf '%s\n' "$state_directory" "$puppet_configuration" "$puppet_home" "$postgres_data" && cat "$work/locations"; } | space_of; }

# An authority whose certificate can't be read is none that a backup may skip.
inspect_authority() {
  local directory
  directory=${asked[cadir]-}
  if [ ! -e "$directory/ca_crt.pem" ]; then
    printf 'null' >"$work/authority"
  elif ! describe_authority "$directory" >"$work/authority"; then
    printf 'null' >"$work/authority"
    problem AuthorityUnreadableError "$directory/ca_crt.pem cannot be read as a certificate. Fix it, then start the operation again."
  fi
}

inspect_answers() {
  local path files=()
  for path in $puppet_answers; do if [ -s "$path" ]; then files+=("$path"); fi; done
  json_list ${files[@]+"${files[@]}"}
}

# own GROUP PATH...: what the product itself keeps there; one that is not there is none of this version's.
own() {
  local group=$1 path
  shift
  for path; do
    if [ -e "$path" ] || [ -L "$path" ]; then name_path product "$group" "the layout of Puppet Enterprise" "$path" yes; fi
  done
}

has_authority() {
  local name
  for name in cakey cacert; do
    if [ -e "${asked["$name"]-}" ]; then return 0; fi
  done
  # A link that leads nowhere is an authority that can't be reached.
  [ -L "${asked[cadir]-}" ] && [ ! -e "${asked[cadir]-}" ]
}

find_paths() {
  load_mounts
  if [ -L "$puppet_configuration" ] && [ ! -e "$puppet_configuration" ]; then
    problem MissingPathError "$puppet_configuration points to $(readlink "$puppet_configuration"), which is not there. Mount or fix it, then start the operation again."
  fi
  own configuration "$puppet_configuration"
  own certificates /opt/puppet/share/puppet-dashboard/certs /opt/puppet/share/console-services/certs \
    /opt/puppetlabs/server/data/console-services/certs "$postgres_data/certs" "$postgres_data/server.key" "$postgres_data/server.crt" "$postgres_data/root.crt"
  own mcollective /var/lib/peadmin
  # Not the version files: they say what is installed, which no restore of files changes.
  own installer /opt/puppet/share/console-auth/db/database.yml /opt/puppet/share/rubycas-server/config.yml
  take_every_setting
  if has_authority; then require_authority; fi
  follow_links
  tell_notes >>"$work/warnings"
}

inspect_paths() {
  json configuration:="$(roots_json configuration)" certificates:="$(roots_json certificates)" modules:="$(roots_json modules)" \
    mcollective:="$(roots_json mcollective)" installer:="$(roots_json installer)"
}

inspect_required() {
  local path quoted seen=$'\n'
  for path in ${required[@]+"${required[@]}"}; do
    case $seen in *$'\n'"$path"$'\n'*) continue ;; esac
    seen=$seen$path$'\n'
    quote_path "$path"
    printf '%s\n' "$quoted"
  done | json_array
}

inspect_roles() {
  local roles=()
  if [ -e "${asked[cadir]-}" ] || [ -L "${asked[cadir]-}" ]; then roles+=(master); fi
  if [ "$has_postgres" = yes ] || [ -d "$puppet_configuration/puppetdb" ]; then roles+=(puppetdb); fi
  if [ -d /opt/puppet/share/puppet-dashboard ] || [ -d /opt/puppet/share/console-services ] || [ -d "$puppet_configuration/console-services" ]; then roles+=(console); fi
  case " ${roles[*]-} " in
    *' master '*) ;;
    *)
      if has_service pe-puppetserver || { has_service pe-httpd && [ -z "${roles[*]-}" ]; }; then roles+=(compile-master); fi
      if has_service pe-activemq; then roles+=(activemq-hub activemq-spoke); fi
      ;;
  esac
  if [ -n "$(agent_version)" ]; then roles+=(agent); fi
  json_list ${roles[@]+"${roles[@]}"}
}

# Where the agent is installed the layout is the same for both.
refuse_open_source() {
  local name found=''
  [ -z "$(installed_version)" ] || return 0
  for name in puppetserver puppetdb puppetmaster puppet-master; do
    if has_service "$name"; then found=$name; fi
  done
  if [ -n "$found" ]; then
    fail OpenSourcePuppetError "this node runs $found of open-source Puppet, and no Puppet Enterprise. The kind puppet-enterprise does not back it up. Take the node out of holdfast.yaml."
  fi
}

# What packs and reads is tried, not assumed.
check_tools() {
  local fault
  find_compressor
  if [ -n "$compression_warning" ]; then printf '%s\n' "$compression_warning" >>"$work/warnings"; fi
  find_tar_options
  fault=$(tar_fault)
  if [ -n "$fault" ]; then
    problem UnfitToolError "the tar of this node ($(tar --version 2>&1 | sed -n 1p)) cannot keep every file name: $fault. Install GNU tar 1.20 or newer, then start the operation again."
  fi
  if ! printf '' | openssl dgst -sha256 >/dev/null 2>&1; then
    problem UnfitToolError "the openssl of this node ($(openssl version 2>&1)) knows no SHA-256. Install 0.9.8 or newer, then start the operation again."
  fi
}

main() {
  local tool warning left warnings=()
  begin
  for tool in aws tar openssl service; do require_tool "$tool"; done
  : >"$work/problems"
  : >"$work/locations"
  refuse_open_source
  if [ -z "$(installed_version)$(agent_version)" ]; then
    problem WrongNodeError "no Puppet Enterprise on this node: neither /opt/puppet/pe_version nor /opt/puppetlabs is there. Check the instance in holdfast.yaml."
  fi
  has_postgres=no
  if has_service pe-postgresql && { [ "$ON_PROBLEM" = fail ] || [ -e /opt/puppet/bin/psql ] || [ -e /opt/puppetlabs/server/bin/psql ]; }; then
    find_postgres
    if postgres_answers; then has_postgres=yes; else problem "$postgres_error" "$postgres_said"; fi
  fi
  if [ "$has_postgres" = yes ]; then inspect_databases; fi
  check_tools
  # A proven restore does not fail by what it can't remove; somebody has to.
  while IFS=$'\t' read -r _ _ left; do
    if is_there "$left"; then echo "$left is what a restore has replaced, and it could not be removed. Unmount or unlock what is in it, look at it, remove it by hand" >>"$work/warnings"; fi
  done < <(cat "$state_directory"/restore/*/finished 2>/dev/null)
  : >>"$work/warnings"
  # A backup changes nothing: only a restore minds what can't be moved.
  if [ "$ON_PROBLEM" = report ]; then fixed_within "$puppet_configuration" "$puppet_home" >"$work/fixed"; else : >"$work/fixed"; fi
  read_puppet_conf
  ask_puppet
  find_paths
  local version certname found_roles found_services postgres paths space problems=() fixed=()
  version=$(installed_version || true)
  certname=$(puppet_setting certname "$(hostname -f)")
  found_roles=$(inspect_roles)
  # shellcheck disable=SC2086 # a list of names without spaces
  found_services=$(services_json $puppet_services)
  postgres=$(inspect_postgres)
  inspect_authority
  paths=$(inspect_paths)
  space=$(inspect_space)
  while IFS= read -r warning; do warnings+=("$warning"); done <"$work/warnings"
  while IFS= read -r warning; do fixed+=("$warning"); done < <(head -n 20 "$work/fixed")
  while IFS= read -r warning; do problems+=("$warning"); done <"$work/problems"
  answer product=puppet-enterprise version="$version" agentVersion="$(agent_version)" hostname="$(hostname -f)" certname="$certname" \
    roles:="$found_roles" services:="$found_services" postgres:="$postgres" certificateAuthority:=@"$work/authority" \
    answers:="$(inspect_answers)" paths:="$paths" required:="$(inspect_required)" tools:="$(tools_of)" space:="$space" \
    mounts:="$(inspect_mounts)" fixed:="$(json_list ${fixed[@]+"${fixed[@]}"})" problems:="$(json_list ${problems[@]+"${problems[@]}"})" \
    warnings:="$(json_list ${warnings[@]+"${warnings[@]}"})"
}

main "$@"
