import { checkReport, foreseen, problemsOf, warningsOf } from '#domain/check';
import type { Config } from '#domain/config';
import { UnknownSystemError } from '#domain/errors';
import { stateKeys } from '#domain/naming';
import type { CheckSummary, RunRef } from '#domain/payloads';
import { kindOf } from '#domain/systems/kinds';
import { inspectedNodes, readPhase, readPlan, readRun, stepsOf } from '../runs.ts';
import type { StateOf } from '../verbs.ts';

export interface Services {
  readonly config: Config;
  readonly state: StateOf<'conclude-check'>;
  readonly vaultBucket: string;
  readonly now: () => Date;
}

/** Puts together what a check has found. Throws an UnknownSystemError. */
export const concludeCheck = async (
  { config, state, vaultBucket, now }: Services,
  { system, run }: RunRef,
): Promise<CheckSummary> => {
  const configured = config.systems[system];
  if (!configured) throw new UnknownSystemError(`holdfast.yaml has no system ${system}.`);
  const plan = await readPlan(state, run);
  const inspected = await inspectedNodes(state, plan, 'inspect');
  const { execution } = await readRun(state, run);
  const of = {
    ...{ system, run, execution, backup: plan.backup, vaultBucket },
    ...{ nodes: inspected, previous: undefined, safety: false },
  };
  const { phases, fault } = foreseen(kindOf(configured), of);
  const states = await Promise.all(plan.phases.map(({ name }) => readPhase(state, run, name)));
  const report = checkReport({
    plan,
    inspected,
    fault,
    now: now(),
    phases: states.filter((phase) => phase !== undefined),
    steps: stepsOf(phases, plan.nodes),
  });
  await state.write(stateKeys.check(run), report);
  const [problems, warnings] = [problemsOf(report), warningsOf(report)];
  return { nodes: report.nodes.length, problems: problems.length, warnings: warnings.length };
};
