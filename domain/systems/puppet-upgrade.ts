import * as z from 'zod';
import { coreRoles, isInfrastructure, type NodeSelector, type PuppetEnterprise } from '#domain/config';
import { CheckFailedError } from '#domain/errors';
import { documentName, encodeText, tagKeys, vaultKeys } from '#domain/naming';
import { type UpgradeRequest, type UpgradeStage, upgradeStages } from '#domain/payloads';
import { type Command, forNodes, inspectionPhase, instancesPerCommand, type Phase, type Rollout } from '#domain/plan';
import { type InspectedNode, isKnownVersion } from './puppet-enterprise.ts';

/** What an upgrade of Puppet Enterprise consists of: the order of its manual for large environments. */

/** The answer of documents/preflight-upgrade.sh. */
export const Preflight = z.object({
  problems: z.array(z.string()),
  modules: z.array(z.string()),
  /** The version from which an earlier upgrade was begun that has not ended well; empty when there is none. */
  interrupted: z.string(),
});
export type Preflight = z.infer<typeof Preflight>;

/** A node, what it holds and what is against its upgrade. */
export interface UpgradeNode extends InspectedNode {
  readonly preflight: Preflight;
}

/** Everything that the plan of an upgrade depends on. */
export interface PuppetUpgrade {
  readonly system: string;
  readonly run: string;
  readonly vaultBucket: string;
  readonly request: UpgradeRequest;
  readonly config: Pick<PuppetEnterprise, 'nodes' | 'loadBalancer' | 'offline'>;
  readonly nodes: readonly UpgradeNode[];
  /** Nodes that do not answer, for people. */
  readonly absent: readonly string[];
  /** Bytes of the installer in the vault, when it lies there. */
  readonly installerBytes: number | undefined;
}

/** The phases of master, PuppetDB and console, each a state of upgrade-puppet.asl.json. */
export const coreUpgradePhases = [
  'fetch-installer',
  'hold-agents',
  'upgrade-master',
  'collect-settings',
  'fetch-settings',
  'upgrade-puppetdb',
  'upgrade-console',
  'run-puppet-master',
  'run-puppet-puppetdb',
  'run-puppet-console',
  'release-agents',
  'inspect-upgraded',
] as const;
type CorePhase = (typeof coreUpgradePhases)[number];

/** The phases of all other nodes, each a state too; the waves of agents come before the last. */
export const rolloutPhases = [
  'upgrade-compile-masters',
  'upgrade-hubs',
  'upgrade-spokes',
  'check-modules',
  'upgrade-canaries',
  'finish',
] as const;

const stepSeconds = 1800;
const fetchSeconds = 7200;

/** An installer migrates databases, which may take hours. */
const installSeconds = 86_400;

/** The node starts its agent itself when nobody has for this long. */
const watchdogSeconds = 3 * installSeconds;

const installerName = 'installer.tar';
/** The master's settings on the nodes that get them. */
export const settingsName = 'settings.tar';

const compare = (a: string, b: string): number => {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
};

const isOld = (version: string): boolean => version.startsWith('3.');

/** Why a version can't follow another one in place, for people; undefined when it can. */
export const versionFault = (from: string, to: string): string | undefined => {
  if (!isKnownVersion(to))
    return `${to} is not among the versions that this procedure covers, 3.0 to 3.8 and 2015.2 to 2018.1`;
  if (compare(from, to) > 0)
    return `${to} is older than ${from}, which is installed: an upgrade never goes back. Restore a backup of ${to} instead`;
  if (isOld(from) && !isOld(to))
    return `${from} can not be upgraded to ${to} in place: install ${to} beside it and migrate the data, as its manual says`;
  if (!isOld(from) && compare(from, '2016.4') < 0 && compare(to, '2016.5') >= 0)
    return `${from} must be upgraded to the latest 2016.4 first, then to ${to}`;
  return undefined;
};

/** PostgreSQL by the version of Puppet Enterprise that brings it. */
const postgresOf = (version: string): string =>
  isOld(version) ? '9.2' : compare(version, '2017.2') < 0 ? '9.4' : '9.6';

type Stage = 'master' | 'puppetdb' | 'console' | 'compile-masters' | 'hubs' | 'spokes';

/** The stage in which a node is upgraded: that of the first of its roles. */
const stageOf = ({ roles }: { readonly roles: readonly string[] }): Stage => {
  const core = coreRoles.find((role) => roles.includes(role));
  if (core) return core;
  return roles.includes('compile-master') ? 'compile-masters' : roles.includes('activemq-hub') ? 'hubs' : 'spokes';
};

