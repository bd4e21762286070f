#!/bin/bash
#/ Usage: RUN= set-up-puppetdb-ssl.sh
#/
#/ Gives PuppetDB the certificates of the node's agent, and proves that they are those. From 2015.2 on there is no tool for
#/ it: its certificates come with the backup.
#/ Exit status: 0 done, or there is nothing to set up; 1 failed, the answer says why.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/puppet.sh"

readonly tool=/opt/puppet/sbin/puppetdb-ssl-setup

main() {
  local certificate copy=$puppet_configuration/puppetdb/ssl/public.pem
  begin
  if [ "$puppet_home" = /opt/puppet ] && [ -d "$puppet_configuration/puppetdb" ]; then
    [ -x "$tool" ] || fail PuppetdbSslError "$tool is not there, and without it PuppetDB gets no certificates. Install the backup's version of Puppet Enterprise here, or restore with reinstall."
    "$tool" -f >"$work/log" 2>&1 </dev/null || fail PuppetdbSslError "puppetdb-ssl-setup -f: $(last_words "$work/log")"
    certificate=$puppet_configuration/puppet/ssl/certs/$(puppet_setting certname "$(hostname -f)").pem
    cmp -s "$certificate" "$copy" || fail PuppetdbSslError "PuppetDB's certificate $copy is not $certificate although puppetdb-ssl-setup -f reported success."
  fi
  answer
}

main "$@"
