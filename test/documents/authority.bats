#!/usr/bin/env bats
# Certificate authorities that are backed up, go on, and are restored, by the documents themselves below a directory of their own.
# openssl signs and judges, as a master and its agents do.

setup_file() {
  export root=$BATS_FILE_TMPDIR
  cp -r "$BATS_TEST_DIRNAME/../../documents" "$root/documents"
  sed -i "s|/etc/puppetlabs|\$root/etc/puppetlabs|g; s|/opt/puppet|\$root/opt/puppet|g; s|/var/lib/holdfast|\$root/var/lib/holdfast|g" \
    "$root"/documents/*/*.sh
  make_authority "$root/first"
  make_authority "$root/second"
}

setup() {
  export START_BEFORE=9999999999 ATTEMPT=0
  ca=$root/etc/puppetlabs/puppet/ssl/ca
  backup=$BATS_TEST_TMPDIR/backup
  rm -rf "$root/etc" "$root/var" "$root/opt"
  mkdir -p "$root/etc/puppetlabs/puppet/ssl" "$root/opt/puppet"
  cp -a "$root/first" "$ca"
}

make_authority() {
  mkdir -p "$1/signed" "$1/private"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1825 -set_serial 1 -subj '/CN=Puppet CA' \
    -keyout "$1/ca_key.pem" -out "$1/ca_crt.pem" 2>/dev/null
  printf '0x0001 2026-01-01T00:00:00UTC 2031-01-01T00:00:00UTC /CN=Puppet CA\n' >"$1/inventory.txt"
  printf '0002' >"$1/serial"
  list "$1" 1
  sign "$1" retired
  revoke "$1" retired
  sign "$1" web
}

# sign DIRECTORY NAME: with the next number, as a master does.
sign() {
  local serial
  serial=$((16#$(cat "$1/serial")))
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /dev/null -subj "/CN=$2" 2>/dev/null |
    openssl x509 -req -days 1825 -CA "$1/ca_crt.pem" -CAkey "$1/ca_key.pem" "${@:3}" -set_serial "$serial" -out "$1/signed/$2.pem" 2>/dev/null
  printf '%04X' "$((serial + 1))" >"$1/serial"
  printf '0x%04x 2026-01-01T00:00:00UTC 2031-01-01T00:00:00UTC /CN=%s\n' "$serial" "$2" >>"$1/inventory.txt"
}

# list DIRECTORY NUMBER [OPTION...]: a revocation list of all that revoked names.
list() {
  touch "$1/revoked"
  printf '%02X' "$2" >"$BATS_FILE_TMPDIR/number"
  cat >"$BATS_FILE_TMPDIR/ca.cnf" <<CNF
[ca]
default_ca = a
[a]
database = $1/revoked
crlnumber = $BATS_FILE_TMPDIR/number
default_md = sha256
CNF
  openssl ca -config "$BATS_FILE_TMPDIR/ca.cnf" -cert "$1/ca_crt.pem" -keyfile "$1/ca_key.pem" "${@:3}" -gencrl -crldays 1825 -out "$1/ca_crl.pem" 2>/dev/null
}

# revoke DIRECTORY NAME [OPTION...]: puts it on the list, whose number grows.
revoke() {
  local number
  number=$(openssl crl -in "$1/ca_crl.pem" -noout -crlnumber)
  printf 'R\t491231235959Z\t260101000000Z,keyCompromise\t%s\tunknown\t/CN=%s\n' \
    "$(openssl x509 -in "$1/signed/$2.pem" -noout -serial | cut -d = -f 2)" "$2" >>"$1/revoked"
  list "$1" "$((number_ + 16#${number#*=0x}))" "${@:3}"
}
number_=1

back_up() {
  rm -rf "$backup"
  cp -a "$ca" "$backup"
}

# restore [KNOWN_SERIAL]: keeps what lives, puts the backup in its place, merges.
restore() {
  RUN=run bash "$root/documents/puppet/keep-authority.sh" 2>/dev/null
  rm -rf "$ca"
  mkdir -p "$(dirname "$ca")"
  cp -a "$backup" "$ca"
  merge "$@"
}

merge() { RUN=run KNOWN_SERIAL=${1-} bash "$root/documents/puppet/merge-authority.sh" 2>"$BATS_TEST_TMPDIR/log"; }

# judge CERTIFICATE: what a service with this list says to it.
judge() { openssl verify -crl_check -CAfile <(cat "$ca/ca_crt.pem" "$ca/ca_crl.pem") "$1" 2>&1; }

refused() { [[ $(judge "$1") == *'certificate revoked'* ]]; }

accepted() { [[ $(judge "$1") == *': OK'* ]]; }

serial() { cat "$ca/serial"; }

@test "what was signed and revoked since the backup stays so, and no number comes twice" {
  back_up
  sign "$ca" node2
  cp "$ca/signed/node2.pem" "$BATS_TEST_TMPDIR/node2.pem"
  cp "$ca/signed/web.pem" "$BATS_TEST_TMPDIR/web.pem"
  revoke "$ca" web
  run restore
  [ "$status" -eq 0 ]
  [[ $output == *'"living":"same","whole":true,"backup":"0004","known":"0005","serial":"0005","signed":1,"names":["node2"],"unreadList":false'* ]]
  cp "$ca/signed/node2.pem" "$BATS_TEST_TMPDIR/kept.pem"
  sign "$ca" node3
  [ "$(openssl x509 -in "$ca/signed/node3.pem" -noout -serial)" = serial=05 ]
  cp "$backup/revoked" "$ca/revoked"
  printf 'R\t491231235959Z\t260101000000Z\t03\tunknown\t/CN=web\n' >>"$ca/revoked"
  revoke "$ca" node3
  accepted "$BATS_TEST_TMPDIR/node2.pem"
  refused "$BATS_TEST_TMPDIR/web.pem"
  refused "$ca/signed/node3.pem"
  refused "$ca/signed/retired.pem"
  cmp "$BATS_TEST_TMPDIR/node2.pem" "$BATS_TEST_TMPDIR/kept.pem"
  [ "$(cut -d ' ' -f 1 "$ca/inventory.txt" | sort | uniq -d)" = '' ]
}

@test "without a living authority the serial skips a margin, and no certificate is made up" {
  back_up
  rm -rf "$ca"
  run restore
  [ "$status" -eq 0 ]
  [[ $output == *'"living":"missing","whole":false,"backup":"0004","known":"0004","serial":"03EC","signed":0'* ]]
  [ "$(serial)" = 03EC ]
  cmp "$backup/inventory.txt" "$ca/inventory.txt"
  cmp "$backup/ca_crl.pem" "$ca/ca_crl.pem"
}

@test "what a newer backup knows of the serial counts, and the margin comes on top" {
  back_up
  rm -rf "$ca"
  run restore 0100
  [[ $output == *'"known":"0100","serial":"04E8"'* ]]
}

@test "an authority that was ahead in the backup stays ahead" {
  cp -a "$ca" "$BATS_TEST_TMPDIR/older"
  sign "$ca" node2
  revoke "$ca" node2
  back_up
  rm -rf "$ca"
  cp -a "$BATS_TEST_TMPDIR/older" "$ca"
  run restore
  [ "$status" -eq 0 ]
  [ "$(serial)" = 0005 ]
  cmp "$backup/ca_crl.pem" "$ca/ca_crl.pem"
  cmp "$backup/inventory.txt" "$ca/inventory.txt"
  cmp "$backup/signed/node2.pem" "$ca/signed/node2.pem"
}

@test "nothing of another authority is merged, and it is told" {
  back_up
  rm -rf "$ca"
  cp -a "$root/second" "$ca"
  sign "$ca" stranger
  run restore
  [ "$status" -eq 0 ]
  [[ $output == *'"living":"foreign","whole":false'*'"serial":"03EC","signed":0'* ]]
  [ ! -e "$ca/signed/stranger.pem" ]
  ! grep -q stranger "$ca/inventory.txt"
}

@test "a serial is read however it is written" {
  sign "$ca" node2
  back_up
  for text in 1f 0x1F $'001F\r\n' '  1f '; do
    rm -rf "$root/var" "$ca"
    cp -a "$backup" "$ca"
    printf '%s' "$text" >"$ca/serial"
    restore
    [ "$(serial)" = 001F ]
  done
}

@test "a serial of more digits than the shell counts with goes on" {
  back_up
  printf 'FFFFFFFFFFFFFFFFFFFE' >"$ca/serial"
  cp "$ca/serial" "$backup/serial"
  rm "$ca/ca_crt.pem"
  restore
  [ "$(serial)" = 1000000000000000003E6 ]
}

@test "without a readable serial the inventory tells what was issued, and without that the certificates" {
  sign "$ca" node2
  back_up
  for text in '' nonsense; do
    rm -rf "$root/var" "$ca"
    cp -a "$backup" "$ca"
    printf '%s' "$text" >"$backup/serial"
    rm -f "$ca/serial"
    restore
    # From 5 on, and the margin: nobody knows whether the inventory was its last word.
    [ "$(serial)" = 03ED ]
  done
  rm -rf "$root/var" "$ca" "$backup/serial" "$backup/inventory.txt"
  restore
  [ "$(serial)" = 03ED ]
}

@test "an authority of which nothing tells the serial is an error" {
  back_up
  rm -rf "$ca" "$backup/serial" "$backup/inventory.txt" "$backup/signed"
  run restore
  [ "$status" -eq 1 ]
  [[ $output == *AuthorityDamagedError* ]]
}

@test "two lists that each revoke something of their own become one, signed, with a higher number" {
  cp "$ca/signed/web.pem" "$BATS_TEST_TMPDIR/web.pem"
  sign "$ca" node2
  cp "$ca/signed/node2.pem" "$BATS_TEST_TMPDIR/node2.pem"
  cp -a "$ca" "$BATS_TEST_TMPDIR/both"
  revoke "$ca" web
  back_up
  rm -rf "$ca"
  cp -a "$BATS_TEST_TMPDIR/both" "$ca"
  revoke "$ca" node2
  run restore
  [ "$status" -eq 0 ]
  refused "$BATS_TEST_TMPDIR/web.pem"
  refused "$BATS_TEST_TMPDIR/node2.pem"
  refused "$ca/signed/retired.pem"
  [ "$(openssl crl -in "$ca/ca_crl.pem" -noout -crlnumber)" = crlNumber=0x04 ]
  [[ $(openssl crl -in "$ca/ca_crl.pem" -noout -text) == *'Key Compromise'* ]]
}

@test "a key with a passphrase signs by it, and without its passphrase says so" {
  openssl ec -in "$ca/ca_key.pem" -aes256 -passout pass:secret -out "$ca/locked.pem" 2>/dev/null
  printf secret >"$ca/private/ca.pass"
  mv "$ca/locked.pem" "$ca/ca_key.pem"
  key=(-passin "file:$ca/private/ca.pass")
  cp "$ca/signed/web.pem" "$BATS_TEST_TMPDIR/web.pem"
  sign "$ca" node2 "${key[@]}"
  cp -a "$ca" "$BATS_TEST_TMPDIR/both"
  revoke "$ca" web "${key[@]}"
  back_up
  rm -rf "$ca"
  cp -a "$BATS_TEST_TMPDIR/both" "$ca"
  revoke "$ca" node2 "${key[@]}"
  cp -a "$ca" "$BATS_TEST_TMPDIR/living"
  run restore
  [ "$status" -eq 0 ]
  refused "$BATS_TEST_TMPDIR/web.pem"
  refused "$ca/signed/node2.pem"
  rm -rf "$root/var" "$ca" "$backup/private"
  cp -a "$BATS_TEST_TMPDIR/living" "$ca"
  run restore
  [ "$status" -eq 1 ]
  [[ $output == *AuthorityMergeError*'has a passphrase'* ]]
}

@test "a list that the backup lacks comes from the living authority" {
  cp "$ca/signed/web.pem" "$BATS_TEST_TMPDIR/web.pem"
  revoke "$ca" web
  back_up
  rm "$backup/ca_crl.pem"
  run restore
  [ "$status" -eq 0 ]
  refused "$BATS_TEST_TMPDIR/web.pem"
}

@test "a list that is damaged counts for nothing, and it is told" {
  back_up
  head -c 200 "$backup/ca_crl.pem" >"$ca/ca_crl.pem"
  run restore
  [ "$status" -eq 0 ]
  [[ $output == *'"unreadList":true'* ]]
  cmp "$backup/ca_crl.pem" "$ca/ca_crl.pem"
}

@test "an inventory has each line once and ends as its writer left it" {
  back_up
  printf '0x0004 2026-01-01T00:00:00UTC 2031-01-01T00:00:00UTC /CN=x' >>"$ca/inventory.txt"
  restore
  [ "$(tail -c 1 "$ca/inventory.txt")" = x ]
  [ "$(grep -c . "$ca/inventory.txt")" -eq 4 ]
  [ "$(grep -c '/CN=web' "$ca/inventory.txt")" -eq 1 ]
}

@test "a merge that was killed anywhere ends the same when it is done again" {
  sign "$ca" node2
  cp -a "$ca" "$BATS_TEST_TMPDIR/both"
  revoke "$ca" web
  back_up
  rm -rf "$ca"
  cp -a "$BATS_TEST_TMPDIR/both" "$ca"
  revoke "$ca" node2
  sign "$ca" node3
  restore | tail -n 1 >"$BATS_TEST_TMPDIR/whole"
  before=$(serial && ls "$ca/signed" && cat "$ca/inventory.txt" && openssl crl -in "$ca/ca_crl.pem" -noout -text | grep 'Serial Number')
  mkdir "$BATS_TEST_TMPDIR/bin"
  for at in {2..11}; do
    # Its own mv ends the script at the chosen step, before the move or after it.
    cat >"$BATS_TEST_TMPDIR/bin/mv" <<MV
#!/bin/bash
echo >>"$BATS_TEST_TMPDIR/moves"
if [ "\$(wc -l <"$BATS_TEST_TMPDIR/moves")" -eq $((at / 2)) ]; then
  [ $((at % 2)) -eq 0 ] || /bin/mv "\$@"
  exec kill -KILL \$PPID
fi
exec /bin/mv "\$@"
MV
    chmod +x "$BATS_TEST_TMPDIR/bin/mv"
    rm -rf "$ca" "$BATS_TEST_TMPDIR/moves"
    rm -rf "$root/var/lib/holdfast/restore/run/authority/restored"
    cp -a "$backup" "$ca"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH merge || [ "$?" -eq 137 ]
    run merge
    [ "$status" -eq 0 ]
    [ "$output" = "$(cat "$BATS_TEST_TMPDIR/whole")" ]
    [ "$(serial && ls "$ca/signed" && cat "$ca/inventory.txt" && openssl crl -in "$ca/ca_crl.pem" -noout -text | grep 'Serial Number')" = "$before" ]
  done
}

@test "what an earlier run kept and could not put back is merged by the next one" {
  back_up
  sign "$ca" node2
  RUN=earlier bash "$root/documents/puppet/keep-authority.sh" 2>/dev/null
  rm -rf "$ca"
  run restore
  [[ $output == *'"living":"same","whole":true'*'"names":["node2"]'* ]]
}