const inStage = <N extends InspectedNode>(nodes: readonly N[], ...stages: readonly Stage[]): readonly N[] =>
  nodes.filter(({ node }) => stages.includes(stageOf(node)));

const coreOf = <N extends InspectedNode>(nodes: readonly N[]): readonly N[] => inStage(nodes, ...coreRoles);

/** True for a stage that the request does not pass over. */
const isWanted = ({ request }: Pick<PuppetUpgrade, 'request'>, stage: UpgradeStage): boolean =>
  request.from === undefined || upgradeStages.indexOf(stage) >= upgradeStages.indexOf(request.from);

/** Master, PuppetDB and console that have yet to be upgraded. */
const pendingCore = (of: PuppetUpgrade): readonly UpgradeNode[] =>
  coreOf(of.nodes).filter(
    ({ node, inspection, preflight }) =>
      isWanted(of, coreRoles.find((role) => role === stageOf(node)) ?? 'master') &&
      (inspection.version !== of.request.version || preflight.interrupted !== ''),
  );

const agentSelectors = ({ config }: Pick<PuppetUpgrade, 'config'>): readonly NodeSelector[] =>
  config.nodes.filter((selector) => !isInfrastructure(selector));

/** The modules without which agents can't be upgraded. */
const neededModules = (of: Pick<PuppetUpgrade, 'config' | 'request'>): readonly string[] =>
  isOld(of.request.version) || agentSelectors(of).length === 0
    ? []
    : ['puppet_agent', ...(of.config.offline ? ['inifile', 'stdlib', 'apt'] : [])];

/** The nodes that compile catalogs for agents. */
const compilers = <N extends InspectedNode>(nodes: readonly N[]): readonly N[] => {
  const masters = inStage(nodes, 'compile-masters');
  return masters.length > 0 ? masters : inStage(nodes, 'master');
};

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 1_048_576)} MiB`;

/** A new major version of PostgreSQL gets a copy of all data. */
const spaceFaults = (of: PuppetUpgrade): readonly string[] =>
  pendingCore(of).flatMap(({ node, inspection }) => {
    if (!inspection.postgres || postgresOf(inspection.version) === postgresOf(of.request.version)) return [];
    const data = inspection.space.find(({ path }) => path.endsWith('/data'));
    const needed = inspection.postgres.databases.reduce((sum, { bytes }) => sum + bytes, 0) * 1.1;
    return data && data.freeBytes < needed
      ? [
          `${node.name}: ${data.mount} has ${mebibytes(data.freeBytes)} free; the databases' move to PostgreSQL ${postgresOf(of.request.version)} needs ${mebibytes(needed)}`,
        ]
      : [];
  });

/** Every reason why an upgrade must not begin, for people; empty when it may. */
export const checkPuppetUpgrade = (of: PuppetUpgrade): readonly string[] => {
  const versions = coreOf(of.nodes).flatMap(({ node, inspection, preflight }) => {
    const fault = versionFault(preflight.interrupted || inspection.version, of.request.version);
    return fault === undefined ? [] : [`${node.name}: ${fault}`];
  });
  const earlier = coreOf(of.nodes).flatMap(({ node, inspection }) =>
    isWanted(of, coreRoles.find((role) => role === stageOf(node)) ?? 'master') ||
    inspection.version === of.request.version
      ? []
      : [`${node.name} has ${inspection.version}, and "from" passes over its stage: begin with ${stageOf(node)}`],
  );
  const modules = isWanted(of, 'agents')
    ? compilers(of.nodes).flatMap(({ node, preflight }) => {
        const missing = neededModules(of).filter((name) => !preflight.modules.includes(name));
        return missing.length === 0
          ? []
          : [
              `${node.name} lacks ${missing.length === 1 ? 'the module' : 'the modules'} ${missing.join(', ')}, which agents need: puppet module install puppetlabs-${missing[0]}`,
            ];
      })
    : [];
  return [
    ...of.absent.map((what) => `every node must be there: ${what}`),
    ...(of.request.installer === undefined && pendingCore(of).length > 0
      ? ['the installer of master, PuppetDB and console is needed: {name, sha256} or {url, sha256}']
      : []),
    ...versions,
    ...earlier,
    ...of.nodes.flatMap(({ node, preflight }) => preflight.problems.map((problem) => `${node.name}: ${problem}`)),
    ...modules,
    ...spaceFaults(of),
  ];
};

