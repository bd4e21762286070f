#!/usr/bin/env bats
# A node is upgraded by its master's script, by the documents themselves below a directory of their own, with stand-ins of curl, of the
# script and of the agent.

setup() {
  export START_BEFORE=9999999999 ATTEMPT=0
  root=$BATS_TEST_TMPDIR
  cp -r "$BATS_TEST_DIRNAME/../../documents" "$root/documents"
  sed -i "s|/etc/puppetlabs|$root/etc/puppetlabs|g; s|/opt/puppet|$root/opt/puppet|g; s|/var/lib/holdfast|$root/var/lib/holdfast|g; s|/etc/init|$root/etc/init|g" \
    "$root"/documents/*/*.sh
  agent=$root/opt/puppetlabs/puppet
  mkdir -p "$root/etc/puppetlabs/puppet/ssl/certs" "$agent/bin" "$agent/cache/state" "$root/opt/puppetlabs/server" "$root/bin"
  touch "$root/etc/puppetlabs/puppet/ssl/certs/ca.pem"
  echo 1.5.3 >"$agent/VERSION"
  echo 2016.2.1 >"$root/opt/puppetlabs/server/pe_version"
  # No service of this machine is asked.
  printf '#!/bin/sh\nexit 1\n' | tee "$root/bin/systemctl" >"$root/bin/service"
  serve "echo 1.7.1 >$agent/VERSION"
  agent_does "echo 2016.4.2 >$root/opt/puppetlabs/server/pe_version; exit 2"
  chmod +x "$root"/bin/*
}

# serve TEXT: the master's script.
serve() {
  printf '#!/bin/bash\n%s\n' "$1" >"$root/served"
  # shellcheck disable=SC2016
  printf '#!/bin/bash\nwhile [ "$1" != --output ]; do shift; done\ncp %s "$2"\n' "$root/served" >"$agent/bin/curl"
  chmod +x "$agent/bin/curl"
}

# refuse STATUS WORDS: curl fails.
refuse() { printf '#!/bin/sh\necho "%s" >&2\nexit %s\n' "$2" "$1" >"$agent/bin/curl"; }

# agent_does TEXT: a run of the agent; it tells settings, too.
agent_does() {
  # shellcheck disable=SC2016
  printf '#!/bin/bash\n[ "$1" = agent ] || exit 1\necho "$@" >>%s\n%s\n' "$root/runs" "$1" >"$agent/bin/puppet"
  chmod +x "$agent/bin/puppet"
}

document() {
  RUN=run URL=https://master:8140/packages/current/upgrade.bash AGENT_VERSION=1.7.1 SERVER_VERSION=${2-2016.4.2} PATH=$root/bin:$PATH \
    bash "$root"/documents/*/"$1.sh" 2>"$root/stderr"
}

@test "a compile master is upgraded by the run of the agent that follows the script, and then judged" {
  run document upgrade-agent
  [ "$output" = '{}' ]
  [ "$(wc -l <"$root/runs")" -eq 1 ]
  grep -q -- '--onetime .*--detailed-exitcodes' "$root/runs"
}

@test "a hub or an agent is upgraded by the script alone" {
  run document upgrade-agent ''
  [ "$status" -eq 0 ]
  [ ! -e "$root/runs" ]
}

@test "a run of the agent that fails on a compile master is told, and repeated by the next upgrade" {
  agent_does 'echo Error: no such package; exit 4'
  run document upgrade-agent
  [ "$status" -eq 1 ]
  [[ $output == *UpgradeFailedError* && $output == *'puppet agent ended with 4: '*'no such package'* ]]
  agent_does "echo 2016.4.2 >$root/opt/puppetlabs/server/pe_version; exit 2"
  run document upgrade-agent
  [ "$status" -eq 0 ]
}

@test "a run of the agent that brings nothing is no upgrade" {
  agent_does 'exit 0'
  run document upgrade-agent
  [ "$status" -eq 1 ]
  [[ $output == *'Puppet Enterprise is 2016.2.1, expected 2016.4.2'* ]]
}

