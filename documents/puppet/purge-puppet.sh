#!/bin/bash
#/ Usage: NAME= RUN= purge-puppet.sh
#/
#/ Removes Puppet Enterprise with its own uninstaller, and proves that nothing is left. Nothing to remove is no error. What the
#/ certificate authority has signed and revoked is kept before.
#/   NAME  the fetched installer, whose uninstaller is run where the installed one is gone
#/ Exit status: 0 it is gone; 1 the answer says what is left.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/puppet.sh"
. "$(dirname "$0")/../library/authority.sh"
. "$(dirname "$0")/../library/installer.sh"

readonly uninstaller=$puppet_home/bin/puppet-enterprise-uninstaller

# What signs certificates stands still, so that none is signed behind the copy of the authority.
stop_signing() {
  local name
  for name in pe-httpd pe-puppetserver; do
    if has_service "$name" && is_running "$name"; then
      remember_stopped "$RUN" "$name"
      change_service "$name" stop || true
      wait_until 60 not_running "$name" || fail ServicesUpError "$name does not stop. See its log, then start the restore again."
    fi
  done
}

main() {
  local path mounts program=$uninstaller log status=0 aside
  begin
  stop_signing
  keep_authority "$RUN"
  if [ -e "$puppet_home" ] || [ -e "$puppet_configuration" ]; then
    if [ ! -x "$program" ]; then
      unpack_installer "$(fetched_file "$RUN" "$NAME")" || fail PurgeFailedError "$uninstaller is not there, and $installer_said Nothing was removed."
      # Where it lies, for it reads files beside it.
      program=$installer_home/puppet-enterprise-uninstaller
      [ -e "$program" ] || fail PurgeFailedError "neither this node nor the installer has a puppet-enterprise-uninstaller. Nothing was removed. Remove Puppet Enterprise by hand, or restore without reinstall."
    fi
    # It would empty what is mounted there, be it another host's.
    mounts=$(mounts_within "$puppet_home" "$puppet_configuration" | on_one_line)
    [ -z "$mounts" ] || fail PurgeFailedError "$mounts is mounted below what the uninstaller removes, which would empty it. Unmount it, or restore without reinstall."
    note_change "$RUN" purged ''
    log=$(new_log uninstaller)
    # -p configuration and certificates, -d databases, -y asks nothing.
    (cd / && as_operator bash "$program" -p -d -y) </dev/null >"$log" 2>&1 4>&- || status=$?
    [ "$status" -eq 0 ] || fail PurgeFailedError "the uninstaller ended with $status: $(last_words "$log"). Its log is $log on the node. Fix the cause, then start the restore again."
    # What is left of a half-removed installation would keep the installer from running, and may be a person's own.
    for path in "$puppet_home" "$puppet_configuration"; do
      [ -e "$path" ] || [ -L "$path" ] || continue
      aside=$(mktemp -u "$path.left-XXXXXX")
      mv -T -- "$path" "$aside" 2>"$work/log" ||
        fail PurgeFailedError "$path is still there after the uninstaller, and cannot be moved aside: $(last_words "$work/log"). Unmount or remove it, then start the restore again."
      echo "$path lies at $aside now"
    done
  fi
  answer
}

main "$@"
