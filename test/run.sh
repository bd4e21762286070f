#!/bin/sh
#/ Usage: test/run.sh [check|all]
#/
#/ Checks what is checked often: types, style, shell, then tests, from the quickest to the slowest. With `check` those alone that need no
#/ lab. With `all` what is left out otherwise: whole runs that take long, the tests of the lab's own stand-ins, the deployment.
#/ local/setup.sh comes first.
#/ Exit status: 0 all is well; 1 a check failed.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/node_modules/.bin:$PATH
export PATH

step() {
  printf '\n== %s\n' "$*"
  began=$(date +%s)
  "$@"
  printf '== %s s\n' "$(($(date +%s) - began))"
}

# side_by_side COMMAND...: each is one text. What they say comes one after another. Fails when one did, after the end of all.
side_by_side() {
  said=$(mktemp -d)
  running='' failed=no
  for command; do
    step sh -c "$command" >"$said/$(echo "$running" | wc -w)" 2>&1 &
    running="$running $!"
  done
  number=0
  for process in $running; do
    wait "$process" || failed=yes
    cat "$said/$number"
    number=$((number + 1))
  done
  rm -r "$said"
  [ "$failed" = no ]
}

if [ "${1-}" = all ]; then
  step vitest run --project long
  # Nodes and servers of another day; the seed of one that fails is printed.
  step env HOLDFAST_SEED="${HOLDFAST_SEED-$(date +%s)}" HOLDFAST_RUNS="${HOLDFAST_RUNS-5}" vitest run --project local test/local/ugly.test.ts
  step sh test/deploy/setup.sh
  step vitest run --project deploy
else
  side_by_side 'tsc -p .' 'biome check .' 'bats test/documents' \
    'shellcheck -x -P SCRIPTDIR documents/shared/*.sh documents/puppet/*.sh documents/juju/*.sh local/setup.sh test/run.sh test/deploy/setup.sh' \
    'shfmt -i 2 -ci -d documents local/setup.sh test/run.sh test/deploy/setup.sh'
  step vitest run --project unit --project infra
  if [ "${1-}" = check ]; then exit; fi
  step vitest run --project local
fi
