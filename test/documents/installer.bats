#!/usr/bin/env bats
# A purge and an installation, by the documents themselves below a directory of their own, with stand-ins of the product's programs.

setup() {
  export START_BEFORE=9999999999 ATTEMPT=0
  root=$BATS_TEST_TMPDIR
  cp -r "$BATS_TEST_DIRNAME/../../documents" "$root/documents"
  sed -i "s|/etc/puppetlabs|$root/etc/puppetlabs|g; s|/opt/puppet|$root/opt/puppet|g; s|/var/lib/holdfast|$root/var/lib/holdfast|g; s|/etc/init|$root/etc/init|g; s|/etc/os-release|$root/os-release|g; s|/etc/redhat-release|$root/redhat-release|g" \
    "$root"/documents/*/*.sh
  fetched=$root/var/lib/holdfast/restore/run
  mkdir -p "$root/etc/puppetlabs/installer" "$root/opt/puppet/bin" "$fetched/fetched" "$root/bin"
  echo 3.8.5 >"$root/opt/puppet/pe_version"
  echo q_secret=1 >"$root/etc/puppetlabs/installer/answers.install"
  answers=$root/etc/puppetlabs/installer/answers.install
  printf 'ID="rhel"\nVERSION_ID="6.5"\n' >"$root/os-release"
  printf '#!/bin/sh\necho x86_64\n' >"$root/bin/uname"
  # No service of this machine is asked.
  printf '#!/bin/sh\nexit 1\n' | tee "$root/bin/systemctl" >"$root/bin/service"
  chmod +x "$root"/bin/*
  tar -C / -cf "$fetched/fetched/configuration.tar" "${answers#/}"
  uninstaller "rm -rf $root/opt/puppet $root/etc/puppetlabs"
  archive puppet-enterprise-3.8.5-el-6-x86_64
}

uninstaller() {
  printf '#!/bin/bash\n%s\n' "$1" >"$root/opt/puppet/bin/puppet-enterprise-uninstaller"
  chmod +x "$root/opt/puppet/bin/puppet-enterprise-uninstaller"
}

# archive NAME: an installer that lays out a version, and whose uninstaller needs the file beside it.
archive() {
  rm -rf "$root/packed"
  mkdir -p "$root/packed/$1"
  printf '#!/bin/sh\necho "$@"\ncat "$2"\n%s\nmkdir -p %s/opt/puppet && echo 3.8.5 >%s/opt/puppet/pe_version\n' "${2-}" "$root" "$root" >"$root/packed/$1/puppet-enterprise-installer"
  printf '#!/bin/bash\n. "$(dirname "$0")/utilities"\nremove\n' >"$root/packed/$1/puppet-enterprise-uninstaller"
  printf 'remove() { rm -rf %s/opt/puppet %s/etc/puppetlabs; }\n' "$root" "$root" >"$root/packed/$1/utilities"
  chmod +x "$root/packed/$1"/puppet-*
  tar -C "$root/packed" -cf "$fetched/fetched/installer.tar" "$1"
}

document() {
  RUN=run HANDED_ANSWERS=${HANDED-} NAME=installer.tar ANSWERS_ARCHIVE=configuration.tar ANSWERS_FILE=${2-$answers} VERSION=3.8.5 PATH=$root/bin:$PATH \
    bash "$root"/documents/*/"$1.sh" 2>"$root/stderr"
}

@test "what is purged is installed again by its own answers, each attempt with a log of its own" {
  run document prepare-installation
  [ "$status" -eq 0 ]
  run document purge-puppet
  [ "$status" -eq 0 ]
  [ "$output" = '{}' ]
  [ ! -e "$root/opt/puppet" ]
  run document install-puppet
  [ "$status" -eq 0 ]
  [ "$(cat "$root/opt/puppet/pe_version")" = 3.8.5 ]
  rm "$root/opt/puppet/pe_version"
  document install-puppet
  [ "$(ls "$root/var/lib/holdfast/logs/run" | grep -c '^installer-')" -eq 2 ]
  [ "$(stat -c %a "$root/var/lib/holdfast/logs/run")" = 700 ]
  grep -q -- "-a $fetched/answers.install" "$root"/var/lib/holdfast/logs/run/installer-*
}

