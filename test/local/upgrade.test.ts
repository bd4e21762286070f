import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stateKeys, vaultKeys } from '#domain/naming';
import { PhaseState } from '#domain/phase';
import type { LabNode } from '#local/lab/node';
import { agentVersions, buildInstaller } from '#local/lab/pe2016/installer';
import { type Bench, type Ending, large, startBench } from './harness.ts';

/** A large environment is upgraded in the manual's order, through every fault that it may meet on its way. */

const [from, to] = ['2016.2.1', '2016.4.2'] as const;
const infrastructure = ['master', 'puppetdb', 'console', 'compile1', 'compile2', 'hub1', 'spoke1', 'spoke2'];
const agents = ['agent1', 'agent2', 'agent3', 'agent4'];

let bench: Bench;
let archive: Buffer;
let installer: { name: string; sha256: string };

beforeAll(async () => {
  bench = await startBench({
    configuration: large(),
    products: { 'pe-main': 'pe2016' },
    counts: { compile: 2, spoke: 2, rest: 3 },
  });
  archive = await readFile(await buildInstaller(bench.lab.runtime.vaultDirectory.replace(/[^/]*$/, '..')));
  await bench.upload(vaultKeys.installer('pe-main', 'pe.tar.gz'), archive);
  installer = { name: 'pe.tar.gz', sha256: createHash('sha256').update(archive).digest('hex') };
});
afterAll(() => bench?.close());

const on = (name: string): LabNode => {
  const node = bench.nodes[name];
  if (!node) throw new Error(`there is no ${name}`);
  return node;
};
const shell = (name: string, command: string): Promise<string> => bench.shell(command, on(name));
const versionOf = async (name: string): Promise<string> =>
  (await shell(name, 'cat /opt/puppetlabs/server/pe_version 2>/dev/null || cat /opt/puppetlabs/puppet/VERSION')).trim();
const versions = async (names: readonly string[]): Promise<readonly string[]> => Promise.all(names.map(versionOf));
const upgrade = async (input: object = {}): Promise<Ending> =>
  bench.ending(
    await bench.start({ system: 'pe-main', version: to, installer, confirm: 'pe-main', ...input }, 'holdfast-upgrade'),
  );

/** Starts an upgrade, and breaks something once it has come to a state: the preflight has found all well. */
const breakIn = async (state: string, breaking: () => Promise<unknown>, input: object = {}): Promise<string> => {
  const execution = await bench.start(
    { system: 'pe-main', version: to, installer, confirm: 'pe-main', ...input },
    'holdfast-upgrade',
  );
  await bench.entered(execution, 'upgrade-puppet', state);
  await breaking();
  return execution;
};

/** Another authority's certificate in place of the node's own, and back. */
const distrust = (name: string): Promise<string> =>
  shell(
    name,
    'cp -p /etc/puppetlabs/puppet/ssl/certs/ca.pem /root/ && openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=other -out /etc/puppetlabs/puppet/ssl/certs/ca.pem 2>/dev/null',
  );
const trust = (name: string): Promise<string> =>
  shell(name, 'cp -p /root/ca.pem /etc/puppetlabs/puppet/ssl/certs/ca.pem');

/** What the load balancer serves to agents. */
const agentScript = '/opt/puppetlabs/server/data/packages/public/current/install.bash';

/** No run has left anything: services run, the lock is free, nothing can be read, nothing lies about. */
const expectClean = async (): Promise<void> => {
  expect(await bench.traces()).toMatchObject({ uploads: [], lock: false, onNode: '', servicesDown: [] });
  expect(await bench.opened()).toEqual([]);
  expect(await bench.vault.list('backups/pe-main/upgrades/')).toEqual([]);
};

/** Nothing was upgraded, and nothing is left. */
const expectRefused = async ({ status, error }: Ending, name: string): Promise<void> => {
  expect([status, error]).toEqual(['FAILED', name]);
  expect(new Set(await versions(['master', 'puppetdb', 'console', 'compile1', 'compile2']))).toEqual(new Set([from]));
  await expectClean();
};

