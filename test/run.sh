#!/bin/sh
#/ Usage: test/run.sh [check|all]
#/
#/ Checks everything: types, style, shell, then all tests, from the quickest to the slowest. local/setup.sh comes first. With `check`
#/ those alone that need no lab; with `all` also those that take long.
#/ Exit status: 0 all is well; otherwise that of the first check that failed.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/node_modules/.bin:$PATH
export PATH

step() {
  printf '\n== %s\n' "$*"
  "$@"
}

step tsc -p .
step biome check .
step shellcheck -x -P SCRIPTDIR documents/shared/*.sh documents/puppet/*.sh documents/juju/*.sh local/setup.sh test/run.sh test/deploy/setup.sh
step shfmt -i 2 -ci -d documents local/setup.sh test/run.sh test/deploy/setup.sh
if ls test/documents/*.bats >/dev/null 2>&1; then step bats test/documents; fi
step vitest run --project unit --project infra
if [ "${1-}" = check ]; then exit; fi
step vitest run --project local
if [ "${1-}" = all ]; then step vitest run --project long; fi
if [ -x test/deploy/setup.sh ]; then
  step sh test/deploy/setup.sh
  step vitest run --project deploy
fi
