# shellcheck shell=bash
# Private keys, keystores and passphrases: without them a backup can't be used.

# find_secrets TYPE LETTER -- PATH...: names of what must not be missing. Directories of private keys count with all that they hold.
find_secrets() {
  local type=("$1" "$2")
  shift 3
  find "$@" \( -path '*/private_keys/*' -o -path '*/private/*' -o -path '*/secrets/*' -o -name '*_key.pem' -o -name '*.key' \
    -o -name '*.ks' -o -name '*.jks' -o -name '*.p12' -o -name '*passphrase*' -o -name '*.pass' -o -name 'id_rsa*' \
    -o -name 'id_ed25519*' -o -name 'credentials' -o -name 'database.yml' -o -name 'database.ini' \) \
    "${type[@]}" -print
}

# broken_secrets PATH...: keys behind links that lead nowhere. They exist and can't be copied: no backup without them.
broken_secrets() { { find_secrets -xtype l -- "$@" && find "$@" -path '*/ssl/*' -xtype l -print; } | sort -u; }

broken_words() { printf '%s leads to %s, which is not there' "$1" "$(readlink "$1")"; }
