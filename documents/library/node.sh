# shellcheck shell=bash
# What every inspection tells of a node, whatever it holds.

require_tool() { command -v "$1" >/dev/null || fail MissingToolError "$1 is not installed on this node, or not in PATH ($PATH). Install it, then start the operation again."; }

# tools_of: what the vault is written with.
tools_of() {
  local quoted=null
  if command -v zstd >/dev/null; then quote "$(zstd --version | sed -n 's/.* v\([0-9.]*\).*/\1/p')"; fi
  json aws="$(aws --version 2>&1 | sed -n 1p)" zstd:="$quoted" tar="$(tar --version | sed -n 1p)"
}

# space_of: free and total bytes of the paths on standard input, each told once.
space_of() {
  local path there free total mount seen=' '
  while IFS= read -r path; do
    there=$path
    while [ ! -e "$there" ]; do there=$(dirname "$there"); done
    case $seen in *" $path "*) continue ;; esac
    seen="$seen$path "
    read -r free total mount < <(df -P -k "$there" | awk 'NR == 2 { printf "%.0f %.0f %s\n", $4 * 1024, $2 * 1024, $6 }')
    json path="$path" mount="$mount" freeBytes:="$free" totalBytes:="$total"
  done | json_array
}
