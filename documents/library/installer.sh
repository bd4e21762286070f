# shellcheck shell=bash
# The product's own installer, run without a terminal.

# It may print answers, so its log stays on the node.
readonly installer_log=/var/log/holdfast-installer.log

# run_installer ARCHIVE VERSION OPTION FILE: unpacks and runs it with a file of answers by its full path, and proves the version
# that is installed afterwards. Its exit status alone proves nothing, and its umask must be the system's usual one. Sets
# installer_said (why it failed, for people) and returns 1.
run_installer() {
  local found status=0
  installer_said=''
  mkdir "$work/installer"
  tar --extract --no-same-owner --directory="$work/installer" --file="$1" 2>"$work/log" || {
    installer_said="the installer can not be unpacked: $(last_words "$work/log")"
    return 1
  }
  found=$(find "$work/installer" -maxdepth 2 -name puppet-enterprise-installer -print | head -n 1)
  if [ -z "$found" ]; then
    installer_said="the archive holds no puppet-enterprise-installer."
    return 1
  fi
  (umask 022 && cd "$(dirname "$found")" && exec env -u HOLDFAST_RUN EDITOR=false ./puppet-enterprise-installer "$3" "$4") </dev/null >"$installer_log" 2>&1 4>&- || status=$?
  if [ "$(installed_version)" != "$2" ] || [ "$status" -ne 0 ]; then
    installer_said="the installer ended with $status; installed is $(installed_version), expected $2. Its log is $installer_log on the node."
    return 1
  fi
}
