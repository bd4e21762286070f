#!/bin/bash
#/ Usage: NAME= ANSWERS_FILE= VERSION= RUN= install-puppet.sh
#/
#/ Installs Puppet Enterprise from a fetched archive with the backed-up answers, and proves its version.
#/   NAME     the fetched installer, unpacked to a tar archive
#/   ANSWERS_FILE  the file of the backup that it is told by, which prepare-installation has prepared
#/   VERSION  what it must be
#/ Exit status: 0 installed; 1 failed, the answer says where the installer's log is.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/puppet.sh"
. "$(dirname "$0")/../library/installer.sh"

main() {
  local directory
  begin
  directory=$(restore_directory "$RUN")
  if [ "$(installed_version)" != "$VERSION" ]; then
    [ -r "$directory/${ANSWERS_FILE##*/}" ] || fail InstallFailedError "$ANSWERS_FILE of the backup is missing. Start the restore again: it continues from here."
    run_installer "$(fetched_file "$RUN" "$NAME")" "$VERSION" "$directory/${ANSWERS_FILE##*/}" || fail InstallFailedError "$installer_said Fix the cause, then start the restore again: it continues from here."
  fi
  answer
}

main "$@"
