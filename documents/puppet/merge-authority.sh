#!/bin/bash
#/ Usage: KNOWN_SERIAL= RUN= merge-authority.sh
#/
#/ Merges into the restored certificate authority what the living one of the same key has signed and revoked since its backup,
#/ and puts its serial number beyond every one that may have been issued. Done twice it is the same as once.
#/   KNOWN_SERIAL  the greatest next serial number that is known of this authority from elsewhere; may be empty
#/ Exit status: 0 merged, the answer says from what; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/puppet.sh"
. "$(dirname "$0")/../library/authority.sh"

# Beyond what is known, where the living authority can't be asked how many it has signed.
readonly margin=1000

# A revocation list of ours lives as long as one of Puppet's own: five years.
readonly list_days=1825

# Names that an answer has room for.
readonly names_told=50

# put NEW FILE: in one step, with owner and mode of what was there, or of the authority's certificate.
put() {
  local file reference=$directory/ca_crt.pem
  file=$(readlink -f "$2")
  if [ -e "$file" ]; then reference=$file; fi
  cp -- "$1" "$file.merged"
  chown --reference="$reference" -- "$file.merged"
  chmod --reference="$reference" -- "$file.merged"
  mv -T -- "$file.merged" "$file"
}

# choose_living: the copies of the same authority. Sets same (directories), living (same, foreign, missing) and whether it could be
# read to the end, which leaves nothing to guess.
choose_living() {
  local copy found fingerprint
  fingerprint=$(fingerprint_of "$directory/ca_crt.pem") || fail AuthorityDamagedError "$directory/ca_crt.pem of the backup cannot be read. Restore another backup."
  same=() living=missing whole=no nameless=()
  for copy in "$kept"/living*; do
    case $copy in *.part) continue ;; esac
    [ -d "$copy" ] || continue
    if [ ! -e "$copy/ca_crt.pem" ]; then
      nameless+=("$copy")
      continue
    fi
    found=$(fingerprint_of "$copy/ca_crt.pem") || found=''
    if [ "$found" = "$fingerprint" ]; then
      same+=("$copy")
      living=same
      if [ -n "$(serial_in "$copy/serial")" ]; then whole=yes; fi
    elif [ "$living" = missing ]; then
      living=foreign
    fi
  done
}

# merge_signed: certificates that the living authority has and the restored one has not; of two for one name the later one.
merge_signed() {
  local copy certificate file
  mkdir -p "$work/names"
  if [ ! -d "$directory/signed" ]; then
    mkdir "$directory/signed"
    chown --reference="$directory" "$directory/signed"
    chmod --reference="$directory" "$directory/signed"
  fi
  for copy in ${same[@]+"${same[@]}"}; do
    for certificate in "$copy"/signed/*.pem; do
      [ -e "$certificate" ] || continue
      file=$directory/signed/${certificate##*/}
      if [ -e "$file" ]; then
        if cmp -s "$certificate" "$file" || ! is_beyond "$(serial_of "$certificate")" "$(serial_of "$file")"; then continue; fi
      fi
      put "$certificate" "$file"
    done
  done
  # Against the backup's and not against what is here, so that a second time tells the same.
  for certificate in "$directory"/signed/*.pem; do
    if ! cmp -s "$certificate" "$kept/restored/signed/${certificate##*/}"; then printf '%s\n' "$(basename "$certificate" .pem)"; fi
  done >"$work/signed"
}

