# shellcheck shell=bash
# Private keys, keystores and passphrases: without them a backup can't be used.

# find_secrets TYPE LETTER -- PATH...: what must not be missing by its name, a NUL behind each. Directories of private keys count with
# all that they hold.
find_secrets() {
  local type=("$1" "$2")
  shift 3
  find "$@" -xdev \( -path '*/private_keys/*' -o -path '*/private/*' -o -path '*/secrets/*' -o -name '*_key.pem' -o -name '*.key' \
    -o -name '*.ks' -o -name '*.jks' -o -name '*.p12' -o -name '*passphrase*' -o -name '*.pass' -o -name 'id_rsa*' \
    -o -name 'id_ed25519*' -o -name 'credentials' -o -name 'database.yml' -o -name 'database.ini' \) \
    "${type[@]}" -print0
}

# A key is small: larger files are not read for one.
readonly largest_key=65k

# secrets_by_content PATH...: files that hold a private key or are a keystore, whatever their names, a NUL behind each: PEM, Java's
# two kinds, PKCS#12, whose length may hold a line feed.
secrets_by_content() {
  find "$@" -xdev -type f -size -"$largest_key" -print0 |
    { LC_ALL=C xargs -0 -r grep -s -l -a -Z -e '-----BEGIN [A-Z0-9 ]*PRIVATE KEY' -e $'^\xfe\xed\xfe\xed' -e $'^\xce\xce\xce\xce' -e $'^0\x82..\x02\x01\x03' -e $'^0\x82.\\?$' || true; }
}

# broken_secrets PATH...: keys behind links that lead nowhere, a NUL behind each. They exist and can't be copied: no backup without them.
broken_secrets() { find_secrets -xtype l -- "$@" && find "$@" -xdev -path '*/ssl/*' -xtype l -print0; }

broken_words() { printf '%s points to %s, which is not there' "$1" "$(readlink -- "$1")"; }
