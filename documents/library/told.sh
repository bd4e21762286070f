# shellcheck shell=bash
# How paths and warnings are told.

# shown PATH: on one line, for people.
shown() { printf '%s' "${1//$'\n'/\\n}"; }

# note KIND WORDS: a warning; of one kind ten are told and the others counted.
note() { printf '%s\n' "$2" >>"$work/notes.$1"; }

tell_notes() {
  local file count
  for file in "$work"/notes.*; do
    [ -e "$file" ] || continue
    LC_ALL=C sort -u "$file" | sed -n 1,10p
    count=$(LC_ALL=C sort -u "$file" | wc -l)
    if [ "$count" -gt 10 ]; then printf 'and %d more like: %s\n' "$((count - 10))" "$(LC_ALL=C sort -u "$file" | tail -n 1)"; fi
  done
}

# quote_path PATH: sets quoted to a string of JSON; a byte that is no UTF-8 becomes a lone surrogate, as Python has it: \udc80 to \udcff.
quote_path() {
  local LC_ALL=C text=$1 index byte code
  case $text in
    *[![:print:]]* | *[\"\\]*) ;;
    *)
      quoted="\"$text\""
      return
      ;;
  esac
  local plain=no
  if printf '%s' "$text" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1; then plain=yes; fi
  quoted='"'
  for ((index = 0; index < ${#text}; index++)); do
    byte=${text:index:1}
    case $byte in
      [\"\\]) quoted="$quoted\\$byte" ;;
      [[:print:]]) quoted=$quoted$byte ;;
      *)
        printf -v code '%d' "'$byte"
        code=$((code & 255))
        if [ "$code" -lt 128 ]; then
          printf -v byte '\\u%04x' "$code"
        elif [ "$plain" != yes ]; then
          printf -v byte '\\udc%02x' "$code"
        fi
        quoted=$quoted$byte
        ;;
    esac
  done
  quoted=$quoted'"'
}
