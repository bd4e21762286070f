# shellcheck shell=bash
# What every inspection tells of a node, whatever it holds.

require_tool() { command -v "$1" >/dev/null || fail MissingToolError "$1 is not installed on this node, or not in PATH ($PATH). Install it, then start the operation again."; }

# tools_of: what the vault is written with.
tools_of() {
  local zstd=null
  if command -v zstd >/dev/null; then zstd=$(json_string "$(zstd --version | sed -n 's/.* v\([0-9.]*\).*/\1/p')"); fi
  printf '{"aws":%s,"zstd":%s,"tar":%s}' "$(json_string "$(aws --version 2>&1 | head -n 1)")" "$zstd" "$(json_string "$(tar --version | head -n 1)")"
}

# space_of: free and total bytes of the paths on standard input, each told once.
space_of() {
  local path there separator='' seen=' '
  printf '['
  while IFS= read -r path; do
    there=$path
    while [ ! -e "$there" ]; do there=$(dirname "$there"); done
    case $seen in *" $path "*) continue ;; esac
    seen="$seen$path "
    df -P -k "$there" | awk -v path="$path" -v separator="$separator" 'NR == 2 {
      printf "%s{\"path\":\"%s\",\"mount\":\"%s\",\"freeBytes\":%.0f,\"totalBytes\":%.0f}", separator, path, $6, $4 * 1024, $2 * 1024 }'
    separator=,
  done
  printf ']'
}
