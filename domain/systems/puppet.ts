import { isInfrastructure, type PuppetEnterprise } from '#domain/config';
import { replaceFiles } from '#domain/contracts/shared';
import { UnreadableResultError } from '#domain/errors';
import type { PuppetManifest } from '#domain/manifest';
import { answersOf } from '#domain/phase';
import { command, forNodes, forPlannedNodes, inspectionSeconds } from '#domain/plan';
import type { Inspected, Kind, Restoration, RestoreOf, UpgradeOf, Upgrading } from './kind.ts';
import {
  askScript,
  countRows,
  inspectPuppet,
  mergeAuthority,
  preflightUpgrade,
  prepareInstallation,
} from './puppet-documents.ts';
import { type InspectedNode, incompletePuppet, missingFrom, planPuppetBackup } from './puppet-enterprise.ts';
import type { PuppetRestorePhase } from './puppet-procedures.ts';
import { proveRestore } from './puppet-proof.ts';
import { planPuppetRestore } from './puppet-restore.ts';
import { checkPuppetRestore, warnPuppetRestore } from './puppet-restore-check.ts';
import { targetsOf } from './puppet-restore-scope.ts';
import { foreseeSettings, planCoreUpgrade, planRollout } from './puppet-upgrade.ts';
import { checkPuppetUpgrade, isNothingToDo, warnPuppetUpgrade } from './puppet-upgrade-check.ts';
import { agentSelectors, isWanted, type PuppetUpgrade } from './puppet-upgrade-scope.ts';
import { askForScripts } from './puppet-upgrade-scripts.ts';

/** Puppet Enterprise as one kind among others. */

export const puppetNodes = (nodes: readonly Inspected[]): readonly InspectedNode[] =>
  nodes.flatMap(({ node, inspection }) => (inspection.product === 'puppet-enterprise' ? [{ node, inspection }] : []));

export const puppetEnterprise = (config: PuppetEnterprise): Kind => ({
  selectors: () => config.nodes.filter(isInfrastructure),
  samples: (request) => (isWanted({ request }, 'agents') ? agentSelectors({ config }) : []),
  inspect: ({ onProblem, nodes, upgrade, sampled }) => {
    const seconds = inspectionSeconds;
    const inspection = forPlannedNodes(command(inspectPuppet, { OnProblem: onProblem }, { seconds }), nodes);
    const ids = nodes.map(({ instanceId }) => instanceId);
    const preflight = upgrade
      ? [
          ...forNodes(command(preflightUpgrade, {}, { seconds }), ids),
          ...askForScripts(upgrade, config, nodes, sampled),
        ]
      : [];
    return { name: 'inspect', commands: [...inspection, ...preflight] };
  },
  planBackup: (of) => planPuppetBackup({ ...of, config, nodes: puppetNodes(of.nodes) }),
  missingFrom: (one) => puppetNodes([one]).flatMap(missingFrom),
  incomplete: (of) => incompletePuppet({ ...of, nodes: puppetNodes(of.nodes) }),
  consistency: () => config.consistency,
  extraPaths: config.extraPaths,
});

/** Throws a CheckFailedError when a node without which there is no installation has no counterpart. */
export const restorePuppet = (manifest: PuppetManifest, { nodes, ...rest }: RestoreOf): Restoration => {
  const of = { ...rest, manifest, ...targetsOf(manifest, puppetNodes(nodes), rest.request) };
  return {
    check: () => checkPuppetRestore(of),
    warn: () => warnPuppetRestore(of),
    plan: () => planPuppetRestore(of),
    // Where nothing is installed, nothing can be lost.
    replaced: of.targets.some(({ inspection }) => inspection.version !== '') ? of.targets.map(({ node }) => node) : [],
    prove: (restored, phase) => {
      const stateOf = (name: PuppetRestorePhase) => phase(name);
      return proveRestore(of, {
        inspections: new Map(puppetNodes(restored).map(({ node, inspection }) => [node.instanceId, inspection])),
        counts: answersOf(stateOf('count-rows'), countRows),
        files: answersOf(stateOf('replace-files'), replaceFiles),
        prepared: answersOf(stateOf('prepare-installation'), prepareInstallation),
        merged: answersOf(stateOf('merge-authority'), mergeAuthority),
      });
    },
  };
};

/** Throws an UnreadableResultError when a node did not tell what is against its upgrade. */
export const puppetUpgradeOf = (config: PuppetEnterprise, { inspected, nodes, ...of }: UpgradeOf): PuppetUpgrade => {
  const preflights = answersOf(inspected, preflightUpgrade);
  return {
    ...of,
    config,
    scripts: answersOf(inspected, askScript).map(({ answer }) => answer),
    nodes: puppetNodes(nodes).map((one) => {
      const preflight = preflights.find(({ instanceId }) => instanceId === one.node.instanceId)?.answer;
      if (!preflight) throw new UnreadableResultError(`${one.node.name} gave no preflight.`);
      return { ...one, preflight };
    }),
  };
};

export const upgradePuppet = (config: PuppetEnterprise, upgradeOf: UpgradeOf): Upgrading => {
  const of = puppetUpgradeOf(config, upgradeOf);
  const plan = () => planCoreUpgrade(of);
  return {
    check: () => checkPuppetUpgrade(of),
    warn: () => warnPuppetUpgrade(of),
    isNothingToDo: isNothingToDo(of),
    found: of.nodes.map(({ inspection }) => inspection.version || `agent ${inspection.agentVersion}`),
    plan,
    // What comes after is planned when these are upgraded; a person sees all of it before.
    foresee: () => {
      const isPending = plan().some(({ name, commands }) => name === 'stop-agents' && commands.length > 0);
      const expected = of.nodes.map(({ node, inspection }) => ({
        node,
        inspection: {
          ...inspection,
          version: of.request.version,
          // That of the upgraded master is not known yet, and is no node's.
          ...(isPending && { agentVersion: '0' }),
        },
      }));
      return [...foreseeSettings(of), ...planRollout(of, expected)];
    },
  };
};
