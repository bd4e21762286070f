#!/bin/sh
#/ Usage: node-init.sh DIRECTORY HOSTNAME HOSTS LAYERS REPOSITORY
#/
#/ Becomes the first process of a lab node. Runs in fresh mount, pid, uts and ipc namespaces that still show the host's
#/ root: mounts the node's own root from LAYERS (colon-separated, top first) over the host's root, with the lines HOSTS in its
#/ /etc/hosts, prints its process id as the host sees it, and turns into tini. All mounts live in this mount namespace and
#/ vanish with its last process.
set -eu
umask 022

directory=$1 hostname=$2 hosts=$3 layers=$4 repository=$5

# This /proc is still the host's, so "self" is our id outside. tini keeps it.
read -r host_pid _ </proc/self/stat

mount_on_disk() {
  mkdir -p upper work root host/upper host/work host/root
  lower=/
  if [ -n "$layers" ]; then
    # The layers lie below the host's root, which the kernel refuses to stack with them unless it is wrapped. The writable
    # directories of this wrapper stay empty; they keep all layers on one file system, so that files keep one device number.
    mount -t overlay overlay host/root -o ro,lowerdir=/,upperdir=host/upper,workdir=host/work
    lower=$layers:$directory/host/root
  fi
  mount -t overlay overlay root -o "lowerdir=$lower,upperdir=upper,workdir=work${layers:+,xino=on}"
}

mount_in_memory() {
  mount -t tmpfs -o mode=0755 tmpfs "$directory"
  cd "$directory"
  mkdir upper work root
  bottom_first=
  for layer in $(echo "$layers" | tr : ' '); do
    bottom_first="$layer $bottom_first"
  done
  for layer in $bottom_first; do
    cp -a "$layer/." upper
  done
  mount -t overlay overlay root -o lowerdir=/,upperdir=upper,workdir=work
}

cd "$directory"
# A directory that lies on an overlay itself (in a container) can hold no writable layer; memory can.
mount_on_disk 2>/dev/null || mount_in_memory
# Keeps the writable layer reachable from outside, through /proc/<pid>/fd/9, wherever it is.
exec 9<upper

cd root

mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=0755 tmpfs run
mkdir -m 1777 run/lock

mount -t tmpfs -o mode=0755 tmpfs dev
for device in null zero full random urandom tty; do
  : >"dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,mode=0620,ptmxmode=0666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr

# An overlay shows only the file system of the host's root, and /tmp is the node's own: the repository may lie on another one,
# or there.
if [ ! -e ".$repository/package.json" ]; then
  mkdir -p ".$repository"
  mount --bind "$repository" ".$repository"
  mount -o remount,bind,ro ".$repository"
fi
if [ -x "$repository/.local/venv/bin/aws" ]; then
  rm -f usr/local/bin/aws
  { echo "#!$repository/.local/venv/bin/python3" && cat "$repository/local/lab/aws.py"; } >usr/local/bin/aws
  chmod 755 usr/local/bin/aws
fi

hostname "$hostname"
echo "$hostname" >etc/hostname
printf '127.0.0.1 localhost\n%s' "$hosts" >etc/hosts

mkdir .host
pivot_root . .host
cd /
umount -l /.host
rmdir /.host

echo "ready $host_pid"
exec tini -- sleep infinity </dev/null >/dev/null 2>&1
