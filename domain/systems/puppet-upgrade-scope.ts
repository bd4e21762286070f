import { coreRoles, isInfrastructure, type NodeSelector, type PuppetEnterprise } from '#domain/config';
import type { AnswerOf } from '#domain/contracts/document';
import { type UpgradeRequest, type UpgradeStage, upgradeStages } from '#domain/payloads';
import type { Fetchable } from './kind.ts';
import type { askScript, preflightUpgrade } from './puppet-documents.ts';
import type { InspectedNode } from './puppet-enterprise.ts';
import { compareNumbers } from './version.ts';

/** What an upgrade of Puppet Enterprise covers: its nodes by stage, and which of them have yet to be upgraded. */

/** A node, what it holds and what is against its upgrade. */
export interface UpgradeNode extends InspectedNode {
  readonly preflight: AnswerOf<typeof preflightUpgrade>;
}

/** Everything that the plan of an upgrade depends on. */
export interface PuppetUpgrade {
  readonly system: string;
  readonly run: string;
  /** The ARN of the run's execution, which tells account and region. */
  readonly execution: string;
  readonly vaultBucket: string;
  readonly request: UpgradeRequest;
  readonly config: Pick<PuppetEnterprise, 'nodes' | 'loadBalancer' | 'masterHost' | 'offline'>;
  readonly nodes: readonly UpgradeNode[];
  /** Which scripts nodes could fetch. */
  readonly scripts: readonly AnswerOf<typeof askScript>[];
  /** Nodes that do not answer, for people. */
  readonly absent: readonly string[];
  /** The installer in the vault, when it lies there. */
  readonly installer: Fetchable | undefined;
  /** Archives of modules in the vault, by their names. */
  readonly modules: ReadonlyMap<string, Fetchable>;
}

/** Below zero when the first version is the older one. */
export const compare = (a: string, b: string): number =>
  compareNumbers(a.split('.').map(Number), b.split('.').map(Number));

/** True for 3.x, which has its own layout and packages. */
export const isOld = (version: string): boolean => version.startsWith('3.');

export type Stage = 'master' | 'puppetdb' | 'console' | 'compile-masters' | 'hubs' | 'spokes';

/** The stage in which a node is upgraded: that of the first of its roles. */
export const stageOf = ({ roles }: { readonly roles: readonly string[] }): Stage => {
  const core = coreRoles.find((role) => roles.includes(role));
  if (core) return core;
  return roles.includes('compile-master') ? 'compile-masters' : roles.includes('activemq-hub') ? 'hubs' : 'spokes';
};

export const inStage = <N extends Pick<InspectedNode, 'node'>>(
  nodes: readonly N[],
  ...stages: readonly Stage[]
): readonly N[] => nodes.filter(({ node }) => stages.includes(stageOf(node)));

export const coreOf = <N extends InspectedNode>(nodes: readonly N[]): readonly N[] => inStage(nodes, ...coreRoles);

/** True for a stage that the request does not skip. */
export const isWanted = ({ request }: Pick<PuppetUpgrade, 'request'>, stage: UpgradeStage): boolean =>
  request.from === undefined || upgradeStages.indexOf(stage) >= upgradeStages.indexOf(request.from);

/** Master, PuppetDB and console that have yet to be upgraded. */
export const pendingCore = (of: PuppetUpgrade): readonly UpgradeNode[] =>
  coreOf(of.nodes).filter(
    ({ node, inspection, preflight }) =>
      isWanted(of, coreRoles.find((role) => role === stageOf(node)) ?? 'master') &&
      (inspection.version !== of.request.version || preflight.interrupted !== ''),
  );

export const agentSelectors = ({
  config,
}: {
  readonly config: Pick<PuppetEnterprise, 'nodes'>;
}): readonly NodeSelector[] => config.nodes.filter((selector) => !isInfrastructure(selector));

/** The modules without which agents can't be upgraded. */
export const neededModules = (of: Pick<PuppetUpgrade, 'config' | 'request'>): readonly string[] =>
  isOld(of.request.version) ? [] : ['puppet_agent', ...(of.config.offline ? ['inifile', 'stdlib', 'apt'] : [])];

/** The module that an archive holds, by the name that the Forge gives it. */
export const moduleOf = (archive: string): string => archive.split('-')[1] ?? '';

/** The nodes that compile catalogs for agents. */
export const compilers = <N extends InspectedNode>(nodes: readonly N[]): readonly N[] => {
  const masters = inStage(nodes, 'compile-masters');
  return masters.length > 0 ? masters : inStage(nodes, 'master');
};
