import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { stateKeys } from '#domain/naming';
import { type Approval, RequestApprovalInput } from '#domain/payloads';
import { entry } from '../entry.ts';
import { readRun } from '../runs.ts';
import { Env } from './env.ts';

const state = jsonState(s3Bucket(s3Client(), Env.parse(process.env).STATE_BUCKET));

/** Writes down what a decision is to be sent to. The state machine waits for it, not for this. */
export const handler = entry(RequestApprovalInput, async ({ run, token }) => {
  const { restore, upgrade } = await readRun(state, run);
  const deadline = new Date(Date.now() + ((restore ?? upgrade)?.approvalSeconds ?? 0) * 1000).toISOString();
  const approval: Approval = { run, token, deadline };
  await state.write(stateKeys.approval(run), approval);
  return { deadline };
});
