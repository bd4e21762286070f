#!/usr/bin/env bats
# What root does with paths that others may have prepared: links, mounts, files that can't be removed. Each in a mount namespace
# of its own, on a small file system in memory.

setup() {
  place=$BATS_TEST_TMPDIR/place
  mkdir -p "$place"
  cat >"$BATS_TEST_TMPDIR/run.sh" <<SH
set -Eeuo pipefail
mount -t tmpfs tmpfs "$place"
cd "$place"
for library in result work paths; do . "$BATS_TEST_DIRNAME/../../documents/library/\$library.sh"; done
try() { if "\$@"; then echo "done"; else echo "refused: \$refused"; fi; }
contents() { find "\$1" -mindepth 1 -printf '%P%l\n' | LC_ALL=C sort | xargs; }
SH
}

# in_namespace: runs the script on standard input there.
in_namespace() {
  { cat "$BATS_TEST_TMPDIR/run.sh" && cat; } >"$BATS_TEST_TMPDIR/script.sh"
  run timeout 300 unshare --mount bash "$BATS_TEST_TMPDIR/script.sh"
  printf "%s\n" "$output"
}

@test "nothing is removed through a link above it" {
  in_namespace <<'SH'
mkdir -p live/ssl stage/puppet && touch live/ssl/key
ln -s "$PWD/live" stage/linked
try remove_tree "$PWD/stage/linked/ssl"
contents live
try remove_tree "$PWD/stage/../live/ssl"
try remove_tree "$PWD/stage"
try remove_tree "$PWD/stage/."
try remove_tree live
contents live
SH
  [ "$status" -eq 0 ]
  [[ ${lines[0]} == "refused: "*"a link is in its path" ]]
  [ "${lines[1]}" = "ssl ssl/key" ]
  [[ ${lines[2]} == "refused: "* ]]
  [ "${lines[3]}" = "done" ]
  [ "${lines[4]}" = "done" ]
  [[ ${lines[5]} == "refused: "* ]]
  [ "${lines[6]}" = "ssl ssl/key" ]
}

@test "a link is removed, and what it points to stays" {
  in_namespace <<'SH'
mkdir -p live tree && touch live/key && ln -s "$PWD/live" tree/link && ln -s "$PWD/live" link
try remove_tree "$PWD/link"
try remove_tree "$PWD/tree"
contents "$PWD"
SH
  [ "$output" = $'done\ndone\nlive live/key' ]
}

@test "no mount is emptied: neither another file system, nor a bind mount of the same one, nor one whose name has a blank" {
  in_namespace <<'SH'
mkdir -p shared 'root/a b' root/c && touch shared/precious
mount --bind shared 'root/a b'
mount -t tmpfs tmpfs root/c && touch root/c/precious
try remove_tree "$PWD/root"
try remove_tree "$PWD/root/a b"
umount 'root/a b'
try remove_tree "$PWD/root"
umount root/c
try remove_tree "$PWD/root"
contents shared
SH
  [[ ${lines[0]} == "refused: something is mounted at $place/root/a b $place/root/c" ]]
  [[ ${lines[1]} == "refused: something is mounted at $place/root/a b" ]]
  [[ ${lines[2]} == "refused: something is mounted at $place/root/c" ]]
  [ "${lines[3]}" = "done" ]
  [ "${lines[4]}" = "precious" ]
}

@test "a name in a directory that was exchanged for a link meanwhile is not acted on" {
  in_namespace <<'SH'
mkdir -p owned/by/user live && touch live/x owned/by/user/x
mv owned/by owned/was && ln -s "$PWD/live" owned/by && mkdir live/user && touch live/user/x
try remove_tree "$PWD/owned/by/user"
contents live
in_directory "$PWD/owned/by/user" pwd || echo "not entered"
SH
  [[ ${lines[0]} == "refused: "* ]]
  [ "${lines[1]}" = "user user/x x" ]
  [[ $output == *"not entered" ]]
}

@test "files that chattr has fixed are found at, below and above a path, and a link is not followed" {
  in_namespace <<'SH'
touch probe && chattr +i probe 2>/dev/null && chattr -i probe || { echo "no chattr here"; exit; }
mkdir -p 'top/a b/c' elsewhere && touch top/plain 'top/a b/c/fixed' 'top/a b/log' elsewhere/fixed && ln -s ../elsewhere top/link
chattr +i 'top/a b/c/fixed' elsewhere/fixed && chattr +a 'top/a b/log'
fixed_within "$PWD/top"
chattr +i top && fixed_within "$PWD/top/plain" && chattr -i top
try remove_tree "$PWD/top"
chattr -R -i top && chattr -R -a top && chattr -i elsewhere/fixed
SH
  if [[ $output == "no chattr here" ]]; then skip "this file system knows no chattr"; fi
  [ "${lines[0]}" = "$place/top/a b/c/fixed" ]
  [ "${lines[1]}" = "$place/top/a b/log" ]
  [ "${lines[2]}" = "$place/top" ]
  [[ ${lines[3]} == "refused: "*"Operation not permitted"* ]]
}

