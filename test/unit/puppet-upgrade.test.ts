import { describe, expect, it } from 'vitest';
import { PuppetEnterprise, type PuppetRole } from '#domain/config';
import { UpgradeRequest } from '#domain/payloads';
import type { Phase } from '#domain/plan';
import { puppetEnterprise, upgradePuppet } from '#domain/systems/puppet';
import { askScript, preflightUpgrade } from '#domain/systems/puppet-documents';
import { planCoreUpgrade, planRollout, wavesOf } from '#domain/systems/puppet-upgrade';
import {
  checkPuppetUpgrade,
  isNothingToDo,
  versionFault,
  warnPuppetUpgrade,
} from '#domain/systems/puppet-upgrade-check';
import type { PuppetUpgrade, UpgradeNode } from '#domain/systems/puppet-upgrade-scope';
import { stepsOf } from '../../lambdas/runs.ts';
import { manifestOf } from './cli-fixtures.ts';

const sha256 = 'ab'.repeat(32);
const instance = (index: number): string => `i-${index.toString(16).padStart(17, '0')}`;

const nodeOf = (
  index: number,
  name: string,
  roles: readonly PuppetRole[],
  changes: { version?: string; agentVersion?: string; modules?: readonly string[]; interrupted?: string } = {},
): UpgradeNode => {
  const [sample] = manifestOf('pe-lei', '20261120T020000Z').nodes;
  if (!sample) throw new Error('the sample has a node');
  const { version = '2016.2.1', agentVersion = '1.5.3', modules = ['puppet_agent'], interrupted = '' } = changes;
  return {
    node: { instanceId: instance(index), name, roles: [...roles], optional: false },
    inspection: {
      ...sample.inspection,
      answers: ['/etc/puppetlabs/installer/answers.install', '/etc/puppetlabs/enterprise/conf.d/pe.conf'],
      version,
      agentVersion,
      hostname: name,
      certname: `${name}.example.com`,
    },
    preflight: { problems: [], modules: [...modules], interrupted },
  };
};

const large = (): UpgradeNode[] => [
  nodeOf(1, 'master', ['master']),
  nodeOf(2, 'puppetdb', ['puppetdb']),
  nodeOf(3, 'console', ['console']),
  nodeOf(4, 'compile1', ['compile-master']),
  nodeOf(5, 'compile2', ['compile-master']),
  nodeOf(6, 'hub1', ['activemq-hub'], { version: '' }),
  nodeOf(7, 'spoke1', ['activemq-spoke'], { version: '' }),
];

const upgradeOf = (
  request: Partial<UpgradeRequest> = {},
  nodes: readonly UpgradeNode[] = large(),
  config: Partial<PuppetUpgrade['config']> = {},
): PuppetUpgrade => ({
  system: 'pe-lei',
  run: 'run',
  vaultBucket: 'vault',
  request: UpgradeRequest.parse({
    system: 'pe-lei',
    version: '2016.4.2',
    installer: { name: 'pe.tar.gz', sha256 },
    ...request,
  }),
  config: {
    offline: false,
    loadBalancer: 'lb.example.com',
    nodes: [
      { tag: { key: 'canary', value: 'yes' }, roles: ['agent'], optional: false, canary: true },
      { tag: { key: 'role', value: 'agent' }, roles: ['agent'], optional: false, canary: false },
    ],
    ...config,
  },
  nodes,
  scripts: ['install.bash', 'upgrade.bash'].map((script) => ({
    ...{ url: `https://lb.example.com:8140/packages/current/${script}`, host: 'agent1.example.com', problem: '' },
  })),
  absent: [],
  modules: new Map(),
  execution: 'arn:aws:states:eu-central-1:111122223333:execution:holdfast-upgrade:run-1',
  installer: {
    ...{ key: 'installers/pe-main/pe.tar.gz', versionId: 'v1', bytes: 1000 },
    sha256: 'ab'.repeat(32),
    compression: 'gzip',
  },
});

