# shellcheck shell=bash
# Which file systems lie where. What is archived lies on this node's own ones: a network file system is other hosts', too.

mount_table() { cat /proc/self/mountinfo; }

# load_mounts: sets mount_points and mount_types, in the order of mounting.
load_mounts() {
  local fields point index
  mount_points=() mount_types=()
  while read -r -a fields; do
    # A blank in a name is told as \040.
    printf -v point '%b' "${fields[4]//\\/\\0}"
    for ((index = 6; index < ${#fields[@]}; index++)); do
      if [ "${fields[index]}" = - ]; then break; fi
    done
    mount_points+=("$point")
    mount_types+=("${fields[index + 1]-}")
  done < <(mount_table)
}

# find_mount PATH: sets mount_point and mount_type to what the path, itself without links, lies on.
find_mount() {
  local index length=0
  mount_point=/ mount_type=''
  for index in "${!mount_points[@]}"; do
    case $1/ in
      "${mount_points[index]%/}"/*)
        if [ "${#mount_points[index]}" -ge "$length" ]; then
          length=${#mount_points[index]} mount_point=${mount_points[index]} mount_type=${mount_types[index]}
        fi
        ;;
    esac
  done
}

# is_remote TYPE: its content belongs to other hosts as well.
is_remote() {
  case $1 in
    fuse.fuse-overlayfs) return 1 ;;
    nfs | nfs4 | cifs | smb3 | smbfs | ncpfs | afs | ceph | glusterfs | lustre | 9p | davfs | gpfs | beegfs | orangefs | pvfs2 | ocfs2 | gfs2 | autofs | fuse | fuse.*) ;;
    *) return 1 ;;
  esac
}

# is_kernels TYPE: no data lies there.
is_kernels() {
  case $1 in
    proc | sysfs | devtmpfs | devpts | cgroup | cgroup2 | securityfs | debugfs | tracefs | configfs | pstore | bpf | mqueue | hugetlbfs | binfmt_misc | rpc_pipefs | nfsd | selinuxfs | efivarfs) ;;
    *) return 1 ;;
  esac
}

# trees_of PATH...: the paths, and below them the directories where another local file system begins, a NUL behind each: what never
# crosses from one file system to the next has all of them, and nothing else. A subvolume has no mount to be known by, so all
# directories are asked for their device.
trees_of() {
  local line depth device own='' home inner=()
  printf '%s\0' "$@"
  while IFS= read -r -d '' line; do
    depth=${line%% *} line=${line#* }
    device=${line%% *} line=${line#* }
    if [ "$depth" = 0 ]; then
      own=$device
      find_mount "$line"
      home=$mount_point
    elif [ "$device" != "$own" ]; then
      find_mount "$line"
      if [ "$mount_point" = "$home" ] || { ! is_remote "$mount_type" && ! is_kernels "$mount_type"; }; then inner+=("$line"); fi
    fi
  done < <(find "$@" -xdev -type d -printf '%d %D %p\0')
  if [ "${#inner[@]}" -gt 0 ]; then trees_of "${inner[@]}"; fi
}

# foreign_mounts PATH...: one line of words for each mount below the paths that is left out.
foreign_mounts() {
  local root index
  for root; do
    for index in "${!mount_points[@]}"; do
      case ${mount_points[index]} in "${root%/}"/?*) ;; *) continue ;; esac
      find_mount "${mount_points[index]}"
      if is_remote "$mount_type" || is_kernels "$mount_type"; then
        printf '%s is a file system of its own (%s) and is not backed up\n' "${mount_point//$'\n'/\\n}" "$mount_type"
      fi
    done
  done | LC_ALL=C sort -u
}