# An overlay whose lower layer holds root/, as a container or a lab node has it.
overlay='
mkdir -p lower/root/sub upper work merged && touch lower/root/{1..200} lower/root/sub/x && ln -s x lower/root/sub/link
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work,redirect_dir=off merged
cd merged
'

@test "a directory is moved aside in one step" {
  in_namespace <<'SH'
mkdir -p root/sub && touch root/sub/x && inode=$(stat -c %i root)
try move_aside "$PWD/root" "$PWD/root.aside"
[ "$(stat -c %i root.aside)" = "$inode" ] && [ ! -e root ] && echo renamed
PATH_WAS=$PATH && mkdir bin && ln -s "$(command -v mv)" "$(command -v stat)" "$(command -v cut)" bin/ && PATH=$PWD/bin
try move_aside "$PWD/root.aside" "$PWD/root"
PATH=$PATH_WAS
[ "$(stat -c %i root)" = "$inode" ] && echo renamed
SH
  [ "$output" = $'done\nrenamed\ndone\nrenamed' ]
}

@test "where an overlay can't rename, it is copied aside with all that it has" {
  in_namespace <<SH
$overlay
! rename_path "\$PWD/root" "\$PWD/never" && [ ! -e never ] && echo "not renamed"
try move_aside "\$PWD/root" "\$PWD/root.aside"
ls -d root* && find root.aside | wc -l && readlink root.aside/sub/link
SH
  [ "$output" = $'not renamed\ndone\nroot.aside\n204\nx' ]
}

@test "killed anywhere while it is moved aside, the original or its copy is whole" {
  in_namespace <<SH
$overlay
cd ..
mkdir bin
for victim in cp sync perl mv rm; do
  for moment in before after; do
    for passed in 0 1; do
      umount merged && rm -rf upper work bin/* && mkdir upper work
      mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work,redirect_dir=off merged
      real=\$(command -v \$victim)
      # Stands before the tool, and ends the whole script at its first or second call, before or after its work; rm and a copying mv have done half.
      cat >bin/\$victim <<TOOL
#!/bin/bash
echo >>\$PWD/bin/calls
[ \\\$(wc -l <\$PWD/bin/calls) -gt \$passed ] || exec \$real "\\\$@"
case \$victim-\$moment in rm-after) \$real -rf root/sub ./root/1* ;; mv-after) cp -aT \$PWD/merged/root/sub \$PWD/merged/root.aside ;; *-after) \$real "\\\$@" ;; esac
kill -KILL \\\$KILLED
TOOL
      chmod +x bin/\$victim
      (PATH=\$PWD/bin:\$PATH && export KILLED=\$BASHPID && move_aside "\$PWD/merged/root" "\$PWD/merged/root.aside") || true
      whole=merged/root
      [ ! -e merged/root.aside ] || whole=merged/root.aside
      [ "\$(find \$whole | wc -l)" = 204 ] || echo "WRONG \$victim \$moment \$passed: \$(find \$whole | wc -l) of 204"
    done
  done
done
echo looked
SH
  [[ $output == *looked && $output != *WRONG* ]]
}

@test "a path in an unpacked tree is found through its own links, as if the tree were the root, and never out of it" {
  in_namespace <<'SH'
mkdir -p tree/srv/conf/puppet tree/etc && ln -s /srv/conf tree/etc/puppetlabs && ln -s ../../.. tree/srv/conf/up && ln -s loop tree/loop
mkdir -p etc && ln -s "$PWD" tree/out
for path in /etc/puppetlabs/puppet/ssl /etc/puppetlabs /etc/puppetlabs/up/srv/conf/x /loop/x /etc/none/x /out/etc/x; do
  if place_in "$PWD/tree" "$path"; then echo "yes ${place#"$PWD/tree"}"; else echo "no $forbidden_link"; fi
done
SH
  [ "${lines[0]}" = "yes /srv/conf/puppet/ssl" ]
  [ "${lines[1]}" = "yes /etc/puppetlabs" ]
  [ "${lines[2]}" = "yes /srv/conf/x" ]
  [ "${lines[3]}" = "no /loop" ]
  [ "${lines[4]}" = "no " ]
  [ "${lines[5]}" = "no " ]
}

@test "on the node's own root only links that root alone can have made are followed" {
  in_namespace <<'SH'
mkdir -p data theirs && ln -s "$PWD/data" fine && ln -s "$PWD/data" theirs/link && chown 1000 theirs && ln -s "$PWD/data" given && chown -h 1000 given
chmod 0755 "$PWD"
for path in fine theirs/link given; do if place_in '' "$PWD/$path/x"; then echo "yes ${place#"$PWD"}"; else echo no; fi; done
chmod 1777 "$PWD"
if place_in '' "$PWD/fine/x"; then echo yes; else echo no; fi
SH
  [ "$output" = $'yes /data/x\nno\nno\nno' ]
}