/** What a person should know before saying yes. */
export const warnPuppetUpgrade = (of: PuppetUpgrade): readonly string[] => [
  ...of.nodes
    .filter(({ preflight }) => preflight.interrupted !== '')
    .map(({ node, preflight }) => `${node.name}: an upgrade from ${preflight.interrupted} broke off: it is run again`),
  ...(inStage(of.nodes, 'compile-masters').length > instancesPerCommand
    ? [`more than ${instancesPerCommand} compile masters: groups of ${instancesPerCommand} are upgraded side by side`]
    : []),
  ...(of.config.loadBalancer === undefined && inStage(of.nodes, 'compile-masters').length > 0
    ? ['no loadBalancer is configured: agents are upgraded from the master of masters']
    : []),
];

/** True when master, PuppetDB, console and all that serves them have the version, and no agents are asked for. */
export const isNothingToDo = (of: PuppetUpgrade): boolean => {
  const agentVersion = inStage(of.nodes, 'master')[0]?.inspection.agentVersion;
  return (
    agentSelectors(of).length === 0 &&
    of.nodes.every(
      ({ node, inspection, preflight }) =>
        preflight.interrupted === '' &&
        inspection.agentVersion === agentVersion &&
        (stageOf(node) === 'hubs' || stageOf(node) === 'spokes' || inspection.version === of.request.version),
    )
  );
};

/** From this version on the installer takes a pe.conf, and PuppetDB and console need the master's. */
const sharesSettings = (version: string): boolean => !isOld(version) && compare(version, '2016.2') >= 0;

/** The phases of master, PuppetDB and console. Those of a stage that needs nothing are empty. */
export const planCoreUpgrade = (of: PuppetUpgrade): readonly Phase[] => {
  const { request, run } = of;
  const pending = pendingCore(of);
  const core = pending.length > 0 ? coreOf(of.nodes) : [];
  const command = (
    script: string,
    { node }: InspectedNode,
    parameters: Readonly<Record<string, string>> = {},
    seconds = stepSeconds,
  ): Command => ({
    id: `${script} (${node.name})`,
    document: documentName(script),
    instanceIds: [node.instanceId],
    parameters: { RunId: run, ...parameters },
    executionTimeoutSeconds: seconds,
  });
  const fetch = (target: InspectedNode): Command => {
    const installer = request.installer;
    if (!installer) throw new CheckFailedError('An upgrade of master, PuppetDB or console needs an installer.');
    return 'url' in installer
      ? command(
          'fetch-url',
          target,
          { Url: installer.url, Sha256: installer.sha256, Name: installerName },
          fetchSeconds,
        )
      : command(
          'fetch-artifact',
          target,
          {
            Bucket: of.vaultBucket,
            Object: vaultKeys.installer(of.system, installer.name),
            Bytes: String(of.installerBytes ?? 1),
            Sha256: installer.sha256,
            Name: installerName,
          },
          fetchSeconds,
        );
  };
  const others = inStage(pending, 'puppetdb', 'console');
  const shared = sharesSettings(request.version) && others.length > 0;
  const upgrade = (stage: 'master' | 'puppetdb' | 'console'): Command[] =>
    inStage(pending, stage).map((target) =>
      command(
        'upgrade-puppet',
        target,
        { Name: installerName, Settings: shared && stage !== 'master' ? settingsName : '', Version: request.version },
        installSeconds,
      ),
    );
  const runPuppet = (stage: 'master' | 'puppetdb' | 'console'): Command[] =>
    inStage(core, stage).map((target) => command('run-puppet', target));
  const commands: Readonly<Record<CorePhase, Command[]>> = {
    'fetch-installer': pending.map(fetch),
    'hold-agents': core.map((target) =>
      command('stop-services', target, { Services: 'pe-puppet puppet', WatchdogSeconds: String(watchdogSeconds) }),
    ),
    'upgrade-master': upgrade('master'),
    'collect-settings': shared
      ? inStage(of.nodes, 'master').map((target) =>
          command('archive-files', target, {
            Bucket: of.vaultBucket,
            Key: `${vaultKeys.upgrade(of.system, run)}settings`,
            ExpectedBytes: '1000000',
            Group: 'settings',
            Paths: encodeText('/etc/puppetlabs/enterprise/conf.d'),
          }),
        )
      : [],
    // Filled by share-settings, which knows what was collected.
    'fetch-settings': [],
    'upgrade-puppetdb': upgrade('puppetdb'),
    'upgrade-console': upgrade('console'),
    'run-puppet-master': runPuppet('master'),
    'run-puppet-puppetdb': runPuppet('puppetdb'),
    'run-puppet-console': runPuppet('console'),
    'release-agents': core.map((target) => command('start-services', target, { Services: '' })),
    'inspect-upgraded': inspectionPhase(
      'inspect-upgraded',
      run,
      'inspect-puppet',
      'backup',
      coreOf(of.nodes).map(({ node }) => node),
    ).commands,
  };
  return coreUpgradePhases.map((name) => ({ name, commands: commands[name] }));
};

