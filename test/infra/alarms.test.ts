import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { errorNames } from '#domain/errors';
import { systemMetrics } from '#domain/naming';
import { operations } from '#domain/payloads';
import { deployed, example, here, rich, Statement } from './deployed.ts';

const small = deployed(example);
const large = deployed(rich);
const backup = `arn:aws:states:${here}:stateMachine:holdfast-backup`;
const restore = `arn:aws:states:${here}:stateMachine:holdfast-restore`;
const upgrade = `arn:aws:states:${here}:stateMachine:holdfast-upgrade`;
const verify = `arn:aws:states:${here}:stateMachine:holdfast-verify`;
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
      ['pe-main.nightly', 'cron(30 1 * * ? *)', 'Europe/Berlin', 3600],
      ['pe-main.often', 'rate(20 minutes)', 'UTC', 600],
      ['pe-lab.minutely', 'rate(1 minute)', 'UTC', 60],
      ['pe-once.move', 'at(2027-03-01T20:00:00)', 'Europe/Berlin', 3600],
      ...['pe-main', 'pe-lab', 'pe-once', 'pe-manual'].map((system) => [
        ...[`${system}.verify.monthly`, 'cron(0 12 1 * ? *)', 'Etc/UTC', 43_200],
      ]),
      ['holdfast-measure-age', 'rate(15 minutes)', 'Etc/UTC', 900],
      ['holdfast-janitor', 'cron(15 13 * * ? *)', 'Etc/UTC', 43_200],
    ]);
  });

  it('begin within some minutes, so that not all systems begin at once, try a few times, and leave what they could not deliver in a queue', () => {
    for (const schedule of schedules) {
      expect(schedule).toMatchObject({
        GroupName: 'holdfast',
        State: 'ENABLED',
        Target: { DeadLetterConfig: deadLetters },
      });
      expect(schedule.Target.RetryPolicy.MaximumRetryAttempts).toBeLessThanOrEqual(5);
    }
  });

  it('that fire daily or monthly are spread, those that fire once or often are not', () => {
    const windows = schedules.map(({ Name, FlexibleTimeWindow }) => [Name, FlexibleTimeWindow]);
    const off = { Mode: 'OFF' };
    expect(windows).toEqual([
      ['pe-main.nightly', { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 5 }],
      ['pe-main.often', off],
      ['pe-lab.minutely', off],
      ['pe-once.move', off],
      ...['pe-main', 'pe-lab', 'pe-once', 'pe-manual'].map((system) => [
        ...[`${system}.verify.monthly`, { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 360 }],
      ]),
      ['holdfast-measure-age', off],
      ['holdfast-janitor', off],
    ]);
  });

  it('start a backup with its slot, a verification with its system, measuring and tidying with nothing', () => {
    const { Target } = schedules[0] ?? {};
    expect(Target?.Arn).toBe(backup);
    expect(JSON.parse(Target?.Input ?? '')).toEqual({
      system: 'pe-main',
      schedule: 'nightly',
      scheduledTime: '<aws.scheduler.scheduled-time>',
    });
    const target = (name: string) => schedules.find(({ Name }) => Name === name)?.Target;
    expect(target('pe-lab.verify.monthly')).toMatchObject({ Arn: verify, Input: '{"system":"pe-lab"}' });
    for (const verb of ['measure-age', 'janitor'])
      expect(target(`holdfast-${verb}`)).toMatchObject({
        Arn: `arn:aws:lambda:${here}:function:holdfast-${verb}`,
        Input: '{}',
      });
  });
});

