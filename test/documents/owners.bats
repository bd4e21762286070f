#!/usr/bin/env bats
# Owners and directories that root changes where others may write: the documents themselves, in a mount namespace of their own.

setup() {
  cat >"$BATS_TEST_TMPDIR/run.sh" <<SH
set -Eeuo pipefail
documents=$BATS_TEST_DIRNAME/../../documents
SH
  cat >>"$BATS_TEST_TMPDIR/run.sh" <<'SH'
for directory in /var/lib /srv /opt; do mount -t tmpfs -o mode=0755 tmpfs "$directory"; done
# Users of the product's names, whatever this machine has, and nothing of its own configuration.
mkdir -p /var/lib/etc /var/lib/work && mount -t overlay overlay -o lowerdir=/etc,upperdir=/var/lib/etc,workdir=/var/lib/work /etc
for file in passwd group; do sed -i '/^pe-/d' "/etc/$file"; done
printf 'pe-postgres:x:61001:61001::/srv:/bin/sh\npe-puppet:x:61002:61002::/srv:/bin/sh\n' >>/etc/passwd
printf 'pe-postgres:x:61001:\npe-puppet:x:61002:\n' >>/etc/group
rm -rf /etc/puppetlabs && mkdir /etc/puppetlabs
mkdir -p /opt/puppet/bin && printf '#!/bin/sh\n' >/opt/puppet/bin/pg_dump && chmod +x /opt/puppet/bin/pg_dump
list() { printf '%s\n' "$@" | head -c -1 | base64 -w 0 | tr '+/' '-_' | tr -d '='; }
document() { env START_BEFORE=9999999999 ATTEMPT=1 RUN=run "${@:2}" bash "$documents"/*/"$1.sh" 2>/var/lib/log || true; }
owner() { stat -c '%n %U' -- "$@"; }
library() { bash -c "set -Eeuo pipefail; for l in result work paths restore postgres; do . $documents/library/\$l.sh; done; $1"; }
SH
}

in_namespace() {
  { cat "$BATS_TEST_TMPDIR/run.sh" && cat; } >"$BATS_TEST_TMPDIR/script.sh"
  run timeout 300 unshare --mount bash "$BATS_TEST_TMPDIR/script.sh"
  printf '%s\n' "$output"
}

@test "a tree is given without following links, into no mount, and no file that has another name elsewhere" {
  in_namespace <<'SH'
mkdir -p /srv/tree/sub /srv/other && touch /srv/tree/sub/file /srv/other/roots && ln -s /srv/other /srv/tree/link && ln /srv/other/roots /srv/tree/hard
library 'give_tree pe-puppet:pe-puppet /srv/tree || echo "$refused"'
owner /srv/tree /srv/tree/sub/file /srv/tree/link /srv/tree/hard /srv/other /srv/other/roots
mkdir -p /srv/mounted/at && mount --bind /srv/other /srv/mounted/at
library 'give_tree pe-puppet:pe-puppet /srv/mounted || echo "$refused"'
owner /srv/other
ln -s /srv/tree /srv/by-name
library 'give_tree pe-postgres:pe-postgres /srv/by-name/sub || echo "$refused"'
SH
  [ "${lines[0]}" = '/srv/tree pe-puppet' ]
  [ "${lines[1]}" = '/srv/tree/sub/file pe-puppet' ]
  [ "${lines[2]}" = '/srv/tree/link pe-puppet' ]
  [ "${lines[3]}" = '/srv/tree/hard root' ]
  [ "${lines[4]}" = '/srv/other root' ]
  [ "${lines[6]}" = 'something is mounted at /srv/mounted/at' ]
  [ "${lines[7]}" = '/srv/other root' ]
  [[ ${lines[8]} == *'a link is in its path'* ]]
}

@test "a setting that names /etc as the authority's directory gives nobody /etc" {
  in_namespace <<'SH'
mkdir -p /etc/puppetlabs/puppet/ssl/ca /srv/etc2 /srv/authority && touch /etc/puppetlabs/puppet/ssl/ca/ca_key.pem /srv/authority/ca_key.pem
mkdir -p /var/lib/holdfast/restore/run && printf 'path\t/etc/puppetlabs\t/etc/puppetlabs.before-restore\n' >/var/lib/holdfast/restore/run/journal
printf '[main]\ncadir = /srv/etc2\n' >/etc/puppetlabs/puppet/puppet.conf
document set-owners
owner /srv/etc2 /etc/puppetlabs/puppet/ssl/ca/ca_key.pem
printf 'new-path\t/srv/authority\n' >>/var/lib/holdfast/restore/run/journal
printf '[main]\ncadir = /srv/authority\n' >/etc/puppetlabs/puppet/puppet.conf
document set-owners
owner /srv/authority/ca_key.pem
SH
  [ "${lines[0]}" = '{}' ]
  [ "${lines[1]}" = '/srv/etc2 root' ]
  [ "${lines[2]}" = '/etc/puppetlabs/puppet/ssl/ca/ca_key.pem pe-puppet' ]
  [ "${lines[4]}" = '/srv/authority/ca_key.pem pe-puppet' ]
}

@test "a user who is not there is an error where files belong to somebody else than root" {
  in_namespace <<'SH'
mkdir -p /etc/puppetlabs/puppetdb/ssl && touch /etc/puppetlabs/puppetdb/ssl/private.pem
mkdir -p /var/lib/holdfast/restore/run && printf 'path\t/etc/puppetlabs\t/etc/puppetlabs.before-restore\n' >/var/lib/holdfast/restore/run/journal
document set-owners
chown 54321 /etc/puppetlabs/puppetdb/ssl/private.pem
document set-owners
SH
  [ "${lines[0]}" = '{}' ]
  [[ ${lines[1]} == *'OwnerMissingError'*'the user pe-puppetdb is not on this node'*'private.pem'* ]]
}

@test "a tablespace's directory is made by the server's user where he may write, so that his links lead root nowhere" {
  in_namespace <<'SH'
mkdir -p /srv/theirs /srv/roots && chown pe-postgres /srv/theirs && ln -s /srv/roots /srv/theirs/out
document prepare-tablespaces "LOCATIONS=$(list /srv/theirs/out/space)" | cut -c 1-90
ls /srv/roots
document prepare-tablespaces "LOCATIONS=$(list /srv/theirs/in/space /srv/fresh/deep/space)"
owner /srv/theirs/in/space /srv/fresh/deep /srv/fresh/deep/space; stat -c %a /srv/fresh/deep/space
SH
  [[ ${lines[0]} == *'TablespaceOwnerError'*"/srv/theirs/out/space can't be made"* ]]
  [ "${lines[1]}" = '{}' ]
  [ "${lines[2]}" = '/srv/theirs/in/space pe-postgres' ]
  [ "${lines[3]}" = '/srv/fresh/deep root' ]
  [ "${lines[4]}" = '/srv/fresh/deep/space pe-postgres' ]
  [ "${lines[5]}" = 700 ]
}

@test "a tablespace's directory that is somebody else's, or holds something else, is refused, also behind a link" {
  in_namespace <<'SH'
mkdir -p /srv/space/PG_9.2 /srv/full && touch /srv/full/mine && chown pe-postgres /srv/full && ln -s /srv/full /srv/link && ln -s /srv/space /srv/link-to-space
for location in /srv/space /srv/full /srv/link /srv/link-to-space; do document prepare-tablespaces "LOCATIONS=$(list $location)"; done
chown pe-postgres /srv/space && document prepare-tablespaces "LOCATIONS=$(list /srv/link-to-space)"
SH
  [[ ${lines[0]} == *'TablespaceOwnerError'*'/srv/space belongs to root'* ]]
  [[ ${lines[1]} == *'TablespaceNotEmptyError'*'/srv/full holds /srv/full/mine'* ]]
  [[ ${lines[2]} == *'TablespaceNotEmptyError'*'/srv/link holds /srv/link/mine'* ]]
  [[ ${lines[3]} == *'TablespaceOwnerError'* ]]
  [ "${lines[4]}" = '{}' ]
}

@test "directories of databases that are gone are removed with the rights of the server's user alone" {
  in_namespace <<'SH'
cat >/opt/puppet/bin/psql <<'PSQL'
#!/bin/bash
case "$* $(cat)" in
  *pg_tablespace_location*) echo /srv/space ;;
  *"count(*) FROM pg_database"*) echo 0 ;;
  *"count(*) FROM pg_tablespace"*) if [ -e /srv/asked ]; then echo 0; else touch /srv/asked && echo 1; fi ;;
esac
PSQL
chmod +x /opt/puppet/bin/psql && chmod 0777 /srv
mkdir -p /srv/space/PG_9.2/16385 /srv/victim/12345 && chown -R pe-postgres /srv/space && touch /srv/victim/12345/precious && ln -s /srv/victim /srv/space/PG_9.4
chmod 0755 /srv/victim
document drop-databases DATABASES= ROLES= "TABLESPACES=$(list space)"
ls /srv/space/PG_9.2 /srv/victim/12345
SH
  [[ $output == *'precious'* && $output != *16385* ]]
}

@test "an uninstaller that would empty a mount is not run" {
  in_namespace <<'SH'
mkdir -p /opt/puppet/share/shared && printf '#!/bin/sh\ntouch /srv/ran\nrm -rf /opt/puppet\n' >/opt/puppet/bin/puppet-enterprise-uninstaller && chmod +x /opt/puppet/bin/puppet-enterprise-uninstaller
mkdir /srv/shared && mount --bind /srv/shared /opt/puppet/share/shared
document purge-puppet; ls /srv/ran 2>/dev/null || true
umount /opt/puppet/share/shared
printf '#!/bin/sh\ntouch /srv/ran\n' >/opt/puppet/bin/puppet-enterprise-uninstaller
document purge-puppet; ls -d /opt/puppet*
SH
  [[ ${lines[0]} == *'PurgeFailedError'*'/opt/puppet/share/shared is mounted'* ]]
  [ "${lines[1]}" = '{}' ]
  [[ ${lines[2]} == /opt/puppet.left-* ]]
}
