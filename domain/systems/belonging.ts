import type { Contract } from '#domain/contracts/document';
import * as shared from '#domain/contracts/shared';
import { tagKeys } from '#domain/naming';
import type { operations, RunRef } from '#domain/payloads';
import { isUndoPhase, type Phase, type Plan } from '#domain/plan';
import * as juju from './juju-documents.ts';
import * as puppet from './puppet-documents.ts';

const inspecting = [puppet.inspectPuppet, juju.inspectJuju];

const collecting = [
  ...[shared.checkNode, shared.archiveFiles, puppet.dumpGlobals, puppet.dumpDatabase],
  ...[juju.createJujuArchive, juju.backupJuju],
];

const standing = [shared.stopServices, shared.startServices];

/** What is looked at after a node was changed. */
const proving = [juju.guardAgents, puppet.checkHealth, juju.checkJuju];

/** The documents of each operation, its undo apart. */
export const documentsOf = {
  backup: [...inspecting, ...standing, ...collecting],
  restore: [
    ...inspecting,
    ...standing,
    ...proving,
    ...[shared.fetchArtifact, shared.replaceFiles, shared.finishRestore],
    ...[puppet.prepareInstallation, puppet.purgePuppet, puppet.installPuppet, puppet.configurePuppet],
    ...[puppet.restartPostgresql, puppet.dropDatabases, puppet.prepareTablespaces, puppet.restoreGlobals],
    ...[puppet.restoreDatabase, puppet.swapDatabases, puppet.countRows, puppet.keepAuthority, puppet.mergeAuthority],
    ...[puppet.setOwners, puppet.setUpPuppetdbSsl, puppet.forgetCatalog],
    ...[juju.checkFence, juju.restoreEnvironment, juju.ensureAvailability],
    ...[juju.restoreController, juju.restoreJujuArchive],
  ],
  upgrade: [
    ...inspecting,
    ...standing,
    ...proving,
    ...[shared.fetchArtifact, shared.archiveFiles],
    ...[puppet.preflightUpgrade, puppet.askScript, puppet.fetchUrl, puppet.upgradePuppet, puppet.runPuppet],
    ...[puppet.upgradeAgent, puppet.installModules, puppet.finishUpgrade],
    ...[juju.preflightJuju, juju.upgradeJuju],
  ],
  verify: [],
} satisfies Record<(typeof operations)[number], readonly Contract[]>;

/**
 * Returns why a phase is not one that the run may send, or undefined when it is. A plan is an object, which somebody else may have
 * written; `ref` comes from the state machine itself.
 */
export const foreignTo = (ref: RunRef, plan: Plan, phase: Phase): string | undefined => {
  const { system, operation, run } = ref;
  if (plan.run !== run || plan.system !== system || plan.operation !== operation)
    return `it is of the ${plan.operation} ${plan.run} of ${plan.system}, not of the ${operation} ${run} of ${system}`;
  const own = isUndoPhase(phase.name) ? [shared.undo] : documentsOf[operation];
  const names = new Set(own.map(({ name }) => name));
  for (const { id, document, tags } of phase.commands) {
    if (!names.has(document)) return `${id} is ${document}, which belongs to no ${operation}`;
    if (tags && tags[tagKeys.system] !== system) return `${id} would go to nodes beside those of ${system}`;
  }
  return undefined;
};
