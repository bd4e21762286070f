import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { errorNames } from '#domain/errors';
import { ageMetric } from '#domain/naming';
import { deployed, example, here, rich, Statement } from './deployed.ts';

const small = deployed(example);
const large = deployed(rich);
const backup = `arn:aws:states:${here}:stateMachine:holdfast-backup`;
const restore = `arn:aws:states:${here}:stateMachine:holdfast-restore`;
const upgrade = `arn:aws:states:${here}:stateMachine:holdfast-upgrade`;
const undo = `arn:aws:states:${here}:stateMachine:holdfast-undo`;
const topic = `arn:aws:sns:${here}:holdfast`;
const deadLetters = { Arn: `arn:aws:sqs:${here}:holdfast-undelivered` };

describe('schedules', () => {
  const Schedule = z.looseObject({
    Name: z.string(),
    ScheduleExpression: z.string(),
    ScheduleExpressionTimezone: z.string().optional(),
    Target: z.looseObject({
      Arn: z.string(),
      Input: z.string(),
      RetryPolicy: z.object({ MaximumEventAgeInSeconds: z.number(), MaximumRetryAttempts: z.number() }),
    }),
  });
  const schedules = Object.values(large.all('AWS::Scheduler::Schedule')).map((properties) =>
    Schedule.parse(properties),
  );

  it('are those of the configuration, each late by half its longest gap at most, from a minute to an hour', () => {
    expect(
      schedules.map(({ Name, ScheduleExpression, ScheduleExpressionTimezone, Target }) => [
        Name,
        ScheduleExpression,
        ScheduleExpressionTimezone,
        Target.RetryPolicy.MaximumEventAgeInSeconds,
      ]),
    ).toEqual([
      ['holdfast-pe-main-nightly', 'cron(30 1 * * ? *)', 'Europe/Berlin', 3600],
      ['holdfast-pe-main-often', 'rate(20 minutes)', 'UTC', 600],
      ['holdfast-pe-lab-minutely', 'rate(1 minute)', 'UTC', 60],
      ['holdfast-pe-once-move', 'at(2027-03-01T20:00:00)', 'Europe/Berlin', 3600],
      ['holdfast-measure-age', 'rate(15 minutes)', 'Etc/UTC', 900],
    ]);
  });

  it('try a few times, exactly at their time, and leave what they could not deliver in a queue', () => {
    for (const schedule of schedules) {
      expect(schedule).toMatchObject({
        GroupName: 'holdfast',
        State: 'ENABLED',
        FlexibleTimeWindow: { Mode: 'OFF' },
        Target: { DeadLetterConfig: deadLetters },
      });
      expect(schedule.Target.RetryPolicy.MaximumRetryAttempts).toBeLessThanOrEqual(5);
    }
  });

  it('start a backup with its slot, and the measuring with nothing', () => {
    const { Target } = schedules[0] ?? {};
    expect(Target?.Arn).toBe(backup);
    expect(JSON.parse(Target?.Input ?? '')).toEqual({
      system: 'pe-main',
      schedule: 'nightly',
      scheduledTime: '<aws.scheduler.scheduled-time>',
    });
    expect(schedules.at(-1)?.Target).toMatchObject({
      Arn: `arn:aws:lambda:${here}:function:holdfast-measure-age`,
      Input: '{}',
    });
  });
});

describe('rules', () => {
  const Rule = z.looseObject({ Description: z.string(), EventPattern: z.json(), Targets: z.tuple([z.json()]) });
  const rules = Object.values(small.all('AWS::Events::Rule')).map((properties) => Rule.parse(properties));
  const changeOf = (stateMachineArn: readonly string[], status: readonly string[]) => ({
    source: ['aws.states'],
    'detail-type': ['Step Functions Execution Status Change'],
    detail: { stateMachineArn, status },
  });

  it('undo a run that was aborted or timed out, which runs no Catch', () => {
    const rule = rules.find(({ Description }) => Description.startsWith('Undoes'));
    expect(rule?.EventPattern).toEqual(changeOf([backup, restore, upgrade], ['ABORTED', 'TIMED_OUT']));
    expect(rule?.Targets).toEqual([
      expect.objectContaining({
        Arn: undo,
        DeadLetterConfig: deadLetters,
        InputTransformer: { InputPathsMap: { 'detail-name': '$.detail.name' }, InputTemplate: '{"run":<detail-name>}' },
        RetryPolicy: { MaximumEventAgeInSeconds: 7200, MaximumRetryAttempts: 8 },
      }),
    ]);
  });

  it('tell why a backup, a restore or an undoing did not succeed', () => {
    const rule = rules.find(({ Description }) => Description.startsWith('Tells'));
    expect(rule?.EventPattern).toEqual(changeOf([backup, restore, upgrade, undo], ['FAILED', 'TIMED_OUT', 'ABORTED']));
    expect(rule?.Targets).toEqual([expect.objectContaining({ Arn: topic, DeadLetterConfig: deadLetters })]);
  });

  it('are all of these', () => {
    expect(rules).toHaveLength(2);
  });
});

