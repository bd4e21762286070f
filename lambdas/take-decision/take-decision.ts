import { jsonState } from '#aws/bucket';
import { sha256 } from '#aws/digest';
import { readDecision, sealOf } from '#domain/approval';
import { ApprovalRejectedError } from '#domain/errors';
import { stateKeys } from '#domain/naming';
import type { Decided, RunRef } from '#domain/payloads';
import { readPlan, readRun } from '../runs.ts';
import type { StateBucketOf } from '../verbs.ts';

/**
 * Takes what was decided on a run's plan, and writes down who has decided. Throws an ApprovalRejectedError when the plan was rejected, when
 * nobody has decided though the task's token was used, and when the plan is not the one that was approved.
 */
export const takeDecision = async (bucket: StateBucketOf<'take-decision'>, { run }: RunRef): Promise<Decided> => {
  const state = jsonState(bucket);
  const [record, plan] = [await readRun(state, run), await readPlan(state, run)];
  const decision = await readDecision(bucket, plan, sha256);
  if (!decision)
    throw new ApprovalRejectedError(
      `${run} was resumed without a decision, so it ends. Start it again, then use holdfast approve or holdfast reject.`,
    );
  const { by, at, digest, approve, reason } = decision;
  await state.write(stateKeys.run(run), {
    ...record,
    decision: { by, at, digest, approve, ...(reason !== undefined && { reason }) },
  });
  if (!approve) throw new ApprovalRejectedError(`${reason ?? 'No reason was given.'} (rejected by ${by})`);
  if (digest !== sealOf(plan, sha256).digest)
    throw new ApprovalRejectedError(`The plan of ${run} is not the plan that ${by} approved. Start the run again.`);
  return { by, at, digest };
};
