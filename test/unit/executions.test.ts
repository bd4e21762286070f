import {
  DescribeExecutionCommand,
  ExecutionDoesNotExist,
  GetExecutionHistoryCommand,
  SFNClient,
} from '@aws-sdk/client-sfn';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import { sfnExecutions } from '#aws/executions';

const client = mockClient(SFNClient);
const acquiredAt = '2026-11-20T02:00:00.000Z';
const owner = { execution: 'arn:aws:states:us-east-1:000000000000:execution:holdfast-backup:run-1', acquiredAt };
const later = (seconds: number) =>
  sfnExecutions(new SFNClient({ region: 'us-east-1' }), () => new Date(Date.parse(acquiredAt) + seconds * 1000));

beforeEach(() => client.reset());

describe('the owner of a lock', () => {
  it('lives for its first two minutes though Step Functions does not know it yet, and no longer', async () => {
    client.on(DescribeExecutionCommand).rejects(new ExecutionDoesNotExist({ message: 'no', $metadata: {} }));
    for (const seconds of [-1, 0, 5, 119]) {
      expect(await later(seconds).isRunning(owner)).toBe(true);
      expect(await later(seconds).endedAt(owner)).toBeUndefined();
    }
    expect(await later(120).isRunning(owner)).toBe(false);
    expect(await later(120).endedAt(owner)).toEqual(new Date(0));
  });

  it.each([
    ['RUNNING', true],
    ['PENDING_REDRIVE', true],
    ['SUCCEEDED', false],
    ['ABORTED', false],
  ] as const)('that is %s is alive: %s, however young its lock', async (status, alive) => {
    const stopDate = new Date(acquiredAt);
    client.on(DescribeExecutionCommand).resolves({ status, ...(!alive && { stopDate }) });
    expect(await later(1).isRunning(owner)).toBe(alive);
    expect(await later(1).endedAt(owner)).toEqual(alive ? undefined : stopDate);
  });
});

describe('a child of an execution', () => {
  const child = { execution: owner.execution.replace('run-1', 'child'), startedAt: acquiredAt };
  const names = (ExecutionArn: string, resourceType = 'states') => ({
    ...{ timestamp: new Date(), type: 'TaskSubmitted' as const, id: 1 },
    taskSubmittedEventDetails: { resourceType, resource: 'x', output: JSON.stringify({ ExecutionArn }) },
  });
  const written = (...events: readonly ReturnType<typeof names>[]) =>
    client
      .on(GetExecutionHistoryCommand, { executionArn: owner.execution })
      .resolves({ events: [], nextToken: 'more' })
      .on(GetExecutionHistoryCommand, { executionArn: owner.execution, nextToken: 'more' })
      .resolves({ events: [...events] });

  it('is what its history says that it started, on whichever page', async () => {
    written(names('arn:another'), names(child.execution));
    expect(await later(1).hasStarted(owner.execution, child)).toBe(true);
  });

  it('is nothing that a lambda has answered', async () => {
    written(names(child.execution, 'lambda'));
    expect(await later(60).hasStarted(owner.execution, child)).toBe(false);
  });

  it('may not be written down yet in its first seconds: whoever asks is to ask again', async () => {
    written(names('arn:another'));
    await expect(later(5).hasStarted(owner.execution, child)).rejects.toThrow(/does not say yet/);
    expect(await later(60).hasStarted(owner.execution, child)).toBe(false);
  });
});
