# shellcheck shell=bash
# Every setting that names a path, in one place. Puppet is asked; its file is read for what it does not tell: other sections, and
# what depends on the environment.

# Settings of puppet.conf: name, what it names, group. Sources: the configuration references of Puppet 3.2 to 3.8, 4.2 to 4.10 and
# 5.5; environment.conf and [sections] of environments as in the pages on environments of the same versions.
#   product  a directory of the product itself        key      must be in the backup
#   file     one file or directory                    list     directories, a colon between
#   program  a file, perhaps with arguments behind it
readonly settings_of_puppet='
ssldir product configuration
cadir product configuration
certdir product configuration
privatekeydir product configuration
publickeydir product configuration
hostprivkey key configuration
hostcert file configuration
hostcrl file configuration
localcacert file configuration
capass key configuration
config file configuration
hiera_config file configuration
fileserverconfig file configuration
rest_authconfig file configuration
route_file file configuration
autosign program configuration
csr_attributes file configuration
trusted_oid_mapping_file file configuration
ssl_client_ca_auth file configuration
ssl_server_ca_auth file configuration
deviceconfig file configuration
binder_config file configuration
tagmap file configuration
external_nodes program configuration
prerun_command program configuration
postrun_command program configuration
codedir file modules
environmentpath list modules
modulepath list modules
basemodulepath list modules
manifest file modules
default_manifest file modules
manifestdir file modules
templatedir list modules
'

