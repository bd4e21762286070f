import { SendTaskFailureCommand, SendTaskSuccessCommand } from '@aws-sdk/client-sfn';
import { jsonState } from '#aws/bucket';
import { RunId, stateKeys } from '#domain/naming';
import { Approval } from '#domain/payloads';
import { CliError } from './cli-error.ts';
import type { Connection } from './connection.ts';
import type { Exit } from './exit-codes.ts';
import type { Output } from './output.ts';

/** What Step Functions answers when nobody waits for a decision any more. */
const over = ['TaskTimedOut', 'TaskDoesNotExist', 'InvalidToken'];

/** Approves a run that waits, or rejects it with a reason. Throws a CliError when there is none that waits. */
export const decide = async (
  connect: () => Promise<Connection>,
  run: string,
  decision: { readonly approve: true } | { readonly approve: false; readonly reason: string },
  output: Output,
): Promise<Exit> => {
  if (!RunId.safeParse(run).success)
    throw new CliError('usage', `not the name of a run: ${run}`, 'It is the name that `holdfast restore` has printed.');
  const { state, stepFunctions } = await connect();
  const approval = await jsonState(state).read(stateKeys.approval(run), Approval);
  if (!approval)
    throw new CliError(
      'not-found',
      `no run ${run} has asked for an approval`,
      'Look at its name, and whether it needed one.',
    );
  try {
    if (decision.approve)
      await stepFunctions.send(new SendTaskSuccessCommand({ taskToken: approval.token, output: '{}' }));
    else
      await stepFunctions.send(
        new SendTaskFailureCommand({
          taskToken: approval.token,
          error: 'ApprovalRejectedError',
          cause: `Rejected: ${decision.reason} Nothing was touched.`,
        }),
      );
  } catch (error) {
    if (!(error instanceof Error && over.includes(error.name))) throw error;
    throw new CliError('not-found', `${run} no longer waits; its deadline was ${approval.deadline}`, 'Start it again.');
  }
  output.line(`${run} is ${decision.approve ? 'approved: it goes on' : 'rejected: it ends'}`);
  return 'ok';
};
