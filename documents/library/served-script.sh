# shellcheck shell=bash
# shellcheck disable=SC2154 # puppet_configuration is of puppet.sh, which documents source before
# The script that a master serves, by which a node is upgraded.

# fetch_script URL FILE LOG: whole, with the certificate of the authority, as the manual fetches it. Sets script_fault (the error's
# name) and script_said (why, for people), and returns 1.
fetch_script() {
  local curl=/opt/puppetlabs/puppet/bin/curl authority=$puppet_configuration/puppet/ssl/certs/ca.pem status=0
  script_fault=ScriptUnreachableError
  [ -x "$curl" ] || curl=curl
  if [ ! -r "$authority" ]; then
    script_said="$authority is not there: this node has no certificate of the master's authority."
    return 1
  fi
  "$curl" --silent --show-error --fail --proto '=https' --max-time 300 --cacert "$authority" --output "$2" "$1" 2>"$3" </dev/null || status=$?
  case $status in
    0) is_whole_script "$@" && return 0 ;;
    18 | 28 | 56)
      script_fault=ScriptDamagedError
      script_said="$1 was cut off: $(last_words "$3")"
      ;;
    22) script_said="$1 is not served: $(last_words "$3") Is pe_repo classified there, and is the host right?" ;;
    35 | 51 | 60 | 77 | 83)
      script_fault=ScriptUntrustedError
      script_said="$1 is not served by a master of this authority under that name: $(last_words "$3")"
      ;;
    *) script_said="$1 cannot be fetched (curl $status): $(last_words "$3")" ;;
  esac
  return 1
}

# is_whole_script URL FILE LOG: a proxy's error page, or half a script, is none. Sets the same.
is_whole_script() {
  script_fault=ScriptDamagedError
  case $(head -c 2 "$2") in
    '#!') ;;
    *)
      script_said="$1 is no script."
      return 1
      ;;
  esac
  bash -n "$2" 2>"$3" || {
    script_said="$1 is not a whole script: $(last_words "$3")"
    return 1
  }
}
