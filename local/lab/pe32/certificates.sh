#!/bin/bash
#/ Usage: certificates.sh
#/
#/ On the master, makes the certificate authority as Puppet 3 keeps it, with signed agents and one that was revoked. On every
#/ node, hands certificates of that authority to the services that use them: those that the master's layer keeps for it, or
#/ else such as the running master signs.
set -Eeuo pipefail
umask 022

here=$(dirname "$0")
# shellcheck source=system.sh
. "$here/system.sh"
certname=$(hostname -f)
ssl=/etc/puppetlabs/puppet/ssl
ca=$ssl/ca
libexec=/opt/puppet/libexec
# Of the nodes that the master's layer was made with, and of the internal names. Nodes do not see it.
kept=/var/lib/lab-certificates
# Holds a directory per name with cert.pem, key.pem and public.pem, and beside them ca.pem and crl.pem.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

mcollective=(pe-internal-mcollective-servers pe-internal-peadmin-mcollective-client pe-internal-puppet-console-mcollective-client)
internal=(pe-internal-dashboard pe-internal-broker "${mcollective[@]}")
mapfile -t agents < <(printf '%s.pe.example.com\n' {web,app,db}{01..06} mail01 build01 retired01)
read -ra nodes <<<"$NODES"

main() {
  install -d "$ssl"/{certs,private_keys,public_keys,certificate_requests,private}
  if has master; then
    authority
  elif [[ -n $AUTHORITY ]]; then
    cp -a "$AUTHORITY$kept/." "$scratch"
    cp "$scratch/$certname"/{ca,crl}.pem "$scratch"
  else
    enrol
  fi
  install_node
  install_mcollective
  if has master; then install_master; fi
  if has console; then install_dashboard; fi
  owners
}

