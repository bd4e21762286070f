import {
  GetScheduleCommand,
  ResourceNotFoundException,
  SchedulerClient,
  ThrottlingException,
  UpdateScheduleCommand,
  type UpdateScheduleInput,
} from '@aws-sdk/client-scheduler';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import { eventSchedules } from '#aws/schedules';

const client = mockClient(SchedulerClient);
const schedules = eventSchedules(new SchedulerClient({ region: 'us-east-1' }), 'holdfast');
const name = { GroupName: 'holdfast', Name: 'pe-main.nightly' };

/** All that an update can say of a schedule: when AWS adds a field, this no longer compiles. */
const settings = {
  Description: 'every night',
  ScheduleExpression: 'cron(0 2 * * ? *)',
  ScheduleExpressionTimezone: 'Europe/Paris',
  StartDate: new Date('2026-01-01T00:00:00Z'),
  EndDate: new Date('2030-01-01T00:00:00Z'),
  FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 5 },
  Target: {
    Arn: 'arn:aws:states:us-east-1:000000000000:stateMachine:holdfast-backup',
    RoleArn: 'arn:aws:iam::000000000000:role/schedules',
    Input: '{"system":"pe-main"}',
    RetryPolicy: { MaximumRetryAttempts: 5 },
    DeadLetterConfig: { Arn: 'arn:aws:sqs:us-east-1:000000000000:holdfast-undelivered' },
  },
  KmsKeyArn: 'arn:aws:kms:us-east-1:000000000000:key/1',
  ActionAfterCompletion: 'NONE',
} satisfies Required<Omit<UpdateScheduleInput, 'Name' | 'GroupName' | 'State' | 'ClientToken'>>;

const found = (State: 'ENABLED' | 'DISABLED') =>
  client.on(GetScheduleCommand, name).resolves({ ...name, ...settings, State, Arn: 'arn', CreationDate: new Date() });
const updates = () => client.commandCalls(UpdateScheduleCommand).map(({ args }) => args[0].input);
const gone = new ResourceNotFoundException({ message: 'gone', Message: 'gone', $metadata: {} });

beforeEach(() => {
  client.reset();
  client.on(UpdateScheduleCommand).resolves({});
});

describe('a schedule', () => {
  it('is paused and keeps everything else that it was', async () => {
    found('ENABLED');
    expect(await schedules.isEnabled(name.Name)).toBe(true);
    await schedules.pause(name.Name);
    expect(updates()).toEqual([{ ...name, ...settings, State: 'DISABLED' }]);
  });

  it('is resumed and keeps everything else that it was', async () => {
    found('DISABLED');
    await schedules.resume(name.Name);
    expect(updates()).toEqual([{ ...name, ...settings, State: 'ENABLED' }]);
  });

  it('that somebody else disabled is told apart, so that nobody enables it again', async () => {
    found('DISABLED');
    expect(await schedules.isEnabled(name.Name)).toBe(false);
    await schedules.pause(name.Name);
    expect(updates()).toEqual([]);
  });

  it('that runs already is left as it is', async () => {
    found('ENABLED');
    await schedules.resume(name.Name);
    expect(updates()).toEqual([]);
  });

  it.each(['before it is looked at', 'between the look and the change'])(
    'that is deleted %s is skipped',
    async (when) => {
      if (when.startsWith('before')) client.on(GetScheduleCommand).rejects(gone);
      else found('ENABLED');
      client.on(UpdateScheduleCommand).rejects(gone);
      await expect(schedules.pause(name.Name)).resolves.toBeUndefined();
      await expect(schedules.resume(name.Name)).resolves.toBeUndefined();
    },
  );

  it('of which AWS does not answer is an error, not one that is gone', async () => {
    const throttled = new ThrottlingException({ message: 'slow down', Message: 'slow down', $metadata: {} });
    client.on(GetScheduleCommand).rejects(throttled);
    await expect(schedules.pause(name.Name)).rejects.toBe(throttled);
    await expect(schedules.resume(name.Name)).rejects.toBe(throttled);
  });
});
