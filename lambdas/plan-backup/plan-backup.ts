import type { Config } from '#domain/config';
import { UnknownSystemError, UnreadableResultError } from '#domain/errors';
import { PuppetInspection } from '#domain/inspection';
import { stateKeys } from '#domain/naming';
import type { PlanOutput, RunRef } from '#domain/payloads';
import { resultsOf } from '#domain/phase';
import type { Bucket, State } from '#domain/ports';
import { planPuppetBackup } from '#domain/systems/puppet-enterprise';
import { newestManifest } from '../catalog.ts';
import { readPhase, readPlan } from '../runs.ts';

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
  const inspected = await readPhase(state, run, 'inspect');
  if (!inspected) throw new UnreadableResultError(`Run ${run} has not inspected its nodes.`);
  const inspections = new Map(
    resultsOf(inspected, 'inspect', PuppetInspection).map(({ instanceId, result }) => [instanceId, result]),
  );
  const nodes = plan.nodes.map((node) => {
    const inspection = inspections.get(node.instanceId);
    if (!inspection) throw new UnreadableResultError(`${node.name} (${node.instanceId}) gave no inspection.`);
    return { node, inspection };
  });
  const phases = planPuppetBackup({
    system,
    run,
    backup: plan.backup,
    vaultBucket,
    config: configured,
    nodes,
    previous: await newestManifest(vault, system),
  });
  await state.write(stateKeys.plan(run), { ...plan, phases: [...plan.phases.slice(0, 1), ...phases] });
  return { phases: phases.map(({ name }) => name) };
};
