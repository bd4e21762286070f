import type { Config } from '#domain/config';
import { UnknownSystemError } from '#domain/errors';
import { stateKeys } from '#domain/naming';
import type { PlanOutput, RunRef } from '#domain/payloads';
import type { Bucket, State } from '#domain/ports';
import { kindOf } from '#domain/systems/kinds';
import { newestGood } from '../catalog.ts';
import { inspectedNodes, readPlan, readRun } from '../runs.ts';

export interface Services {
  readonly config: Config;
  readonly state: State;
  readonly vault: Bucket;
  readonly vaultBucket: string;
}

/** Makes the plan of a backup from what the inspection found. Throws a WrongRoleError when a node does not hold its roles. */
export const planBackup = async (
  { config, state, vault, vaultBucket }: Services,
  { system, run }: RunRef,
): Promise<PlanOutput> => {
  const configured = config.systems[system];
  if (!configured) throw new UnknownSystemError(`holdfast.yaml has no system ${system}.`);
  const plan = await readPlan(state, run);
  const { rescue } = await readRun(state, run);
  const phases = kindOf(configured).planBackup({
    system,
    run,
    backup: plan.backup,
    vaultBucket,
    nodes: await inspectedNodes(state, plan, 'inspect'),
    previous: await newestGood(vault, system),
    rescue,
  });
  await state.write(stateKeys.plan(run), { ...plan, phases: [...plan.phases.slice(0, 1), ...phases] });
  return { phases: phases.map(({ name }) => name) };
};