# Other files that name paths. Sources: the manuals of Puppet Enterprise 3.2 to 3.8 and 2015.2 to 2018.1; PuppetDB 1.5 to 5.2,
# Configuration; Puppet Server 1 to 5, webserver.conf and Code Manager; r10k, Configuration; hiera-eyaml; MCollective 2, Configuration.
named_in() {
  local file
  for file in "$puppet_configuration"/puppetdb/conf.d/*.{ini,conf} "$puppet_configuration"/puppetserver/conf.d/*.conf \
    "$puppet_configuration"/{console-services,orchestration-services,code-manager,pxp-agent}/conf.d/*.conf "$puppet_configuration"/pxp-agent/pxp-agent.conf \
    "$puppet_configuration"/enterprise/conf.d/*.conf "$puppet_configuration"/{nginx,httpd}/conf.d/*.conf "$puppet_configuration"/httpd/conf/*.conf \
    "$puppet_configuration"/mcollective/*.cfg "$puppet_configuration"/mcollective/plugin.d/*.cfg /var/lib/peadmin/.mcollective \
    "$puppet_configuration"/puppet-dashboard/*.yml "$puppet_configuration"/r10k/r10k.yaml /etc/r10k.yaml "$puppet_configuration"/puppet/r10k.yaml \
    "$puppet_configuration"/activemq/*.xml /etc/eyaml/config.yaml; do
    if [ -f "$file" ] && [ -r "$file" ]; then printf '%s\n' "$file"; fi
  done
}

# pairs_of FILE: one line `name<TAB>value` for each absolute path that a file names, whatever its form: INI, HOCON, YAML, Apache's,
# nginx's, attributes of XML. Names in lower case with hyphens.
pairs_of() {
  tr -d '\r' <"$1" | LC_ALL=C awk '
    function tell(name, value) {
      gsub(/^[ \t"\047]+|[ \t"\047,;]+$/, "", value)
      sub(/^file:(\/\/)?/, "", value)
      if (value !~ /^\//) return
      gsub(/["\047: \t]+$|^[:"\047 \t]+/, "", name)
      sub(/.*::/, "", name)
      name = tolower(name)
      gsub(/_/, "-", name)
      print name "\t" value
    }
    /^[ \t]*[#;]/ { next }
    {
      sub(/[ \t]+#.*$/, "")
      rest = $0
      while (match(rest, /["\047:]*[A-Za-z_][A-Za-z0-9_.:-]*["\047]?[ \t]*[=:][ \t]*("[^"]*"|\047[^\047]*\047|[^,{}"\047 \t][^,}]*)/)) {
        one = substr(rest, RSTART, RLENGTH)
        rest = substr(rest, RSTART + RLENGTH)
        # A name may hold colons: the value begins with the first slash or quote behind it.
        match(one, /^["\047:]*[A-Za-z_][A-Za-z0-9_.-]*(::[A-Za-z0-9_.-]+)*["\047]?[ \t]*[=:]/)
        if (RLENGTH > 0) tell(substr(one, 1, RLENGTH - 1), substr(one, RLENGTH + 1))
      }
      if (match($0, /^[ \t]*[A-Za-z_]+[ \t]+"?\//)) {
        name = $1
        value = $0
        sub(/^[ \t]*[A-Za-z_]+[ \t]+/, "", value)
        tell(name, value)
      }
      if (match($0, /^[ \t]*-[ \t]+["\047]?\//)) {
        value = $0
        sub(/^[ \t]*-[ \t]+/, "", value)
        tell("-", value)
      }
    }'
}

# kind_of NAME: what a setting of these files names; nothing where it is no concern of a backup.
kind_of() {
  case $1 in
    *private-key | *private-key-path | *private-key-file | *ssl-key | *ssl.key | *key-store | *keystore | ssl-certificate-key | sslcertificatekeyfile | *ssl-server-private | *ssl-client-private | oauth-token | gpg-gnupghome) echo key ;;
    *ssl-cert | *ssl-ca-cert | *ssl-cert-chain | *ssl-crl-path | *ssl.cert | *ssl.ca | *ssl.crl | *truststore | *trust-store | *public-key | *ssl-server-public | *ssl-client-public | *ssl-client-cert-dir | *-ca-certificate-path | *certificate-path | *ca-crl-path | ssl-certificate | ssl-client-certificate | ssl-trusted-certificate | ssl-crl | ssl-dhparam | sslcertificatefile | sslcertificatechainfile | sslcacertificatefile | sslcarevocationfile | *certificate-whitelist | *certificate-allowlist | plugin.yaml) echo file ;;
    basedir | datadir | environmentdir | master-code-dir | staging-dir) echo code ;;
    vardir | data-dir) echo told ;;
  esac
}

declare -A asked=()
conf_lines=()

# read_puppet_conf: sets conf_lines to `section<TAB>name<TAB>value`, as the file has them.
read_puppet_conf() {
  local line
  conf_lines=()
  [ -r "$puppet_configuration/puppet/puppet.conf" ] || return 0
  while IFS= read -r line; do conf_lines+=("$line"); done < <(settings_in "$puppet_configuration/puppet/puppet.conf")
}

# ask_puppet: sets asked to every setting as the master has it. Where puppet can't be asked, its file and the defaults tell.
ask_puppet() {
  local line name value section
  asked=()
  if [ -x "$puppet_program" ]; then
    while IFS= read -r line; do
      case $line in *' = '*) ;; *) continue ;; esac
      name=${line%% = *} value=${line#* = }
      # The owner and mode that a setting may carry.
      asked["$name"]=${value%%[[:blank:]]\{*}
    done < <("$puppet_program" config print --section master 2>/dev/null </dev/null)
  fi
  if [ -n "${asked[ssldir]-}" ]; then return 0; fi
  while read -r name value; do
    if [ -n "$name" ]; then asked["$name"]=$value; fi
  done <<<"$puppet_defaults"
  for section in main master; do
    for line in ${conf_lines[@]+"${conf_lines[@]}"}; do
      case $line in "$section"$'\t'*) ;; *) continue ;; esac
      line=${line#*$'\t'}
      asked["${line%%$'\t'*}"]=${line#*$'\t'}
    done
  done
  asked[certname]=${asked[certname]:-$(hostname -f)}
  for name in "${!asked[@]}"; do asked["$name"]=$(interpolate "${asked["$name"]}"); done
}

# interpolate VALUE: with the settings that it names. What depends on the request stays as %{…}, which Hiera calls it too.
interpolate() {
  local value=$1 match name meant rounds=0
  while [[ $value =~ \$(\{([a-z_]+)\}|([a-z_]+)) ]] && [ "$rounds" -lt 30 ]; do
    rounds=$((rounds + 1))
    match=${BASH_REMATCH[0]} name=${BASH_REMATCH[2]}${BASH_REMATCH[3]}
    meant=${asked["$name"]-}
    if [ "$name" = environment ] || [ -z "$meant" ]; then meant="%{$name}"; fi
    value=${value%%"$match"*}$meant${value#*"$match"}
  done
  printf '%s' "$value"
}

# meant_by VALUE: the paths that a value can mean. With %{variables}, the directory before the first one; where that is one of the
# whole system, what matches.
meant_by() {
  local before pattern path
  case $1 in
    *%\{*) ;;
    *)
      printf '%s\n' "$1"
      return
      ;;
  esac
  before=${1%%\%\{*}
  before=${before%/*}
  if ! is_whole "${before:-/}"; then
    printf '%s\n' "$before"
    return
  fi
  pattern=$(printf '%s' "$1" | sed 's/%{[^}]*}/*/g')
  local IFS=''
  for path in $pattern; do
    if [ -e "$path" ]; then printf '%s\n' "$path"; fi
  done
}