@test "answers that the backup lacks are told before anything is changed" {
  run document prepare-installation "$root/etc/puppetlabs/enterprise/conf.d/pe.conf"
  [ "$status" -eq 1 ]
  [[ $output == *InstallFailedError*'holds no'*'pe.conf'*'Nothing was changed'* ]]
}

# hand_in LINE...: answers from the vault.
hand_in() {
  printf '%s\n' "$@" >"$fetched/fetched/answers"
  HANDED=answers run document prepare-installation
}

@test "answers that are handed in take the place of the backup's, also where it has none" {
  hand_in q_install=y q_puppetdb_database_password="'own'"
  [ "$status" -eq 0 ]
  [ "$(head -n 1 "$fetched/answers.install")" = q_install=y ]
  tar -C / -cf "$fetched/fetched/configuration.tar" "${root#/}/os-release"
  hand_in q_install=n
  [ "$status" -eq 0 ]
  [ "$(cat "$fetched/answers.install")" = q_install=n ]
  : >"$fetched/fetched/answers"
  HANDED=answers run document prepare-installation
  [[ $output == *'passed are empty'*'Nothing was changed'* ]]
}

@test "database passwords that differ from the backup's are told by their databases before anything is changed" {
  mkdir -p "$root/etc/puppetlabs"/{puppetdb/conf.d,puppet-dashboard,console-services/conf.d}
  printf '[database]\nusername = pe-puppetdb\npassword = s3cret-1\n' >"$root/etc/puppetlabs/puppetdb/conf.d/database.ini"
  printf 'production:\n  password: s3cret-2\n' >"$root/etc/puppetlabs/puppet-dashboard/database.yml"
  printf 'rbac: {\n    password: "s3cret-3"\n}\n' >"$root/etc/puppetlabs/console-services/conf.d/rbac-database.conf"
  echo q_activity_database_password=s3cret-4 >>"$answers"
  tar -C / -cf "$fetched/fetched/configuration.tar" "${root#/}/etc/puppetlabs"
  hand_in q_puppetdb_database_password=s3cret-1 'q_puppet_enterpriseconsole_database_password="s3cret-2"' \
    q_rbac_database_password=s3cret-3 q_activity_database_password=s3cret-4 q_puppet_enterpriseconsole_auth_password=other
  [ "$status" -eq 0 ]
  rm "$fetched/answers.install"
  hand_in q_puppetdb_database_password=new q_puppet_enterpriseconsole_database_password=s3cret-2 q_activity_database_password=new
  [ "$status" -eq 1 ]
  [[ $output == *InstallFailedError*'passwords than the backup, for: puppetdb'*activity*'Nothing was changed'* ]]
  [[ $output != *s3cret* && $output != *console* ]]
  [ ! -e "$fetched/answers.install" ]
  # As a pe.conf has it.
  hand_in '{' '  "puppet_enterprise::puppetdb_database_password": "s3cret-1",' '  "puppet_enterprise::rbac_database_password": "new"' '}'
  [ "$status" -eq 1 ]
  [[ $output == *'for: rbac'* && $output != *puppetdb* ]]
}

@test "answers of the backup that are older than its configuration are taken, and their differing passwords told" {
  mkdir -p "$root/etc/puppetlabs/puppetdb/conf.d"
  printf '[database]\npassword = s3cret-1\n' >"$root/etc/puppetlabs/puppetdb/conf.d/database.ini"
  printf 'q_puppetdb_database_password=old\nq_activity_database_password=old\n' >"$answers"
  tar -C / -cf "$fetched/fetched/configuration.tar" "${root#/}/etc/puppetlabs"
  run document prepare-installation
  [ "$output" = '{"differing":["puppetdb"]}' ]
  cmp "$answers" "$fetched/answers.install"
}