describe('alarms', () => {
  const Alarm = z.looseObject({
    AlarmName: z.string(),
    AlarmDescription: z.string(),
    Threshold: z.number(),
    TreatMissingData: z.string(),
    Dimensions: z.array(z.object({ Name: z.string(), Value: z.string() })).default([]),
  });
  const alarmsOf = (of: typeof small) =>
    Object.values(of.all('AWS::CloudWatch::Alarm')).map((properties) => Alarm.parse(properties));
  const overdue = (of: typeof small) => alarmsOf(of).filter(({ AlarmName }) => AlarmName.endsWith('-backup-overdue'));

  it('tell of each system with a schedule when its newest backup is older than one and a half longest gaps', () => {
    const day = 86_400;
    // The night that daylight saving time ends makes a gap of 25 hours.
    expect(overdue(small).map(({ AlarmName, Threshold }) => [AlarmName, Threshold])).toEqual([
      ['holdfast-pe-main-backup-overdue', 1.5 * 25 * 3600],
    ]);
    // The schedule with the shorter gap counts; one that fires once has no gap; without a schedule nothing is due.
    expect(overdue(large).map(({ AlarmName, Threshold }) => [AlarmName, Threshold])).toEqual([
      ['holdfast-pe-main-backup-overdue', 1.5 * 1200],
      ['holdfast-pe-lab-backup-overdue', 1.5 * 60],
      ['holdfast-pe-once-backup-overdue', 400 * day],
    ]);
  });

  it('take an age that nobody knows for overdue, and look at the metric that is published', () => {
    for (const alarm of overdue(large)) {
      const system = alarm.AlarmName.slice('holdfast-'.length, -'-backup-overdue'.length);
      expect(alarm).toMatchObject({
        TreatMissingData: 'breaching',
        ComparisonOperator: 'GreaterThanThreshold',
        Statistic: 'Maximum',
        Namespace: ageMetric.namespace,
        MetricName: ageMetric.name,
      });
      expect(Object.fromEntries(alarm.Dimensions.map(({ Name, Value }) => [Name, Value]))).toEqual(
        ageMetric.dimensions(system),
      );
    }
  });

  it('watch the backups, the restores, the undoings, what was not delivered and the measuring itself', () => {
    const watched = alarmsOf(small).map(({ AlarmName, Threshold, TreatMissingData, Dimensions }) => [
      AlarmName,
      Threshold,
      TreatMissingData,
      ...Dimensions.map(({ Value }) => Value),
    ]);
    expect(watched.slice(1)).toEqual([
      ['holdfast-backup-failed', 0, 'notBreaching', backup],
      ['holdfast-restore-failed', 0, 'notBreaching', restore],
      ['holdfast-upgrade-failed', 0, 'notBreaching', upgrade],
      ['holdfast-undo-failed', 0, 'notBreaching', undo],
      ['holdfast-event-undelivered', 0, 'notBreaching', 'holdfast-undelivered'],
      ['holdfast-measure-age-failed', 0, 'notBreaching', 'holdfast-measure-age'],
    ]);
  });

  it('all wake somebody, and say when it is over', () => {
    for (const alarm of alarmsOf(large)) {
      expect(alarm).toMatchObject({ AlarmActions: [topic], OKActions: [topic] });
      expect(alarm['ActionsEnabled']).not.toBe(false);
    }
  });

  const runbook = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8');

  it('each names its section of the runbook, which has no section without an alarm', () => {
    const sections = Array.from(runbook.matchAll(/^## (.+)$/gm), ([, title]) => title);
    const named = alarmsOf(large).map(({ AlarmName, AlarmDescription }) => {
      const [, section] = / See docs\/runbook\.md, ([a-z-]+)\.$/.exec(AlarmDescription) ?? [];
      expect(AlarmName.replace(/^holdfast-(pe-[a-z]+-)?/, '')).toBe(section);
      return section;
    });
    expect(new Set(named)).toEqual(new Set(sections));
    expect(new Set(sections).size).toBe(sections.length);
    for (const [, anchor] of runbook.matchAll(/\]\(#([^)]*)\)/g)) expect(sections).toContain(anchor);
  });

  it('the runbook says of each error that a run may end with what to do', () => {
    // These reach nobody who reads an alarm: one is for the command line, one is handled where it is thrown.
    const others = ['UnknownBackupError', 'AlreadyExistsError'];
    const rows = runbook.split('\n').filter((line) => line.startsWith('| `'));
    const explained = new Set(rows.flatMap((row) => (row.split('|')[1] ?? '').match(/\w+Error\b/g) ?? []));
    expect([...explained].toSorted()).toEqual(errorNames.filter((name) => !others.includes(name)).toSorted());
  });
});

describe('notifications', () => {
  const policyOf = (type: string) =>
    Object.values(small.all(type)).flatMap(
      (properties) =>
        z.object({ PolicyDocument: z.object({ Statement: z.array(Statement) }) }).parse(properties).PolicyDocument
          .Statement,
    );

  it('go to everybody who is configured', () => {
    const subscriptions = Object.values(small.all('AWS::SNS::Subscription'));
    expect(subscriptions).toEqual([{ Endpoint: 'oncall@example.com', Protocol: 'email', TopicArn: topic }]);
    expect(Object.values(large.all('AWS::SNS::Subscription'))).toEqual([]);
  });

  it('are encrypted with a key that those who notify may use', () => {
    const [[keyId, key] = []] = Object.entries(small.all('AWS::KMS::Key')).filter(
      ([, { Description }]) => Description === 'Encrypts the notifications of Holdfast',
    );
    expect(Object.values(small.all('AWS::SNS::Topic'))).toEqual([
      { TopicName: 'holdfast', KmsMasterKeyId: `arn:aws:kms:${here}:key/${keyId}` },
    ]);
    expect(key).toMatchObject({
      EnableKeyRotation: true,
      KeyPolicy: {
        Statement: expect.arrayContaining([
          expect.objectContaining({
            Effect: 'Allow',
            Action: expect.arrayContaining(['kms:Decrypt', 'kms:GenerateDataKey*']),
            Principal: { Service: ['cloudwatch.amazonaws.com', 'events.amazonaws.com'] },
          }),
        ]),
      },
    });
  });

  it.each([
    ['the topic', 'AWS::SNS::TopicPolicy'],
    ['the queue', 'AWS::SQS::QueuePolicy'],
    ['each bucket', 'AWS::S3::BucketPolicy'],
  ])('%s answers to TLS alone', (_, type) => {
    const insecure = policyOf(type).filter(
      ({ Effect, Condition }) =>
        Effect === 'Deny' && JSON.stringify(Condition) === '{"Bool":{"aws:SecureTransport":"false"}}',
    );
    expect(insecure).toHaveLength(Object.keys(small.all(type)).length);
    for (const { Principal } of insecure) expect([{ AWS: '*' }, '*']).toContainEqual(Principal);
  });

  it('no policy of a bucket allows anybody anything', () => {
    expect(policyOf('AWS::S3::BucketPolicy').filter(({ Effect }) => Effect === 'Allow')).toEqual([]);
  });

  it('are let in from the alarms and rules alone, and so is what could not be delivered', () => {
    const allowed = (type: string) =>
      policyOf(type)
        .filter(({ Effect }) => Effect === 'Allow')
        .map(({ Action, Principal, Condition }) => [Action, Principal, Condition]);
    expect(allowed('AWS::SNS::TopicPolicy')).toEqual([
      [
        ['sns:Publish'],
        { Service: 'cloudwatch.amazonaws.com' },
        { ArnLike: { 'aws:SourceArn': `arn:aws:cloudwatch:${here}:alarm:holdfast-*` } },
      ],
      // Rules can't publish to a topic whose policy has a condition for them.
      [['sns:Publish'], { Service: 'events.amazonaws.com' }, undefined],
    ]);
    expect(allowed('AWS::SQS::QueuePolicy')).toEqual(
      Object.keys(small.all('AWS::Events::Rule')).map((rule) => [
        ['sqs:SendMessage'],
        { Service: 'events.amazonaws.com' },
        { ArnEquals: { 'aws:SourceArn': `arn:aws:events:${here}:rule/${rule}` } },
      ]),
    );
  });
});
