#!/bin/bash
#/ Usage: NAME= SETTINGS= ANSWERS_FILE= VERSION= RUN= upgrade-puppet.sh
#/
#/ Upgrades master, PuppetDB or console with the fetched installer, and proves version and services.
#/   NAME      the fetched installer, unpacked to a tar archive
#/   SETTINGS  the fetched archive of the master's /etc/puppetlabs/enterprise/conf.d; none on the master itself, or before 2016.2
#/   ANSWERS_FILE  the file that the installer is told by
#/   VERSION   what it is to be
#/ Exit status: 0 upgraded, or it was already; 1 failed, the answer says where the installer's log is.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/archive.sh"
. "$(dirname "$0")/../library/puppet.sh"
. "$(dirname "$0")/../library/installer.sh"
. "$(dirname "$0")/../library/upgrade.sh"

# A half upgrade has written the new version already, and the installer refuses to run again: its manual puts the old one back.
rewind_version() {
  local from file
  from=$(interrupted_upgrade)
  [ -n "$from" ] || return 0
  for file in /opt/puppet/pe_version /opt/puppetlabs/server/pe_version; do
    if [ -e "$file" ]; then printf '%s\n' "$from" >"$file"; fi
  done
}

# down_of FILE: one sentence on those of the listed services that do not run.
down_of() {
  local name list=''
  while IFS= read -r name; do if has_service "$name" && ! is_running "$name"; then list="$list $name"; fi; done <"$1"
  [ -z "$list" ] || printf ' Down now:%s.' "$list"
}

main() {
  local before
  begin
  before=$(installed_version)
  if [ "$before" != "$VERSION" ] || [ -n "$(interrupted_upgrade)" ]; then
    running_services >"$work/running"
    if [ -s "$state_directory/upgrade-services" ]; then cp "$state_directory/upgrade-services" "$work/running"; fi
    cp "$work/running" "$state_directory/upgrade-services"
    guard_services "$RUN" "$work/running"
    if [ -n "$SETTINGS" ]; then
      # Another node has written it: it is looked through as that of a backup.
      check_archive "$(fetched_file "$RUN" "$SETTINGS")" "$work/list" || fail ArchiveRefusedError "the master's settings are not unpacked: $refused."
      tar --extract --directory=/ --file="$(fetched_file "$RUN" "$SETTINGS")" etc/puppetlabs/enterprise/conf.d 2>"$work/log" || fail UpgradeFailedError "the master's settings cannot be unpacked: $(last_words "$work/log")"
    fi
    [ -r "$ANSWERS_FILE" ] || fail UpgradeFailedError "$ANSWERS_FILE is not there, and without it the installer would ask. Write it as the manual of $VERSION says, then start the upgrade again."
    rewind_version
    if [ -z "$(interrupted_upgrade)" ]; then printf '%s\n' "$before" >"$upgrade_marker"; fi
    run_installer "$(fetched_file "$RUN" "$NAME")" "$VERSION" "$ANSWERS_FILE" || fail UpgradeFailedError "$installer_said$(down_of "$work/running")"
    expect_services "$work/running"
    release_services "$RUN"
    rm -f "$upgrade_marker" "$state_directory/upgrade-services"
  fi
  answer
}

main "$@"
