#!/bin/bash
#/ Usage: curl --cacert /etc/puppetlabs/puppet/ssl/certs/ca.pem https://@SERVER@:8140/packages/current/@SCRIPT@.bash | bash
#/
#/ Stands in for the script that installs the agent's packages from the master that served it. Those of the server it lays into the
#/ node's repository; on a compile master the next run of the agent installs them.
#/ Exit status: 0 installed, or nothing newer to install; 1 the message says why not.
set -Eeuo pipefail
umask 022

server=@SERVER@
script=@SCRIPT@
version=@VERSION@
platform=debian-12-amd64
agent=/opt/puppetlabs/puppet
repository=/opt/puppetlabs/puppet/cache/pe-repository
log=/var/log/puppetlabs/upgrade.log

fail() {
  echo "$script.bash: $1" >&2
  exit 1
}

restart() {
  local service
  for service; do
    if [[ -x /etc/init.d/$service ]]; then service "$service" restart || fail "$service does not start again"; fi
  done
}

main() {
  local before
  [[ $(id -u) == 0 ]] || fail 'this must be run as root'
  [[ -d ${HOME-} && ${USER-} == root ]] || fail 'HOME and USER must be those of root'
  [[ -x $agent/bin/puppet && -r /etc/puppetlabs/puppet/ssl/certs/ca.pem ]] || fail 'there is no agent on this node'
  if [[ -e /etc/puppetlabs/enterprise/conf.d/pe.conf ]]; then
    fail 'this node holds a core component of Puppet Enterprise: use puppet-enterprise-installer'
  fi
  scratch=$(mktemp -d) || fail 'there is no room for the packages'
  trap 'rm -rf "$scratch"' EXIT
  echo "Downloading the packages of Puppet Enterprise $version from $server"
  "$agent/bin/curl" -sS --fail --cacert /etc/puppetlabs/puppet/ssl/certs/ca.pem --output "$scratch/packages.tar.gz" \
    "https://$server:8140/packages/current/$platform/puppet-enterprise.tar.gz" || fail "the packages can not be had from $server"
  tar -xzf "$scratch/packages.tar.gz" -C "$scratch" || fail 'the packages are damaged'
  before=$(cat "$agent/VERSION")
  cat "$scratch/puppet/VERSION" >"$agent/VERSION"
  mkdir -p "$repository"
  cp "$scratch/server/pe_version" "$repository/pe_version"
  restart pe-activemq mcollective puppet
  mkdir -p "${log%/*}"
  echo "$(date -u +%FT%TZ) $script.bash of $server ($version): puppet-agent $before -> $(cat "$agent/VERSION")" >>"$log"
  echo "puppet-agent $(cat "$agent/VERSION") is installed."
}

main "$@"
