import {
  DescribeExecutionCommand,
  type DescribeExecutionCommandOutput,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  type SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { stateMachineName } from '#domain/naming';
import type { DeadRuns, Executions } from '#domain/ports';

/** Step Functions. An execution that AWS has forgotten, after 90 days, is not running. */
export const sfnExecutions = (client: SFNClient): Executions & DeadRuns => {
  const describe = async (executionArn: string): Promise<DescribeExecutionCommandOutput | undefined> => {
    try {
      return await client.send(new DescribeExecutionCommand({ executionArn }));
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) return undefined;
      throw error;
    }
  };
  const runs = (found: DescribeExecutionCommandOutput | undefined): boolean =>
    found?.status === 'RUNNING' || found?.status === 'PENDING_REDRIVE';
  return {
    isRunning: async (arn) => runs(await describe(arn)),
    endedAt: async (arn) => {
      const found = await describe(arn);
      return runs(found) ? undefined : (found?.stopDate ?? new Date(0));
    },
    undo: async (run, arn) => {
      const prefix = arn
        .slice(0, arn.lastIndexOf(':', arn.lastIndexOf(':') - 1))
        .replace(/:execution$/, ':stateMachine');
      try {
        await client.send(
          new StartExecutionCommand({
            stateMachineArn: `${prefix}:${stateMachineName('undo')}`,
            // Once: whatever keeps it from ending well needs a person, whom its failure has told.
            name: `janitor-${run}`.slice(0, 80),
            input: JSON.stringify({ run }),
          }),
        );
        return true;
      } catch (error) {
        if (error instanceof ExecutionAlreadyExists) return false;
        throw error;
      }
    },
  };
};
