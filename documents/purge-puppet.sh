#!/bin/bash
#/ Usage: RUN= purge-puppet.sh
#/
#/ Removes Puppet Enterprise with its own uninstaller, and proves that nothing is left. Nothing to remove is no error.
#/ Exit status: 0 it is gone; 1 the answer says what is left.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/paths.sh"
. "$(dirname "$0")/library/restore.sh"
. "$(dirname "$0")/library/puppet.sh"

readonly uninstaller=$puppet_home/bin/puppet-enterprise-uninstaller

main() {
  local path mounts status=0
  begin_answer
  begin_work "$RUN"
  if [ -e "$puppet_home" ] || [ -e "$puppet_configuration" ]; then
    [ -x "$uninstaller" ] || fail PurgeFailedError "$uninstaller is not there. Remove Puppet Enterprise by hand, or restore without reinstall."
    # It would empty what is mounted there, be it another host's.
    mounts=$(mounts_within "$puppet_home" "$puppet_configuration" | on_one_line)
    [ -z "$mounts" ] || fail PurgeFailedError "$mounts is mounted below what the uninstaller removes, which would empty it. Unmount it, or restore without reinstall."
    note_change "$RUN" purged ''
    # -p configuration and certificates, -d databases, -y asks nothing. A copy: it removes the directory that it lies in.
    cp "$uninstaller" "$work/uninstaller"
    (cd / && env -u HOLDFAST_RUN bash "$work/uninstaller" -p -d -y) </dev/null >"$work/log" 2>&1 4>&- || status=$?
    for path in "$puppet_home" "$puppet_configuration"; do
      [ ! -e "$path" ] || fail PurgeFailedError "$path is still there after the uninstaller ended with $status: $(last_words "$work/log")"
    done
  fi
  answer '{"purged":true}'
}

main "$@"