/** The nodes after their upgrade, with the agent that it brings. */
const upgraded = (nodes: readonly UpgradeNode[]) =>
  nodes
    .filter(({ node }) => /master|puppetdb|console/.test(node.name))
    .map(({ node, inspection }) => ({
      node,
      inspection: { ...inspection, version: '2016.4.2', agentVersion: '1.7.1' },
    }));

const filled = (phases: readonly Phase[]): readonly string[] =>
  phases.filter(({ commands }) => commands.length > 0).map(({ name }) => name);
const commandsOf = (phases: readonly Phase[], name: string) =>
  phases.find((phase) => phase.name === name)?.commands ?? [];

describe('an upgrade of a large environment', () => {
  it("goes through master, PuppetDB and console in the manual's order", () => {
    const phases = planCoreUpgrade(upgradeOf());
    expect(filled(phases)).toEqual([
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
    ]);
    expect(commandsOf(phases, 'upgrade-master')[0]?.parameters).toMatchObject({ Settings: '', Version: '2016.4.2' });
    expect(commandsOf(phases, 'upgrade-console')[0]?.parameters).toMatchObject({ Settings: 'settings.tar' });
    expect(commandsOf(phases, 'fetch-installer').map(({ instanceIds }) => instanceIds)).toEqual([
      [instance(1)],
      [instance(2)],
      [instance(3)],
    ]);
  });

  it('leads compile masters, hubs and spokes to the master of masters, and agents to the load balancer', () => {
    const of = upgradeOf();
    const phases = planRollout(of, upgraded(of.nodes));
    const urls = (name: string) => commandsOf(phases, name).map(({ parameters }) => parameters['Url']);
    for (const name of ['upgrade-compile-masters', 'upgrade-hubs', 'upgrade-spokes'])
      expect(urls(name)).toEqual(['https://master:8140/packages/current/upgrade.bash']);
    for (const name of ['upgrade-canaries', 'upgrade-agents-1'])
      expect(urls(name)).toEqual(['https://lb.example.com:8140/packages/current/install.bash']);
    const alone = { ...of, config: { ...of.config, loadBalancer: undefined } };
    const [agents] = commandsOf(planRollout(alone, upgraded(of.nodes)), 'upgrade-agents-1');
    expect(agents?.parameters['Url']).toBe('https://master:8140/packages/current/install.bash');
  });

  it('knows the master by its host name, or by the name that is configured, never by its certname', () => {
    const of = upgradeOf({}, large(), { masterHost: 'puppet.example.com', loadBalancer: undefined });
    const phases = planRollout(of, upgraded(of.nodes));
    const urls = ['upgrade-compile-masters', 'upgrade-agents-1'].flatMap((name) =>
      commandsOf(phases, name).map(({ parameters }) => parameters['Url']),
    );
    expect(urls).toEqual([
      'https://puppet.example.com:8140/packages/current/upgrade.bash',
      'https://puppet.example.com:8140/packages/current/install.bash',
    ]);
  });

  it('leads hubs, spokes and agents to the load balancer of their own selector', () => {
    const [spoke2, spoke3] = [8, 9].map((index) => {
      const one = nodeOf(index, `spoke${index}`, ['activemq-spoke'], { version: '' });
      return { ...one, node: { ...one.node, loadBalancer: 'dmz.example.com' } };
    });
    if (!spoke2 || !spoke3) throw new Error('there are two');
    const of = upgradeOf({}, [...large(), spoke2, spoke3], {
      nodes: [
        {
          tag: { key: 'zone', value: 'dmz' },
          roles: ['agent'],
          optional: false,
          canary: false,
          loadBalancer: 'dmz.example.com',
        },
        { tag: { key: 'zone', value: 'lan' }, roles: ['agent'], optional: false, canary: false },
      ],
    });
    const phases = planRollout(of, upgraded(of.nodes));
    expect(
      commandsOf(phases, 'upgrade-spokes').map(({ id, instanceIds, parameters }) => [
        id,
        instanceIds,
        parameters['Url'],
      ]),
    ).toEqual([
      ['upgrade spokes from master', [instance(7)], 'https://master:8140/packages/current/upgrade.bash'],
      [
        'upgrade spokes from dmz.example.com',
        [instance(8), instance(9)],
        'https://dmz.example.com:8140/packages/current/upgrade.bash',
      ],
    ]);
    expect(
      ['upgrade-agents-1', 'upgrade-agents-2'].map((name) => commandsOf(phases, name)[0]?.parameters['Url']),
    ).toEqual([
      'https://dmz.example.com:8140/packages/current/install.bash',
      'https://lb.example.com:8140/packages/current/install.bash',
    ]);
  });

  it('is told to its end before it begins, though nobody knows yet which agent the upgraded master brings', () => {
    const config = PuppetEnterprise.parse({
      kind: 'puppet-enterprise',
      nodes: [
        { instance: instance(1), roles: ['master', 'puppetdb', 'console'] },
        { tag: { key: 'role', value: 'agent' }, roles: ['agent'] },
      ],
    });
    const { nodes, ...of } = upgradeOf();
    const ended = (id: string, document: string, answers: readonly object[]) => ({
      ...{ id, document, state: 'ended' as const, commandId: 'c', sentAt: '', endedAt: '' },
      invocations: answers.map((answer, index) => ({
        ...{ instanceId: nodes[index]?.node.instanceId ?? '', status: 'Success' as const, detail: '', exitCode: 0 },
        ...{ stdout: JSON.stringify(answer), stderr: '' },
      })),
    });
    const inspected = {
      ...{ phase: 'inspect', attempt: 0, startedAt: '' },
      commands: [
        ended(
          'preflight',
          preflightUpgrade.name,
          nodes.map(({ preflight }) => preflight),
        ),
        ended('ask', askScript.name, [{ url: 'https://x', host: 'compile1', problem: 'https://x is not served' }]),
      ],
    };
    const upgrading = upgradePuppet(config, { ...of, nodes, inspected });
    expect(filled(upgrading.foresee())).toEqual(expect.arrayContaining(['upgrade-spokes', 'upgrade-agents-1']));
    expect(upgrading.check()).toContain('compile1: https://x is not served');
  });

  it('asks for each script first, as the upgrade will fetch it: from all that need upgrade.bash, and from one agent of each selector', () => {
    const config = PuppetEnterprise.parse({
      kind: 'puppet-enterprise',
      loadBalancer: 'lb.example.com',
      nodes: [
        { instance: instance(1), roles: ['master', 'puppetdb', 'console'] },
        { tag: { key: 'role', value: 'agent' }, roles: ['agent'] },
      ],
    });
    const { request, nodes } = upgradeOf();
    const asked = (upgrade: UpgradeRequest) =>
      puppetEnterprise(config)
        .inspect({
          ...{ run: 'run', onProblem: 'fail', upgrade, nodes: nodes.map(({ node }) => node) },
          sampled: puppetEnterprise(config)
            .samples(upgrade)
            .map(({ roles, optional }) => ({ instanceId: instance(99), name: 'agent99', roles: [...roles], optional })),
        })
        .commands.filter(({ document }) => document === askScript.name)
        .map(({ instanceIds, parameters, optional = false }) => ({ instanceIds, url: parameters['Url'], optional }));
    const agents = {
      ...{
        instanceIds: [instance(99)],
        url: 'https://lb.example.com:8140/packages/current/install.bash',
        optional: true,
      },
    };
    expect(asked(request)).toEqual([
      {
        ...{ instanceIds: [4, 5, 6, 7].map(instance), optional: false },
        url: 'https://master:8140/packages/current/upgrade.bash',
      },
      agents,
    ]);
    expect(asked({ ...request, from: 'agents' })).toEqual([agents]);
  });

  it('takes compile masters one by one unless batches are asked for, and lets no failure pass', () => {
    const of = upgradeOf();
    const rollout = (more: PuppetUpgrade) =>
      commandsOf(planRollout(more, upgraded(of.nodes)), 'upgrade-compile-masters');
    expect(rollout(of)).toMatchObject([
      { instanceIds: [instance(4), instance(5)], rollout: { maxConcurrency: '1', maxErrors: '0' } },
    ]);
    expect(rollout(upgradeOf({ compileMasters: 2 }))[0]?.rollout).toEqual({ maxConcurrency: '2', maxErrors: '0' });
  });

  it('reaches any number of agents with one command per tag, canaries first', () => {
    const of = upgradeOf({ agents: { maxConcurrency: '20%', maxErrors: '2%' } });
    const phases = planRollout(of, upgraded(of.nodes));
    expect(commandsOf(phases, 'upgrade-canaries')).toMatchObject([
      { instanceIds: [], tags: { 'holdfast:system': 'pe-lei', canary: 'yes' }, rollout: { maxErrors: '0' } },
    ]);
    expect(commandsOf(phases, 'upgrade-agents-1')).toMatchObject([
      { tags: { role: 'agent' }, rollout: { maxConcurrency: '20%', maxErrors: '2%' } },
    ]);
    expect(wavesOf(phases)).toEqual(['upgrade-agents-1']);
    const names = phases.map(({ name }) => name);
    expect(names.indexOf('upgrade-canaries')).toBeLessThan(names.indexOf('upgrade-agents-1'));
    expect(names.indexOf('install-modules')).toBeLessThan(names.indexOf('upgrade-canaries'));
  });

  it('skips what has the version already, and runs again what broke off', () => {
    const [master, puppetdb, console_, ...rest] = large();
    if (!master || !puppetdb || !console_) throw new Error('the system has a core');
    const done = nodeOf(1, 'master', ['master'], { version: '2016.4.2', agentVersion: '1.7.1' });
    const half = nodeOf(2, 'puppetdb', ['puppetdb'], { version: '2016.4.2', interrupted: '2016.2.1' });
    const phases = planCoreUpgrade(upgradeOf({}, [done, half, console_, ...rest]));
    expect(commandsOf(phases, 'upgrade-master')).toEqual([]);
    expect(commandsOf(phases, 'upgrade-puppetdb').length).toBe(1);
    const compiled = nodeOf(4, 'compile1', ['compile-master'], { version: '2016.4.2', agentVersion: '1.7.1' });
    const of = upgradeOf({}, [done, half, console_, compiled, ...rest.slice(1)]);
    const [compileMasters] = commandsOf(planRollout(of, upgraded(of.nodes)), 'upgrade-compile-masters');
    expect(compileMasters?.instanceIds).toEqual([instance(5)]);
  });

  it('goes on from a stage, and only when what comes before it is done', () => {
    const of = upgradeOf({ from: 'hubs', installer: undefined });
    expect(filled(planCoreUpgrade(of))).toEqual(['inspect-upgraded']);
    expect(filled(planRollout(of, upgraded(of.nodes)))).toEqual([
      'upgrade-hubs',
      'upgrade-spokes',
      'install-modules',
      'upgrade-canaries',
      'upgrade-agents-1',
      'finish',
    ]);
    expect(() => planRollout(of, of.nodes.slice(0, 3))).toThrow(/master has 2016\.2\.1, .*upgrade it first/);
  });

  it('has nothing to do when everything has the version and no agents are asked for', () => {
    const all = large().map((one) => ({
      ...one,
      inspection: { ...one.inspection, version: one.inspection.version && '2016.4.2', agentVersion: '1.7.1' },
    }));
    expect(isNothingToDo(upgradeOf({}, all, { nodes: [] }))).toBe(true);
    expect(isNothingToDo(upgradeOf({}, large(), { nodes: [] }))).toBe(false);
    expect(filled(planCoreUpgrade(upgradeOf({}, all)))).toEqual(['inspect-upgraded']);
  });

  it('of a thousand nodes is planned with as many commands as for ten', () => {
    const of = upgradeOf();
    const count = (nodes: readonly UpgradeNode[]) =>
      [...planCoreUpgrade({ ...of, nodes }), ...planRollout({ ...of, nodes }, upgraded(nodes))].flatMap(
        ({ commands }) => commands,
      ).length;
    const many = Array.from({ length: 990 }, (_, index) =>
      nodeOf(100 + index, `spoke${index}`, ['activemq-spoke'], { version: '' }),
    );
    // A command takes fifty ids.
    expect(count([...large(), ...many]) - count(large())).toBe(Math.ceil(991 / 50) - 1);
    const planned = many.map(({ node }) => node);
    const told = stepsOf(planRollout({ ...of, nodes: [...large(), ...many] }, upgraded(large())), planned);
    expect(JSON.stringify(told).length).toBeLessThan(16_000);
  });
});

