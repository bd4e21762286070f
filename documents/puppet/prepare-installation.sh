#!/bin/bash
#/ Usage: NAME= ANSWERS_ARCHIVE= ANSWERS_FILE= HANDED_ANSWERS= VERSION= RUN= prepare-installation.sh
#/
#/ Looks whether an installation that is about to be purged could be made again, from what was fetched alone, and lays its answers
#/ ready. Touches nothing else. Tells for which databases the backup's own answers have another password than its configuration.
#/   NAME             the fetched installer, unpacked to a tar archive
#/   ANSWERS_ARCHIVE  the fetched archive of /etc/puppetlabs
#/   ANSWERS_FILE     the file in it that the installer is told by
#/   HANDED_ANSWERS   the fetched answers that take the place of the backup's; may be empty. Their database passwords must be the backup's
#/   VERSION          what is to be installed
#/ Exit status: 0 it could; 1 it could not, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/paths.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/installer.sh"

# passwords_in FILE: one line `NAME<TAB>PASSWORD` per database for which answers or a pe.conf have one.
passwords_in() {
  sed -nE "s/^[[:space:]]*\"?(q_|puppet_enterprise::)([A-Za-z0-9_]+)_database_password\"?[[:space:]]*[=:][[:space:]]*[\"']?([^\"']*[^\"',[:space:]])[\"']?,?[[:space:]]*\$/\2\t\3/p" "$1" |
    sed 's/\\\(.\)/\1/g'
}

# configured_password NAME: with which the backup's configuration on this node opens a database; nothing where it does not.
configured_password() {
  local file
  case $1 in
    puppetdb) file=puppetdb/conf.d/database.ini ;;
    puppet_enterpriseconsole) file=puppet-dashboard/database.yml ;;
    puppet_enterpriseconsole_auth) file=rubycas-server/config.yml ;;
    activity | classifier | rbac) file=console-services/conf.d/$1-database.conf ;;
    orchestrator) file=orchestration-services/conf.d/orchestrator.conf ;;
    *) return 0 ;;
  esac
  archived "/etc/puppetlabs/$file" | sed -nE 's/^[[:space:]]*"?password"?[[:space:]]*[=:][[:space:]]*"?([^"[:space:]]+)"?[[:space:]]*$/\1/p' | sed -n 1p
}

# archived PATH: what the backup has there; nothing where it has none.
archived() { tar --extract --to-stdout --file="$(fetched_file "$RUN" "$ANSWERS_ARCHIVE")" "${1#/}" 2>>"$work/log" || true; }

# differing_passwords FILE: the databases for which it has another password than the backup's configuration, or else its answers.
differing_passwords() {
  local name password expected
  archived "$ANSWERS_FILE" >"$work/own"
  while IFS=$'\t' read -r name password; do
    expected=$(configured_password "$name")
    [ -n "$expected" ] || expected=$(passwords_in "$work/own" | sed -n "s/^$name	//p" | sed -n 1p)
    if [ -n "$expected" ] && [ "$expected" != "$password" ]; then printf '%s\n' "$name"; fi
  done < <(passwords_in "$1")
}

main() {
  local directory answers name differing=()
  begin
  directory=$(restore_directory "$RUN")
  answers=$directory/${ANSWERS_FILE##*/}
  if [ -n "$HANDED_ANSWERS" ]; then
    cp "$(fetched_file "$RUN" "$HANDED_ANSWERS")" "$work/answers"
    [ -s "$work/answers" ] || fail InstallFailedError "the answers that were passed are empty. Nothing was changed. Put the right file into the vault, then start the restore again."
  else
    archived "$ANSWERS_FILE" >"$work/answers"
    [ -s "$work/answers" ] || fail InstallFailedError "the backup holds no $ANSWERS_FILE, or an empty one. $(last_words "$work/log") Nothing was changed. Pass answers, restore without reinstall, or restore another backup."
  fi
  while IFS= read -r name; do differing+=("$name"); done < <(differing_passwords "$work/answers")
  # The backup's own may be older than its configuration, whose passwords come back with it: that is told at the end.
  [ -z "$HANDED_ANSWERS" ] || [ "${#differing[@]}" -eq 0 ] ||
    fail InstallFailedError "the answers that were passed have other database passwords than the backup, for: ${differing[*]}. Nothing was changed. Put the backup's passwords into the answers."
  unpack_installer "$(fetched_file "$RUN" "$NAME")" || fail InstallFailedError "$installer_said Nothing was changed. Put the right installer into the vault, then start the restore again."
  judge_installer "$VERSION" || fail InstallFailedError "$installer_said Nothing was changed. Put the right installer into the vault, then start the restore again."
  mv "$work/answers" "$answers"
  answer differing:="$(json_list ${differing[@]+"${differing[@]}"})"
}

main "$@"
