# shellcheck shell=bash
# What Juju says of all its machines, read from its YAML without a tool that a node may lack.

# Lines of `juju status` in YAML: V version, of the model; M id instance state version member primary; and A name. Before 2.8
# nobody tells who is primary.
read -r -d '' status_awk <<'AWK' || true
function plain(text) { gsub(/["\047]/, "", text); sub(/:$/, "", text); return text }
function tell() { if (id != "") print "M", id, instance, state, version, member, primary; id = "" }
/^[^ ]/ { tell(); section = plain($1) }
section == "model" && /^  version:/ { print "V", plain($2) }
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
  : >"$work/models"
  if is_classic "$client_version"; then
    told status --format yaml >"$work/status.yaml" || return 1
    awk "$status_awk" "$work/status.yaml" | sed 's/^/- /' >>"$work/status"
    return 0
  fi
  # The list itself tells versions from 2.2 on only, so each model is asked for its own.
  told models -c "$client_name" --format yaml >"$work/models.yaml" || return 1
  awk '/^- name:/ { gsub(/["\047]/, "", $3); print $3 }' "$work/models.yaml" >"$work/models.all"
  { grep -E '^(.*/)?controller$' "$work/models.all" && { grep -vE '^(.*/)?controller$' "$work/models.all" || true; }; } >"$work/models.names" || return 1
  while read -r model; do
    told status -m "$client_name:$model" --format yaml >"$work/status.yaml" || return 1
    awk "$status_awk" "$work/status.yaml" >"$work/status.lines"
    awk -v model="$model" '$1 == "V" { print model, $2 }' "$work/status.lines" >>"$work/models"
    awk -v model="$model" '$1 != "V" { print model, $0 }' "$work/status.lines" >>"$work/status"
  done <"$work/models.names"
}

# status_json: what a manifest keeps of it. A controller in an environment of 1.18, which tells of no members, is machine 0.
status_json() {
  local version machines started applications
  : >"$work/controllers"
  read -r machines started applications version < <(awk -v classic="$(if is_classic "$client_version"; then echo 1; else echo 0; fi)" -v controllers="$work/controllers" '
    $2 == "M" { machines++; if ($5 == "started") started++ }
    $2 == "M" && ($7 != "-" || (classic && $3 == "0")) && ($1 == "-" || $1 ~ /(^|\/)controller$/) {
      print $3, $4, (($5 == "started" && ($7 == "-" || $7 == "has-vote")) ? "true" : "false"), ($8 == "yes" ? "true" : "false") >controllers
      if (version == "") version = $6
    }
    $2 == "A" { applications++ }
    END { close(controllers); printf "%d %d %d %s\n", machines, started, applications, version }
  ' "$work/status")
  json version="$version" controllers:="$(controllers_json)" machines:="$machines" started:="$started" applications:="$applications" \
    applicationsSha256="$(awk '$2 == "A" { print $1, $3 }' "$work/status" | LC_ALL=C sort | sha256sum | cut -d ' ' -f 1)" models:="$(models_json)"
}

controllers_json() {
  local machine instance healthy primary
  while read -r machine instance healthy primary; do
    json machine="$machine" instanceId="$instance" healthy:="$healthy" primary:="$primary"
  done <"$work/controllers" | json_array
}

models_json() {
  local name version
  while read -r name version; do json name="$name" version="$version"; done <"$work/models" | json_array
}
