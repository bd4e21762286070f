#!/bin/bash
#/ Usage: SERVICES= RUN= check-health.sh
#/
#/ Looks whether services run and answer: PostgreSQL a query, the master a TLS handshake with the restored certificates.
#/   SERVICES  names with spaces between
#/ Exit status: 0 all do; 1 the answer says which does not.

. "$(dirname "$0")/../library/begin.sh"
. "$(dirname "$0")/../library/postgres.sh"
. "$(dirname "$0")/../library/services.sh"
. "$(dirname "$0")/../library/puppet.sh"

readonly patience_seconds=120

# serves PORT: with a certificate of the restored authority.
serves() {
  local said
  said=$(openssl s_client -connect "$certname:$1" -CAfile "$authority" -verify_return_error </dev/null 2>&1) || true
  case $said in *'Verify return code: 0 (ok)'*) return 0 ;; *) return 1 ;; esac
}

postgres_serves() { postgres_answers >/dev/null; }

main() {
  local name certname authority
  begin
  certname=$(puppet_setting certname "$(hostname -f)")
  authority=$(puppet_setting localcacert "$puppet_configuration/puppet/ssl/certs/ca.pem")
  for name in $SERVICES; do
    has_service "$name" || fail UnhealthyError "the node has no service $name, which ran before. The installation is not whole: install the backup's version, or restore with reinstall."
    wait_until "$patience_seconds" is_running "$name" || fail UnhealthyError "$name is down. See its log."
    case $name in
      pe-httpd | pe-puppetserver)
        # 3.7 and later serve agents by pe-puppetserver alone.
        if [ "$name" = pe-puppetserver ] || ! has_service pe-puppetserver; then
          if [ "$name" = pe-puppetserver ] || [ -e "$(puppet_setting cadir "$puppet_configuration/puppet/ssl/ca" master)/ca_crt.pem" ]; then
            wait_until "$patience_seconds" serves 8140 || fail UnhealthyError "$name runs, but $certname:8140 does not answer with a certificate of the restored authority."
          fi
        fi
        ;;
      pe-postgresql)
        find_postgres
        wait_until "$patience_seconds" postgres_serves || require_postgres
        ;;
    esac
  done
  answer
}

main "$@"
