#!/bin/bash
#/ Usage: certificates.sh
#/
#/ Makes the certificate authority as Puppet 3 keeps it, with signed agents and one that was revoked, and hands the
#/ certificates to the services that use them.
set -Eeuo pipefail
umask 022

certname=master.pe.example.com
ssl=/etc/puppetlabs/puppet/ssl
ca=$ssl/ca
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

internal=(
  pe-internal-dashboard
  pe-internal-broker
  pe-internal-mcollective-servers
  pe-internal-peadmin-mcollective-client
  pe-internal-puppet-console-mcollective-client
)
mapfile -t agents < <(printf '%s.pe.example.com\n' {web,app,db}{01..06} mail01 build01 retired01)
local_names=("$certname" "${internal[@]}")

main() {
  install -d "$ca"/{private,requests,signed} "$ssl"/{certs,private_keys,public_keys,certificate_requests,private}
  keys
  authority
  local name serial=2
  for name in "${local_names[@]}" "${agents[@]}"; do
    sign "$name" "$((serial++))"
  done
  printf '%04X' "$serial" >"$ca/serial"
  revoke retired01.pe.example.com
  install_local
  services
  owners
}

# The agents' keys stay on the agents: only their public halves are certified here.
keys() {
  openssl rand -hex 20 | tr -d '\n' >"$ca/private/ca.pass"
  openssl genrsa -des3 -traditional -passout "file:$ca/private/ca.pass" -out "$ca/ca_key.pem" 2048 2>/dev/null
  openssl rsa -in "$ca/ca_key.pem" -passin "file:$ca/private/ca.pass" -pubout -out "$ca/ca_pub.pem" 2>/dev/null
  # shellcheck disable=SC2016
  printf '%s\n' "${local_names[@]}" "${agents[@]}" |
    xargs -P 2 -I {} openssl genrsa -traditional -out "$scratch/{}.key" 2048 2>/dev/null
}

authority() {
  openssl req -new -x509 -days 1825 -set_serial 1 -subj "/CN=Puppet CA on $certname" \
    -key "$ca/ca_key.pem" -passin "file:$ca/private/ca.pass" -out "$ca/ca_crt.pem" \
    -addext 'keyUsage=critical,keyCertSign,cRLSign' -addext 'nsComment=Puppet Ruby/OpenSSL Internal Certificate'
  printf '# Inventory of signed certificates\n# SERIAL NOT_BEFORE NOT_AFTER SUBJECT\n' >"$ca/inventory.txt"
  record 1 "$ca/ca_crt.pem"
}