describe('rules', () => {
  const Rule = z.looseObject({ Description: z.string(), EventPattern: z.json(), Targets: z.tuple([z.json()]) });
  const rules = Object.values(small.all('AWS::Events::Rule')).map((properties) => Rule.parse(properties));
  const changeOf = (stateMachineArn: readonly string[], status: readonly string[], more: object = {}) => ({
    source: ['aws.states'],
    'detail-type': ['Step Functions Execution Status Change'],
    detail: { stateMachineArn, status, ...more },
  });

  it('undo a run that was aborted, timed out, or failed with what nothing catches: just those that ran no Catch', () => {
    const undoing = rules.filter(({ Description }) => Description.startsWith('Undoes'));
    const [rule, uncaught] = undoing;
    expect(rule?.EventPattern).toEqual(changeOf([backup, restore, upgrade], ['ABORTED', 'TIMED_OUT']));
    expect(uncaught?.EventPattern).toEqual(
      changeOf([backup, restore, upgrade], ['FAILED'], { error: [{ prefix: 'States.' }] }),
    );
    for (const { Targets } of undoing)
      expect(Targets).toEqual([
        expect.objectContaining({
          Arn: undo,
          DeadLetterConfig: deadLetters,
          InputTransformer: {
            InputPathsMap: { 'detail-name': '$.detail.name' },
            InputTemplate: '{"run":<detail-name>}',
          },
          RetryPolicy: { MaximumEventAgeInSeconds: 7200, MaximumRetryAttempts: 8 },
        }),
      ]);
  });

  it('tell the end of every run; what cannot be told is left in the queue', () => {
    const rule = rules.find(({ Description }) => Description.startsWith('Tells'));
    expect(rule?.EventPattern).toEqual(
      changeOf([backup, restore, upgrade, verify, undo], ['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED']),
    );
    expect(rule?.Targets).toEqual([
      expect.objectContaining({
        Arn: `arn:aws:lambda:${here}:function:holdfast-tell-end`,
        DeadLetterConfig: deadLetters,
      }),
    ]);
    expect(Object.values(small.all('AWS::Lambda::EventInvokeConfig'))).toMatchObject([
      { FunctionName: 'holdfast-tell-end', DestinationConfig: { OnFailure: { Destination: deadLetters.Arn } } },
    ]);
  });

  it('are all of these', () => {
    expect(rules).toHaveLength(3);
  });
});

