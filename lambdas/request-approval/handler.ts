import { jsonState } from '#aws/bucket';
import { sha256 } from '#aws/digest';
import { sealOf } from '#domain/approval';
import { stateKeys } from '#domain/naming';
import type { Approval } from '#domain/payloads';
import { entry } from '../entry.ts';
import { stateOf } from '../ports/buckets.ts';
import { readPlan, readRun } from '../runs.ts';

const state = jsonState(stateOf('request-approval'));

/** Writes down what a decision is to be made on and sent to. The state machine waits for it, not for this. */
export const handler = entry('request-approval', async ({ run, token }) => {
  const { restore, upgrade } = await readRun(state, run);
  const deadline = new Date(Date.now() + ((restore ?? upgrade)?.approvalSeconds ?? 0) * 1000).toISOString();
  const { digest } = sealOf(await readPlan(state, run), sha256);
  const approval: Approval = { run, token, deadline, digest };
  await state.write(stateKeys.approval(run), approval);
  return { deadline, digest };
});
