# shellcheck shell=bash
# How a document answers: one line of JSON on standard output, everything else on standard error.

# Keeps standard output for the answer; whatever a tool prints goes to standard error. The agent hands on the PATH of its init
# system, which may lack what an operator's shell has, and its own working directory.
begin_answer() {
  local name
  exec 4>&1 1>&2
  # What the agent has around it is none of the business of what a document starts: an installer hands it on to daemons.
  for name in ${!SSM_*} ${!AWS_SSM_*} INVOCATION_ID JOURNAL_STREAM NOTIFY_SOCKET; do export -n "${name?}"; done
  export PATH="${PATH-}${PATH:+:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"
  cd /
  trap 'unexpected "$?" "$LINENO" "$BASH_COMMAND"' ERR
  trap 'end_document "$?"' EXIT
}

# as_operator COMMAND...: with what a login shell of root has around it, on which the product's own scripts depend and which the agent
# has not; and without our mark, which daemons would carry on.
as_operator() { env -u HOLDFAST_RUN HOME=~root USER=root LOGNAME=root SHELL=/bin/bash PATH="$PATH:/opt/puppetlabs/bin:/opt/puppet/bin" "$@"; }

# Takes what the document leaves behind.
clean_up() { :; }

# end_document STATUS: 0 or 1, whatever a tool ended with. The agent gives others a meaning: 168 is success, 169 garbles the
# answer, 194 reboots the node, 137 is a time-out.
end_document() {
  trap - ERR
  set +e
  clean_up
  [ "$1" -eq 0 ] || exit 1
}

# SSM keeps 24,000 characters of what a document answers.
readonly longest_answer=20000

# answer FIELD...: the object that json makes of them. A long one goes by way of the state bucket; key, length and digest of that
# object are the answer then.
answer() {
  local text key
  text=$(json "$@")
  local LC_ALL=C
  if [ "${#text}" -gt "$longest_answer" ]; then
    key=${ANSWERS#*/}/${SSM_COMMAND_ID-}/${AWS_SSM_INSTANCE_ID-}.json
    printf '%s\n' "$text" | aws s3 cp - "s3://${ANSWERS%%/*}/$key" --no-progress --only-show-errors 4>&- ||
      fail AnswerLostError "an answer of ${#text} bytes could not be written to s3://${ANSWERS%%/*}/$key. Make sure that the node's instance profile has its current policy and that it can reach S3."
    text=$(json answer:="$(json key="$key" bytes:="$((${#text} + 1))" sha256="$(printf '%s\n' "$text" | sha256sum | cut -d ' ' -f 1)")")
  fi
  printf '%s\n' "$text" >&4
}

# fail NAME MESSAGE: the one way to end badly. MESSAGE says what to do next.
fail() {
  local message
  trap - ERR
  # What a tool says may hold colours.
  message=$(printf '%s' "$2" | LC_ALL=C tr -d '\000-\010\013-\037\177')
  answer error="$1" message="$message"
  exit 1
}

unexpected() {
  # A subshell's failure reaches the shell around it, which knows better what it means.
  [ "$BASH_SUBSHELL" -eq 0 ] || exit "$1"
  fail UnexpectedError "exit code $1 at line $2: $3. The command's output on the node has the details."
}

# json FIELD...: an object of JSON on one line.
#   KEY=TEXT    a string
#   KEY:=JSON   a number, true, false, null, or what one of these functions has made
#   KEY:=@FILE  what a file holds, likewise
# Fails where JSON should be and nothing is: what was to make it has failed.
json() {
  local field key value quoted fields=''
  for field; do
    key=${field%%=*} value=${field#*=}
    case $key in
      *:)
        key=${key%:}
        case $value in @*) value=$(cat "${value#@}") ;; esac
        [ -n "$value" ] || return 1
        ;;
      *)
        quote "$value"
        value=$quoted
        ;;
    esac
    fields="$fields${fields:+,}\"$key\":$value"
  done
  printf '{%s}\n' "$fields"
}

# json_list WORD...: a list of strings.
json_list() {
  local quoted word separator=''
  printf '['
  for word; do
    quote "$word"
    printf '%s%s' "$separator" "$quoted"
    separator=,
  done
  printf ']'
}

# json_array: a list of what is on standard input, JSON on each line.
json_array() {
  local line separator=''
  printf '['
  while IFS= read -r line; do
    printf '%s%s' "$separator" "$line"
    separator=,
  done
  printf ']'
}

# json_flag COMMAND...: true when it succeeds, false when not.
json_flag() { if "$@"; then printf true; else printf false; fi; }

# quote TEXT: sets quoted to a string of JSON.
quote() {
  local text=$1 code character
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//$'\n'/\\n}
  text=${text//$'\t'/\\t}
  # A name may hold any other of them, and has to be the same name in every answer.
  if [[ $text == *[[:cntrl:]]* ]]; then
    for code in 0{1,2,3,4,5,6,7,8,b,c,d,e,f} 1{0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f} 7f; do
      printf -v character '%b' "\\x$code"
      text=${text//"$character"/\\u00$code}
    done
  fi
  quoted="\"$text\""
}

# The text in a parameter in base64url without padding.
decode_text() {
  local text=${1//-/+}
  text=${text//_//}
  while [ $((${#text} % 4)) -ne 0 ]; do text="$text="; done
  printf '%s' "$text" | base64 -d
}

# decode_list TEXT: the paths in a parameter, each with a NUL behind it; nothing for an empty one.
decode_list() { if [ -n "$1" ]; then decode_text "$1" && printf '\0'; fi; }

# The last lines of a log on one line, for a message.
last_words() {
  local words
  words=$(tail -n 3 "$1" 2>/dev/null | tr '\n' ' ' | cut -c 1-500)
  printf '%s' "${words:-it said nothing}"
}
