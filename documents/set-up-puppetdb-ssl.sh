#!/bin/bash
#/ Usage: RUN= set-up-puppetdb-ssl.sh
#/
#/ Gives PuppetDB the certificates of the node's agent, and proves that they are those. From 2015.2 on there is no tool for
#/ it: its certificates come with the backup.
#/ Exit status: 0 done, or this node has no PuppetDB; 1 failed, the answer says why.
set -Eeuo pipefail
umask 077

. "$(dirname "$0")/library/result.sh"
. "$(dirname "$0")/library/work.sh"
. "$(dirname "$0")/library/puppet.sh"

readonly tool=/opt/puppet/sbin/puppetdb-ssl-setup

main() {
  local certificate
  begin_answer
  begin_work "$RUN"
  if [ -x "$tool" ] && [ -d "$puppet_configuration/puppetdb" ]; then
    "$tool" -f >"$work/log" 2>&1 </dev/null || fail PuppetdbSslError "puppetdb-ssl-setup -f: $(last_words "$work/log")"
    certificate=$puppet_configuration/puppet/ssl/certs/$(puppet_setting certname "$(hostname -f)").pem
    if [ -e "$puppet_configuration/puppetdb/ssl/public.pem" ] && ! cmp -s "$certificate" "$puppet_configuration/puppetdb/ssl/public.pem"; then
      fail PuppetdbSslError "PuppetDB's certificate is not $certificate although puppetdb-ssl-setup -f ended well."
    fi
  fi
  answer '{"done":true}'
}

main "$@"
