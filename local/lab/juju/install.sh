#!/bin/bash
#/ Usage: install.sh ERA ADDRESS INSTANCE PROVIDER
#/
#/ Makes a lab node a machine with an image of the era: the stand-ins under the names that the era knows, the user ubuntu, ssh.
#/ PROVIDER is the address of the stand-in for the cloud.
set -Eeuo pipefail
umask 022

era=$1 address=$2 instance=$3 provider=$4
here=$(cd "$(dirname "$0")" && pwd)
library=/usr/lib/juju-lab
upstart='start stop restart status initctl'

main() {
  cp -a --no-preserve=ownership "$here/root/." /
  echo "$era" >$library/era
  echo "$instance" >$library/instance
  echo "$provider" >$library/provider
  packages
  mkdir -p /etc/juju-lab
  grep -q '^ubuntu:' /etc/passwd || useradd --create-home --shell /bin/bash ubuntu
  install -d -o ubuntu -g ubuntu -m 0700 /home/ubuntu/.ssh
  link $library/bin/{ssh,sudo,lab-state,juju-lab-ready} /usr/local/bin
  case $era in
    1.*) mongo /usr/lib/juju/bin && classic ;;
    2.9) mongo /usr/lib/juju/mongo4.0/bin && modern ;;
    *) modern ;;
  esac
  $library/bin/boot "$address"
}

# The BSON library is MongoDB's own.
packages() {
  local site
  site=$(echo "${here%/local/lab/juju}"/.local/venv/lib/python3*/site-packages)
  ln -sfn "$site/bson" "$site/yaml" $library/
}

link() {
  install -d "${!#}"
  ln -sfn "$@"
}

mongo() {
  link $library/bin/{mongod,mongodump,mongoexport,mongorestore} "$1"
}

classic() {
  local name
  for name in $upstart; do
    ln -sfn $library/bin/initctl /usr/local/bin/"$name"
  done
  link $library/bin/{juju,juju-backup,juju-restore} /usr/bin
  rm -f /usr/local/bin/systemctl /usr/bin/systemctl
  mkdir -p /etc/init /etc/rsyslog.d
  printf 'description "ssh"\nrespawn\nexec %s\n' $library/bin/sshd >/etc/init/ssh.conf
}

modern() {
  local name
  link $library/bin/juju /snap/bin
  ln -sfn $library/bin/systemctl /usr/local/bin/systemctl
  mkdir -p /etc/systemd/system
  printf '[Service]\nExecStart=%s\nRestart=on-failure\n' $library/bin/sshd >/etc/systemd/system/ssh.service
  [[ $era == 3.* ]] || return 0
  for name in mongod mongodump mongorestore; do
    ln -sfn $library/bin/"$name" /snap/bin/juju-db."$name"
  done
  install -d -m 0755 /var/snap/juju-db/common/db
  ln -sfn $library/bin/juju-restore-3 /usr/local/bin/juju-restore
}

main "$@"
