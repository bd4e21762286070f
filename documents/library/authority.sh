# shellcheck shell=bash
# The certificate authority of Puppet. It never goes back in time: no serial number is issued twice, and no revocation is lost,
# whatever a restore brings back. What the living one has signed and revoked is kept aside before it is replaced, and merged after.

# Where the authority lies, as Puppet's settings say.
authority_directory() { puppet_setting cadir "$puppet_configuration/puppet/ssl/ca" master; }

fingerprint_of() { openssl x509 -in "$1" -noout -fingerprint -sha256 2>/dev/null | cut -d = -f 2; }

# Serial numbers are hexadecimal, in upper case and without leading zeros; they may be longer than what the shell counts with.
plain_hex() {
  local digits=${1#0[xX]}
  digits=${digits#"${digits%%[!0]*}"}
  digits=${digits^^}
  printf '%s' "${digits:-0}"
}

# padded_hex NUMBER: as Puppet writes it.
padded_hex() { if [ "${#1}" -ge 4 ] || [ -z "$1" ]; then printf '%s' "$1"; else padded_hex "0$1"; fi; }

# serial_in FILE: the number that it holds; nothing when it holds none.
serial_in() {
  local text
  text=$(tr -d '\000[:space:]' 2>/dev/null <"$1") || return 0
  text=${text#0[xX]}
  case $text in '' | *[!0-9A-Fa-f]*) return 0 ;; esac
  plain_hex "$text"
}

# is_beyond LEFT RIGHT: whether the first number is the greater one.
is_beyond() { [ "${#1}" -gt "${#2}" ] || { [ "${#1}" -eq "${#2}" ] && [[ $1 > $2 ]]; }; }

# greatest NUMBER...: empty ones count for nothing.
greatest() {
  local number found=0
  for number; do if [ -n "$number" ] && is_beyond "$number" "$found"; then found=$number; fi; done
  printf '%s' "$found"
}

# add_hex NUMBER COUNT
add_hex() {
  local high='' low=$1 sum
  if [ "${#1}" -gt 8 ]; then
    high=${1:0:$((${#1} - 8))}
    low=${1:$((${#1} - 8))}
  fi
  sum=$((16#$low + $2))
  if [ -z "$high" ]; then
    printf '%X' "$sum"
  else
    [ "$sum" -le "$((16#FFFFFFFF))" ] || high=$(add_hex "$high" 1)
    printf '%s%08X' "$high" "$((sum & 16#FFFFFFFF))"
  fi
}

# even_hex NUMBER: with as many digits as openssl wants.
even_hex() { if [ "$((${#1} % 2))" -eq 0 ]; then printf '%s' "$1"; else printf '0%s' "$1"; fi; }

# inventory_lines FILE: its entries. The last one may have no line feed: puppetserver writes it before the next.
inventory_lines() { if [ -r "$1" ]; then awk 'NF && $1 !~ /^#/ { count++ } END { print count + 0 }' "$1"; else echo 0; fi; }

# highest_listed FILE: the greatest serial number of an inventory.
highest_listed() {
  [ -r "$1" ] || return 0
  awk '$1 ~ /^0[xX][0-9A-Fa-f]+$/ {
    number = toupper(substr($1, 3)); sub(/^0+/, "", number)
    if (length(number) > length(most) || (length(number) == length(most) && (number "") > (most ""))) most = number
  } END { printf "%s", most }' "$1"
}

# serial_of CERTIFICATE
serial_of() {
  local said
  said=$(openssl x509 -in "$1" -noout -serial 2>/dev/null) || return 0
  plain_hex "${said#*=}"
}

# highest_signed DIRECTORY: the greatest serial number of its certificates.
highest_signed() {
  local certificate most=0
  for certificate in "$1"/*.pem; do
    if [ -r "$certificate" ]; then most=$(greatest "$most" "$(serial_of "$certificate")"); fi
  done
  printf '%s' "$most"
}

# next_serial DIRECTORY: the first number that nothing in an authority's directory says to be taken; 0 when it says nothing.
next_serial() {
  local listed taken
  listed=$(highest_listed "$1/inventory.txt")
  # Thousands of certificates take a while to read, so they are asked only when nobody else knows.
  [ -n "$listed" ] || listed=$(highest_signed "$1/signed")
  taken=$(greatest "$listed")
  [ "$taken" = 0 ] || taken=$(add_hex "$taken" 1)
  greatest "$taken" "$(serial_in "$1/serial")"
}

# crl_number LIST: in the authority's first list; 0 when it has none.
crl_number() {
  local said
  said=$(openssl crl -in "$1" -noout -crlnumber 2>/dev/null) || said=''
  said=${said#*=}
  case ${said#0[xX]} in '' | *[!0-9A-Fa-f]*) printf 0 ;; *) plain_hex "$said" ;; esac
}

# revocations LIST: what it revokes, one per line as openssl keeps it: SERIAL<TAB>DATE[,REASON].
revocations() {
  openssl crl -in "$1" -noout -text | awk '
    function tell() { if (serial != "") print serial "\t" date (reason == "" ? "" : "," reason); serial = reason = "" }
    BEGIN { split("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", names, " "); for (n in names) month[names[n]] = n }
    $1 == "Serial" && $2 == "Number:" { tell(); serial = toupper($3); sub(/^0+/, "", serial); if (serial == "") serial = "0" }
    $1 == "Revocation" && $2 == "Date:" { split($5, time, ":"); date = sprintf("%02d%02d%02d%02d%02d%02dZ", $6 % 100, month[$3], $4, time[1], time[2], time[3]) }
    is_reason { gsub(/ /, ""); reason = tolower(substr($0, 1, 1)) substr($0, 2) }
    { is_reason = ($0 ~ /CRL Reason Code/) }
    $1 == "Signature" && serial != "" { tell() }
    END { tell() }' | LC_ALL=C sort -u
}

# is_signed_list LIST DIRECTORY: whether a revocation list is whole and by the authority of that directory.
is_signed_list() { openssl crl -in "$1" -CAfile "$2/ca_crt.pem" -noout 2>&1 | grep 'verify OK' >/dev/null; }

# moment_of DATE: as openssl prints it, in ISO 8601; nothing when it is none.
moment_of() { date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || true; }

# describe_authority DIRECTORY: one line of JSON; returns 1 when its certificate cannot be read.
describe_authority() {
  local ends list=null quoted=null said
  ends=$(openssl x509 -in "$1/ca_crt.pem" -noout -enddate 2>/dev/null) || return 1
  if [ -s "$1/ca_crl.pem" ] && is_signed_list "$1/ca_crl.pem" "$1"; then
    said=$(openssl crl -in "$1/ca_crl.pem" -noout -nextupdate 2>/dev/null) || said=''
    said=$(moment_of "${said#*=}")
    if [ -n "$said" ]; then quote "$said"; fi
    revocations "$1/ca_crl.pem" >"$work/revocations"
    list=$(json number="$(crl_number "$1/ca_crl.pem")" count:="$(wc -l <"$work/revocations")" nextUpdate:="$quoted")
  fi
  json fingerprint="$(fingerprint_of "$1/ca_crt.pem")" serial="$(padded_hex "$(serial_in "$1/serial")")" \
    inventoryLines:="$(inventory_lines "$1/inventory.txt")" notAfter="$(moment_of "${ends#*=}")" revocations:="$list"
}

# copy_authority FROM TO: what an authority has issued and revoked. TO is there when the copy is whole.
copy_authority() {
  local name
  # shellcheck disable=SC2154 # remove_tree says why
  remove_tree "$2.part" || fail AuthorityDamagedError "$2.part: $refused"
  mkdir -p "$2.part/signed"
  for name in ca_crt.pem serial inventory.txt ca_crl.pem; do
    if [ -r "$1/$name" ]; then cp -p -- "$1/$name" "$2.part/$name"; fi
  done
  if [ -d "$1/signed" ]; then find -L "$1/signed" -maxdepth 1 -type f -name '*.pem' -exec cp -p -t "$2.part/signed" -- {} +; fi
  mv -T -- "$2.part" "$2"
}

# kept_authorities RUN: where copies lie.
kept_authorities() { printf '%s/authority' "$(restore_directory "$1")"; }

# keep_authority RUN: copies the living authority, once a run, and those that runs before it kept and did not get to put back.
keep_authority() {
  local kept other
  kept=$(kept_authorities "$1")
  [ ! -e "$kept/living" ] || return 0
  mkdir -p "$kept"
  for other in "$state_directory"/restore/*/authority/living*; do
    case $other in "$kept"/* | *.part) continue ;; esac
    if [ -d "$other" ]; then copy_authority "$other" "$kept/living-$(printf '%s' "$other" | sha256sum | cut -c 1-16)"; fi
  done
  copy_authority "$(authority_directory)" "$kept/living"
}
