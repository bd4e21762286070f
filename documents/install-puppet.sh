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

main() {
  local directory found log status=0
  begin_answer
  begin_work "$RUN"
  directory=$(restore_directory "$RUN")
  # It may print answers, so it stays on the node.
  log=/var/log/holdfast-installer.log
  if [ "$(head -n 1 /opt/puppet/pe_version 2>/dev/null)" != "$VERSION" ]; then
    tar --extract --to-stdout --file="$directory/$ANSWERS_ARCHIVE" etc/puppetlabs/installer/answers.install >"$work/answers" 2>"$work/log" ||
      fail InstallFailedError "the backup holds no /etc/puppetlabs/installer/answers.install: $(last_words "$work/log")"
    mkdir "$work/installer"
    tar --extract --no-same-owner --directory="$work/installer" --file="$directory/$NAME" 2>"$work/log" || fail InstallFailedError "the installer can not be unpacked: $(last_words "$work/log")"
    found=$(find "$work/installer" -maxdepth 2 -name puppet-enterprise-installer -print | head -n 1)
    [ -n "$found" ] || fail InstallFailedError "the archive holds no puppet-enterprise-installer."
    (umask 022 && cd "$(dirname "$found")" && exec env -u HOLDFAST_RUN ./puppet-enterprise-installer -a "$work/answers") </dev/null >"$log" 2>&1 4>&- || status=$?
    if [ "$(head -n 1 /opt/puppet/pe_version 2>/dev/null)" != "$VERSION" ] || [ "$status" -ne 0 ]; then
      fail InstallFailedError "the installer ended with $status; installed is $(head -n 1 /opt/puppet/pe_version 2>/dev/null || echo nothing), expected $VERSION. Its log is $log on the node."
    fi
  fi
  answer "{\"version\":$(json_string "$VERSION")}"
}

main "$@"
