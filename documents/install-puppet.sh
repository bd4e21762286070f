#!/bin/bash
#/ Usage: NAME= ANSWERS_ARCHIVE= VERSION= RUN= install-puppet.sh
#/
#/ Installs Puppet Enterprise from a fetched archive with the backed-up answers, and proves its version.
#/   NAME             the fetched installer, unpacked to a tar archive
#/   ANSWERS_ARCHIVE  the fetched archive of /etc/puppetlabs
#/   VERSION          what it must be
#/ Exit status: 0 installed; 1 failed, the answer says where the installer's log is.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/restore.sh"
. "$(dirname "$0")/library/puppet.sh"
. "$(dirname "$0")/library/installer.sh"

main() {
  local answers option
  begin_answer
  begin_work "$RUN"
  if [ "$(installed_version)" != "$VERSION" ]; then
    case $VERSION in
      3.*) answers=etc/puppetlabs/installer/answers.install option=-a ;;
      *) answers=etc/puppetlabs/enterprise/conf.d/pe.conf option=-c ;;
    esac
    tar --extract --to-stdout --file="$(fetched_file "$RUN" "$ANSWERS_ARCHIVE")" "$answers" >"$work/answers" 2>"$work/log" ||
      fail InstallFailedError "the backup holds no /$answers: $(last_words "$work/log")"
    run_installer "$(fetched_file "$RUN" "$NAME")" "$VERSION" "$option" "$work/answers" || fail InstallFailedError "$installer_said"
  fi
  answer "{\"version\":$(json_string "$VERSION")}"
}

main "$@"