describe('an upgrade is refused, with every reason at once,', () => {
  it.each([
    ['3.8.5', '2016.4.2', /3\.8\.5 cannot be upgraded to 2016\.4\.2 in place: .*migrate/],
    ['2016.4.2', '2016.2.1', /older than 2016\.4\.2, which is installed: an upgrade never goes back/],
    ['2016.2.1', '2017.3.2', /must be upgraded to the latest 2016\.4 first/],
    ['2016.4.2', '2021.7.1', /not among the versions/],
  ])('from %s to %s', (from, to, expected) => expect(versionFault(from, to)).toMatch(expected));

  it.each([
    ['2016.2.1', '2016.4.2'],
    ['3.2.3', '3.8.5'],
    ['2016.4.2', '2018.1.9'],
    ['2016.4.2', '2016.4.2'],
  ])('but not from %s to %s', (from, to) => expect(versionFault(from, to)).toBeUndefined());

  it('for no installer, unless only what comes later is upgraded', () => {
    expect(() => planCoreUpgrade(upgradeOf({ installer: undefined }))).toThrow(/needs an installer/);
  });

  it('for a stage that is skipped and not done', () => {
    expect(checkPuppetUpgrade(upgradeOf({ from: 'compile-masters' })).filter((fault) => /"from"/.test(fault))).toEqual([
      'master has 2016.2.1, and "from" skips its stage: begin with master',
      'puppetdb has 2016.2.1, and "from" skips its stage: begin with puppetdb',
      'console has 2016.2.1, and "from" skips its stage: begin with console',
    ]);
  });

  it('for blockers, missing modules and missing nodes', () => {
    const nodes = large().map((one) =>
      one.node.name === 'compile2'
        ? {
            ...one,
            preflight: {
              problems: ['puppet.conf sets noop = true'],
              modules: ['puppet_agent', 'apt'],
              interrupted: '',
            },
          }
        : one,
    );
    const faults = checkPuppetUpgrade({
      ...upgradeOf({}, nodes, { offline: true }),
      absent: ['activemq-spoke: spoke9 does not answer SSM'],
      scripts: [{ url: 'https://master:8140/x', host: 'spoke1', problem: 'https://master:8140/x is not served' }],
    });
    expect(faults).toEqual([
      'every node must be there: activemq-spoke: spoke9 does not answer SSM',
      'spoke1: https://master:8140/x is not served',
      'compile2: puppet.conf sets noop = true',
      expect.stringMatching(/^compile1 lacks the modules inifile, stdlib, apt, which agents need/),
      expect.stringMatching(/^compile2 lacks the modules inifile, stdlib, which agents need/),
    ]);
  });

  it('for a missing module only as long as nobody installs it; without agents in holdfast.yaml that is told', () => {
    const lacking = large().map((one) => ({ ...one, preflight: { ...one.preflight, modules: ['stdlib'] } }));
    expect(checkPuppetUpgrade(upgradeOf({}, lacking))).toEqual([
      expect.stringMatching(/^compile1 lacks the module puppet_agent, .*--install-modules/),
      expect.stringMatching(/^compile2 lacks the module puppet_agent/),
    ]);
    const without = upgradeOf({}, lacking, { nodes: [], offline: true });
    expect(checkPuppetUpgrade(without)).toEqual([]);
    expect(warnPuppetUpgrade(without)).toEqual([
      expect.stringMatching(/^compile1 lacks the modules puppet_agent, inifile, apt, /),
      expect.stringMatching(/^compile2 lacks/),
    ]);
    const name = 'puppetlabs-puppet_agent-1.2.0.tar.gz';
    const installing = {
      ...upgradeOf({ modules: [{ name, sha256 }] }, lacking),
      modules: new Map([
        [name, { key: `installers/pe-lei/${name}`, versionId: 'v1', bytes: 9, sha256, compression: 'none' as const }],
      ]),
    };
    expect(checkPuppetUpgrade(installing)).toEqual([]);
    const fetched = commandsOf(planCoreUpgrade(installing), 'fetch-installer').filter(
      ({ parameters }) => parameters['Name'] === name,
    );
    expect(fetched.map(({ instanceIds, parameters }) => [instanceIds, parameters['Compression']])).toEqual([
      [[instance(4)], 'none'],
      [[instance(5)], 'none'],
    ]);
    const rollout = planRollout(installing, upgraded(lacking));
    expect(commandsOf(rollout, 'install-modules')).toMatchObject([
      { instanceIds: [instance(4), instance(5)], parameters: { Modules: 'puppet_agent', Archives: name } },
    ]);
    // What was fetched goes again.
    expect(commandsOf(rollout, 'finish')[0]?.instanceIds).toEqual([1, 2, 3, 4, 5].map(instance));
  });

  it('not for agents that do not answer: that nobody could ask the load balancer is told', () => {
    const of = { ...upgradeOf(), scripts: [] };
    expect(checkPuppetUpgrade(of)).toEqual([]);
    expect(warnPuppetUpgrade(of)).toEqual([
      expect.stringMatching(/^no agent answers that could ask for https:\/\/lb\.example\.com:8140.*install\.bash/),
    ]);
    expect(warnPuppetUpgrade(upgradeOf())).toEqual([]);
  });

  it('for answers that the installer would ask for, on the nodes that need their own', () => {
    const nodes = large().map((one) => ({ ...one, inspection: { ...one.inspection, answers: [] } }));
    expect(checkPuppetUpgrade(upgradeOf({}, nodes)).filter((fault) => /pe\.conf|answers/.test(fault))).toEqual([
      expect.stringMatching(/^master has no \/etc\/puppetlabs\/enterprise\/conf\.d\/pe\.conf, without which/),
    ]);
  });

  it.each([
    ['an installer without its checksum', { installer: { name: 'pe.tar.gz' } }],
    ['an installer over plain HTTP', { installer: { url: 'http://example.com/pe.tar.gz', sha256 } }],
    ['another confirmation', { confirm: 'pe-main' }],
    ['a share that is none', { agents: { maxConcurrency: '10', maxErrors: 'some' } }],
    ['no node at once, which SSM refuses', { agents: { maxConcurrency: '0', maxErrors: '0' } }],
    ['a share of nothing at once', { agents: { maxConcurrency: '0%', maxErrors: '0%' } }],
    ['an unknown stage', { from: 'databases' }],
  ])('for %s', (_, request) =>
    expect(
      UpgradeRequest.safeParse({
        system: 'pe-lei',
        version: '2016.4.2',
        installer: { name: 'pe.tar.gz', sha256 },
        ...request,
      }).success,
    ).toBe(false),
  );
});