@test "the script has around it what a login of root has, whatever the agent of SSM has" {
  # shellcheck disable=SC2016
  serve 'echo "$HOME $USER $PATH ${HOLDFAST_RUN-none}" >'"$root/environment; echo 1.7.1 >$agent/VERSION"
  HOME=/nowhere USER='' run document upgrade-agent
  [ "$status" -eq 0 ]
  [[ $(cat "$root/environment") == "$(echo ~root) root "*"/opt/puppetlabs/bin"*" none" ]]
}

@test "a node asks for its script before, and runs nothing of it" {
  serve "touch $root/ran"
  run document ask-script
  [ "$status" -eq 0 ]
  [[ $output == *'"problem":""'* ]]
  [ ! -e "$root/ran" ]
  [ -z "$(find "$root/var/lib/holdfast" -type f)" ]
}

@test "fetched modules are installed where they are missing, and needed ones are proven" {
  modules=$root/etc/puppetlabs/code/modules
  mkdir -p "$modules/stdlib" "$root/var/lib/holdfast/restore/run/fetched"
  touch "$modules/stdlib/metadata.json"
  agent_does ''
  # shellcheck disable=SC2016
  printf '#!/bin/bash\n[ "$1 $2" = "module install" ] || exit 1\necho "$3 $4" >>%s\n%s\n' "$root/runs" "mkdir -p $modules/apt && touch $modules/apt/metadata.json" >"$agent/bin/puppet"
  MODULES='stdlib apt' ARCHIVES='puppetlabs-stdlib-4.12.0.tar.gz puppetlabs-apt-2.2.2.tar.gz' run document install-modules
  [ "$output" = '{}' ]
  [ "$(cat "$root/runs")" = "$root/var/lib/holdfast/restore/run/fetched/puppetlabs-apt-2.2.2.tar.gz --ignore-dependencies" ]
  MODULES='stdlib puppet_agent' ARCHIVES='' run document install-modules
  [ "$status" -eq 1 ]
  [[ $output == *'lacks the modules: puppet_agent.'* ]]
  printf '#!/bin/sh\necho Error: broken archive >&2\nexit 1\n' >"$agent/bin/puppet"
  MODULES='puppet_agent' ARCHIVES='puppetlabs-puppet_agent-1.2.0.tar.gz' run document install-modules
  [ "$status" -eq 1 ]
  [[ $output == *ModulesMissingError*'broken archive'* ]]
}

@test "a module is found whatever comes after it: the list is read to its end" {
  modules=$root/etc/puppetlabs/code/modules
  for name in "$modules"/{apt,z{1..40}} "$agent/modules/pe_repo"; do mkdir -p "$name" && touch "$name/metadata.json"; done
  agent_does ''
  MODULES=apt ARCHIVES='' run document install-modules
  [ "$output" = '{}' ]
}

@test "what keeps a node from its script is told before, and ends the upgrade by its name" {
  while IFS='|' read -r status words problem name; do
    refuse "$status" "$words"
    run document ask-script
    [ "$status" -eq 0 ]
    [[ $output == *"$problem"* ]]
    run document upgrade-agent
    [ "$status" -eq 1 ]
    [[ $output == *"\"$name\""* ]]
  done <<'CASES'
22|The requested URL returned error: 404|is not served: |ScriptUnreachableError
60|self signed certificate|is not served by a master of this authority under that name: |ScriptUntrustedError
6|Could not resolve host: master|cannot be fetched (curl 6): |ScriptUnreachableError
18|transfer closed|was cut off: |ScriptDamagedError
CASES
  serve 'if true; then'
  run document ask-script
  [[ $output == *'is not a whole script'* ]]
  echo '<html>' >"$root/served"
  run document ask-script
  [[ $output == *'is no script'* ]]
  rm "$root/etc/puppetlabs/puppet/ssl/certs/ca.pem"
  run document ask-script
  [[ $output == *'has no certificate of the master'* ]]
}
