import { InvalidInputError } from '#domain/errors';
import { stateKeys } from '#domain/naming';
import { RunRecord } from '#domain/payloads';
import { PhaseState } from '#domain/phase';
import { Plan } from '#domain/plan';
import type { State } from '#domain/ports';

/** What was written down of a run when it began. Throws an InvalidInputError when there is no such run. */
export const readRun = async (state: State, run: string): Promise<RunRecord> => {
  const record = await state.read(stateKeys.run(run), RunRecord);
  if (!record) throw new InvalidInputError(`There is no run ${run}.`);
  return record;
};

/** A run's plan. Throws an InvalidInputError when nothing was planned yet. */
export const readPlan = async (state: State, run: string): Promise<Plan> => {
  const plan = await state.read(stateKeys.plan(run), Plan);
  if (!plan) throw new InvalidInputError(`Run ${run} has no plan.`);
  return plan;
};

/** Where a phase stands, or undefined before its first step. */
export const readPhase = (state: State, run: string, phase: string): Promise<PhaseState | undefined> =>
  state.read(stateKeys.phase(run, phase), PhaseState);
