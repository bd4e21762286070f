import type { NodeSelector } from '#domain/config';
import { archiveFiles, startServices, stopServices } from '#domain/contracts/shared';
import { CheckFailedError } from '#domain/errors';
import { instanceArn, tagKeys, vaultKeys } from '#domain/naming';
import {
  type Command,
  type CommandTemplate,
  command,
  commandsOn,
  forNodes,
  forPlannedNodes,
  inspectionSeconds,
  type Phase,
  type Rollout,
} from '#domain/plan';
import { answersFileOf, hasSettings } from './puppet-answers.ts';
import {
  fetchUrl,
  finishUpgrade,
  inspectPuppet,
  installModules,
  runPuppet,
  upgradeAgent,
  upgradePuppet,
} from './puppet-documents.ts';
import type { InspectedNode } from './puppet-enterprise.ts';
import { type CoreUpgradePhase, coreUpgradePhases, type RolloutPhase, rolloutPhases } from './puppet-procedures.ts';
import {
  agentSelectors,
  compilers,
  coreOf,
  inStage,
  isWanted,
  moduleOf,
  neededModules,
  type PuppetUpgrade,
  pendingCore,
} from './puppet-upgrade-scope.ts';
import { agentHost, byHost, scriptUrl } from './puppet-upgrade-scripts.ts';
import { fetching } from './transfer.ts';

/** What an upgrade of Puppet Enterprise does: the order of its manual for large environments. */

const fetchSeconds = 7200;

/** An installer migrates databases, which may take hours. */
const installSeconds = 86_400;

/** The node starts its agent itself when nobody has for this long. */
const watchdogSeconds = 3 * installSeconds;

const installerName = 'installer.tar';
/** The master's settings on the nodes that get them. */
export const settingsName = 'settings.tar';

/** The phases of master, PuppetDB and console. Those of a stage that needs nothing are empty. */
export const planCoreUpgrade = (of: PuppetUpgrade): readonly Phase[] => {
  const { request } = of;
  const pending = pendingCore(of);
  const core = pending.length > 0 ? coreOf(of.nodes) : [];
  const on = ({ node }: InspectedNode) => commandsOn(node);
  const fetch = (target: InspectedNode): Command => {
    const { installer } = request;
    if (!installer) throw new CheckFailedError('An upgrade of master, PuppetDB or console needs an installer.');
    if ('url' in installer)
      return on(target)(
        fetchUrl,
        { Url: installer.url, Sha256: installer.sha256, Name: installerName },
        { seconds: fetchSeconds },
      );
    if (!of.installer) throw new CheckFailedError(`The vault has no installer ${installer.name} of ${of.system}.`);
    return fetching(of.vaultBucket, target.node)(of.installer, installerName);
  };
  const others = inStage(pending, 'puppetdb', 'console');
  // PuppetDB and console need the master's.
  const shared = hasSettings(request.version) && others.length > 0;
  const upgrade = (stage: 'master' | 'puppetdb' | 'console'): Command[] =>
    inStage(pending, stage).map((target) =>
      on(target)(
        upgradePuppet,
        {
          Name: installerName,
          Settings: shared && stage !== 'master' ? settingsName : '',
          AnswersFile: answersFileOf(request.version),
          Version: request.version,
        },
        { seconds: installSeconds },
      ),
    );
  const runAgent = (stage: 'master' | 'puppetdb' | 'console'): Command[] =>
    inStage(core, stage).map((target) => on(target)(runPuppet, {}));
  const commands: Readonly<Record<CoreUpgradePhase, Command[]>> = {
    'fetch-installer': [...pending.map(fetch), ...fetchModules(of)],
    'stop-agents': core.map((target) =>
      on(target)(stopServices, { Services: ['pe-puppet', 'puppet'], WatchdogSeconds: watchdogSeconds }),
    ),
    'upgrade-master': upgrade('master'),
    'collect-settings': shared
      ? inStage(of.nodes, 'master').map((target) =>
          on(target)(archiveFiles, {
            Bucket: of.vaultBucket,
            Key: settingsKey(of, target),
            ExpectedBytes: 1_000_000,
            Group: 'settings',
            Paths: ['/etc/puppetlabs/enterprise/conf.d'],
            Required: [],
          }),
        )
      : [],
    // Filled by share-settings, which knows what was collected.
    'fetch-settings': [],
    'upgrade-puppetdb': upgrade('puppetdb'),
    'upgrade-console': upgrade('console'),
    'run-puppet-master': runAgent('master'),
    'run-puppet-puppetdb': runAgent('puppetdb'),
    'run-puppet-console': runAgent('console'),
    'release-agents': core.map((target) => on(target)(startServices, { Services: [] })),
    'inspect-upgraded': forPlannedNodes(
      command(inspectPuppet, { OnProblem: 'fail' }, { seconds: inspectionSeconds }),
      coreOf(of.nodes).map(({ node }) => node),
    ),
  };
  return coreUpgradePhases.map((name) => ({ name, commands: commands[name] }));
};

/** The key of the master's settings in the vault, without suffix. */
const settingsKey = ({ system, run, execution }: PuppetUpgrade, { node }: InspectedNode): string =>
  `${vaultKeys.upgrade(system, run)}${instanceArn(execution, node.instanceId)}/settings`;

/** The phase that fetches the master's settings, without what only their storing tells of them. */
export const foreseeSettings = (of: PuppetUpgrade): readonly Phase[] => {
  const others = inStage(pendingCore(of), 'puppetdb', 'console');
  const [master] = inStage(of.nodes, 'master');
  if (!master || others.length === 0 || !hasSettings(of.request.version)) return [];
  const settings = { key: settingsKey(of, master), versionId: 'x', bytes: 1, sha256: '0'.repeat(64) };
  const fetch = ({ node }: InspectedNode): Command =>
    fetching(of.vaultBucket, node)({ ...settings, compression: 'none' }, settingsName, 'settings');
  return [{ name: 'fetch-settings', commands: others.map(fetch) }];
};

