import { DescribeExecutionCommand, GetExecutionHistoryCommand, ListExecutionsCommand } from '@aws-sdk/client-sfn';
import { sfnClient } from '#aws/clients';
import { type StateMachineName, stateMachineName } from '#domain/naming';
import type { Runtime } from '#local/runtime/index';

/**
 * Waits until a run, or the youngest child of a machine that works for it, has entered a state, and says which execution
 * that was. Throws when it ended before.
 */
export const entered = async (
  runtime: Pick<Runtime, 'stateMachineArn'>,
  execution: string,
  machine: StateMachineName,
  state: string,
): Promise<string> => {
  const sfn = sfnClient();
  const stateMachineArn = runtime.stateMachineArn(stateMachineName(machine));
  const isOwn = execution.split(':').at(-2) === stateMachineName(machine);
  for (;;) {
    const { status, error, cause } = await sfn.send(new DescribeExecutionCommand({ executionArn: execution }));
    const { executions = [] } = isOwn
      ? {}
      : await sfn.send(new ListExecutionsCommand({ stateMachineArn, maxResults: 1 }));
    const executionArn = isOwn ? execution : executions.find((one) => one.status === 'RUNNING')?.executionArn;
    const { events = [] } = executionArn
      ? await sfn.send(new GetExecutionHistoryCommand({ executionArn, maxResults: 1000 }))
      : {};
    if (executionArn && events.some((event) => event.stateEnteredEventDetails?.name === state)) return executionArn;
    if (status !== 'RUNNING') throw new Error(`it never came to ${state}: ${status} ${error} ${cause}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