/** Master, PuppetDB and console as they are after their upgrade. */
export type Upgraded = Pick<InspectedNode, 'node' | 'inspection'>;

/**
 * The phases of everything but master, PuppetDB and console, with the agent's version that the upgraded master brings.
 * Throws a CheckFailedError when one of these three does not have the version.
 */
export const planRollout = (of: PuppetUpgrade, upgraded: readonly Upgraded[]): readonly Phase[] => {
  const { request, config, run } = of;
  const behind = upgraded.filter(({ inspection }) => inspection.version !== request.version);
  if (behind.length > 0)
    throw new CheckFailedError(
      `${behind.map(({ node, inspection }) => `${node.name} has ${inspection.version}`).join(', ')}, not ${request.version}: upgrade it first, without "from".`,
    );
  const master = inStage(upgraded, 'master')[0]?.inspection;
  if (!master) throw new CheckFailedError('No master was found.');
  const url = (host: string, script: string): string => `https://${host}:8140/packages/current/${script}`;
  const upgradeOf = (
    Url: string,
    ServerVersion = '',
  ): Pick<Command, 'document' | 'parameters' | 'executionTimeoutSeconds'> => ({
    document: documentName('upgrade-agent'),
    parameters: { RunId: run, Url, AgentVersion: master.agentVersion, ServerVersion },
    executionTimeoutSeconds: fetchSeconds,
  });
  const oneByOne = (atOnce = 1): Rollout => ({ maxConcurrency: String(atOnce), maxErrors: '0' });
  const stage = (name: 'compile-masters' | 'hubs' | 'spokes', ServerVersion: string, rollout: Rollout): Command[] =>
    isWanted(of, name)
      ? forNodes(
          { id: `upgrade ${name}`, ...upgradeOf(url(master.certname, 'upgrade.bash'), ServerVersion), rollout },
          inStage(of.nodes, name)
            .filter(
              ({ inspection, preflight }) =>
                preflight.interrupted !== '' ||
                inspection.agentVersion !== master.agentVersion ||
                inspection.version !== (ServerVersion || inspection.version),
            )
            .map(({ node }) => node.instanceId),
        )
      : [];
  const agents = (selector: NodeSelector, rollout: Rollout): Command => ({
    id: `upgrade agents ${'tag' in selector ? `${selector.tag.key}=${selector.tag.value}` : selector.instance}`,
    ...upgradeOf(url(config.loadBalancer ?? master.certname, 'install.bash')),
    ...('tag' in selector
      ? { instanceIds: [], tags: { [tagKeys.system]: of.system, [selector.tag.key]: selector.tag.value } }
      : { instanceIds: [selector.instance] }),
    rollout,
  });
  const selectors = isWanted(of, 'agents') ? agentSelectors(of) : [];
  const isCanary = (selector: NodeSelector): boolean => 'tag' in selector && selector.canary;
  const modules = neededModules(of);
  const named = {
    'upgrade-compile-masters': stage('compile-masters', request.version, oneByOne(request.compileMasters)),
    'upgrade-hubs': stage('hubs', '', oneByOne()),
    'upgrade-spokes': stage('spokes', '', oneByOne()),
    'check-modules':
      modules.length > 0 && selectors.length > 0
        ? forNodes(
            {
              id: 'check-modules',
              document: documentName('check-modules'),
              parameters: { RunId: run, Modules: modules.join(' ') },
              executionTimeoutSeconds: stepSeconds,
            },
            compilers(of.nodes).map(({ node }) => node.instanceId),
          )
        : [],
    'upgrade-canaries': (isWanted(of, 'canaries') ? selectors.filter(isCanary) : []).map((selector) =>
      agents(selector, { maxConcurrency: request.agents.maxConcurrency, maxErrors: '0' }),
    ),
  };
  const waves = selectors.filter((selector) => !isCanary(selector));
  return [
    ...Object.entries(named).map(([name, commands]) => ({ name, commands })),
    ...waves.map((selector, index) => ({
      name: `upgrade-agents-${index + 1}`,
      commands: [agents(selector, request.agents)],
    })),
    {
      name: 'finish',
      commands: forNodes(
        {
          id: 'finish-upgrade',
          document: documentName('finish-upgrade'),
          parameters: { RunId: run },
          executionTimeoutSeconds: stepSeconds,
        },
        coreOf(of.nodes).map(({ node }) => node.instanceId),
      ),
    },
  ];
};

/** The phases among a rollout's that are waves of agents. */
export const wavesOf = (phases: readonly Phase[]): readonly string[] =>
  phases.map(({ name }) => name).filter((name) => name.startsWith('upgrade-agents-'));