is_within() { case $1/ in "$2"/*) ;; *) return 1 ;; esac }

required=()

# require PATH ORIGIN: an archive of the backup must hold it.
require() {
  if walk "$1" && [ -f "$real" ] && [ -r "$real" ]; then
    required+=("$real")
  elif ! walk "$1" || [ ! -d "$real" ]; then
    problem SecretMissingError "$2 names $(shown "$1"), which is not there. Fix the setting or the file, then start the operation again."
  fi
}

# name_path WHAT GROUP ORIGIN PATH EXPLICIT: takes what a setting names.
name_path() {
  local because=setting path
  case $4 in /*) ;; *) return 0 ;; esac
  case $1 in product | key) because=$1 ;; esac
  while IFS= read -r path; do
    case $path/ in /opt/puppet/share/puppet/modules/ | /opt/puppetlabs/puppet/modules/) continue ;; esac
    if [ "$1" = key ] && { [ "$5" = yes ] || [ -e "$path" ] || [ -L "$path" ]; }; then require "$path" "$3"; fi
    if ! take "$because" "$2" "$3" "$path"; then
      # A default that nobody uses is no news.
      if [ "$5" = yes ] && [ "$1" != key ] && ! is_within "$path" "$puppet_configuration"; then note missing-path "$3 names $(shown "$path"), which is not there"; fi
    elif [ -n "$refused" ]; then
      if [ "$because" != setting ]; then
        problem PathRefusedError "$3 names $(shown "$path"): $(shown "$real") is $refused, and can be neither backed up nor replaced as a whole. Move it into a directory of its own."
      fi
      note refused-path "$3 names $(shown "$path"): $(shown "$real") is $refused, and is not backed up. Name what it holds of Puppet under extraPaths."
    fi
  done < <(meant_by "${4%"${4##*[!/]}"}")
}

# is_set NAME: in puppet.conf, in any section.
is_set() {
  local line
  for line in ${conf_lines[@]+"${conf_lines[@]}"}; do
    line=${line#*$'\t'}
    if [ "${line%%$'\t'*}" = "$1" ]; then return 0; fi
  done
  return 1
}

# name_setting WHAT GROUP ORIGIN VALUE EXPLICIT [DIRECTORY]: a value may be a list or a command, or relative to a directory.
name_setting() {
  local value=$4 path
  case $1 in
    list)
      while IFS= read -r path; do
        case $path in
          /*) ;;
          *) if [ -n "${6-}" ]; then path=$6/$path; fi ;;
        esac
        name_path file "$2" "$3" "$path" "$5"
      done < <(split_path "$value")
      return
      ;;
    program) value=${value%%[[:blank:]]*} ;;
  esac
  case $value in
    /*) ;;
    *) if [ -n "${6-}" ] && [ -n "$value" ]; then value=$6/$value; fi ;;
  esac
  name_path "$1" "$2" "$3" "$value" "$5"
}

take_settings_of_puppet() {
  local name what group line section value
  while read -r name what group; do
    if [ -z "$name" ]; then continue; fi
    is_set "$name" || name_setting "$what" "$group" "$name of puppet" "${asked["$name"]-}" no
    for line in ${conf_lines[@]+"${conf_lines[@]}"}; do
      section=${line%%$'\t'*}
      line=${line#*$'\t'}
      [ "${line%%$'\t'*}" = "$name" ] || continue
      value=${line#*$'\t'}
      name_setting "$what" "$group" "$name of [$section] in puppet.conf" "$(interpolate "$value")" yes
    done
  done <<<"$settings_of_puppet"
}

# Each environment's own file: its values are relative to its directory.
take_environments() {
  local path directory line name
  while IFS= read -r path; do
    for directory in "$path"/*/; do
      directory=${directory%/}
      take_hiera "$directory/hiera.yaml"
      [ -r "$directory/environment.conf" ] || continue
      while IFS=$'\t' read -r _ name line; do
        case $name in
          modulepath) name_setting list modules "modulepath of $directory/environment.conf" "$(interpolate "$line")" yes "$directory" ;;
          manifest) name_setting file modules "manifest of $directory/environment.conf" "$(interpolate "$line")" yes "$directory" ;;
          config_version) name_setting program modules "config_version of $directory/environment.conf" "$(interpolate "$line")" yes "$directory" ;;
        esac
      done < <(settings_in "$directory/environment.conf")
    done
  done < <(split_path "${asked[environmentpath]-}")
}

