#!/bin/bash
#/ Usage: ROLES= MASTER= PUPPETDB= CONSOLE= NODES= [COMPILE_MASTERS=] [LOADBALANCER=] [AUTHORITY=] certificates.sh
#/
#/ On the master: makes the certificate authority as Puppet Server keeps it, with agents of which one was revoked, and signs for
#/ every node of the system; what is theirs lies below /var/lib/lab-certificates. Elsewhere: takes it from there, found below
#/ AUTHORITY, or without one makes do with an authority of its own, as a node does until a restore brings its certificates back.
#/ Then hands the certificates to the node's services.
set -Eeuo pipefail
umask 022
# shellcheck source=roles.sh
. "$(dirname "$0")/roles.sh"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Beside the hosts' own: keys that all of MCollective's servers share, and the console's and peadmin's.
shared=(pe-internal-mcollective-servers pe-internal-peadmin-mcollective-client pe-internal-classifier pe-internal-dashboard)
# Their keys stay with them.
mapfile -t elsewhere < <(printf "%s.$domain\n" web{01..06} retired01)
given=/var/lib/lab-certificates

main() {
  if has master; then
    authority "$ssl/ca"
  elif [[ -n $AUTHORITY ]]; then
    given=$AUTHORITY/var/lib/lab-certificates
  else
    given=$scratch/given
    authority "$scratch/ca"
  fi
  agent
  if [[ -d /etc/puppetlabs/mcollective ]]; then mcollective; fi
  if has master; then
    names orchestration-services pe-orchestration-services "$name"
    peadmin
  fi
  if has puppetdb; then names puppetdb pe-puppetdb "$name"; fi
  if has console; then console; fi
  if [[ -d /etc/puppetlabs/activemq ]]; then activemq; fi
}

# authority DIRECTORY
authority() {
  local host serial=2 ca=$1
  install -d "$ca"/{requests,signed}
  openssl genrsa -traditional -out "$ca/ca_key.pem" 2048 2>/dev/null
  openssl rsa -in "$ca/ca_key.pem" -pubout -out "$ca/ca_pub.pem" 2>/dev/null
  openssl req -new -x509 -days 1825 -set_serial 1 -subj "/CN=Puppet CA: $MASTER" -key "$ca/ca_key.pem" -out "$ca/ca_crt.pem" \
    -addext 'keyUsage=critical,keyCertSign,cRLSign'
  record 1 "$ca/ca_crt.pem" "$ca"
  # shellcheck disable=SC2086
  printf '%s\n' $NODES "${shared[@]}" "${elsewhere[@]}" |
    xargs -P 2 -I {} openssl genrsa -traditional -out "$scratch/{}.key" 2048 2>/dev/null
  for host in $NODES "${shared[@]}" "${elsewhere[@]}"; do
    sign "$host" "$((serial++))" "$ca"
  done
  printf '%04X' "$serial" >"$ca/serial"
  revoke "retired01.$domain" "$ca"
  for host in $NODES "${shared[@]}"; do
    install -d -m 0700 "$given/$host"
    cp "$ca/signed/$host.pem" "$given/$host/cert.pem"
    cp "$scratch/$host.key" "$given/$host/key.pem"
    openssl rsa -in "$scratch/$host.key" -pubout -out "$given/$host/public.pem" 2>/dev/null
    cp "$ca/ca_crt.pem" "$given/$host/ca.pem"
    cp "$ca/ca_crl.pem" "$given/$host/crl.pem"
  done
}

