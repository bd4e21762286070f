import { SendTaskFailureCommand, SendTaskSuccessCommand } from '@aws-sdk/client-sfn';
import { jsonState } from '#aws/bucket';
import { ApprovalRejectedError } from '#domain/errors';
import { stateKeys } from '#domain/naming';
import { Approval } from '#domain/payloads';
import { CliError } from './cli-error.ts';
import type { Connection } from './connection.ts';
import { assertRun } from './executions.ts';
import type { Exit } from './exit-codes.ts';
import type { Output } from './output.ts';

export type Decision = { readonly approve: true } | { readonly approve: false; readonly reason: string };

/** What Step Functions answers when nobody waits for a decision any more. */
const over = ['TaskTimedOut', 'TaskDoesNotExist', 'InvalidToken'];

/** Approves a run that waits, or rejects it with a reason. Throws a CliError when there is none that waits. */
export const decide = async (
  connect: () => Promise<Connection>,
  run: string,
  decision: Decision,
  output: Output,
  json = false,
): Promise<Exit> => {
  assertRun(run);
  const { state, stepFunctions } = await connect();
  const approval = await jsonState(state).read(stateKeys.approval(run), Approval);
  if (!approval)
    throw new CliError(
      'not-found',
      `no run ${run} has asked for an approval`,
      'Look at its name. A run asks when it has its plan, within minutes; one with --confirm never asks.',
    );
  const { token: taskToken } = approval;
  try {
    if (decision.approve) await stepFunctions.send(new SendTaskSuccessCommand({ taskToken, output: '{}' }));
    else {
      const error = new ApprovalRejectedError().name;
      await stepFunctions.send(new SendTaskFailureCommand({ taskToken, error, cause: decision.reason }));
    }
  } catch (error) {
    if (!(error instanceof Error && over.includes(error.name))) throw error;
    throw new CliError(
      'not-found',
      `${run} no longer waits; its deadline was ${approval.deadline}`,
      'It was decided, or has ended. Start the restore again if it is still wanted.',
    );
  }
  if (json) output.document({ run, decision: decision.approve ? 'approved' : 'rejected' });
  else
    output.line(
      `${run} is ${decision.approve ? 'approved: it goes on' : 'rejected: it ends, and nothing was touched'}`,
    );
  return 'ok';
};
