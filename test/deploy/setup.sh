#!/bin/sh
#/ Usage: test/deploy/setup.sh
#/
#/ Installs the AWS emulator of the deployment test into .local/emulator; does nothing the second time. local/setup.sh
#/ comes first.
set -eu

cd "$(dirname "$0")/../.."
emulator=.local/emulator
requirements=test/deploy/requirements.txt
stamp=$emulator/.holdfast-setup
wanted=$(sha256sum "$requirements")
[ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || exit 0
echo 'setup: installing the AWS emulator'
/usr/bin/python3 -m venv --clear "$emulator"
"$emulator/bin/pip" --disable-pip-version-check --no-input --quiet install --requirement "$requirements"
echo "$wanted" >"$stamp"