record() {
  local before after
  before=$(openssl x509 -in "$2" -noout -startdate)
  after=$(openssl x509 -in "$2" -noout -enddate)
  printf '0x%04x %s %s %s\n' "$1" "$(utc "${before#*=}")" "$(utc "${after#*=}")" \
    "/$(openssl x509 -in "$2" -noout -subject -nameopt compat | sed 's|^subject=/\?||')" >>"$3/inventory.txt"
}

utc() {
  date -u -d "$1" +%Y-%m-%dT%H:%M:%SUTC
}

# sign HOST SERIAL AUTHORITY
sign() {
  local names extensions
  extensions='basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature,keyEncipherment
extendedKeyUsage=critical,serverAuth,clientAuth
subjectKeyIdentifier=hash'
  names=$(alternative_names "$1")
  if [[ -n $names ]]; then extensions+=$'\nsubjectAltName=DNS:'"${names//,/,DNS:}"; fi
  openssl req -new -key "$scratch/$1.key" -subj "/CN=$1" |
    openssl x509 -req -days 1825 -CA "$3/ca_crt.pem" -CAkey "$3/ca_key.pem" -set_serial "$2" -extfile <(echo "$extensions") \
      -out "$3/signed/$1.pem" 2>/dev/null
  record "$2" "$3/signed/$1.pem" "$3"
}

# revoke HOST AUTHORITY
revoke() {
  printf '%s\n' '[ca]' 'default_ca = puppet' '[puppet]' "database = $scratch/index.txt" "crlnumber = $scratch/crlnumber" \
    'default_md = sha256' 'crl_extensions = extensions' '[extensions]' 'authorityKeyIdentifier = keyid:always' >"$scratch/ca.cnf"
  : >"$scratch/index.txt"
  echo 01 >"$scratch/crlnumber"
  local authority=(openssl ca -config "$scratch/ca.cnf" -cert "$2/ca_crt.pem" -keyfile "$2/ca_key.pem")
  "${authority[@]}" -revoke "$2/signed/$1.pem" -crl_reason keyCompromise 2>/dev/null
  "${authority[@]}" -gencrl -crldays 1825 -out "$2/ca_crl.pem" 2>/dev/null
  rm "$2/signed/$1.pem"
}

# Modes as Puppet's own.
agent() {
  local host owner=root
  if has master compile-master; then owner=pe-puppet; fi
  install -d "$ssl"/{certs,private_keys,public_keys,certificate_requests,private}
  cp "$given/$name/ca.pem" "$ssl/certs/ca.pem"
  cp "$given/$name/crl.pem" "$ssl/crl.pem"
  for host in "$name" $(if has master; then echo "${shared[@]}"; fi); do
    cp "$given/$host/cert.pem" "$ssl/certs/$host.pem"
    cp "$given/$host/key.pem" "$ssl/private_keys/$host.pem"
    cp "$given/$host/public.pem" "$ssl/public_keys/$host.pem"
  done
  find "$ssl" -type d -exec chmod 0755 {} +
  find "$ssl" -type f -exec chmod 0644 {} +
  chmod 0771 "$ssl"
  chmod 0750 "$ssl/private_keys" "$ssl/private"
  chmod 0640 "$ssl"/private_keys/*.pem
  if has master; then chmod 0640 "$ssl/ca/ca_key.pem"; fi
  chown -R "$owner:$owner" "$ssl"
}

# names SERVICE USER HOST...: copies below the service's configuration.
names() {
  local directory=/etc/puppetlabs/$1/ssl user=$2
  shift 2
  certificates "$directory" "$user" "$@"
}

# certificates DIRECTORY USER HOST...
certificates() {
  local directory=$1 user=$2 host
  shift 2
  install -d -o "$user" -g "$user" -m 0700 "$directory"
  for host; do
    install -o "$user" -g "$user" -m 0600 "$given/$host/cert.pem" "$directory/$host.cert.pem"
    install -o "$user" -g "$user" -m 0600 "$given/$host/key.pem" "$directory/$host.private_key.pem"
    install -o "$user" -g "$user" -m 0600 "$given/$host/public.pem" "$directory/$host.public_key.pem"
  done
}

console() {
  certificates "$server_data/console-services/certs" pe-console-services "$name" pe-internal-classifier pe-internal-dashboard
}

mcollective() {
  local directory=/etc/puppetlabs/mcollective/ssl servers=$given/pe-internal-mcollective-servers
  install -d -m 0750 "$directory/clients"
  install -m 0644 "$given/$name/ca.pem" "$directory/mcollective-cacert.pem"
  install -m 0644 "$given/$name/cert.pem" "$directory/$name.cert.pem"
  install -m 0600 "$given/$name/key.pem" "$directory/$name.private_key.pem"
  install -m 0600 "$servers/key.pem" "$directory/mcollective-private.pem"
  install -m 0644 "$servers/public.pem" "$directory/mcollective-public.pem"
  install -m 0644 "$given/pe-internal-peadmin-mcollective-client/public.pem" "$directory/clients/peadmin-public.pem"
}

peadmin() {
  local home=/var/lib/peadmin client=$given/pe-internal-peadmin-mcollective-client
  install -d -o peadmin -g peadmin -m 0700 "$home/.mcollective.d"
  install -o peadmin -g peadmin -m 0600 /etc/puppetlabs/mcollective/client.cfg "$home/.mcollective"
  install -o peadmin -g peadmin -m 0600 "$client/key.pem" "$home/.mcollective.d/peadmin-private.pem"
  install -o peadmin -g peadmin -m 0600 "$client/public.pem" "$home/.mcollective.d/peadmin-public.pem"
}

activemq() {
  local directory=/etc/puppetlabs/activemq password
  password=$(sed -n 's/.*keyStorePassword="\([^"]*\)".*/\1/p' "$directory/activemq.xml")
  PASSWORD=$password openssl pkcs12 -export -name "$name" -passout env:PASSWORD -out "$directory/broker.ks" \
    -in "$given/$name/cert.pem" -inkey "$given/$name/key.pem" -certfile "$given/$name/ca.pem"
  PASSWORD=$password openssl pkcs12 -export -nokeys -passout env:PASSWORD -out "$directory/broker.ts" -in "$given/$name/ca.pem"
  chmod 0640 "$directory"/broker.*
  chown pe-activemq:pe-activemq "$directory"/broker.*
}

main "$@"
