#!/bin/bash
#/ Usage: RUN= PURPOSE= inspect-puppet.sh
#/
#/ Tells what a node of Puppet Enterprise holds: version, names, roles, services, databases, paths, space, tools. Changes
#/ nothing.
#/   PURPOSE  backup: what is broken is an error; rescue: it is told among the problems, since a restore is to mend it
#/ Exit status: 0 inspected; 1 failed, the answer says why.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/paths.sh"
. "$(dirname "$0")/library/postgres.sh"
. "$(dirname "$0")/library/databases.sh"
. "$(dirname "$0")/library/services.sh"
. "$(dirname "$0")/library/puppet.sh"
. "$(dirname "$0")/library/node.sh"

# problem NAME MESSAGE: ends a backup; a rescue notes it and goes on.
problem() {
  [ "$PURPOSE" = rescue ] || fail "$1" "$2"
  printf '%s\n' "$2" >>"$work/problems"
}

inspect_space() { { printf '%s\n' "$state_directory" "$puppet_configuration" "$puppet_home" "$postgres_data" && cat "$work/locations"; } | space_of; }

inspect_authority() {
  local directory
  directory=$(puppet_setting cadir "$puppet_configuration/puppet/ssl/ca")
  if [ ! -r "$directory/ca_crt.pem" ]; then
    printf 'null'
    return
  fi
  printf '{"fingerprint":%s,"serial":%s,"inventoryLines":%d}' \
    "$(json_string "$(openssl x509 -in "$directory/ca_crt.pem" -noout -fingerprint -sha256 | cut -d = -f 2)")" \
    "$(json_string "$(cat "$directory/serial" 2>/dev/null)")" "$(wc -l <"$directory/inventory.txt" 2>/dev/null || echo 0)"
}

inspect_services() {
  local name separator=''
  printf '['
  for name in $puppet_services; do
    has_service "$name" || continue
    printf '%s{"name":"%s","running":%s}' "$separator" "$name" "$(if is_running "$name"; then echo true; else echo false; fi)"
    separator=,
  done
  printf ']'
}

# group NAME PATH...: the paths of a group and what their links lead to.
group() {
  local name=$1 path separator=''
  shift
  printf '"%s":[' "$name"
  while IFS= read -r path; do
    printf '%s{"path":%s,"because":"product","by":""}' "$separator" "$(json_string "$path")"
    separator=,
  done < <(existing "$@" && if [ "$#" -gt 0 ]; then outside_links "$@"; fi)
  printf ']'
}

inspect_paths() {
  local path data=$postgres_data modules=() libraries=()
  while IFS= read -r path; do
    case $path/ in
      "$puppet_configuration"/* | /opt/puppet/share/puppet/modules/ | /opt/puppetlabs/puppet/modules/) ;;
      *) if [ -d "$path" ]; then modules+=("$path"); else echo "the modulepath names $path, which is not there" >>"$work/warnings"; fi ;;
    esac
  done < <(split_path "$(puppet_setting modulepath "$puppet_modules")")
  if [ -r "$puppet_configuration/mcollective/server.cfg" ]; then
    while IFS= read -r path; do libraries+=("$path"); done < <(split_path "$(sed -n 's/^[[:space:]]*libdir[[:space:]]*=[[:space:]]*//p' "$puppet_configuration/mcollective/server.cfg" | tail -n 1)")
  fi
  printf '{'
  group configuration "$puppet_configuration"
  printf ','
  group certificates /opt/puppet/share/puppet-dashboard/certs /opt/puppet/share/console-services/certs \
    /opt/puppetlabs/server/data/console-services/certs "$data/certs" "$data/server.key" "$data/server.crt" "$data/root.crt"
  printf ','
  group modules ${modules[@]+"${modules[@]}"}
  printf ','
  group mcollective ${libraries[@]+"${libraries[@]}"} /var/lib/peadmin
  printf ','
  group installer /opt/puppet/pe_version /opt/puppetlabs/server/pe_version /opt/puppetlabs/server/pe_build /opt/puppet/share/console-auth/db/database.yml /opt/puppet/share/rubycas-server/config.yml
  printf '}'
}

inspect_roles() {
  local roles=()
  if [ -e "$puppet_configuration/puppet/ssl/ca" ] || [ -L "$puppet_configuration/puppet/ssl/ca" ]; then roles+=(master); fi
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

main() {
  local tool warning left warnings=()
  begin_answer
  begin_work "$RUN"
  for tool in aws tar openssl service; do require_tool "$tool"; done
  : >"$work/problems"
  : >"$work/locations"
  if [ -z "$(installed_version)$(agent_version)" ]; then
    problem WrongNodeError "no Puppet Enterprise on this node: neither /opt/puppet/pe_version nor /opt/puppetlabs is there. Check the instance in holdfast.yaml."
  fi
  has_postgres=no
  if has_service pe-postgresql && { [ "$PURPOSE" = backup ] || [ -e /opt/puppet/bin/psql ] || [ -e /opt/puppetlabs/server/bin/psql ]; }; then
    find_postgres
    if postgres_answers; then has_postgres=yes; else problem "$postgres_error" "$postgres_said"; fi
  fi
  if [ "$has_postgres" = yes ]; then inspect_databases; fi
  if ! command -v zstd >/dev/null; then echo 'zstd is not installed: gzip is used, which is slower and packs less' >>"$work/warnings"; fi
  # A proven restore does not fail by what it can't remove; somebody has to.
  while IFS=$'\t' read -r _ _ left; do
    if is_there "$left"; then echo "$left is what a restore has replaced, and it could not be removed. Unmount or unlock what is in it, look at it, remove it by hand" >>"$work/warnings"; fi
  done < <(cat "$state_directory"/restore/*/finished 2>/dev/null)
  : >>"$work/warnings"
  # A backup changes nothing: only a restore minds what can't be moved.
  if [ "$PURPOSE" = rescue ]; then fixed_within "$puppet_configuration" "$puppet_home" >"$work/fixed"; else : >"$work/fixed"; fi
  local version certname found_roles found_services postgres authority paths space problems=() fixed=()
  version=$(installed_version || true)
  certname=$(puppet_setting certname "$(hostname -f)")
  found_roles=$(inspect_roles)
  found_services=$(inspect_services)
  postgres=$(inspect_postgres)
  authority=$(inspect_authority)
  paths=$(inspect_paths)
  space=$(inspect_space)
  while IFS= read -r warning; do warnings+=("$warning"); done <"$work/warnings"
  while IFS= read -r warning; do fixed+=("$warning"); done < <(head -n 20 "$work/fixed")
  while IFS= read -r warning; do problems+=("$warning"); done <"$work/problems"
  answer "{\"product\":\"puppet-enterprise\",\"version\":$(json_string "$version"),\"agentVersion\":$(json_string "$(agent_version)"),\"hostname\":$(json_string "$(hostname -f)"),\"certname\":$(json_string "$certname"),\"roles\":$found_roles,\"services\":$found_services,\"postgres\":$postgres,\"certificateAuthority\":$authority,\"paths\":$paths,\"tools\":$(tools_of),\"space\":$space,\"mounts\":$(inspect_mounts),\"fixed\":$(json_list ${fixed[@]+"${fixed[@]}"}),\"problems\":$(json_list ${problems[@]+"${problems[@]}"}),\"warnings\":$(json_list ${warnings[@]+"${warnings[@]}"})}"
}

main "$@"