/** Every compile master gets the modules that it may be asked to install. */
const fetchModules = (of: PuppetUpgrade): readonly Command[] =>
  compilers(of.nodes).flatMap(({ node }) =>
    of.request.modules.map(({ name }) => {
      const archive = of.modules.get(name);
      if (!archive) throw new CheckFailedError(`The vault has no module ${name} of ${of.system}.`);
      return fetching(of.vaultBucket, node)(archive, name, name);
    }),
  );

/** Master, PuppetDB and console as they are after their upgrade. */
export type Upgraded = Pick<InspectedNode, 'node' | 'inspection'>;

/** The commands by which nodes get the agent's version that the upgraded master brings. */
const rolloutCommands = (of: PuppetUpgrade, agentVersion: string) => {
  const { config } = of;
  const nodes = of.nodes.map(({ node }) => node);
  const upgradeOf = (id: string, Url: string, ServerVersion = ''): CommandTemplate => ({
    ...command(upgradeAgent, { Url, AgentVersion: agentVersion, ServerVersion }, { seconds: fetchSeconds }),
    id,
  });
  const stage = (name: 'compile-masters' | 'hubs' | 'spokes', ServerVersion: string, rollout: Rollout): Command[] =>
    isWanted(of, name)
      ? byHost(
          config,
          nodes,
          inStage(of.nodes, name)
            .filter(
              ({ inspection, preflight }) =>
                preflight.interrupted !== '' ||
                inspection.agentVersion !== agentVersion ||
                inspection.version !== (ServerVersion || inspection.version),
            )
            .map(({ node }) => node),
        ).flatMap(([host, ids], _, { length }) => {
          const id = length === 1 ? `upgrade ${name}` : `upgrade ${name} from ${host}`;
          return forNodes({ ...upgradeOf(id, scriptUrl(host, 'upgrade.bash'), ServerVersion), rollout }, ids);
        })
      : [];
  const agents = (selector: NodeSelector, rollout: Rollout): Command => ({
    ...upgradeOf(
      `upgrade agents ${'tag' in selector ? `${selector.tag.key}=${selector.tag.value}` : selector.instance}`,
      scriptUrl(agentHost(config, nodes, selector), 'install.bash'),
    ),
    ...('tag' in selector
      ? { instanceIds: [], tags: { [tagKeys.system]: of.system, [selector.tag.key]: selector.tag.value } }
      : { instanceIds: [selector.instance] }),
    rollout,
  });
  return { stage, agents };
};

/**
 * The phases of everything but master, PuppetDB and console, with the agent's version that the upgraded master brings.
 * Throws a CheckFailedError when one of these three does not have the version.
 */
export const planRollout = (of: PuppetUpgrade, upgraded: readonly Upgraded[]): readonly Phase[] => {
  const { request } = of;
  const behind = upgraded.filter(({ inspection }) => inspection.version !== request.version);
  if (behind.length > 0)
    throw new CheckFailedError(
      `${behind.map(({ node, inspection }) => `${node.name} has ${inspection.version}`).join(', ')}, not ${request.version}: upgrade it first, without "from".`,
    );
  const master = inStage(upgraded, 'master')[0]?.inspection;
  if (!master) throw new CheckFailedError('No master was found.');
  const { stage, agents } = rolloutCommands(of, master.agentVersion);
  const oneByOne = (atOnce = 1): Rollout => ({ maxConcurrency: String(atOnce), maxErrors: '0' });
  const selectors = isWanted(of, 'agents') ? agentSelectors(of) : [];
  const isCanary = (selector: NodeSelector): boolean => 'tag' in selector && selector.canary;
  const archives = of.request.modules.map(({ name }) => name);
  // Without agents in holdfast.yaml only what was asked for is proven.
  const modules = selectors.length > 0 ? neededModules(of) : archives.map(moduleOf);
  const commands: Readonly<Record<RolloutPhase, Command[]>> = {
    'upgrade-compile-masters': stage('compile-masters', request.version, oneByOne(request.compileMasters)),
    'upgrade-hubs': stage('hubs', '', oneByOne()),
    'upgrade-spokes': stage('spokes', '', oneByOne()),
    'install-modules':
      modules.length > 0
        ? forNodes(
            command(installModules, { Modules: modules, Archives: archives }),
            compilers(of.nodes).map(({ node }) => node.instanceId),
          )
        : [],
    'upgrade-canaries': (isWanted(of, 'canaries') ? selectors.filter(isCanary) : []).map((selector) =>
      agents(selector, { maxConcurrency: request.agents.maxConcurrency, maxErrors: '0' }),
    ),
    finish: forNodes(
      command(finishUpgrade, {}),
      [...new Set([...coreOf(of.nodes), ...(archives.length > 0 ? compilers(of.nodes) : [])])].map(
        ({ node }) => node.instanceId,
      ),
    ),
  };
  const phases = rolloutPhases.map((name) => ({ name, commands: commands[name] }));
  const waves = selectors
    .filter((selector) => !isCanary(selector))
    .map((selector, index) => ({
      name: `upgrade-agents-${index + 1}`,
      commands: [agents(selector, request.agents)],
    }));
  return [...phases.slice(0, -1), ...waves, ...phases.slice(-1)];
};

/** The phases among a rollout's that are waves of agents. */
export const wavesOf = (phases: readonly Phase[]): readonly string[] =>
  phases.map(({ name }) => name).filter((name) => name.startsWith('upgrade-agents-'));
