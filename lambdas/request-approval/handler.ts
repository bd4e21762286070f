import { jsonState } from '#aws/bucket';
import { stateKeys } from '#domain/naming';
import type { Approval } from '#domain/payloads';
import { entry } from '../entry.ts';
import { stateOf } from '../ports/buckets.ts';
import { readRun } from '../runs.ts';

const state = jsonState(stateOf('request-approval'));

/** Writes down what a decision is to be sent to. The state machine waits for it, not for this. */
export const handler = entry('request-approval', async ({ run, token }) => {
  const { restore, upgrade } = await readRun(state, run);
  const deadline = new Date(Date.now() + ((restore ?? upgrade)?.approvalSeconds ?? 0) * 1000).toISOString();
  const approval: Approval = { run, token, deadline };
  await state.write(stateKeys.approval(run), approval);
  return { deadline };
});
