#!/usr/bin/env bats
# fetch-url with the real curl and a real server of TLS: what it refuses, and what it takes.

setup_file() {
  export SERVED=$BATS_FILE_TMPDIR
  printf 'an installer' | gzip >"$SERVED/archive.gz"
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$SERVED/key" -out "$SERVED/cert" -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
  # Old versions of TLS are off in most of today's settings: where they are on, curl itself has to refuse them.
  printf 'openssl_conf = c\n[c]\nssl_conf = s\n[s]\nsystem_default = d\n[d]\nMinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n' >"$SERVED/openssl.cnf"
  cat >"$SERVED/server.py" <<'P'
import http.server, os, ssl, sys

served = os.environ["SERVED"]

class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        body = open(served + "/archive.gz", "rb").read()
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "http://localhost:1/archive.gz")
            return self.end_headers()
        self.send_response(200)
        if self.path == "/long": self.send_header("Content-Length", "100000000")
        self.end_headers()
        try:
            for _ in range(1000 if self.path == "/endless" else 1):
                self.wfile.write(b"x" * 65536 if self.path == "/endless" else body)
        except OSError: pass

def serve(latest):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(served + "/cert", served + "/key")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, latest
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server

import threading
new, old = serve(ssl.TLSVersion.TLSv1_3), serve(ssl.TLSVersion.TLSv1_1)
threading.Thread(target=old.serve_forever, daemon=True).start()
with open(served + "/ports.new", "w") as ports: print(new.server_port, old.server_port, file=ports)
os.rename(served + "/ports.new", served + "/ports")
new.serve_forever()
P
  OPENSSL_CONF=$SERVED/openssl.cnf python3 -W ignore "$SERVED/server.py" >/dev/null 2>&1 3>&- &
  echo $! >"$SERVED/pid"
  until [ -s "$SERVED/ports" ]; do
    kill -0 "$(cat "$SERVED/pid")"
    sleep 0.1
  done
}

teardown_file() { kill "$(cat "$SERVED/pid")"; }

setup() {
  read -r new old <"$SERVED/ports"
  export TEST_ROOT=$BATS_TEST_TMPDIR
  # The document as it runs, but for where it works, and with a limit of 1 MiB.
  for f in "$BATS_TEST_DIRNAME"/../../documents/library/{result,work,begin,restore}.sh "$BATS_TEST_DIRNAME/../../documents/puppet/fetch-url.sh"; do
    grep -v '^\. ' "$f" | sed "s|/var/lib/holdfast|$TEST_ROOT/state|; s|^largest_bytes=.*|largest_bytes=1048576|"
  done >"$TEST_ROOT/fetch.sh"
}

fetch() {
  URL=$1 NAME=x RUN=run-1 ATTEMPT=0 START_BEFORE=$(($(date +%s) + 3600)) SHA256=$(sha256sum <"$SERVED/archive.gz" | cut -d ' ' -f 1) \
    OPENSSL_CONF=$SERVED/openssl.cnf CURL_CA_BUNDLE=$SERVED/cert run bash "$TEST_ROOT/fetch.sh"
}

refused() {
  [ "$status" -eq 1 ]
  [[ $output == *DownloadFailedError* ]]
  [[ $output == *"$1"* ]]
  [ ! -e "$TEST_ROOT/state/restore/run-1/fetched/x" ]
}

@test "an archive is fetched by TLS 1.2 or later" {
  fetch "https://localhost:$new/archive.gz"
  [ "$status" -eq 0 ]
  [ "$(cat "$TEST_ROOT/state/restore/run-1/fetched/x")" = 'an installer' ]
}

@test "a server that knows no TLS 1.2 is refused, though the node would take it" {
  OPENSSL_CONF=$SERVED/openssl.cnf curl --silent --cacert "$SERVED/cert" --output /dev/null "https://localhost:$old/archive.gz"
  fetch "https://localhost:$old/archive.gz"
  refused 'status 35'
}

@test "a redirection away from https is not followed" {
  fetch "https://localhost:$new/elsewhere"
  refused 'status 1)'
}

@test "an answer that says that it is too long is not begun" {
  fetch "https://localhost:$new/long"
  refused 'status 63'
}

@test "an answer that does not say how long it is ends where its length is over the limit" {
  fetch "https://localhost:$new/endless"
  refused 'within 1048576 bytes'
  [ -z "$(find "$TEST_ROOT" -size +1100k)" ]
}