describe('alarms', () => {
  const Alarm = z.looseObject({
    AlarmName: z.string(),
    AlarmDescription: z.string(),
    Threshold: z.number(),
    TreatMissingData: z.string(),
    Dimensions: z.array(z.object({ Name: z.string(), Value: z.string() })).default([]),
    Metrics: z
      .array(
        z.object({
          Expression: z.string().optional(),
          MetricStat: z
            .object({
              Metric: z.object({ MetricName: z.string(), Dimensions: z.array(z.object({ Value: z.string() })) }),
            })
            .optional(),
        }),
      )
      .default([]),
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
        Namespace: systemMetrics.namespace,
        MetricName: systemMetrics.names.age,
      });
      expect(Object.fromEntries(alarm.Dimensions.map(({ Name, Value }) => [Name, Value]))).toEqual(
        systemMetrics.dimensions(system),
      );
    }
  });

  it('watch the backups, the restores, the undo, what was not delivered and the measuring itself', () => {
    const watched = alarmsOf(small).map(({ AlarmName, Threshold, TreatMissingData, Dimensions, Metrics }) => [
      AlarmName,
      Threshold,
      TreatMissingData,
      ...Dimensions.map(({ Value }) => Value),
      ...new Set(Metrics.flatMap(({ MetricStat }) => MetricStat?.Metric.Dimensions.map(({ Value }) => Value) ?? [])),
    ]);
    expect(watched.slice(6)).toEqual([
      ['holdfast-backup-failed', 0, 'notBreaching', backup],
      ['holdfast-restore-failed', 0, 'notBreaching', restore],
      ['holdfast-upgrade-failed', 0, 'notBreaching', upgrade],
      ['holdfast-verify-failed', 0, 'notBreaching', verify],
      ['holdfast-undo-failed', 0, 'notBreaching', undo],
      ['holdfast-authority-expiring', 90, 'notBreaching', 'holdfast'],
      ['holdfast-authority-expiring-soon', 30, 'notBreaching', 'holdfast'],
      ['holdfast-backup-unreadable', 0, 'notBreaching', 'holdfast'],
      ['holdfast-event-undelivered', 0, 'notBreaching', 'holdfast-undelivered'],
      ['holdfast-measure-age-failed', 0, 'notBreaching', 'holdfast-measure-age'],
      ['holdfast-janitor-failed', 0, 'notBreaching', 'holdfast-janitor'],
    ]);
  });

  it('of machines count what failed, what took too long and what was aborted', () => {
    const ofMachines = alarmsOf(small).filter(({ AlarmName }) => /^holdfast-[a-z]+-failed$/.test(AlarmName));
    expect(ofMachines.length).toBeGreaterThan(4);
    for (const { AlarmName, Metrics } of ofMachines.filter(({ AlarmName: name }) => !/janitor/.test(name))) {
      const machine = `arn:aws:states:${here}:stateMachine:${AlarmName.replace('-failed', '')}`;
      const id = /^holdfast-([a-z]+)-/.exec(AlarmName)?.[1];
      expect(Metrics.map(({ Expression }) => Expression).filter(Boolean)).toEqual([
        `FILL(${id}Failed, 0) + FILL(${id}TimedOut, 0) + FILL(${id}Aborted, 0)`,
      ]);
      expect(
        Metrics.flatMap(({ MetricStat }) => MetricStat ?? []).map(({ Metric }) => [
          Metric.MetricName,
          Metric.Dimensions[0]?.Value,
        ]),
      ).toEqual(['ExecutionsFailed', 'ExecutionsTimedOut', 'ExecutionsAborted'].map((name) => [name, machine]));
    }
  });

  it('tell of each system when a backup is half or double the size, none was verified, uploads stay, nothing was tidied, or something was written over', () => {
    const own = alarmsOf(large).filter(({ AlarmName }) => AlarmName.startsWith('holdfast-pe-manual-'));
    const day = 86_400;
    expect(
      own.map(({ AlarmName, Threshold, TreatMissingData, MetricName, Statistic, Period, EvaluationPeriods }) => [
        AlarmName.replace('holdfast-pe-manual-', ''),
        ...[Threshold, TreatMissingData, MetricName, Statistic, Period, EvaluationPeriods],
      ]),
    ).toEqual([
      ['backup-size-unusual', 1.99, 'notBreaching', 'BackupSizeDeviation', 'Maximum', 3600, 1],
      ['verify-overdue', 65 * day, 'notBreaching', 'VerificationAgeSeconds', 'Maximum', 3600, 1],
      ['uploads-orphaned', 0, 'notBreaching', 'OrphanUploads', 'Minimum', day, 2],
      ['janitor-refused', 0, 'notBreaching', 'JanitorRefused', 'Maximum', 3600, 1],
      ['objects-replaced', 0, 'notBreaching', 'ReplacedObjects', 'Maximum', day, 1],
    ]);
    for (const { Dimensions } of own)
      expect(Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value]))).toEqual(
        systemMetrics.dimensions('pe-manual'),
      );
  });

  it('all stand on the dashboard, and so does every metric of every system', () => {
    const [board] = Object.values(large.all('AWS::CloudWatch::Dashboard'));
    const body = z
      .object({ DashboardName: z.literal('holdfast'), DashboardBody: z.string() })
      .parse(board).DashboardBody;
    for (const { AlarmName } of alarmsOf(large)) expect(body).toContain(`:alarm:${AlarmName}"`);
    for (const [metric, name] of Object.entries(systemMetrics.names))
      for (const system of ['pe-main', 'pe-manual'])
        if (metric !== 'janitorRefused' && metric !== 'replacedObjects')
          expect(body).toContain(`"${name}","System","${system}"`);
  });

  it('all wake somebody, and say when it is over', () => {
    for (const alarm of alarmsOf(large)) {
      expect(alarm).toMatchObject({ AlarmActions: [topic], OKActions: [topic] });
      expect(alarm['ActionsEnabled']).not.toBe(false);
    }
  });

  const runbook = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8');

  it('each points to its section of the runbook, which has no section without an alarm', () => {
    const sections = Array.from(runbook.matchAll(/^## (.+)$/gm), ([, title]) => title);
    const named = [
      ...alarmsOf(large).map((alarm) => ({ ...alarm, at: 'https://wiki.example.com/holdfast/runbook' })),
      ...alarmsOf(small).map((alarm) => ({ ...alarm, at: 'docs/runbook.md' })),
    ].map(({ AlarmName, AlarmDescription, at }) => {
      const [link = '', section] = / See (\S+)#([a-z-]+)$/.exec(AlarmDescription)?.slice(1) ?? [];
      expect(link).toBe(at);
      expect(AlarmName.replace(/^holdfast-(pe-[a-z]+-)?/, '')).toBe(section);
      return section;
    });
    // What a mail points to is among them.
    expect(sections).toEqual(expect.arrayContaining([...operations, 'undo'].map((operation) => `${operation}-failed`)));
    expect(new Set(named)).toEqual(new Set(sections));
    expect(new Set(sections).size).toBe(sections.length);
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
            Principal: { Service: 'cloudwatch.amazonaws.com' },
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

  it('are let in from the alarms alone, and what could not be delivered from the rules', () => {
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
