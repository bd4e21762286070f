import { SendTaskSuccessCommand } from '@aws-sdk/client-sfn';
import { jsonState } from '#aws/bucket';
import { sha256 } from '#aws/digest';
import { sealOf } from '#domain/approval';
import { stateKeys } from '#domain/naming';
import { Approval, type Decision } from '#domain/payloads';
import { Plan } from '#domain/plan';
import { CliError } from './cli-error.ts';
import type { Connection } from './connection.ts';
import { assertRun } from './executions.ts';
import type { Exit } from './exit-codes.ts';
import type { Output } from './output.ts';

export type Choice = { readonly approve: true } | { readonly approve: false; readonly reason: string };

/** What Step Functions answers when nobody waits for a decision any more. */
const over = ['TaskTimedOut', 'TaskDoesNotExist', 'InvalidToken'];

/**
 * Approves the plan of a run that waits, or rejects it with a reason: writes the decision in the name that IAM knows the caller by, then wakes
 * the run. Throws a CliError when there is none that waits, and when the plan is not the one that it asked about.
 */
export const decide = async (
  connect: () => Promise<Connection>,
  run: string,
  choice: Choice,
  output: Output,
  json = false,
): Promise<Exit> => {
  assertRun(run);
  const { state: bucket, stepFunctions, callerId } = await connect();
  const state = jsonState(bucket);
  const approval = await state.read(stateKeys.approval(run), Approval);
  if (!approval)
    throw new CliError(
      'not-found',
      `no run ${run} has asked for an approval`,
      'Check its name. A run asks once it has its plan, within minutes; a run with --confirm never asks.',
    );
  const plan = await state.read(stateKeys.plan(run), Plan);
  const seal = plan && sealOf(plan, sha256);
  if (seal?.digest !== approval.digest)
    throw new CliError(
      'failed',
      `the plan of ${run} is not the one that it asked to approve: the plan was changed, or the run has ended`,
      'If the run still waits, cancel it, and find out who changed its plan.',
    );
  const by = await callerId();
  const decision: Decision = { seal, ...choice, at: new Date().toISOString() };
  await state.write(stateKeys.decision(run, by), decision);
  try {
    await stepFunctions.send(new SendTaskSuccessCommand({ taskToken: approval.token, output: '{}' }));
  } catch (error) {
    if (!(error instanceof Error && over.includes(error.name))) throw error;
    throw new CliError(
      'not-found',
      `${run} no longer waits; its deadline was ${approval.deadline}`,
      'It was decided already, or has ended. Start it again if you still want it.',
    );
  }
  if (json) output.document({ run, decision: choice.approve ? 'approved' : 'rejected', by, digest: seal.digest });
  else
    output.line(
      `${run} is ${choice.approve ? 'approved and continues' : 'rejected and ends; nothing was changed'} (${by}, plan ${seal.digest.slice(0, 12)})`,
    );
  return 'ok';
};