record() {
  local before after
  before=$(openssl x509 -in "$2" -noout -startdate)
  after=$(openssl x509 -in "$2" -noout -enddate)
  printf '0x%04x %s %s %s\n' "$1" "$(utc "${before#*=}")" "$(utc "${after#*=}")" \
    "/$(openssl x509 -in "$2" -noout -subject -nameopt compat | sed 's|^subject=/\?||')" >>"$ca/inventory.txt"
}

utc() {
  date -u -d "$1" +%Y-%m-%dT%H:%M:%SUTC
}

sign() {
  local name=$1 serial=$2 extensions
  extensions='basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature,keyEncipherment
extendedKeyUsage=critical,serverAuth,clientAuth
subjectKeyIdentifier=hash
nsComment=Puppet Ruby/OpenSSL Internal Certificate'
  if [[ $name == "$certname" ]]; then
    extensions+=$'\nsubjectAltName='"DNS:master,DNS:$certname,DNS:puppet,DNS:puppet.pe.example.com"
  fi
  openssl req -new -key "$scratch/$name.key" -subj "/CN=$name" |
    openssl x509 -req -days 1825 -CA "$ca/ca_crt.pem" -CAkey "$ca/ca_key.pem" -passin "file:$ca/private/ca.pass" \
      -set_serial "$serial" -extfile <(echo "$extensions") -out "$ca/signed/$name.pem" 2>/dev/null
  record "$serial" "$ca/signed/$name.pem"
}

revoke() {
  cat >"$scratch/ca.cnf" <<CONFIG
[ca]
default_ca = puppet
[puppet]
database = $scratch/index.txt
crlnumber = $scratch/crlnumber
default_md = sha256
crl_extensions = extensions
[extensions]
authorityKeyIdentifier = keyid:always
CONFIG
  : >"$scratch/index.txt"
  echo 01 >"$scratch/crlnumber"
  local authority=(openssl ca -config "$scratch/ca.cnf" -cert "$ca/ca_crt.pem" -keyfile "$ca/ca_key.pem"
    -passin "file:$ca/private/ca.pass")
  "${authority[@]}" -revoke "$ca/signed/$1.pem" -crl_reason keyCompromise 2>/dev/null
  "${authority[@]}" -gencrl -crldays 1825 -out "$ca/ca_crl.pem" 2>/dev/null
  rm "$ca/signed/$1.pem"
}

install_local() {
  local name
  cp "$ca/ca_crt.pem" "$ssl/certs/ca.pem"
  cp "$ca/ca_crl.pem" "$ssl/crl.pem"
  for name in "${local_names[@]}"; do
    cp "$ca/signed/$name.pem" "$ssl/certs/$name.pem"
    cp "$scratch/$name.key" "$ssl/private_keys/$name.pem"
    openssl rsa -in "$scratch/$name.key" -pubout -out "$ssl/public_keys/$name.pem" 2>/dev/null
  done
}

services() {
  local certs=/opt/puppet/share/puppet-dashboard/certs dashboard=pe-internal-dashboard
  install -d "$certs"
  cp "$ssl/certs/ca.pem" "$certs/$dashboard.ca_cert.pem"
  cp "$ssl/crl.pem" "$certs/$dashboard.ca_crl.pem"
  cp "$ssl/certs/$dashboard.pem" "$certs/$dashboard.cert.pem"
  cp "$ssl/private_keys/$dashboard.pem" "$certs/$dashboard.private_key.pem"
  cp "$ssl/public_keys/$dashboard.pem" "$certs/$dashboard.public_key.pem"
  chmod 0600 "$certs/$dashboard.private_key.pem"
  chown -R puppet-dashboard:puppet-dashboard "$certs"

  local mcollective=/etc/puppetlabs/mcollective/ssl name
  install -d "$mcollective/clients"
  cp "$ssl/certs/ca.pem" "$mcollective/mcollective-cacert.pem"
  cp "$ssl/certs/$certname.pem" "$mcollective/$certname.cert.pem"
  cp "$ssl/private_keys/$certname.pem" "$mcollective/$certname.private_key.pem"
  cp "$ssl/private_keys/pe-internal-mcollective-servers.pem" "$mcollective/mcollective-private.pem"
  cp "$ssl/public_keys/pe-internal-mcollective-servers.pem" "$mcollective/mcollective-public.pem"
  for name in peadmin puppet-console; do
    cp "$ssl/public_keys/pe-internal-$name-mcollective-client.pem" "$mcollective/clients/$name-public.pem"
  done
  chmod -R o-rwx "$mcollective"
  chmod 0600 "$mcollective"/*private*.pem

  local home=/var/lib/peadmin/.mcollective.d
  install -d -o peadmin -g peadmin -m 0700 "$home"
  install -o peadmin -g peadmin -m 0600 "$ssl/private_keys/pe-internal-peadmin-mcollective-client.pem" "$home/peadmin-private.pem"
  install -o peadmin -g peadmin -m 0600 "$ssl/public_keys/pe-internal-peadmin-mcollective-client.pem" "$home/peadmin-public.pem"
  install -o peadmin -g peadmin -m 0600 "$mcollective/mcollective-public.pem" "$home/mcollective-public.pem"

  local activemq=/etc/puppetlabs/activemq password
  password=$(sed -n 's/.*keyStorePassword="\([^"]*\)".*/\1/p' "$activemq/activemq.xml")
  PASSWORD=$password openssl pkcs12 -export -name pe-internal-broker -passout env:PASSWORD -out "$activemq/broker.ks" \
    -in "$ssl/certs/pe-internal-broker.pem" -inkey "$ssl/private_keys/pe-internal-broker.pem" -certfile "$ssl/certs/ca.pem"
  PASSWORD=$password openssl pkcs12 -export -nokeys -passout env:PASSWORD -out "$activemq/broker.ts" -in "$ssl/certs/ca.pem"
  chmod 0640 "$activemq"/broker.*
  chown pe-activemq:pe-activemq "$activemq"/broker.*
}

# Modes as in Puppet 3's defaults.
owners() {
  find "$ssl" -type d -exec chmod 0755 {} +
  find "$ssl" -type f -exec chmod 0644 {} +
  chmod 0771 "$ssl"
  chmod 0750 "$ssl/private_keys" "$ssl/private"
  chmod 0600 "$ssl"/private_keys/*.pem
  chmod 0770 "$ca/private"
  chmod 0660 "$ca/ca_key.pem" "$ca/ca_crt.pem" "$ca/private/ca.pass"
  chmod 0664 "$ca/ca_crl.pem"
  chown -R pe-puppet:pe-puppet "$ssl"
  /opt/puppet/sbin/puppetdb-ssl-setup -f
}

main "$@"
