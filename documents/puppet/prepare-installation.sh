#!/bin/bash
#/ Usage: NAME= ANSWERS_ARCHIVE= ANSWERS_FILE= VERSION= RUN= prepare-installation.sh
#/
#/ Looks whether an installation that is about to be purged could be made again, from what was fetched alone, and lays its answers
#/ ready. Touches nothing else.
#/   NAME             the fetched installer, unpacked to a tar archive
#/   ANSWERS_ARCHIVE  the fetched archive of /etc/puppetlabs
#/   ANSWERS_FILE  the file in it that the installer is told by
#/   VERSION          what is to be installed
#/ Exit status: 0 it could; 1 it could not, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/installer.sh"

main() {
  local directory answers
  begin
  directory=$(restore_directory "$RUN")
  answers=$directory/${ANSWERS_FILE##*/}
  tar --extract --to-stdout --file="$(fetched_file "$RUN" "$ANSWERS_ARCHIVE")" "${ANSWERS_FILE#/}" >"$work/answers" 2>"$work/log" ||
    fail InstallFailedError "the backup holds no $ANSWERS_FILE: $(last_words "$work/log") Nothing was touched. Restore without reinstall, or another backup."
  [ -s "$work/answers" ] || fail InstallFailedError "$ANSWERS_FILE in the backup is empty. Nothing was touched. Restore without reinstall, or another backup."
  unpack_installer "$(fetched_file "$RUN" "$NAME")" || fail InstallFailedError "$installer_said Nothing was touched. Put the right installer into the vault."
  judge_installer "$VERSION" || fail InstallFailedError "$installer_said Nothing was touched. Put the right installer into the vault."
  mv "$work/answers" "$answers"
  answer
}

main "$@"
