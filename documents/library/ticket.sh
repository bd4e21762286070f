# shellcheck shell=bash
# shellcheck disable=SC2154 # what is not set here is of work.sh, or stands before the script of a document that changes its node
# Who has sent a command. Beside its parameters such a document has, set before its script,
#   NODES       the instances that the command is for, a blank between, or any
#   NONCE       what no other command has
#   TICKET      who sends may sign: the signature of the statement, in base64
#   STATEMENT   the document's name and all of its parameters but the ticket, as they were put in
#   TICKET_KEY  the public key, in base64; no parameter

# How long a used ticket is kept, in days: longer than any that is not late yet.
readonly used_days=7

# demand_ticket: goes on only with a ticket that was made for this very command and node, and was not used yet. Who may call
# SendCommand can choose all that it is sent with, but not what it is signed with, nor which instance this is.
demand_ticket() {
  local said used=$state_directory/tickets/$START_BEFORE.$NONCE
  case " $NODES " in
    ' any ' | *" ${AWS_SSM_INSTANCE_ID:-unknown} "*) ;;
    *) refuse_ticket "its ticket is for $NODES, and this is ${AWS_SSM_INSTANCE_ID:-an instance whose id the SSM agent does not tell}" ;;
  esac
  # No file of ours in between: a full disk keeps nothing from being undone.
  if ! said=$(printf '%s' "$STATEMENT" | openssl dgst -sha256 -verify <(public_key "$TICKET_KEY") -signature <(printf '%s' "$TICKET" | base64 -d)) ||
    [ "$said" != 'Verified OK' ]; then
    refuse_ticket "its ticket was not made for it (openssl: ${said:-see the error output of the command})"
  fi
  # What can't be noted is not refused: what needs room says so itself.
  if ! (umask 077 && mkdir -p "${used%/*}" && set -C && : >"$used") 2>/dev/null && [ -e "$used" ]; then
    refuse_ticket 'its ticket was used before'
  fi
  find "${used%/*}" -type f -mtime "+$used_days" -exec rm -f {} + 2>/dev/null || true
}

# public_key BASE64: the same as PEM, whose lines old programs want to be short.
public_key() {
  printf '%s\n' '-----BEGIN PUBLIC KEY-----'
  printf '%s\n' "$1" | fold -w 64
  printf '%s\n' '-----END PUBLIC KEY-----'
}

refuse_ticket() { fail TicketRefusedError "$1, so it did nothing. Somebody else than Holdfast has sent it, or has sent it again: look in CloudTrail who called SendCommand for the command ${SSM_COMMAND_ID-}. Where Holdfast was deployed just now, start the operation again."; }
