import { DescribeExecutionCommand, ExecutionDoesNotExist, type SFNClient } from '@aws-sdk/client-sfn';
import type { Executions } from '#domain/ports';

/** Step Functions. An execution that AWS has forgotten, after 90 days, is not running. */
export const sfnExecutions = (client: SFNClient): Executions => ({
  isRunning: async (executionArn) => {
    try {
      const { status } = await client.send(new DescribeExecutionCommand({ executionArn }));
      return status === 'RUNNING' || status === 'PENDING_REDRIVE';
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) return false;
      throw error;
    }
  },
});