authority() {
  local name
  install -d "$ca"/{private,requests,signed}
  keys
  openssl req -new -x509 -days 1825 -set_serial 1 -subj "/CN=Puppet CA on $certname" \
    -key "$ca/ca_key.pem" -passin "file:$ca/private/ca.pass" -out "$ca/ca_crt.pem" \
    -addext 'keyUsage=critical,keyCertSign,cRLSign' -addext 'nsComment=Puppet Ruby/OpenSSL Internal Certificate'
  printf '# Inventory of signed certificates\n# SERIAL NOT_BEFORE NOT_AFTER SUBJECT\n' >"$ca/inventory.txt"
  "$libexec/certificate-authority" record 1 "$ca/ca_crt.pem"
  printf '0002' >"$ca/serial"
  for name in "$certname" "${internal[@]}" "${agents[@]}" "${nodes[@]}"; do
    [[ -e $ca/signed/$name.pem ]] || sign "$name"
  done
  revoke retired01.pe.example.com
  cp "$ca/ca_crt.pem" "$scratch/ca.pem"
  cp "$ca/ca_crl.pem" "$scratch/crl.pem"
  if ((${#nodes[@]} > 1)); then keep; fi
}

# The agents' keys stay on the agents: only their public halves are certified here.
keys() {
  openssl rand -hex 20 | tr -d '\n' >"$ca/private/ca.pass"
  openssl genrsa -des3 -traditional -passout "file:$ca/private/ca.pass" -out "$ca/ca_key.pem" 2048 2>/dev/null
  openssl rsa -in "$ca/ca_key.pem" -passin "file:$ca/private/ca.pass" -pubout -out "$ca/ca_pub.pem" 2>/dev/null
  printf '%s\n' "$certname" "${internal[@]}" "${agents[@]}" "${nodes[@]}" | sort -u >"$scratch/names"
  (cd "$scratch" && xargs mkdir <names && xargs -P 2 -I {} openssl genrsa -traditional -out {}/key.pem 2048 <names 2>/dev/null)
}

sign() {
  local alternative_names=
  if [[ $1 == "$certname" ]]; then
    alternative_names="DNS:master,DNS:$certname,DNS:puppet,DNS:puppet.pe.example.com"
  fi
  openssl req -new -key "$scratch/$1/key.pem" -subj "/CN=$1" |
    "$libexec/certificate-authority" sign "$1" "$alternative_names"
  cp "$ca/signed/$1.pem" "$scratch/$1/cert.pem"
  openssl rsa -in "$scratch/$1/key.pem" -pubout -out "$scratch/$1/public.pem" 2>/dev/null
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

keep() {
  local name
  install -d -m 0700 "$kept"
  for name in "${nodes[@]}" "${internal[@]}"; do
    cp -a "$scratch/$name" "$kept"
    cp "$scratch"/{ca,crl}.pem "$kept/$name"
  done
}

# As an agent does that has no certificate yet: it believes the master once, and from then on its authority.
enrol() {
  local name shared
  "$libexec/https-request" GET "$MASTER" 8140 /production/certificate/ca <<<'' >"$scratch/ca.pem"
  ask GET certificate_revocation_list/ca <<<'' >"$scratch/crl.pem"
  for name in "$certname" $(if has console; then echo pe-internal-dashboard; fi); do
    mkdir "$scratch/$name"
    openssl genrsa -traditional -out "$scratch/$name/key.pem" 2048 2>/dev/null
    openssl rsa -in "$scratch/$name/key.pem" -pubout -out "$scratch/$name/public.pem" 2>/dev/null
    openssl req -new -key "$scratch/$name/key.pem" -subj "/CN=$name" | ask PUT "certificate_request/$name" >/dev/null
    ask GET "certificate/$name" <<<'' >"$scratch/$name/cert.pem"
  done
  for name in "${mcollective[@]}"; do
    mkdir "$scratch/$name"
    shared=$(ask GET "file_content/mcollective/$name" "$scratch/$certname"/{cert,key}.pem <<<'')
    openssl pkey -traditional -out "$scratch/$name/key.pem" <<<"$shared"
    openssl pkey -pubout -out "$scratch/$name/public.pem" <<<"$shared"
  done
}

# ask METHOD WHAT [CERTIFICATE KEY]
ask() {
  "$libexec/https-request" "$1" "$MASTER" 8140 "/production/$2" "$scratch/ca.pem" "${@:3}" || {
    echo "$MASTER:8140 does not answer $1 $2" >&2
    return 1
  }
}

install_node() {
  cp "$scratch/ca.pem" "$ssl/certs/ca.pem"
  cp "$scratch/crl.pem" "$ssl/crl.pem"
  install_certificate "$certname"
}

install_certificate() {
  cp "$scratch/$1/cert.pem" "$ssl/certs/$1.pem"
  cp "$scratch/$1/key.pem" "$ssl/private_keys/$1.pem"
  cp "$scratch/$1/public.pem" "$ssl/public_keys/$1.pem"
}

install_mcollective() {
  local directory=/etc/puppetlabs/mcollective/ssl name
  install -d "$directory/clients"
  cp "$scratch/ca.pem" "$directory/mcollective-cacert.pem"
  cp "$scratch/$certname/cert.pem" "$directory/$certname.cert.pem"
  cp "$scratch/$certname/key.pem" "$directory/$certname.private_key.pem"
  cp "$scratch/pe-internal-mcollective-servers/key.pem" "$directory/mcollective-private.pem"
  cp "$scratch/pe-internal-mcollective-servers/public.pem" "$directory/mcollective-public.pem"
  for name in peadmin puppet-console; do
    cp "$scratch/pe-internal-$name-mcollective-client/public.pem" "$directory/clients/$name-public.pem"
  done
  chmod -R o-rwx "$directory"
  chmod 0600 "$directory"/*private*.pem
}

install_master() {
  local name home=/var/lib/peadmin/.mcollective.d activemq=/etc/puppetlabs/activemq password
  for name in pe-internal-broker "${mcollective[@]}"; do install_certificate "$name"; done

  install -d -o peadmin -g peadmin -m 0700 "$home"
  install -o peadmin -g peadmin -m 0600 "$scratch/pe-internal-peadmin-mcollective-client/key.pem" "$home/peadmin-private.pem"
  install -o peadmin -g peadmin -m 0600 "$scratch/pe-internal-peadmin-mcollective-client/public.pem" "$home/peadmin-public.pem"
  install -o peadmin -g peadmin -m 0600 "$scratch/pe-internal-mcollective-servers/public.pem" "$home/mcollective-public.pem"

  password=$(sed -n 's/.*keyStorePassword="\([^"]*\)".*/\1/p' "$activemq/activemq.xml")
  PASSWORD=$password openssl pkcs12 -export -name pe-internal-broker -passout env:PASSWORD -out "$activemq/broker.ks" \
    -in "$scratch/pe-internal-broker/cert.pem" -inkey "$scratch/pe-internal-broker/key.pem" -certfile "$scratch/ca.pem"
  PASSWORD=$password openssl pkcs12 -export -nokeys -passout env:PASSWORD -out "$activemq/broker.ts" -in "$scratch/ca.pem"
  chmod 0640 "$activemq"/broker.*
  chown pe-activemq:pe-activemq "$activemq"/broker.*
}

install_dashboard() {
  local directory=/opt/puppet/share/puppet-dashboard/certs name=pe-internal-dashboard
  if has master; then install_certificate "$name"; fi
  install -d "$directory"
  cp "$scratch/ca.pem" "$directory/$name.ca_cert.pem"
  cp "$scratch/crl.pem" "$directory/$name.ca_crl.pem"
  cp "$scratch/$name/cert.pem" "$directory/$name.cert.pem"
  cp "$scratch/$name/key.pem" "$directory/$name.private_key.pem"
  cp "$scratch/$name/public.pem" "$directory/$name.public_key.pem"
  chmod 0644 "$directory"/*.pem
  chmod 0600 "$directory/$name.private_key.pem"
  chown -R puppet-dashboard:puppet-dashboard "$directory"
}

# Modes as in Puppet 3's defaults.
owners() {
  find "$ssl" -type d -exec chmod 0755 {} +
  find "$ssl" -type f -exec chmod 0644 {} +
  chmod 0771 "$ssl"
  chmod 0750 "$ssl/private_keys" "$ssl/private"
  chmod 0600 "$ssl"/private_keys/*.pem
  if has master; then
    chmod 0770 "$ca/private"
    chmod 0660 "$ca/ca_key.pem" "$ca/ca_crt.pem" "$ca/private/ca.pass"
    chmod 0664 "$ca/ca_crl.pem"
  fi
  chown -R pe-puppet:pe-puppet "$ssl"
  if has puppetdb; then /opt/puppet/sbin/puppetdb-ssl-setup -f; fi
}

main "$@"