# merge_inventory: every line once. The file ends as the one that wrote it last left it, since Puppet's Ruby ends each line and
# puppetserver begins with one.
merge_inventory() {
  local copy file files=()
  for copy in "$kept/restored" ${same[@]+"${same[@]}"}; do
    file=$copy/inventory.txt
    if [ -s "$file" ]; then files+=("$file"); fi
  done
  [ "${#files[@]}" -gt 0 ] || return 0
  awk 'NF && !seen[$0]++' "${files[@]}" >"$work/inventory"
  if [ -n "$(tail -c 1 "${files[${#files[@]} - 1]}")" ]; then
    head -c -1 "$work/inventory" >"$work/inventory.cut"
    mv "$work/inventory.cut" "$work/inventory"
  fi
  if ! cmp -s "$work/inventory" "$directory/inventory.txt"; then put "$work/inventory" "$directory/inventory.txt"; fi
  for file in "${files[@]}"; do
    awk 'NR == FNR { there[$0] = 1; next } NF && !($0 in there) { exit 1 }' "$directory/inventory.txt" "$file" ||
      fail AuthorityMergeError "$directory/inventory.txt lacks lines of $file. Nothing is lost: the previous state is put back."
  done
}

# key_options: an option for openssl where the authority's key has one; never the passphrase itself.
key_options() {
  local file
  key_option=()
  grep -q ENCRYPTED "$directory/ca_key.pem" || return 0
  file=$directory/private/ca.pass
  [ -r "$file" ] || file=$(puppet_setting capass "$file" master)
  [ -r "$file" ] || fail AuthorityMergeError "the key $directory/ca_key.pem has a passphrase, and $file is not there. The backup and the living authority revoke different certificates, which only that key can join in one list. Restore a backup that has the passphrase."
  key_option=(-passin "file:$file")
}

# sign_list NUMBER LISTED: a new revocation list from lines of revocations.
sign_list() {
  local ca=$work/ca
  mkdir -p "$ca"
  cat >"$ca/ca.cnf" <<CONFIG
[ca]
default_ca = authority
[authority]
database = $ca/index
crlnumber = $ca/number
default_md = sha256
crl_extensions = extensions
[extensions]
authorityKeyIdentifier = keyid,issuer
CONFIG
  awk -F '\t' '{ serial = $1; if (length(serial) % 2) serial = "0" serial; printf "R\t491231235959Z\t%s\t%s\tunknown\t/CN=revoked\n", $2, serial }' "$2" >"$ca/index"
  even_hex "$1" >"$ca/number"
  key_options
  openssl ca -config "$ca/ca.cnf" -cert "$directory/ca_crt.pem" -keyfile "$directory/ca_key.pem" ${key_option[@]+"${key_option[@]}"} \
    -gencrl -crldays "$list_days" -out "$ca/list.pem" >"$work/log" 2>&1 </dev/null ||
    fail AuthorityMergeError "the list of all revocations cannot be signed: $(last_words "$work/log")"
}

# merge_revocations: the list that revokes all that any of them does and has the highest number; where there is none, a new one.
merge_revocations() {
  local copy file number highest=0 lists=() best=''
  : >"$work/union"
  for copy in "$kept/restored" ${same[@]+"${same[@]}"}; do
    file=$copy/ca_crl.pem
    [ -s "$file" ] || continue
    if ! is_signed_list "$file" "$directory"; then
      unread=yes
      continue
    fi
    lists+=("$file")
    revocations "$file" >"$work/revoked-${#lists[@]}"
    cat "$work/revoked-${#lists[@]}" >>"$work/union"
    highest=$(greatest "$highest" "$(crl_number "$file")")
  done
  # One line per number, whoever revoked it when.
  LC_ALL=C sort -t $'\t' -k 1,1 -u "$work/union" >"$work/revoked"
  for ((number = 1; number <= ${#lists[@]}; number++)); do
    file=${lists[$((number - 1))]}
    if [ "$(wc -l <"$work/revoked-$number")" -eq "$(wc -l <"$work/revoked")" ] && [ "$(crl_number "$file")" = "$highest" ]; then
      best=$file
      break
    fi
  done
  if [ "${#lists[@]}" -gt 0 ]; then
    if [ -z "$best" ]; then
      sign_list "$(add_hex "$highest" 1)" "$work/revoked"
      # Lists of authorities above this one, where there are any, follow as they are.
      { cat "$work/ca/list.pem" && awk '/BEGIN X509 CRL/ { lists++ } lists > 1' "${lists[${#lists[@]} - 1]}"; } >"$work/list"
      best=$work/list
    fi
    if ! cmp -s "$best" "$directory/ca_crl.pem"; then
      put "$best" "$directory/ca_crl.pem"
      # The master's own copy, by which its services judge.
      file=$(puppet_setting hostcrl "$puppet_configuration/puppet/ssl/crl.pem" master)
      if [ -e "$file" ] && is_signed_list "$file" "$directory"; then put "$best" "$file"; fi
    fi
    is_signed_list "$directory/ca_crl.pem" "$directory" || fail AuthorityMergeError "$directory/ca_crl.pem is not signed by $directory/ca_crt.pem."
    revocations "$directory/ca_crl.pem" | cut -f 1 >"$work/now"
    if ! cut -f 1 "$work/revoked" | cmp -s - "$work/now"; then fail AuthorityMergeError "$directory/ca_crl.pem does not revoke all that the backup and the living authority revoke."; fi
  fi
}

# merge_serial: sets serial.
merge_serial() {
  local copy
  serial=$(greatest "$(next_serial "$kept/restored")" "$(plain_hex "$KNOWN_SERIAL")")
  for copy in ${same[@]+"${same[@]}"} ${nameless[@]+"${nameless[@]}"}; do serial=$(greatest "$serial" "$(next_serial "$copy")"); done
  [ "$serial" != 0 ] || fail AuthorityDamagedError "neither serial nor inventory nor certificates in $directory tell which numbers were issued. Restore another backup."
  known=$serial
  if [ "$whole" = no ]; then serial=$(add_hex "$serial" "$margin"); fi
  padded_hex "$serial" >"$work/serial"
  if [ "$(serial_in "$directory/serial")" != "$serial" ]; then put "$work/serial" "$directory/serial"; fi
  [ "$(serial_in "$directory/serial")" = "$serial" ] || fail AuthorityMergeError "$directory/serial could not be written."
}

main() {
  local directory kept same living whole nameless serial known unread=no key_option name names=()
  begin
  directory=$(authority_directory)
  kept=$(kept_authorities "$RUN")
  [ -r "$directory/ca_crt.pem" ] || fail AuthorityDamagedError "the restored node has no $directory/ca_crt.pem. Restore another backup."
  if [ ! -e "$kept/restored" ]; then copy_authority "$directory" "$kept/restored"; fi
  choose_living
  merge_signed
  merge_inventory
  merge_revocations
  merge_serial
  while IFS= read -r name; do names+=("$name"); done < <(head -n "$names_told" "$work/signed")
  answer living="$living" whole:="$(json_flag [ "$whole" = yes ])" backup="$(padded_hex "$(next_serial "$kept/restored")")" \
    known="$(padded_hex "$known")" serial="$(padded_hex "$serial")" signed:="$(wc -l <"$work/signed")" \
    names:="$(json_list ${names[@]+"${names[@]}"})" unreadList:="$(json_flag [ "$unread" = yes ])"
}

main "$@"
