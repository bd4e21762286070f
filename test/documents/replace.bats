#!/usr/bin/env bats
# Files that are restored, and how that is undone and finished: the documents themselves, as root, in a mount namespace of their
# own in which /srv and what Holdfast keeps on a node are new.

setup() {
  cat >"$BATS_TEST_TMPDIR/run.sh" <<SH
set -Eeuo pipefail
documents=$BATS_TEST_DIRNAME/../../documents
SH
  cat >>"$BATS_TEST_TMPDIR/run.sh" <<'SH'
mount -t tmpfs -o mode=0755 tmpfs /var/lib
mount -t tmpfs -o mode=0755 tmpfs /srv
mkdir -p /var/lib/new
cd /var/lib/new
list() { printf '%s\0' "$@" | head -c -1 | base64 -w 0 | tr '+/' '-_' | tr -d '='; }
# pack NAME [PATH...]: an archive of what lies in the directory new, as it was fetched.
pack() {
  mkdir -p /var/lib/holdfast/restore/run/fetched
  tar -C /var/lib/new -cf "/var/lib/holdfast/restore/run/fetched/$1" "${@:2}"
}
# document NAME VARIABLE=VALUE...: what it answers.
document() { env START_BEFORE=9999999999 ATTEMPT=1 RUN=run NAME=files.tar MISSING_ROOTS= EXCLUDES= "${@:2}" bash "$documents"/*/"$1.sh" 2>/var/lib/log || true; }
replace() { document replace-files "ROOTS=$(list "$@")"; }
# Undoing and finishing as documents do both, without the services around.
undo() { library 'roll_back run; echo "not rolled back:$not_rolled_back"; forget_restore run'; }
finish() { library 'mv /var/lib/holdfast/restore/run/journal /var/lib/holdfast/restore/run/finished; forget_restore run; printf "left: %s\n" "${left_behind[@]-}"'; }
library() {
  bash -c "set -Eeuo pipefail; for l in result work paths restore; do . $documents/library/\$l.sh; done; find_postgres() { :; }; database_exists() { false; }
    $1"
}
tree() { (cd "$1" && find . -mindepth 1 \( -type f -printf '%P=' -exec cat {} \; -printf ' ' \) -o -printf '%P%l ' | tr -d '\n' | xargs -n 1 | LC_ALL=C sort | xargs); }
SH
}

in_namespace() {
  { cat "$BATS_TEST_TMPDIR/run.sh" && cat; } >"$BATS_TEST_TMPDIR/script.sh"
  run timeout 300 unshare --mount bash "$BATS_TEST_TMPDIR/script.sh"
  printf '%s\n' "$output"
}

@test "a directory is replaced as a whole, what is to stay stays, and undoing brings back what was there" {
  in_namespace <<'SH'
mkdir -p srv/conf/ssl && echo new >srv/conf/file && echo new >srv/conf/ssl/key && pack files.tar srv
mkdir -p /srv/conf/ssl && echo old >/srv/conf/file && echo old >/srv/conf/ssl/key && echo old >/srv/conf/ssl/stray
document replace-files "ROOTS=$(list /srv/conf)" "EXCLUDES=$(list /srv/conf/ssl)"
tree /srv
undo
tree /srv; ls /var/lib/holdfast/restore
replace /srv/conf >/dev/null
tree /srv/conf
SH
  [[ ${lines[0]} == '{"archive":"files.tar","replaced":1,"kept":0,"absent":[],"entries":5,"found":5,"privileged":[]}' ]]
  [ "${lines[1]}" = "conf conf.before-restore conf.before-restore/file=old conf.before-restore/ssl conf.before-restore/ssl/key=old conf.before-restore/ssl/stray=old conf/file=new conf/ssl conf/ssl/key=old conf/ssl/stray=old" ]
  [ "${lines[2]}" = "not rolled back:" ]
  [ "${lines[3]}" = "conf conf/file=old conf/ssl conf/ssl/key=old conf/ssl/stray=old" ]
}

@test "a stray file is gone after its directory was restored" {
  in_namespace <<'SH'
mkdir -p srv/conf/ssl && echo new >srv/conf/ssl/key && pack files.tar srv
mkdir -p /srv/conf/ssl && echo old >/srv/conf/ssl/stray
replace /srv/conf/ssl >/dev/null; finish; tree /srv
SH
  [ "$output" = $'left: \nconf conf/ssl conf/ssl/key=new' ]
}

@test "what is to stay is not looked for through a link of the archive: the living authority was deleted by that" {
  in_namespace <<'SH'
mkdir -p srv/conf && ln -s /srv/data srv/conf/puppet && pack files.tar srv
mkdir -p /srv/conf /srv/data/ssl && ln -s /srv/data /srv/conf/puppet && echo precious >/srv/data/ssl/ca_key
document replace-files "ROOTS=$(list /srv/conf)" "EXCLUDES=$(list /srv/conf/puppet/ssl)"
tree /srv/data
undo
pack files.tar srv && rm -rf /srv/conf && mkdir -p /srv/conf/puppet/ssl && echo precious >/srv/conf/puppet/ssl/key
document replace-files "ROOTS=$(list /srv/conf)" "EXCLUDES=$(list /srv/conf/puppet/ssl)"
tree /srv/conf
SH
  [[ $output == *'ssl ssl/ca_key=precious'* ]]
  [[ $output == *'RestoreRefusedError'*'/srv/conf/puppet is a link'* ]]
  [ "${lines[-1]}" = "puppet puppet/ssl puppet/ssl/key=precious" ]
}

@test "a path below a link of the archive is taken from the archive, not from the node" {
  in_namespace <<'SH'
mkdir -p srv/etc srv/real/ssl && ln -s /srv/real srv/etc/conf && echo new >srv/real/ssl/key && pack files.tar srv
mkdir -p /srv/etc/conf/ssl && echo old >/srv/etc/conf/ssl/key && mkdir -p /srv/real/ssl && echo live >/srv/real/ssl/key
replace /srv/etc/conf/ssl >/dev/null
tree /srv/etc/conf; tree /srv/real
SH
  [[ ${lines[0]} == *"ssl/key=new"* ]]
  [ "${lines[1]}" = "ssl ssl/key=live" ]
}

@test "an archive that could be unpacked elsewhere is refused, and nothing is changed" {
  in_namespace <<'SH'
mkdir -p /srv/conf && echo old >/srv/conf/file
python3 - <<'PYTHON'
import io, os, tarfile
def archive(name, *members):
    with tarfile.open(f'/var/lib/new/{name}.tar', 'w') as out:
        for path, kind, target in members:
            info = tarfile.TarInfo(path)
            info.type, info.linkname = kind, target
            body = b'hostile' if kind == tarfile.REGTYPE else b''
            info.size = len(body)
            out.addfile(info, io.BytesIO(body))
link, plain, hard, block = tarfile.SYMTYPE, tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.BLKTYPE
archive('below-a-link', ('srv/conf', link, '/etc'), ('srv/conf/x', plain, ''))
archive('below-a-near-link', ('srv/a', tarfile.DIRTYPE, ''), ('srv/conf', link, 'a'), ('srv/conf/x', plain, ''))
archive('link-after-its-content', ('srv/conf/x', plain, ''), ('srv/conf', link, '/etc'))
archive('absolute', ('/srv/conf/x', plain, ''))
archive('parent', ('srv/../../etc/x', plain, ''))
archive('hard-link-out', ('srv/conf/x', hard, '../../etc/shadow'))
archive('hard-link-to-a-link', ('srv/a', link, '/etc'), ('srv/conf', hard, 'srv/a'), ('srv/conf/x', plain, ''))
archive('device', ('srv/conf/disk', block, ''))
archive('cut', ('srv/conf/x', plain, ''))
PYTHON
truncate -s 700 cut.tar
for archive in *.tar; do
  mkdir -p /var/lib/holdfast/restore/run/fetched && cp "$archive" /var/lib/holdfast/restore/run/fetched/files.tar
  echo "$archive $(replace /srv/conf | cut -c 1-150)"
  [ "$(tree /srv)" = "conf conf/file=old" ] || echo "TOUCHED: $(tree /srv)"
  [ ! -e /etc/x ] || echo ESCAPED
done
SH
  [ "${#lines[@]}" -eq 9 ]
  for line in "${lines[@]}"; do [[ $line == *'"error":"ArchiveRefusedError"'* || $line == hard-link-out.tar*'"error":"RestoreFailedError"'* ]]; done
  [[ $output == *'device.tar'*'srv/conf/disk is a device'* && $output == *'below-a-link.tar'*'lies below srv/conf, which is a link in it'* ]]
}

@test "names that hold arrows, quotes, backslashes and line feeds are no danger, and come back" {
  in_namespace <<'SH'
mkdir -p srv/conf && cd srv/conf && touch 'a -> b' 'c link to d' 'e"f' 'g\h' $'i\nj' $'\xff' '..k' 'l..' && ln -s 'a -> b' 'm -> n' && ln 'e"f' hard && cd ../.. && pack files.tar srv
mkdir -p /srv/conf
replace /srv/conf
(cd srv && find . | LC_ALL=C sort | sha256sum) && (cd /srv && rm -rf conf.before-restore && find . | LC_ALL=C sort | sha256sum)
SH
  [[ ${lines[0]} == *'"entries":12,"found":11,'* ]]
  [ "${lines[1]}" = "${lines[2]}" ]
}

@test "programs that run with the rights of their owner are named" {
  in_namespace <<'SH'
mkdir -p srv/conf && touch srv/conf/{plain,setuid,setgid} && chmod 4755 srv/conf/setuid && chmod 2755 srv/conf/setgid && pack files.tar srv
replace /srv/conf
SH
  [[ $output == *'"privileged":["/srv/conf/setgid","/srv/conf/setuid"]}' ]]
}

@test "capabilities and holes come back" {
  in_namespace <<'SH'
mkdir -p srv/conf && cp /bin/true srv/conf/tool && setcap cap_net_raw+ep srv/conf/tool && truncate -s 64M srv/conf/image && mkdir -p /var/lib/holdfast/restore/run/fetched
tar --xattrs --xattrs-include='*' --sparse -C /var/lib/new -cf /var/lib/holdfast/restore/run/fetched/files.tar srv
replace /srv/conf
getcap /srv/conf/tool; du -k /srv/conf/image
SH
  [[ $output == *cap_net_raw* ]]
  [[ ${lines[-1]} == 0* ]]
}

@test "a mount or a fixed file at or below a path is refused by name, before anything is changed" {
  in_namespace <<'SH'
mkdir -p srv/conf/shared srv/more && echo new >srv/conf/file && pack files.tar srv
mkdir -p /srv/conf/shared /srv/other /srv/more && echo old >/srv/conf/file && echo precious >/srv/other/file && mount --bind /srv/other /srv/conf/shared
replace /srv/more /srv/conf
tree /srv/other; tree /srv/conf; ls /srv
umount /srv/conf/shared
if chattr +i /srv/conf/file 2>/dev/null; then replace /srv/more /srv/conf; chattr -i /srv/conf/file; else echo FixedFilesError /srv/conf/file; fi
ls /srv
SH
  [[ ${lines[0]} == *'"error":"MountedError"'*'/srv/conf/shared is mounted'* ]]
  [ "${lines[1]}" = "file=precious" ]
  [ "${lines[2]}" = "file=old shared shared/file=precious" ]
  [[ ${lines[6]} == *FixedFilesError*'/srv/conf/file'* ]]
  [[ $output != *before-restore* ]]
}

@test "a path that is to come back only where nothing is leaves alone what is there" {
  in_namespace <<'SH'
mkdir -p srv/{conf,linked,gone} && touch srv/{conf,linked,gone}/new && pack files.tar srv
mkdir -p /srv/conf /srv/linked && touch /srv/linked/theirs
document replace-files "ROOTS=$(list /srv/conf /srv/never)" "MISSING_ROOTS=$(list /srv/linked /srv/gone)"
ls /srv/linked /srv/gone
SH
  [[ ${lines[0]} == *'"replaced":2,"kept":1,"absent":["/srv/never"],'* ]]
  [ "${lines[*]:1}" = '/srv/gone: new /srv/linked: theirs' ]
}

@test "killed between any two steps, undoing brings back what was there, also a second time" {
  in_namespace <<'SH'
mkdir -p srv/{a,b,c} bin && touch srv/{a,b,c}/new && pack files.tar srv
cp -a /var/lib/holdfast /var/lib/fetched
for victim in perl mv rm dd find; do
  for passed in 0 1 2 3 4; do
    rm -rf /srv/* /var/lib/holdfast bin/* && cp -a /var/lib/fetched /var/lib/holdfast && mkdir -p /srv/{a,b} && touch /srv/{a,b}/old
    real=$(command -v "$victim")
    printf '#!/bin/bash\necho >>/var/lib/new/bin/calls\n[ $(wc -l </var/lib/new/bin/calls) -gt %s ] || exec %s "$@"\nkill -KILL $(cat /var/lib/new/bin/pid)\n' "$passed" "$real" >"bin/$victim"
    chmod +x "bin/$victim"
    (echo "$BASHPID" >bin/pid && exec env "PATH=$PWD/bin:$PATH" START_BEFORE=9999999999 ATTEMPT=1 RUN=run NAME=files.tar MISSING_ROOTS= EXCLUDES= "ROOTS=$(list /srv/a /srv/b /srv/c)" bash "$documents/shared/replace-files.sh" >/dev/null 2>&1) || true
    undo | grep -v 'back:$' || true
    [ "$(tree /srv)" = "a a/old= b b/old=" ] || echo "$victim $passed: $(tree /srv)"
  done
done
echo looked
SH
  [[ $output == *looked && $output != *': a'* && $output != *'rolled back: '* ]]
}

@test "a restore after one that broke off keeps what was there before both" {
  in_namespace <<'SH'
mkdir -p srv/a && touch srv/a/new && pack files.tar srv && mkdir -p /srv/a && touch /srv/a/original
replace /srv/a >/dev/null
mv /var/lib/holdfast/restore/run /var/lib/holdfast/restore/earlier
mkdir -p /var/lib/holdfast/restore/run && cp -a /var/lib/holdfast/restore/earlier/fetched /var/lib/holdfast/restore/run/
replace /srv/a >/dev/null
undo; tree /srv
SH
  [ "$output" = $'not rolled back:\na a/original=' ]
}

@test "what finishing can't remove is told, keeps no restore from running, and is tried again" {
  in_namespace <<'SH'
mkdir -p srv/a && touch srv/a/new && pack files.tar srv && cp -a /var/lib/holdfast /var/lib/fetched
mkdir -p /srv/a/in && touch /srv/a/in/original
replace /srv/a >/dev/null
mount -t tmpfs tmpfs /srv/a.before-restore/in && touch /srv/a.before-restore/in/precious
document finish-restore
cp -a /var/lib/fetched/. /var/lib/holdfast/
mv /var/lib/holdfast/restore/run/finished /var/lib/holdfast/finished
replace /srv/a
ls /srv /srv/a.before-restore/in
finish; ls /srv
umount /srv/a.before-restore/in && mv /var/lib/holdfast/finished /var/lib/holdfast/restore/run/finished 2>/dev/null || { mkdir -p /var/lib/holdfast/restore/run && mv /var/lib/holdfast/finished /var/lib/holdfast/restore/run/finished; }
library 'forget_restore run'; ls /srv /var/lib/holdfast/restore
SH
  [[ ${lines[0]} == '{"left":["/srv/a.before-restore: something is mounted at /srv/a.before-restore/in"]}' ]]
  [[ $output == *'"replaced":1'*$'a.before-restore-2'*'precious'*$'left: \na\na.before-restore\n/srv:\na'* ]]
}

@test "a fetched file may have the name of any file of the run" {
  in_namespace <<'SH'
mkdir -p srv/a bin && touch srv/a/new /srv/mine
for name in journal finished databases staged lists left; do
  printf 'new-path\t/srv/mine\npath\t/srv/a\t/srv/mine\n/srv/mine\n' >"/var/lib/new/object"
  printf '#!/bin/bash\ncat /var/lib/new/object >"${@: -1}"\n' >bin/aws && chmod +x bin/aws
  PATH=$PWD/bin:$PATH document fetch-artifact COMPRESSION=none VERSION_ID=v1 BUCKET=b "OBJECT=backups/$name" "BYTES=$(wc -c <object)" "SHA256=$(sha256sum <object | cut -d ' ' -f 1)" "NAME=$name" | grep -vx '{}' || true
done
undo; ls /srv
SH
  [ "$output" = $'not rolled back:\nmine' ]
}