describe('a large environment', () => {
  it("is backed up with each node's own files, and nothing of its agents", async () => {
    const { output, cause } = await bench.backUp();
    expect(cause).toBe('');
    const manifest = await bench.manifest(output.backup ?? '');
    expect(manifest).toMatchObject({ state: 'complete', missing: [] });
    expect(manifest.nodes.map(({ inspection }) => inspection.hostname.split('.')[0])).toEqual(infrastructure);
    for (const { instanceId } of manifest.nodes)
      expect(
        manifest.artifacts.some(
          ({ node, collected }) =>
            node === instanceId && collected.kind === 'files' && collected.group === 'configuration',
        ),
      ).toBe(true);
    expect(
      manifest.artifacts
        .flatMap(({ collected }) => (collected.kind === 'database' ? [collected.database] : []))
        .toSorted(),
    ).toEqual(['pe-activity', 'pe-classifier', 'pe-orchestrator', 'pe-puppetdb', 'pe-rbac']);
    await expectClean();
  });

  it('is backed up partially while an optional node is down, and says so', async () => {
    on('spoke2').online = false;
    const { output, cause } = await bench.backUp();
    on('spoke2').online = true;
    expect(cause).toBe('');
    expect(await bench.manifest(output.backup ?? '')).toMatchObject({
      state: 'partial',
      missing: [expect.stringMatching(/spoke2\.pe\.example\.com .* does not answer SSM/)],
    });
  });

  it('loses an optional node in the middle of a backup, and keeps the rest', async () => {
    await shell('spoke2', 'chmod a-x /usr/bin/mkfifo');
    const { output, cause } = await bench.backUp();
    await shell('spoke2', 'chmod a+x /usr/bin/mkfifo');
    expect(cause).toBe('');
    expect(await bench.manifest(output.backup ?? '')).toMatchObject({
      state: 'partial',
      missing: expect.arrayContaining([expect.stringMatching(/archive-files configuration .*spoke2/)]),
    });
    await expectClean();
  });

  it('comes back when its databases are lost, with the services of all other nodes standing still meanwhile', async () => {
    const query = (sql: string): Promise<string> =>
      shell(
        'puppetdb',
        `cd / && runuser -u pe-postgres -- /opt/puppetlabs/server/bin/psql -X -qAt -d pe-rbac -c "${sql}"`,
      );
    const tables = await query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'");
    await query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    const execution = await bench.start(
      { system: 'pe-main', backup: 'latest', confirm: 'pe-main', safetyBackup: false },
      'holdfast-restore',
    );
    const { status, cause, output } = await bench.ending(execution);
    expect([status, cause]).toEqual(['SUCCEEDED', '']);
    const run = execution.split(':').at(-1) ?? '';
    const stopped = JSON.parse((await bench.state.read(stateKeys.phase(run, 'stop-services')))?.text ?? '{}');
    expect(PhaseState.parse(stopped).commands.map(({ id }) => id.replace(/.*\((\w+)\..*/, '$1'))).toEqual(
      infrastructure,
    );
    expect(output.proof?.compared.join('\n')).toMatch(/^database pe-rbac: .* rows in .* tables are equal/m);
    expect(await query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).toBe(tables);
    await expectClean();
  });
});

describe('before anything is changed', () => {
  it('the stages, nodes and commands of an upgrade are told', async () => {
    const { status, output, cause } = await upgrade({ planOnly: true });
    expect([status, cause]).toEqual(['SUCCEEDED', '']);
    const steps = output.plan?.summary.steps ?? [];
    const stages = [...new Set(steps.map((step) => step.split(':')[0]))];
    expect(stages).toEqual([
      'fetch-installer',
      'stop-agents',
      'upgrade-master',
      'collect-settings',
      'upgrade-puppetdb',
      'upgrade-console',
      'run-puppet-master',
      'run-puppet-puppetdb',
      'run-puppet-console',
      'release-agents',
      'inspect-upgraded',
      'upgrade-compile-masters',
      'upgrade-hubs',
      'upgrade-spokes',
      'install-modules',
      'upgrade-canaries',
      'upgrade-agents-1',
      'finish',
    ]);
    expect(steps.join('\n')).toMatch(/upgrade-agents-1: .*all with holdfast:system=pe-main, Wave=rest/);
    expect(new Set(await versions(infrastructure.slice(0, 5)))).toEqual(new Set([from]));
    await expectClean();
  });

  it('every blocker is told at once: a missing module, noop, a pinned agent, a disabled one, no room, noexec, umask, scripts that cannot be fetched', async () => {
    await distrust('spoke2');
    await shell('compile1', `mv ${agentScript} ${agentScript}.kept`);
    await shell('compile2', 'mv /etc/puppetlabs/code/environments/production/modules/puppet_agent /root/');
    await shell(
      'console',
      'cp -p /etc/puppetlabs/puppet/puppet.conf /root/ && printf "[agent]\\nnoop = true\\n" >>/etc/puppetlabs/puppet/puppet.conf',
    );
    await shell('master', 'mount -t tmpfs -o size=100m tmpfs /tmp');
    await shell('hub1', 'mount -t tmpfs -o noexec,size=2g tmpfs /tmp');
    await shell('puppetdb', 'printf "umask 027\n" >/etc/profile.d/hardened.sh');
    await shell('compile1', 'printf "agent_version = 4.5.2\n" >>/etc/puppetlabs/puppet/puppet.conf');
    const disabled = '/opt/puppetlabs/puppet/cache/state/agent_disabled.lock';
    await shell('spoke1', `mkdir -p $(dirname ${disabled}) && echo '{"disabled_message":"audit"}' >${disabled}`);
    const ending = await upgrade();
    await trust('spoke2');
    await shell('compile1', `mv ${agentScript}.kept ${agentScript}`);
    await shell('puppetdb', 'rm /etc/profile.d/hardened.sh');
    await shell('compile1', "sed -i '/^agent_version/d' /etc/puppetlabs/puppet/puppet.conf");
    await shell('spoke1', `rm ${disabled}`);
    await shell('compile2', 'mv /root/puppet_agent /etc/puppetlabs/code/environments/production/modules/');
    await shell('console', 'cp -p /root/puppet.conf /etc/puppetlabs/puppet/puppet.conf');
    await shell('master', 'umount /tmp');
    await shell('hub1', 'umount /tmp');
    await expectRefused(ending, 'CheckFailedError');
    expect(ending.cause).toMatch(/compile2\.pe\.example\.com lacks the module puppet_agent/);
    expect(ending.cause).toMatch(/console\.pe\.example\.com: puppet\.conf sets noop = true/);
    expect(ending.cause).toMatch(/master\.pe\.example\.com: \/tmp has 100 MiB free/);
    expect(ending.cause).toMatch(/hub1\.pe\.example\.com: programs cannot be run from \/tmp/);
    expect(ending.cause).toMatch(/puppetdb\.pe\.example\.com: a login shell of root has the umask 0027/);
    expect(ending.cause).toMatch(/compile1\.pe\.example\.com: agent_version is set/);
    expect(ending.cause).toMatch(/spoke1\.pe\.example\.com: the agent is disabled .*audit/);
    expect(ending.cause).toMatch(
      /spoke2\.pe\.example\.com: https:\/\/master\.pe\.example\.com:8140\/packages\/current\/upgrade\.bash is not served by a master of this authority/,
    );
    // One agent of each wave has asked the load balancer.
    for (const agent of ['agent1', 'agent2'])
      expect(ending.cause).toContain(
        `${agent}.pe.example.com: https://loadbalancer.pe.example.com:8140/packages/current/install.bash is not served`,
      );
    expect(ending.cause).not.toContain('agent3.pe.example.com');
  });

  it.each([
    ['a version that is older', { version: '2015.3.3' }, 'CheckFailedError', /older than 2016\.2\.1/],
    ['a version that is too far', { version: '2017.3.2' }, 'CheckFailedError', /the latest 2016\.4 first/],
    [
      'an installer that is not there',
      { installer: { name: 'x.tar.gz', sha256: 'ab'.repeat(32) } },
      'CheckFailedError',
      /The vault has no installers\/pe-main\/x\.tar\.gz/,
    ],
    ['a confirmation of another system', { confirm: 'pe-other' }, 'InvalidInputError', /typed again/],
  ])('%s is refused', async (_, input, error, cause) => {
    const ending = await upgrade(input);
    await expectRefused(ending, error);
    expect(ending.cause).toMatch(cause);
  });

  it('an installer with another checksum ends it, and nothing of it is run', async () => {
    const ending = await upgrade({ installer: { ...installer, sha256: 'ab'.repeat(32) } });
    await expectRefused(ending, 'CommandFailedError');
    expect(ending.cause).toMatch(/is not what was backed up|SHA-256/);
  });

  it('a backup that fails keeps it from beginning', async () => {
    bench.judgeWith(({ method, key }) => (method !== 'GET' && key.includes('/files/') ? 'deny' : 'pass'));
    const ending = await upgrade();
    bench.judgeWith(() => 'pass');
    await expectRefused(ending, 'CommandFailedError');
    expect(ending.cause).toMatch(/^The backup before the upgrade failed, and nothing was upgraded: /);
  });
});

describe('an upgrade', () => {
  it('stops at the compile master that trusts another authority, and leaves all behind it alone', async () => {
    // The archive by URL this time, from a server that the nodes trust.
    const published = 'https://master.pe.example.com:8140/packages/current/pe.tar.gz';
    await writeFile(on('master').path('/opt/puppetlabs/server/data/packages/public/current/pe.tar.gz'), archive, {
      mode: 0o644,
    });
    for (const name of ['master', 'puppetdb', 'console'])
      await shell(
        name,
        'cp /etc/puppetlabs/puppet/ssl/certs/ca.pem /usr/local/share/ca-certificates/lab.crt && update-ca-certificates',
      );
    const damaged = await upgrade({ installer: { url: published, sha256: 'ab'.repeat(32) } });
    await expectRefused(damaged, 'CommandFailedError');
    expect(damaged.cause).toMatch(/ArtifactDamagedError: .*is not the requested file/);
    const execution = await breakIn('UpgradePuppetdb', () => distrust('compile2'), {
      installer: { url: published, sha256: installer.sha256 },
    });
    const ending = await bench.ending(execution);
    await trust('compile2');
    expect([ending.status, ending.error]).toEqual(['FAILED', 'CommandFailedError']);
    expect(ending.cause).toMatch(/compile2\.pe\.example\.com: ScriptUntrustedError: /);
    expect(ending.cause).toMatch(/start the upgrade again: it continues from there\. The backup \d{8}T\d{6}Z/);
    expect(await versions(['master', 'puppetdb', 'console'])).toEqual([to, to, to]);
    expect(await versions(['compile2', 'hub1', 'spoke1', 'spoke2'])).toEqual([
      from,
      agentVersions[from],
      agentVersions[from],
      agentVersions[from],
    ]);
    expect(new Set(await versions(agents))).toEqual(new Set([agentVersions[from]]));
    await expectClean();
  });

  it('continues from there, and can be aborted between two stages', async () => {
    const execution = await bench.start(
      { system: 'pe-main', version: to, installer, confirm: 'pe-main' },
      'holdfast-upgrade',
    );
    const run = execution.split(':').at(-1) ?? '';
    await expect
      .poll(() => bench.state.read(stateKeys.phase(run, 'upgrade-spokes')), { timeout: 150_000, interval: 50 })
      .toBeDefined();
    await bench.stop(execution);
    expect((await bench.ending(execution)).status).toBe('ABORTED');
    await expect.poll(async () => (await bench.traces()).lock, { timeout: 60_000 }).toBe(false);
    await expect.poll(async () => (await bench.traces()).onNode, { timeout: 60_000 }).toBe('');
    await expectClean();
    expect(await versions(['compile1', 'compile2', 'hub1'])).toEqual([to, to, agentVersions[to]]);
    expect(new Set(await versions(agents))).toEqual(new Set([agentVersions[from]]));
    // What had the version already was not upgraded once more.
    const plan = (await bench.state.read(stateKeys.plan(run)))?.text ?? '';
    const phases: { name: string; commands: unknown[] }[] = JSON.parse(plan).phases;
    expect(phases.find(({ name }) => name === 'upgrade-master')?.commands).toEqual([]);
  });

  it('stops at its canaries when the load balancer answers 404', async () => {
    const execution = await breakIn('InspectUpgraded', () =>
      shell('compile1', `mv ${agentScript} ${agentScript}.kept`),
    );
    const ending = await bench.ending(execution);
    await shell('compile1', `mv ${agentScript}.kept ${agentScript}`);
    expect(ending.error).toBe('CommandFailedError');
    expect(ending.cause).toMatch(/agents Wave=canary: 1 of 1 nodes failed.*ScriptUnreachableError: .*404/);
    expect(new Set(await versions(agents))).toEqual(new Set([agentVersions[from]]));
    expect(await versions(['spoke1', 'spoke2'])).toEqual([agentVersions[to], agentVersions[to]]);
    await expectClean();
  });

  it('runs nothing of a script that was cut off', async () => {
    const execution = await breakIn(
      'InspectUpgraded',
      () =>
        shell(
          'compile1',
          `cp -p ${agentScript} ${agentScript}.kept && truncate -s $(($(wc -c <${agentScript}.kept) * 6 / 10)) ${agentScript}`,
        ),
      { from: 'canaries', installer: undefined },
    );
    const ending = await bench.ending(execution);
    await shell('compile1', `mv ${agentScript}.kept ${agentScript}`);
    expect(ending.cause).toMatch(/ScriptDamagedError: .*not a whole script/);
    expect(new Set(await versions(agents))).toEqual(new Set([agentVersions[from]]));
  });

  it('stops when more agents fail than may, leaves the rest alone, and goes on when it is redriven', async () => {
    const broken = 'mv /opt/puppetlabs/puppet/bin/curl /root/curl && ln -s /bin/false /opt/puppetlabs/puppet/bin/curl';
    const execution = await breakIn(
      'InspectUpgraded',
      () => Promise.all(['agent2', 'agent3', 'agent4'].map((name) => shell(name, broken))),
      { installer: undefined, from: 'canaries', agents: { maxConcurrency: '1', maxErrors: '1' } },
    );
    const ending = await bench.ending(execution);
    for (const name of ['agent2', 'agent3', 'agent4'])
      await shell(name, 'rm /opt/puppetlabs/puppet/bin/curl && mv /root/curl /opt/puppetlabs/puppet/bin/curl');
    expect(ending.cause).toMatch(/agents Wave=rest: 2 of 3 nodes failed, 1 were left as they are\./);
    expect(await versions(agents)).toEqual([
      agentVersions[to],
      agentVersions[from],
      agentVersions[from],
      agentVersions[from],
    ]);
    await expectClean();
    const { status, cause } = await bench.redrive(execution);
    expect([status, cause]).toEqual(['SUCCEEDED', '']);
    expect(new Set(await versions(agents))).toEqual(new Set([agentVersions[to]]));
    await expectClean();
  });

  it("ends in the manual's order with everything upgraded, each node by the master that it should use", async () => {
    const { status, cause } = await upgrade();
    expect([status, cause]).toEqual(['SUCCEEDED', '']);
    expect(new Set(await versions(infrastructure.slice(0, 5)))).toEqual(new Set([to]));
    expect(new Set(await versions([...infrastructure.slice(5), ...agents]))).toEqual(new Set([agentVersions[to]]));
    const told = async (name: string): Promise<string> => shell(name, 'cat /var/log/puppetlabs/upgrade.log');
    const moments: string[] = [];
    for (const name of ['compile1', 'compile2', 'hub1', 'spoke1']) {
      const line = await told(name);
      expect(line).toContain(`upgrade.bash of master.pe.example.com (${to})`);
      moments.push(line.split(' ')[0] ?? '');
    }
    expect(moments).toEqual(moments.toSorted());
    for (const name of agents)
      expect(await told(name)).toContain(`install.bash of loadbalancer.pe.example.com (${to})`);
    await expectClean();
  });

  it('to the version that everything has changes nothing, and succeeds', async () => {
    const logs = () =>
      Promise.all(
        [...infrastructure, ...agents].map((name) =>
          shell(
            name,
            'ls -l --time-style=full-iso /var/log/puppetlabs/upgrade.log /var/log/puppetlabs/installer 2>/dev/null || true',
          ),
        ),
      );
    const before = await logs();
    const execution = await bench.start(
      { system: 'pe-main', version: to, installer, confirm: 'pe-main' },
      'holdfast-upgrade',
    );
    expect((await bench.ending(execution)).status).toBe('SUCCEEDED');
    expect(await logs()).toEqual(before);
    const run = execution.split(':').at(-1) ?? '';
    const wave = JSON.parse((await bench.state.read(stateKeys.phase(run, 'upgrade-agents-1')))?.text ?? '{}');
    expect(PhaseState.parse(wave).commands).toMatchObject([{ state: 'ended', progress: { nodes: 3, failed: 0 } }]);
  });
});
