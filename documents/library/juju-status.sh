# shellcheck shell=bash
# What Juju says of all its machines, read from its YAML without a tool that a node may lack.

# Lines of `juju status` in YAML: M id instance state version member primary, and A name.
read -r -d '' status_awk <<'AWK' || true
function plain(text) { gsub(/["\047]/, "", text); sub(/:$/, "", text); return text }
function tell() { if (id != "") print "M", id, instance, state, version, member, primary; id = "" }
/^[^ ]/ { tell(); section = plain($1) }
section == "machines" && /^  [^ ]/ { tell(); id = plain($1); instance = state = version = member = "-"; primary = "no"; inside = "" }
section == "machines" && /^    [^ ]/ { inside = plain($1) }
section == "machines" && /^    instance-id:/ { instance = plain($2) }
section == "machines" && /^    agent-state:/ { state = plain($2) }
section == "machines" && /^    agent-version:/ { version = plain($2) }
section == "machines" && /^    (state-server|controller)-member-status:/ { member = plain($2) }
section == "machines" && /^    ha-primary: true/ { primary = "yes" }
inside == "juju-status" && /^      current:/ { state = plain($2) }
inside == "juju-status" && /^      version:/ { version = plain($2) }
(section == "services" || section == "applications") && /^  [^ ]/ { print "A", plain($1) }
END { tell() }
AWK

told() { juju "$@" 2>"$work/juju.log"; }

# The status of every model as lines, each with the model's name before it.
collect_status() {
  local model
  : >"$work/status"
  if is_classic "$client_version"; then
    : >"$work/models"
    told status --format yaml >"$work/status.yaml" || return 1
    awk "$status_awk" "$work/status.yaml" | sed 's/^/- /' >>"$work/status"
    return 0
  fi
  told models --format yaml >"$work/models.yaml" || return 1
  awk '/^- name:/ { name = $3 } /^ +agent-version:/ && name != "" { gsub(/["\047]/, "", $2); print name, $2; name = "" }' "$work/models.yaml" >"$work/models.all"
  { grep -E '^(.*/)?controller ' "$work/models.all" && { grep -vE '^(.*/)?controller ' "$work/models.all" || true; }; } >"$work/models" || return 1
  while read -r model _; do
    told status -m "$client_name:$model" --format yaml >"$work/status.yaml" || return 1
    awk "$status_awk" "$work/status.yaml" | sed "s|^|$model |" >>"$work/status"
  done <"$work/models"
}
