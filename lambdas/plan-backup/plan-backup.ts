import { checkPhase, foreseen } from '#domain/check';
import type { Config } from '#domain/config';
import { UnknownSystemError } from '#domain/errors';
import type { PlanBackupOutput, RunRef } from '#domain/payloads';
import { kindOf } from '#domain/systems/kinds';
import { newestGood } from '#domain/vault/catalog';
import { type Documents, inspectedNodes, pinned, readPlan, readRun, writePlan } from '../runs.ts';
import type { StateOf, VaultOf } from '../verbs.ts';

export interface Services {
  readonly config: Config;
  readonly state: StateOf<'plan-backup'>;
  readonly vault: VaultOf<'plan-backup'>;
  readonly vaultBucket: string;
  readonly documents: Documents;
}

/**
 * Makes the plan of a backup from what the inspection found, or of a check whether there could be one. Throws a
 * WrongRoleError when a node does not hold its roles.
 */
export const planBackup = async (
  { config, state, vault, vaultBucket, documents }: Services,
  { system, run }: RunRef,
): Promise<PlanBackupOutput> => {
  const configured = config.systems[system];
  if (!configured) throw new UnknownSystemError(`holdfast.yaml has no system ${system}.`);
  const plan = await readPlan(state, run);
  const { execution, safety, planOnly = false } = await readRun(state, run);
  const kind = kindOf(configured);
  const of = {
    system,
    run,
    execution,
    backup: plan.backup,
    vaultBucket,
    nodes: await inspectedNodes(state, plan, 'inspect'),
    previous: (await newestGood({ vault }, system)).good?.manifest,
    safety,
  };
  const phases = planOnly ? [checkPhase(of, foreseen(kind, of).phases)] : kind.planBackup(of);
  await writePlan(state, { ...plan, phases: [...plan.phases.slice(0, 1), ...(await pinned(documents, phases))] });
  return { phases: phases.map(({ name }) => name), planOnly };
};
