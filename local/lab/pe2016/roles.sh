# shellcheck shell=bash disable=SC2034
# Sourced by the scripts beside it: what a node is, from ROLES and the names of its system's nodes.
: "${ROLES:?}" "${MASTER:?}" "${PUPPETDB:?}" "${CONSOLE:?}"
: "${NODES:=$MASTER}" "${COMPILE_MASTERS:=}" "${LOADBALANCER:=}" "${AUTHORITY:=}"

name=$(hostname -f)
domain=${name#*.}
ssl=/etc/puppetlabs/puppet/ssl
server_data=/opt/puppetlabs/server/data

# has ROLE...: whether the node holds one of them.
has() {
  local role
  for role; do
    case " $ROLES " in *" $role "*) return 0 ;; esac
  done
  return 1
}

# alternative_names HOST: those that its certificate has beside its own name.
alternative_names() {
  if [[ $1 == "$MASTER" ]]; then
    echo "${1%%.*},$1,puppet,puppet.$domain"
  elif [[ " $COMPILE_MASTERS " == *" $1 "* ]]; then
    echo "${1%%.*},$1${LOADBALANCER:+,$LOADBALANCER}"
  fi
}
