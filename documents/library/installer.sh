# shellcheck shell=bash
# The product's own installer and uninstaller, run without a terminal.

# They may print answers, so their logs stay on the node, for root alone, as long as the notes of their runs in the state bucket.
readonly installer_logs=$state_directory/logs log_days=90

# new_log NAME: a log of this run that is not there yet, one per attempt. Those of old runs go.
new_log() {
  (umask 077 && mkdir -p "$installer_logs/$RUN")
  find "$installer_logs" -mindepth 1 -maxdepth 1 -mtime "+$log_days" -exec rm -rf --one-file-system -- {} +
  mktemp "$installer_logs/$RUN/$1-$(date -u +%Y%m%dT%H%M%SZ).XXXXXX"
}

# unpack_installer ARCHIVE: once. Sets installer_home, or installer_said (why not, for people) and returns 1.
unpack_installer() {
  local found
  installer_said=''
  if [ ! -d "$work/installer" ]; then
    mkdir "$work/installer"
    tar --extract --no-same-owner --directory="$work/installer" --file="$1" 2>"$work/log" || {
      installer_said="the installer cannot be unpacked: $(last_words "$work/log") $(free_space "$work")"
      return 1
    }
  fi
  found=$(find "$work/installer" -maxdepth 2 -name puppet-enterprise-installer -print -quit)
  if [ -z "$found" ]; then
    installer_said="the archive holds no puppet-enterprise-installer."
    return 1
  fi
  installer_home=$(dirname "$found")
}

# platform: this node's, as the vendor names it in its archives: el-7-x86_64, debian-7-amd64; nothing where it is not known.
platform() {
  local id='' version='' architecture
  if [ -r /etc/os-release ]; then
    id=$(sed -n 's/^ID="\{0,1\}\([a-z]*\)"\{0,1\}$/\1/p' /etc/os-release)
    version=$(sed -n 's/^VERSION_ID="\{0,1\}\([0-9.]*\)"\{0,1\}$/\1/p' /etc/os-release)
  elif [ -r /etc/redhat-release ]; then
    id=rhel
    version=$(sed -n 's/.*release \([0-9.]*\).*/\1/p' /etc/redhat-release)
  fi
  architecture=$(uname -m)
  case $architecture in i?86) architecture=i386 ;; esac
  case $id in
    rhel | centos | ol | scientific) printf 'el-%s-%s' "${version%%.*}" "$architecture" ;;
    sles) printf 'sles-%s-%s' "${version%%.*}" "$architecture" ;;
    debian) printf 'debian-%s-%s' "${version%%.*}" "${architecture/x86_64/amd64}" ;;
    ubuntu) printf 'ubuntu-%s-%s' "$version" "${architecture/x86_64/amd64}" ;;
  esac
}

# judge_installer VERSION: whether what was unpacked is of this version and for this node, as the vendor names its directory. One of
# another name is judged by what it installs. Sets installer_said and returns 1.
judge_installer() {
  local name=${installer_home##*/} here
  here=$(platform)
  installer_said=''
  case $name in
    "puppet-enterprise-$1-all" | "puppet-enterprise-$1-$here") ;;
    "puppet-enterprise-$1-"*) [ -z "$here" ] || installer_said="the installer is $name, and this node is $here." ;;
    puppet-enterprise-[0-9]*) installer_said="the installer is $name, and the backup is of $1." ;;
  esac
  [ -z "$installer_said" ]
}

# run_installer ARCHIVE VERSION ANSWERS: unpacks and runs it with a file of answers by its full path, and proves the version that is
# installed afterwards. Its exit status alone proves nothing, and its umask must be the system's usual one. Sets installer_said
# (why it failed, for people) and returns 1.
run_installer() {
  local log option=-c status=0
  unpack_installer "$1" || return 1
  # A pe.conf is told by another option than answers are.
  case $3 in *.install) option=-a ;; esac
  log=$(new_log installer)
  (umask 022 && cd "$installer_home" && as_operator EDITOR=false ./puppet-enterprise-installer "$option" "$3") </dev/null >"$log" 2>&1 4>&- || status=$?
  if [ "$(installed_version)" != "$2" ] || [ "$status" -ne 0 ]; then
    installer_said="the installer ended with $status; installed is $(installed_version), expected $2. Its log is $log on the node."
    return 1
  fi
}
