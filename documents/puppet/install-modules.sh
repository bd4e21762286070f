#!/bin/bash
#/ Usage: MODULES= ARCHIVES= RUN= install-modules.sh
#/
#/ Installs those of the fetched modules that this node lacks, and proves that it has all that an upgrade of agents needs.
#/   MODULES   their names with blanks between
#/   ARCHIVES  fetched archives of modules, with blanks between; may be empty. They bring what they depend on themselves
#/ Exit status: 0 all are there; 1 the answer says which are missing, and why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/restore.sh"
. "$(dirname "$0")/../library/puppet.sh"

has_module() { module_names | grep -xF -- "$1" >/dev/null; }

main() {
  local archive name missing=''
  begin
  # What Puppet makes here, its services read.
  umask 022
  for archive in $ARCHIVES; do
    # AUTHOR-NAME-VERSION.tar.gz
    name=${archive#*-}
    name=${name%%-*}
    ! has_module "$name" || continue
    as_operator "$puppet_program" module install "$(fetched_file "$RUN" "$archive")" --ignore-dependencies >"$work/log" 2>&1 </dev/null 4>&- ||
      fail ModulesMissingError "puppet module install $archive failed: $(last_words "$work/log") Fix the cause, then start the upgrade again: it continues from here."
  done
  for name in $MODULES; do has_module "$name" || missing="$missing $name"; done
  [ -z "$missing" ] || fail ModulesMissingError "this node lacks the modules:$missing. Install them (puppet module install puppetlabs-NAME, or holdfast upgrade --install-modules), then start the upgrade again: it continues from here."
  answer
}

main "$@"
