import { undo } from '#domain/contracts/shared';
import { stateKeys } from '#domain/naming';
import { type PlanUndoOutput, RunRecord } from '#domain/payloads';
import { isUndoPhase, type Phase, Plan, withUndoPhase } from '#domain/plan';
import { commandToken } from '../advance-phase/advance-phase.ts';
import { readPhase, writePlan } from '../runs.ts';
import type { RunCommandOf, StateOf } from '../verbs.ts';

export interface Services {
  readonly state: StateOf<'plan-undo'>;
  readonly runCommand: RunCommandOf<'plan-undo'>;
}

/** Cancels what a phase of the run has under way; what has ended is not changed by it. False when it never began. */
const cancelPhase = async ({ state, runCommand }: Services, run: string, phase: Phase): Promise<boolean> => {
  const current = await readPhase(state, run, phase.name);
  for (const one of current?.commands ?? []) {
    const command = phase.commands.find(({ id }) => id === one.id);
    if (one.state === 'waiting' || !command) continue;
    const commandId =
      one.state === 'sending'
        ? await runCommand.find(command.document, commandToken(run, phase, command), new Date(one.since))
        : one.commandId;
    if (commandId !== undefined && commandId !== '') await runCommand.cancel(commandId);
  }
  return current !== undefined;
};

/**
 * Cancels a run's commands and plans what its nodes must do to be as before. No phases when the run never planned
 * anything. From the moment that the plan has an undo, no other phase of the run sends anything.
 */
export const planUndo = async (services: Services, run: string): Promise<PlanUndoOutput> => {
  const { state } = services;
  const record = await state.read(stateKeys.run(run), RunRecord);
  const plan = await state.read(stateKeys.plan(run), Plan);
  if (!record || !plan) return { run, phases: [] };
  // What the run was planned with knows its traces. Where that has failed, what is deployed now may be what fixes it.
  const isRepeated = plan.phases.some(({ name }) => isUndoPhase(name));
  const undoing = isRepeated ? await services.runCommand.document(undo.name) : plan.undoing;
  const planned = withUndoPhase({ ...plan, undoing });
  await writePlan(state, planned.plan);
  const begun: Phase[] = [];
  for (const phase of plan.phases.filter(({ name }) => !isUndoPhase(name)))
    if (await cancelPhase(services, run, phase)) begun.push(phase);
  // Known only now that nothing more begins.
  await writePlan(state, withUndoPhase({ ...plan, undoing }, begun).plan);
  return { system: record.system, operation: record.operation, run, phases: [planned.phase] };
};
