#!/usr/bin/env bats
# What is inspected and archived on a node of Puppet Enterprise 3.2: a copy of the documents whose paths begin below a directory of
# the test, with stand-ins for the AWS CLI and for services. Puppet itself is not there: its file tells.

setup() {
  node=$BATS_TEST_TMPDIR/node
  etc=$node/etc/puppetlabs
  ca=$etc/puppet/ssl/ca
  mkdir -p "$node/opt/puppet" "$node/var/lib" "$node/srv" "$node/bin" "$node/vault" "$ca" "$etc/puppet/ssl/private_keys" "$etc/mcollective"
  cp -r "$BATS_TEST_DIRNAME/../../documents" "$node/documents"
  find "$node/documents" -name '*.sh' -exec sed -i \
    "s#/etc/puppetlabs#$etc#g; s#/opt/puppet#$node/opt/puppet#g; s#/var/\(lib\|opt\)/#$node/var/\1/#g; s#/etc/\(r10k\|eyaml\)#$node/etc/\1#g; s#/etc/init#$node/etc/init#g" {} +
  echo 'mount_table() { cat "$MOUNTS"; }' >>"$node/documents/library/mounts.sh"
  export ATTEMPT=0 START_BEFORE=$(($(date +%s) + 3600)) MOUNTS=$node/mounts VAULT=$node/vault PATH=$node/bin:$PATH
  echo '1 0 8:1 / / rw - ext4 /dev/sda1 rw' >"$MOUNTS"
  printf '#!/bin/bash\ncase $1 in --version) echo aws-cli/2 ;; *) cat >"$VAULT/$(basename "$4")" ;; esac\n' >"$node/bin/aws"
  printf '#!/bin/sh\nexit 1\n' >"$node/bin/systemctl"
  printf '#!/bin/sh\necho master.example.com\n' >"$node/bin/hostname"
  chmod +x "$node"/bin/*
  echo 3.2.3 >"$node/opt/puppet/pe_version"
  printf -- '-----BEGIN RSA PRIVATE KEY-----\nx\n' | tee "$ca/ca_key.pem" >"$etc/puppet/ssl/private_keys/master.example.com.pem"
  echo 0005 | tee "$ca/serial" "$ca/inventory.txt" "$ca/ca_crl.pem" >"$ca/ca_crt.pem"
  printf '#!/bin/sh\ncase $1 in x509) echo SHA256 Fingerprint=AA ;; dgst) exec %s "$@" ;; esac\n' "$(command -v openssl)" >"$node/bin/openssl"
  chmod +x "$node/bin/openssl"
  printf '[main]\ncertname = master.example.com\n' >"$etc/puppet/puppet.conf"
}

inspect() { RUN=run ON_PROBLEM=${1:-fail} bash "$node/documents/puppet/inspect-puppet.sh" 2>"$node/inspect.log" | tee "$node/inspection"; }

# told EXPRESSION: what the last inspection, d, says; one line per word.
told() {
  python3 -c '
import json, sys
d = json.load(open(sys.argv[1], errors="surrogateescape"))
said = eval(sys.argv[2])
words = said if isinstance(said, list) else [str(said)]
sys.stdout.buffer.write("".join(word + "\n" for word in words).encode(errors="surrogateescape"))' "$node/inspection" "$1"
}

# list PATH...: as a parameter takes them, a NUL between.
list() {
  {
    printf '%s' "$1"
    if [ "$#" -gt 1 ]; then printf '\0%s' "${@:2}"; fi
  } | base64 -w 0 | tr '+/' '-_' | tr -d '='
}

# archive PATH...: REQUIRED is a path that the node must not lack.
archive() {
  RUN=run BUCKET=vault KEY=files EXPECTED_BYTES=1000 GROUP=configuration PATHS=$(list "$@") REQUIRED=${REQUIRED:+$(list "$REQUIRED")} \
    bash "$node/documents/shared/archive-files.sh" 2>"$node/archive.log"
}

contents() { zstd -dc "$VAULT/files.contents.zst"; }

@test "a directory behind links is found, with every link on the way and for the reason of the first" {
  mkdir -p "$node/srv/a" "$node/srv/deep" "$node/srv/data"
  mv "$etc" "$node/srv/data/conf"
  ln -s "$node/srv/data/conf" "$node/srv/a/conf"
  ln -s ../srv/a/conf "$etc"
  inspect
  [ "$(told '[p["path"] + " " + p["because"] for p in d["paths"]["configuration"]]')" = "$etc product
$node/srv/a/conf product
$node/srv/data/conf product" ]
  [[ $(told 'd["required"]') == *"$node/srv/data/conf/puppet/ssl/ca/ca_key.pem"* ]]
}

@test "links are followed from link to link, whatever their names, and loops end" {
  local back='back\tslash' feed=$'line\nfeed' byte=$'no\xffutf'
  mkdir "$node/srv/$back" "$node/srv/$feed" "$node/srv/$byte"
  ln -s "$node/srv/$back" "$etc/puppet/first"
  ln -s "../$feed" "$node/srv/$back/second"
  ln -s "$node/srv/$byte" "$node/srv/$feed/third"
  ln -s "$etc/puppet" "$node/srv/$byte/round"
  ln -s itself "$etc/puppet/itself"
  inspect
  [ "$(told 'len([p for p in d["paths"]["configuration"] if p["because"] == "link"])')" = 3 ]
  [[ $(told '[p["path"] for p in d["paths"]["configuration"]]') == *"$node/srv/$back"*"$node/srv/$feed"* ]]
  told '[p["path"] for p in d["paths"]["configuration"]]' | grep -qaF "$node/srv/$byte"
  [[ $(told 'd["warnings"]') == *'puppet/itself points to itself, which is not there'* ]]
}

@test "what a link points to and is not taken is told: the system's own, a network file system" {
  mkdir "$node/srv/share"
  printf '2 1 0:40 / %s rw - nfs4 host:/share rw\n' "$node/srv/share" >>"$MOUNTS"
  ln -s "$node/srv/share" "$etc/puppet/share"
  ln -s /usr "$etc/puppet/usr"
  inspect
  [ "$(told 'len(d["paths"]["configuration"])')" = 1 ]
  [[ $(told 'd["warnings"]') == *'network file system (nfs4), and is not backed up'* ]]
  [[ $(told 'd["warnings"]') == *'puppet/usr points to /usr: it is a directory of the whole system'* ]]
}

@test "every section's and every environment's paths are found, and those that depend on a request" {
  mkdir -p "$node"/srv/{main,dev,master,hiera/x,files,environments/one/modules,manifests,site,eyaml} "$node/srv/r10k"
  cat >>"$etc/puppet/puppet.conf" <<CONF
cadir = $node/srv/authority { owner = service, mode = 0770 }
environmentpath = $node/srv/environments
[master]
modulepath = $node/srv/master:\$confdir/modules  # ours
manifest = $node/srv/manifests/\$environment/site.pp
[dev]
modulepath = $node/srv/dev
CONF
  mv "$ca" "$node/srv/authority"
  printf 'modulepath = ../../site:modules:$basemodulepath\r\n' >"$node/srv/environments/one/environment.conf"
  printf -- "---\n:yaml:\n  :datadir: '$node/srv/hiera/%%{environment}'\r\n:eyaml: { :datadir: $node/srv/eyaml }\n" >"$etc/puppet/hiera.yaml"
  printf '[site]\n  path %s/%%h\n' "$node/srv/files" >"$etc/puppet/fileserver.conf"
  inspect
  local found
  found=$(told '[p["path"] + " " + p["because"] for group in d["paths"].values() for p in group]')
  for path in master dev manifests environments site hiera eyaml files; do [[ $found == *"$node/srv/$path setting"* ]]; done
  [[ $found == *"$node/srv/authority product"* ]]
  [[ $found != *"$node/srv/main"* ]]
  [[ $(told 'd["required"]') == *"$node/srv/authority/serial"* ]]
}

@test "keys that any file names must be in the backup, and one that is not there ends it" {
  mkdir -p "$etc/r10k" "$etc/puppetserver/conf.d" "$node/srv/keys"
  for key in eyaml deploy code; do cp "$ca/ca_key.pem" "$node/srv/keys/$key"; done
  printf ':eyaml:\n  :pkcs7_private_key: %s # ours\n' "$node/srv/keys/eyaml" >"$etc/puppet/hiera.yaml"
  printf 'git:\n  private_key: "%s"\n' "$node/srv/keys/deploy" >"$etc/r10k/r10k.yaml"
  printf 'code-manager: { git-settings { private-key = "%s" , x: 1 } }\n' "$node/srv/keys/code" >"$etc/puppetserver/conf.d/code-manager.conf"
  printf '# ssl-key: /nowhere\n' >"$etc/puppetserver/conf.d/webserver.conf"
  inspect
  for key in eyaml deploy code; do [[ $(told 'd["required"]') == *"$node/srv/keys/$key"* ]]; done
  rm "$node/srv/keys/deploy"
  inspect || true
  [[ $(told 'd["error"] + d["message"]') == SecretMissingError*r10k.yaml*keys/deploy* ]]
  inspect report
  [[ $(told 'd["problems"]') == *keys/deploy* ]]
}

@test "a key with a relative path is found beside its file, or told" {
  mkdir -p "$etc/puppet/keys" && cp "$ca/ca_key.pem" "$etc/puppet/keys/one"
  printf -- '---\nhierarchy:\n  - name: x\n    options: { pkcs7_private_key: "keys/one", pkcs7_public_key: a }\r\n' >"$etc/puppet/hiera.yaml"
  inspect
  [[ $(told 'd["required"]') == *"$etc/puppet/keys/one"* ]]
  printf ':eyaml:\n  :pkcs7_private_key: ./keys/private_key.pkcs7.pem\n' >"$etc/puppet/hiera.yaml"
  inspect
  [[ $(told 'd["warnings"]') == *'names ./keys/private_key.pkcs7.pem, relative to where the master runs'* ]]
}

@test "every libdir line counts, with a carriage return as without" {
  mkdir -p "$node"/srv/{one,two,three}
  printf 'libdir = %s:%s\r\n# libdir = /nowhere\nlibdir = %s\n' "$node/srv/one" "$node/srv/two" "$node/srv/three" >"$etc/mcollective/server.cfg"
  inspect
  [ "$(told '" ".join(p["path"] for p in d["paths"]["mcollective"])')" = "$node/srv/one $node/srv/two $node/srv/three" ]
}

@test "an authority without one of its parts is no authority, and a server of open-source Puppet no Puppet Enterprise" {
  rm "$ca/inventory.txt"
  inspect || true
  [[ $(told 'd["error"] + d["message"]') == AuthorityUnreadableError*inventory.txt* ]]
  rm "$node/opt/puppet/pe_version"
  mkdir -p "$node/etc/init.d"
  printf '#!/bin/sh\n' >"$node/etc/init.d/puppetserver"
  chmod +x "$node/etc/init.d/puppetserver"
  inspect || true
  [[ $(told 'd["error"] + d["message"]') == OpenSourcePuppetError*puppetserver* ]]
}

@test "an old zstd whose format nobody reads is not used, and that is told" {
  printf '#!/bin/sh\necho "another format"\n' >"$node/bin/zstd"
  chmod +x "$node/bin/zstd"
  inspect
  [[ $(told 'd["warnings"]') == *'gzip is used'* ]]
  REQUIRED='' run archive "$etc"
  [[ $output == *'"compression":"gzip"'* ]]
}

@test "an archive has names of any bytes, extended attributes and holes, and tells what it leaves out" {
  local feed=$'line\nfeed'
  mkdir "$etc/odd" && cd "$etc/odd"
  echo x | tee 'back\tslash' "$feed" -- $'no\xffutf' >-rf
  truncate -s 50M hole
  python3 -c "import os, socket; os.setxattr('hole', 'user.note', b'kept'); socket.socket(socket.AF_UNIX).bind('s')"
  mkdir share && echo others >share/file
  printf '2 1 0:40 / %s rw - cifs //host/share rw\n' "$etc/odd/share" >>"$MOUNTS"
  mkdir "$node/srv/root\\t" "$node/srv/root$feed" && echo x | tee "$node/srv/root\\t/in" >"$node/srv/root$feed/in"
  REQUIRED=$ca/ca_key.pem run archive "$etc" "$node/srv/root\\t" "$node/srv/root$feed"
  [ "$status" -eq 0 ]
  [[ $output == *"\"holds\":[\"$ca/ca_key.pem\"]"* ]]
  [[ $output == *'odd/s is not backed up: socket'* ]]
  [[ $output == *'odd/share is a file system of its own (cifs)'* ]]
  contents | grep -qF "${etc#/}/odd/back\\tslash"
  contents | grep -qF "${etc#/}/odd/line//nfeed"
  contents | grep -qF "${node#/}/srv/root\\t/in"
  contents | grep -qF "${node#/}/srv/rootline//nfeed/in"
  mkdir "$node/back" && zstd -dc "$VAULT/files.tar.zst" | tar -x --xattrs --xattrs-include='*' -C "$node/back" -f -
  cd "$node/back$etc/odd"
  [ "$(cat 'back\tslash' "$feed" $'no\xffutf' ./-rf | tr -d '\n')" = xxxx ]
  [ "$(du -k hole | cut -f 1)" -lt 1024 ]
  [ "$(python3 -c "import os; print(os.getxattr('hole', 'user.note').decode())")" = kept ]
}

@test "a required file that lies elsewhere is not among what an archive holds" {
  mv "$ca" "$node/srv/ca" && ln -s "$node/srv/ca" "$ca"
  REQUIRED=$node/srv/ca/ca_key.pem run archive "$etc"
  [[ $output == *'"holds":[]'* ]]
  REQUIRED=$node/srv/ca/ca_key.pem run archive "$etc" "$node/srv/ca"
  [[ $output == *"\"holds\":[\"$node/srv/ca/ca_key.pem\"]"* ]]
}

@test "keys are known by their content, whatever their names" {
  local kind keys=()
  for kind in 'RSA ' 'EC ' 'ENCRYPTED ' 'OPENSSH ' 'PGP ' ''; do keys+=("$etc/${kind}one") && printf 'text\n-----BEGIN %sPRIVATE KEY-----\nx\n' "$kind" >"${keys[-1]}"; done
  for kind in '\xfe\xed\xfe\xed\0' '\xce\xce\xce\xce\0' '0\x82\x09\0\x02\x01\x03' '0\x82\x0a\x11\x02\x01\x03' '0\x82\x09\x0a\x02\x01\x03'; do
    keys+=("$etc/store${#keys[@]}") && printf "$kind" >"${keys[-1]}"
  done
  echo nothing >"$etc/other"
  printf -- '-----BEGIN PUBLIC KEY-----\nx\n' >"$etc/public"
  REQUIRED='' run archive "${keys[@]}" "$etc/other" "$etc/public"
  [[ $output == *'"secrets":11,'* ]]
}

@test "a key behind a link that leads nowhere, or in a directory that looks like one, ends the backup" {
  ln -s "$node/srv/gone" "$etc/puppet/ssl/private_keys/second.pem"
  REQUIRED='' run archive "$etc"
  [ "$status" -eq 1 ]
  [[ $output == *SecretUnreadableError*second.pem*srv/gone* ]]
  rm "$etc/puppet/ssl/private_keys/second.pem"
  mkdir "$etc/r10k" && ln -s /nowhere "$etc/r10k/id_rsa"
  REQUIRED='' run archive "$etc"
  [[ $output == *SecretUnreadableError*id_rsa* ]]
}

@test "a tar without an option packs without it, and that is told; one that can't keep a name is refused" {
  cat >"$node/bin/tar" <<TAR
#!/bin/sh
case "\$*" in *--help*) $(command -v tar) --help | grep -v -e xattrs -e selinux && exit ;; *--xattrs* | *--selinux*) exit 64 ;; esac
exec $(command -v tar) "\$@"
TAR
  chmod +x "$node/bin/tar"
  inspect
  [ -z "$(told 'd.get("error", "")')" ]
  REQUIRED='' run archive "$etc"
  [ "$status" -eq 0 ]
  [[ $output == *'this tar knows no --xattrs: such attributes of files are not backed up'* ]]
  [[ $output == *'this tar knows no --selinux'* ]]
  sed -i 's/--xattrs\* |/--no-unquote* |/' "$node/bin/tar"
  inspect || true
  [[ $(told 'd["error"] + d["message"]') == UnfitToolError*'Install GNU tar 1.20 or newer'* ]]
  inspect report
  [[ $(told 'd["problems"]') == *'cannot keep every file name'* ]]
}

@test "a zstd that packs nothing, or dies, is not used either" {
  for body in 'exit 1' 'kill -SEGV $$' 'exec cat'; do
    printf '#!/bin/sh\n%s\n' "$body" >"$node/bin/zstd"
    chmod +x "$node/bin/zstd"
    REQUIRED='' run archive "$etc"
    [[ $output == *'"compression":"gzip"'* ]]
  done
}

@test "devices are left out, with a warning each, so that the archive can be restored; nothing beside them is" {
  [ "$(id -u)" = 0 ] || skip 'only root makes devices'
  mknod "$etc/puppet/null" c 1 3
  mknod "$etc/puppet/"$'odd *\\n\n\377' b 7 0
  touch "$etc/puppet/null2" "$etc/puppet/odd a" "$etc/puppet/nul"
  mkfifo "$etc/puppet/pipe"
  archive "$etc" >"$node/answer"
  contents | grep -q 'puppet/null2$'
  contents | grep -q 'puppet/odd a$'
  contents | grep -q 'puppet/pipe$'
  zstd -dc "$VAULT/files.tar.zst" >"$node/archive.tar"
  . "$BATS_TEST_DIRNAME/../../documents/library/archive.sh"
  check_archive "$node/archive.tar" "$node/list"
  [ "$(grep -o 'is a device, and is not backed up' "$node/answer" | wc -l)" -eq 2 ]
}

@test "a hard link to what lies outside is told, and one within comes back as a link" {
  local odd=$'odd *\\n\n\377 '
  mkdir "$etc/odd" && echo x >"$etc/odd/one"
  ln "$etc/odd/one" "$etc/odd/two"
  echo y >"$node/srv/outside"
  ln "$node/srv/outside" "$etc/odd/$odd"
  archive "$etc" >"$node/answer"
  [ "$(grep -o 'is a hard link to a file outside of this archive' "$node/answer" | wc -l)" -eq 1 ]
  mkdir "$node/back" && zstd -dc "$VAULT/files.tar.zst" | tar -x -C "$node/back" -f -
  [ "$node/back$etc/odd/one" -ef "$node/back$etc/odd/two" ]
  [ "$(cat "$node/back$etc/odd/$odd")" = y ]
}

@test "a backup and a restore count the same entries, whatever names, kinds and sizes they have" {
  . "$BATS_TEST_DIRNAME/../../documents/library/archive.sh"
  for seed in 1 2 3; do
    rm -rf "$etc/odd" && mkdir "$etc/odd"
    (cd "$etc/odd" && python3 - "$seed" <<'PYTHON'
import os, random, sys
some = random.Random(int(sys.argv[1]))
pieces = [b'a', b' ', b'\n', b'\\', b'\\n', b'"', b"'", b' -> ', b' link to ', b'\xff', b'\xc3\xa4', b'%', b'*', b'\r', b'\t', b'\1', b'x' * 90, b'.', b'&', b'\\1', b'^', b'$']
directories, files = [b'.'], [b'first']
open(b'first', 'wb').close()
for number in range(120):
    path = some.choice(directories) + b'/' + b''.join(some.choices(pieces, k=some.randint(1, 5)))[:240] + b'%d' % number
    kind = some.randrange(6) if len(path) < 2000 else 5
    if kind == 0:
        os.mkdir(path)
        directories.append(path)
    elif kind == 1: os.symlink(path * some.randint(1, 3), path)
    elif kind == 2: os.link(some.choice(files), path)
    elif kind == 3: os.mkfifo(path)
    else:
        with open(path, 'wb') as file:
            if kind == 4: file.truncate(some.randrange(1 << 20))
            file.seek(some.randrange(1 << 20))
            file.write(os.urandom(some.randrange(1, 3000)))
        os.setxattr(path, b'user.' + some.choice([b'a', b'b\n', b'c=d']), os.urandom(some.randrange(2000)))
        os.utime(path, (some.choice([-5.5, 0, 2**33, 1e9]), 0))
        files.append(path)
PYTHON
    )
    archive "$etc" >"$node/answer"
    zstd -dc "$VAULT/files.tar.zst" >"$node/archive.tar"
    check_archive "$node/archive.tar" "$node/list"
    [ "$entries" -eq "$(find "$etc" -printf x | wc -c)" ]
    grep -q "\"entries\":$entries," "$node/answer"
    [ "$(contents | wc -l)" -eq "$entries" ]
  done
}
