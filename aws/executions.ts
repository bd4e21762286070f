import {
  DescribeExecutionCommand,
  type DescribeExecutionCommandOutput,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  type HistoryEvent,
  paginateGetExecutionHistory,
  SendTaskFailureCommand,
  SendTaskSuccessCommand,
  type SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import * as z from 'zod';
import { stateMachineName } from '#domain/naming';
import type { DeadRuns, Executions, Tasks } from '#domain/ports';

/**
 * DescribeExecution is eventually consistent: an execution that just began may be unknown for a while. One that is unknown
 * counts as alive for so many milliseconds from its beginning.
 */
const unknownIsAlive = 120_000;

/** A parent writes down that it has started a child after the child has begun: so many milliseconds later at most. */
const submittedLate = 30_000;

/** What a state that starts an execution writes into its own execution's history. */
const Submitted = z.object({ ExecutionArn: z.string() });

/** The execution that a state started by this event; undefined for events of other kinds. */
const startedBy = ({ taskSubmittedEventDetails: submitted }: HistoryEvent): string | undefined =>
  submitted?.resourceType === 'states'
    ? Submitted.safeParse(JSON.parse(submitted.output ?? 'null')).data?.ExecutionArn
    : undefined;

/** Step Functions. An execution that AWS has forgotten, after 90 days, is not running. */
export const sfnExecutions = (client: SFNClient, now: () => Date = () => new Date()): Executions & DeadRuns => {
  const describe = async (executionArn: string): Promise<DescribeExecutionCommandOutput | undefined> => {
    try {
      return await client.send(new DescribeExecutionCommand({ executionArn }));
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) return undefined;
      throw error;
    }
  };
  const runs = (found: DescribeExecutionCommandOutput | undefined, startedAt: string): boolean =>
    found === undefined
      ? now().getTime() - Date.parse(startedAt) < unknownIsAlive
      : found.status === 'RUNNING' || found.status === 'PENDING_REDRIVE';
  return {
    isRunning: async ({ execution, acquiredAt }) => runs(await describe(execution), acquiredAt),
    hasStarted: async (executionArn, { execution, startedAt }) => {
      // What it started last is what asks.
      for await (const { events = [] } of paginateGetExecutionHistory({ client }, { executionArn, reverseOrder: true }))
        if (events.some((event) => startedBy(event) === execution)) return true;
      if (now().getTime() - Date.parse(startedAt) < submittedLate)
        throw new Error(`The history of ${executionArn} does not say yet whether it started ${execution}.`);
      return false;
    },
    endedAt: async ({ execution, acquiredAt }) => {
      const found = await describe(execution);
      return runs(found, acquiredAt) ? undefined : (found?.stopDate ?? new Date(0));
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

/** States of Step Functions that wait for a task's token. */
export const sfnTasks = (client: SFNClient): Tasks => ({
  succeed: async (taskToken) => {
    await client.send(new SendTaskSuccessCommand({ taskToken, output: '{}' }));
  },
  fail: async (taskToken, error, cause) => {
    await client.send(new SendTaskFailureCommand({ taskToken, error, cause }));
  },
});
