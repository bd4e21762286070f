import { userInfo } from 'node:os';
import { StopExecutionCommand } from '@aws-sdk/client-sfn';
import { CliError } from './cli-error.ts';
import { type Connection, sameConnection } from './connection.ts';
import { assertRun, findRun } from './executions.ts';
import type { Exit } from './exit-codes.ts';
import { operations } from './operations.ts';
import type { Output } from './output.ts';
import { readStep } from './step.ts';

/** Stops a run; what it left is undone by a run of its own, which starts by itself. `not-found` when it has ended already. */
export const cancel = async (
  connect: () => Promise<Connection>,
  name: string,
  {
    reason = `${userInfo().username} cancelled it`,
    json = false,
  }: { readonly reason?: string; readonly json?: boolean },
  output: Output,
): Promise<Exit> => {
  assertRun(name);
  const connection = await connect();
  const { run, execution, operation, system, state, lockedBy } = await findRun(connection, name);
  if (state !== 'running')
    throw new CliError(
      'not-found',
      `${run} has ended already: ${state}`,
      `How it ended: ${sameConnection(connection, `holdfast watch ${run}`)}`,
    );
  const step = await readStep(connection, run, execution);
  await connection.stepFunctions.send(new StopExecutionCommand({ executionArn: execution, cause: reason }));
  const undoing =
    step?.approvalUntil === undefined
      ? operations[operation].undoing
      : 'nothing was changed: it waited for an approval';
  if (json) {
    output.document({ run, operation, system: system ?? null, state: 'cancelled', undoing });
    return 'ok';
  }
  output.line(`${run} is cancelled.`);
  output.line(`Now: ${undoing}.`);
  if (lockedBy !== undefined) output.line(`${lockedBy}, for which it was made, fails with it.`);
  output.note(
    `${system ?? 'Its system'} is shown as undoing until that is done: ${sameConnection(connection, 'holdfast systems')}`,
  );
  return 'ok';
};