@test "an installer of another version, or for another platform, is told before anything is changed" {
  archive puppet-enterprise-3.8.4-el-6-x86_64
  run document prepare-installation
  [[ $output == *InstallFailedError*'3.8.4'*'the backup is of 3.8.5'* ]]
  archive puppet-enterprise-3.8.5-ubuntu-14.04-amd64
  run document prepare-installation
  [[ $output == *InstallFailedError*'ubuntu-14.04-amd64, and this node is el-6-x86_64'* ]]
  archive puppet-enterprise-3.8.5-all
  run document prepare-installation
  [ "$status" -eq 0 ]
  echo garbage >"$fetched/fetched/installer.tar"
  run document prepare-installation
  [[ $output == *InstallFailedError*'cannot be unpacked'* ]]
}

@test "the platform is named as the vendor does" {
  . "$root/documents/library/installer.sh"
  PATH=$root/bin:$PATH
  [ "$(platform)" = el-6-x86_64 ]
  printf 'ID=ubuntu\nVERSION_ID="16.04"\n' >"$root/os-release"
  [ "$(platform)" = ubuntu-16.04-amd64 ]
  printf 'ID="sles"\nVERSION_ID="11.4"\n' >"$root/os-release"
  [ "$(platform)" = sles-11-x86_64 ]
  rm "$root/os-release"
  echo 'CentOS release 6.9 (Final)' >"$root/redhat-release"
  [ "$(platform)" = el-6-x86_64 ]
}

@test "where the installed uninstaller is gone, the installer's is run with what lies beside it" {
  rm "$root/opt/puppet/bin/puppet-enterprise-uninstaller"
  run document purge-puppet
  [ "$status" -eq 0 ]
  [ ! -e "$root/etc/puppetlabs" ]
}

@test "what an uninstaller leaves is moved aside" {
  uninstaller "rm -rf $root/etc/puppetlabs"
  echo own >"$root/opt/puppet/own"
  run document purge-puppet
  [ "$status" -eq 0 ]
  grep -qx "$root/opt/puppet lies at $root/opt/puppet.left-.* now" "$root/stderr"
  [ ! -e "$root/opt/puppet" ]
  [ "$(cat "$root"/opt/puppet.left-*/own)" = own ]
}

@test "an uninstaller that fails is told with its last output and its log" {
  uninstaller 'echo no such package; exit 3'
  run document purge-puppet
  [ "$status" -eq 1 ]
  [[ $output == *PurgeFailedError*'ended with 3: no such package'*"$root/var/lib/holdfast/logs/run/uninstaller-"* ]]
  [ -e "$root/opt/puppet/pe_version" ]
}

@test "an installer that fails, or installs another version, is told with its log" {
  document prepare-installation
  document purge-puppet
  archive puppet-enterprise-3.8.5-el-6-x86_64 'exit 7'
  run document install-puppet
  [ "$status" -eq 1 ]
  [[ $output == *InstallFailedError*'ended with 7'*"$root/var/lib/holdfast/logs/run/installer-"* ]]
  [[ $output != *q_secret* ]]
}

@test "the authority is kept before the purge, and stays for the next restore when this one breaks off" {
  mkdir -p "$root/etc/puppetlabs/puppet/ssl/ca"
  echo 00FF >"$root/etc/puppetlabs/puppet/ssl/ca/serial"
  document purge-puppet
  [ "$(cat "$fetched/authority/living/serial")" = 00FF ]
  RUN=run PATH=$root/bin:$PATH bash "$root/documents/shared/undo.sh" 2>/dev/null || true
  [ "$(cat "$fetched/authority/living/serial")" = 00FF ]
  [ ! -e "$fetched/fetched/installer.tar" ]
}

@test "what an installer prints is kept for its run, one log per attempt, and for a time" {
  logs=$root/var/lib/holdfast/logs
  mkdir -p "$logs/old" "$logs/new"
  touch -d '91 days ago' "$logs/old"
  touch -d '89 days ago' "$logs/new"
  state_directory=$root/var/lib/holdfast
  . "$root/documents/library/installer.sh"
  RUN=run
  for attempt in 1 2; do echo "attempt $attempt" >"$(new_log installer)"; done
  [ "$(cat "$logs"/run/installer-* | sort | xargs)" = "attempt 1 attempt 2" ]
  [ "$(stat -c %a "$logs/run")" = 700 ]
  [ ! -e "$logs/old" ]
  [ -e "$logs/new" ]
}