# values_in FILE NAME: the values of a name in YAML, plain, in quotes or in braces.
values_in() {
  tr -d '\r' <"$1" | sed -n '/^[[:space:]]*#/d; s/^\(.*[[:space:]{,]\)\{0,1\}:\{0,1\}'"$2"':[[:space:]]*//p' |
    sed 's/[[:space:]]\{1,\}#.*//; s/[,}].*//; s/^["'\'']//; s/["'\''[:space:]]*$//'
}

# take_hiera FILE: Hiera 1 and 3 write `:datadir: /path` below each backend, Hiera 5 `datadir: path`, relative to its file; keys of
# eyaml stand below the backend or below `options`.
take_hiera() {
  local name value found=no
  [ -r "$1" ] || return 0
  while IFS=$'\t' read -r name value; do
    case $(kind_of "$name") in
      key) name_path key configuration "$name of $1" "$value" yes ;;
      file) name_path file configuration "$name of $1" "$value" yes ;;
      code) name_path file modules "$name of $1" "$value" yes ;;
      # A path of a backend that asks another host may look like one of this.
      *) name_path file modules "$name of $1" "$value" no ;;
    esac
  done < <(pairs_of "$1")
  while IFS= read -r value; do
    found=yes
    case $value in /*) continue ;; esac
    name_path file modules "datadir of $1" "${1%/*}/$value" no
  done < <(values_in "$1" datadir)
  while IFS= read -r value; do
    case $value in /* | '') continue ;; esac
    if [ -e "${1%/*}/$value" ]; then
      name_path key configuration "pkcs7_private_key of $1" "${1%/*}/$value" yes
    else
      note relative-key "pkcs7_private_key of $1 names $(shown "$value"), relative to where the master runs, and is not looked for: write it as an absolute path, or name it under extraPaths"
    fi
  done < <(values_in "$1" pkcs7_private_key)
  # Where none is named, up to Hiera 3.
  if [ "$found" = no ] && ! grep -q '^version:[[:space:]]*5' "$1"; then name_path file modules "the default of $1" /var/lib/hiera no; fi
}

take_file_server() {
  local path
  [ -r "$1" ] || return 0
  while IFS= read -r path; do
    name_path file modules "a mount of $1" "$(printf '%s' "$path" | sed 's/%[hHd]/%{host}/g')" yes
  done < <(tr -d '\r' <"$1" | sed -n 's/^[[:space:]]*path[[:space:]=]\{1,\}//p' | sed 's/[[:space:]]\{1,\}#.*//; s/^"//; s/"*[[:space:]]*$//')
}

take_other_files() {
  local file name value
  while IFS= read -r file; do
    while IFS=$'\t' read -r name value; do
      case $(kind_of "$name") in
        key) name_path key configuration "$name of $file" "$value" yes ;;
        file) name_path file configuration "$name of $file" "$value" yes ;;
        code) name_path file modules "$name of $file" "$value" yes ;;
        told)
          case $value/ in "$puppet_home"/* | "$puppet_configuration"/* | /var/opt/lib/*) continue ;; esac
          note told-path "$name of $file names $(shown "$value"), which is not backed up: it holds what the product makes again, and commands that it has not done yet"
          ;;
      esac
    done < <(pairs_of "$file")
  done < <(named_in)
}

# MCollective adds up every line; each is a list.
take_libraries() {
  local file value
  for file in "$puppet_configuration"/mcollective/*.cfg "$puppet_configuration"/mcollective/plugin.d/*.cfg; do
    [ -r "$file" ] || continue
    while IFS= read -r value; do
      name_setting list mcollective "libdir of $file" "$value" yes
    done < <(tr -d '\r' <"$file" | sed -n 's/^[[:space:]]*libdir[[:space:]]*=[[:space:]]*//p' | sed 's/[[:space:]]\{1,\}#.*//; s/[[:space:]]*$//')
  done
}

# The files without which a certificate authority is none, by the names that its settings have.
require_authority() {
  local name
  for name in cakey cacert cacrl serial cert_inventory; do
    if ! walk "${asked["$name"]-}" || [ ! -f "$real" ]; then
      problem AuthorityUnreadableError "${asked["$name"]:-$name} of the certificate authority is not there. Fix it, or the setting $name, then start the operation again."
      continue
    fi
    required+=("$real")
    name_path product configuration "$name of puppet.conf" "${asked["$name"]}" yes
  done
}

take_every_setting() {
  take_settings_of_puppet
  take_hiera "${asked[hiera_config]-}"
  take_environments
  take_file_server "${asked[fileserverconfig]:-$puppet_configuration/puppet/fileserver.conf}"
  take_libraries
  take_other_files
}
