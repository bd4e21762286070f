import { ArnFormat, CfnOutput, Duration, Stack, type StackProps, TimeZone } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type IMetric, Metric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { EventField, Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { SfnStateMachine, SnsTopic } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import {
  ContextAttribute,
  Schedule,
  ScheduleExpression,
  ScheduleGroup,
  ScheduleTargetInput,
} from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke, StepFunctionsStartExecution } from 'aws-cdk-lib/aws-scheduler-targets';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import type * as z from 'zod';
import { scripts } from '#documents/compose';
import { type Config, timingsOf } from '#domain/config';
import {
  ageMetric,
  documentName,
  scheduleGroup,
  scheduleName,
  stateMachineName,
  tagKeys,
  undoneMachines,
  type Verb,
} from '#domain/naming';
import { longestGap, schedulerExpression, type Timing } from '#domain/schedule';
import type { Env as AcquireLockEnv } from '#lambdas/acquire-lock/env';
import type { Env as AdvancePhaseEnv } from '#lambdas/advance-phase/env';
import type { Env as ChooseBackupEnv } from '#lambdas/choose-backup/env';
import type { Env as CleanUpEnv } from '#lambdas/clean-up/env';
import type { Env as CommitBackupEnv } from '#lambdas/commit-backup/env';
import type { Env as ExplainFailureEnv } from '#lambdas/explain-failure/env';
import type { Env as MeasureAgeEnv } from '#lambdas/measure-age/env';
import type { Env as OpenBackupEnv } from '#lambdas/open-backup/env';
import type { Env as PlanBackupEnv } from '#lambdas/plan-backup/env';
import type { Env as PlanInspectionEnv } from '#lambdas/plan-inspection/env';
import type { Env as PlanRestoreEnv } from '#lambdas/plan-restore/env';
import type { Env as PlanRolloutEnv } from '#lambdas/plan-rollout/env';
import type { Env as PlanUndoEnv } from '#lambdas/plan-undo/env';
import type { Env as PlanUpgradeEnv } from '#lambdas/plan-upgrade/env';
import type { Env as ProveRestoreEnv } from '#lambdas/prove-restore/env';
import type { Env as ReleaseLockEnv } from '#lambdas/release-lock/env';
import type { Env as RequestApprovalEnv } from '#lambdas/request-approval/env';
import type { Env as ShareSettingsEnv } from '#lambdas/share-settings/env';
import type { Env as ThawBackupEnv } from '#lambdas/thaw-backup/env';
import { Machine } from './machine.ts';
import type { VaultStack } from './vault-stack.ts';
import { VerbFunction } from './verb.ts';

/** The age of a system's newest backup is measured this often. */
const measureEvery = Duration.minutes(15);

/** Verbs that keep notes of a run. */
const notingVerbs = [
  'acquire-lock',
  'plan-inspection',
  'plan-backup',
  'commit-backup',
  'choose-backup',
  'plan-restore',
  'request-approval',
  'open-backup',
  'plan-upgrade',
  'share-settings',
  'plan-rollout',
  'advance-phase',
  'explain-failure',
  'plan-undo',
] as const;

/** An alarm's threshold when a schedule has no longest gap, because it fires once. */
const onceSeconds = 400 * 86_400;

export interface ControlStackProps extends StackProps {
  readonly config: Config;
  readonly configFile: string;
  readonly storage: VaultStack;
  /** For the longest gap of schedules, which depends on when the next change of daylight saving time is. */
  readonly now: Date;
}

/** Lambdas, state machines, schedules, alarms. */
export class ControlStack extends Stack {
  constructor(scope: Construct, id: string, props: ControlStackProps) {
    super(scope, id, props);
    const { config } = props;
    const functions = this.functions(props);
    const fn = (verb: Verb) => [verb, functions[verb].function] as const;

    const runPhase = new Machine(this, 'RunPhase', { name: 'run-phase', functions: [fn('advance-phase')] })
      .stateMachine;
    const undo = new Machine(this, 'Undo', {
      name: 'undo',
      functions: [fn('plan-undo'), fn('clean-up')],
      children: [['run-phase', runPhase]],
    }).stateMachine;
    const backup = new Machine(this, 'Backup', {
      name: 'backup',
      functions: [
        fn('acquire-lock'),
        fn('plan-inspection'),
        fn('plan-backup'),
        fn('commit-backup'),
        fn('release-lock'),
        fn('explain-failure'),
      ],
      children: [
        ['run-phase', runPhase],
        ['undo', undo],
      ],
    }).stateMachine;
    const restorePuppet = new Machine(this, 'RestorePuppet', {
      name: 'restore-puppet',
      functions: [fn('prove-restore')],
      children: [['run-phase', runPhase]],
    }).stateMachine;
    const restore = new Machine(this, 'Restore', {
      name: 'restore',
      functions: [
        fn('acquire-lock'),
        fn('choose-backup'),
        fn('plan-inspection'),
        fn('plan-restore'),
        fn('request-approval'),
        fn('thaw-backup'),
        fn('open-backup'),
        fn('clean-up'),
        fn('explain-failure'),
      ],
      children: [
        ['run-phase', runPhase],
        ['backup', backup],
        ['restore-puppet', restorePuppet],
        ['undo', undo],
      ],
    }).stateMachine;
    const upgradePuppet = new Machine(this, 'UpgradePuppet', {
      name: 'upgrade-puppet',
      functions: [fn('share-settings'), fn('plan-rollout')],
      children: [['run-phase', runPhase]],
    }).stateMachine;
    const upgrade = new Machine(this, 'Upgrade', {
      name: 'upgrade',
      functions: [
        fn('acquire-lock'),
        fn('plan-inspection'),
        fn('plan-upgrade'),
        fn('request-approval'),
        fn('open-backup'),
        fn('clean-up'),
        fn('explain-failure'),
      ],
      children: [
        ['run-phase', runPhase],
        ['backup', backup],
        ['upgrade-puppet', upgradePuppet],
        ['undo', undo],
      ],
    }).stateMachine;
    const started = { backup, restore, upgrade } satisfies Record<(typeof undoneMachines)[number], StateMachine>;
    // By name: the machine itself calls this lambda, so its ARN here would close a circle.
    functions['acquire-lock'].function.addToRolePolicy(
      new PolicyStatement({
        actions: ['states:DescribeExecution'],
        resources: undoneMachines.map((machine) =>
          this.formatArn({
            service: 'states',
            resource: 'execution',
            resourceName: `${stateMachineName(machine)}:*`,
            arnFormat: ArnFormat.COLON_RESOURCE_NAME,
          }),
        ),
      }),
    );

    const failedEvents = new Queue(this, 'Undelivered', {
      queueName: 'holdfast-undelivered',
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    // An aborted or timed-out execution runs no Catch.
    new Rule(this, 'UndoAborted', {
      description: 'Undoes a run that was aborted or timed out',
      eventPattern: {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: {
          stateMachineArn: Object.values(started).map(({ stateMachineArn }) => stateMachineArn),
          status: ['ABORTED', 'TIMED_OUT'],
        },
      },
      targets: [
        new SfnStateMachine(undo, {
          input: RuleTargetInput.fromObject({ run: EventField.fromPath('$.detail.name') }),
          deadLetterQueue: failedEvents,
          retryAttempts: 8,
          maxEventAge: Duration.hours(2),
        }),
      ],
    });

    const group = new ScheduleGroup(this, 'Schedules', { scheduleGroupName: scheduleGroup });
    // A role of a name that is known: who pauses a schedule has to hand over its role again.
    const startBackups = new Role(this, 'StartBackups', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
    });
    for (const verb of ['open-backup', 'clean-up'] as const) {
      functions[verb].function.addToRolePolicy(
        new PolicyStatement({
          actions: ['scheduler:GetSchedule', 'scheduler:UpdateSchedule'],
          resources: Object.entries(config.systems).flatMap(([system, configured]) =>
            timingsOf(config, configured).map(({ name }) =>
              this.formatArn({
                service: 'scheduler',
                resource: 'schedule',
                resourceName: `${scheduleGroup}/${scheduleName(system, name)}`,
              }),
            ),
          ),
        }),
      );
      functions[verb].function.addToRolePolicy(
        new PolicyStatement({
          actions: ['iam:PassRole'],
          resources: [startBackups.roleArn],
          conditions: { StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } },
        }),
      );
    }
    for (const [system, configured] of Object.entries(config.systems))
      for (const { name, timing } of timingsOf(config, configured))
        new Schedule(this, `Schedule-${system}-${name}`, {
          scheduleName: scheduleName(system, name),
          scheduleGroup: group,
          schedule: ScheduleExpression.expression(
            schedulerExpression(timing),
            TimeZone.of('timezone' in timing ? timing.timezone : 'UTC'),
          ),
          target: new StepFunctionsStartExecution(backup, {
            role: startBackups,
            input: ScheduleTargetInput.fromObject({
              system,
              schedule: name,
              scheduledTime: ContextAttribute.scheduledTime,
            }),
            deadLetterQueue: failedEvents,
            retryAttempts: 5,
            maxEventAge: maximumAge(timing, props.now),
          }),
        });
    new Schedule(this, 'MeasureAge', {
      scheduleName: 'holdfast-measure-age',
      scheduleGroup: group,
      schedule: ScheduleExpression.rate(measureEvery),
      target: new LambdaInvoke(functions['measure-age'].function, {
        input: ScheduleTargetInput.fromObject({}),
        deadLetterQueue: failedEvents,
        retryAttempts: 2,
        maxEventAge: measureEvery,
      }),
    });

    this.alarms(props, { backup, restore, upgrade, undo, failedEvents, measureAge: functions['measure-age'] });
    new CfnOutput(this, 'RestoreStateMachine', {
      description: 'Start a restore here with {"system": "<id>", "backup": "latest"}',
      value: `https://${this.region}.console.aws.amazon.com/states/home?region=${this.region}#/statemachines/view/${restore.stateMachineArn}`,
    });
    new CfnOutput(this, 'UpgradeStateMachine', {
      description:
        'Start an upgrade here with {"system": "<id>", "version": "<version>", "installer": {"name": "…", "sha256": "…"}}',
      value: `https://${this.region}.console.aws.amazon.com/states/home?region=${this.region}#/statemachines/view/${upgrade.stateMachineArn}`,
    });
    new CfnOutput(this, 'BackupStateMachine', {
      description: 'Start a backup here with {"system": "<id>"}',
      value: `https://${this.region}.console.aws.amazon.com/states/home?region=${this.region}#/statemachines/view/${backup.stateMachineArn}`,
    });
  }

  /** One lambda per verb, each with the least that its verb needs. */
  private functions({ config, configFile, storage }: ControlStackProps): Record<Verb, VerbFunction> {
    const { vault, state } = storage;
    const STATE_BUCKET = state.bucketName;
    const VAULT_BUCKET = vault.bucketName;
    const make = (
      verb: Verb,
      environment: Record<string, string>,
      more: { configFile?: string; timeout?: Duration } = {},
    ) => new VerbFunction(this, `Verb-${verb}`, { verb, environment, ...more });
    const both = { STATE_BUCKET, VAULT_BUCKET };
    const functions = {
      'acquire-lock': make('acquire-lock', both satisfies z.input<typeof AcquireLockEnv>, { configFile }),
      'plan-inspection': make('plan-inspection', { STATE_BUCKET } satisfies z.input<typeof PlanInspectionEnv>, {
        configFile,
      }),
      'plan-backup': make('plan-backup', both satisfies z.input<typeof PlanBackupEnv>, { configFile }),
      'advance-phase': make('advance-phase', { STATE_BUCKET } satisfies z.input<typeof AdvancePhaseEnv>, {
        timeout: Duration.minutes(5),
      }),
      'commit-backup': make('commit-backup', both satisfies z.input<typeof CommitBackupEnv>, {
        configFile,
        timeout: Duration.minutes(15),
      }),
      'release-lock': make('release-lock', { STATE_BUCKET } satisfies z.input<typeof ReleaseLockEnv>),
      'explain-failure': make('explain-failure', { STATE_BUCKET } satisfies z.input<typeof ExplainFailureEnv>),
      'plan-undo': make('plan-undo', { STATE_BUCKET } satisfies z.input<typeof PlanUndoEnv>, {
        timeout: Duration.minutes(5),
      }),
      'choose-backup': make('choose-backup', both satisfies z.input<typeof ChooseBackupEnv>, {
        timeout: Duration.minutes(5),
      }),
      'plan-restore': make('plan-restore', both satisfies z.input<typeof PlanRestoreEnv>),
      'request-approval': make('request-approval', { STATE_BUCKET } satisfies z.input<typeof RequestApprovalEnv>),
      'thaw-backup': make('thaw-backup', both satisfies z.input<typeof ThawBackupEnv>, {
        timeout: Duration.minutes(15),
      }),
      'open-backup': make('open-backup', both satisfies z.input<typeof OpenBackupEnv>, {
        configFile,
        timeout: Duration.minutes(5),
      }),
      'prove-restore': make('prove-restore', both satisfies z.input<typeof ProveRestoreEnv>, {
        timeout: Duration.minutes(5),
      }),
      'plan-upgrade': make('plan-upgrade', both satisfies z.input<typeof PlanUpgradeEnv>, { configFile }),
      'share-settings': make('share-settings', both satisfies z.input<typeof ShareSettingsEnv>),
      'plan-rollout': make('plan-rollout', both satisfies z.input<typeof PlanRolloutEnv>, { configFile }),
      'clean-up': make('clean-up', both satisfies z.input<typeof CleanUpEnv>, { timeout: Duration.minutes(10) }),
      'measure-age': make('measure-age', { VAULT_BUCKET } satisfies z.input<typeof MeasureAgeEnv>, { configFile }),
    };
    const may = (verb: Verb, actions: string[], resources: string[], conditions?: Record<string, unknown>): void =>
      functions[verb].function.addToRolePolicy(
        new PolicyStatement({ actions, resources, ...(conditions && { conditions }) }),
      );
    // Without ListBucket S3 answers 403 instead of 404 for an object that is not there.
    const mayUse = (verb: Verb, bucket: Bucket, prefix: string, ...actions: string[]): void => {
      may(verb, ['s3:ListBucket'], [bucket.bucketArn]);
      may(verb, actions, [bucket.arnForObjects(`${prefix}*`)]);
      may(
        verb,
        ['kms:Decrypt', ...(actions.includes('s3:PutObject') ? ['kms:GenerateDataKey'] : [])],
        [storage.key.keyArn],
      );
    };
    for (const verb of notingVerbs) mayUse(verb, state, 'runs/', 's3:GetObject', 's3:PutObject');
    for (const verb of ['release-lock', 'clean-up', 'thaw-backup', 'prove-restore'] as const)
      mayUse(verb, state, 'runs/', 's3:GetObject');
    mayUse('acquire-lock', state, 'locks/', 's3:GetObject', 's3:PutObject');
    for (const verb of ['release-lock', 'clean-up'] as const)
      mayUse(verb, state, 'locks/', 's3:GetObject', 's3:DeleteObject');
    for (const verb of ['acquire-lock', 'plan-backup', 'clean-up', 'measure-age'] as const)
      mayUse(verb, vault, 'catalog/', 's3:GetObject');
    mayUse(
      'commit-backup',
      vault,
      'catalog/',
      's3:GetObject',
      's3:PutObject',
      's3:GetObjectTagging',
      's3:PutObjectTagging',
    );
    mayUse(
      'commit-backup',
      vault,
      'backups/',
      's3:GetObject',
      's3:GetObjectTagging',
      's3:PutObjectTagging',
      's3:AbortMultipartUpload',
    );
    mayUse(
      'clean-up',
      vault,
      'backups/',
      's3:DeleteObject',
      's3:AbortMultipartUpload',
      's3:GetObjectTagging',
      's3:PutObjectTagging',
    );
    for (const verb of ['choose-backup', 'plan-restore', 'thaw-backup', 'open-backup', 'prove-restore'] as const)
      mayUse(verb, vault, 'catalog/', 's3:GetObject');
    // HeadObject is allowed by the right to read.
    for (const verb of ['choose-backup', 'plan-restore', 'prove-restore', 'plan-upgrade', 'plan-rollout'] as const)
      mayUse(verb, vault, 'backups/', 's3:GetObject');
    mayUse('thaw-backup', vault, 'backups/', 's3:GetObject', 's3:RestoreObject');
    for (const verb of ['open-backup', 'share-settings'] as const)
      mayUse(verb, vault, 'backups/', 's3:GetObjectTagging', 's3:PutObjectTagging');
    for (const verb of ['commit-backup', 'clean-up'] as const)
      may(verb, ['s3:ListBucketMultipartUploads'], [vault.bucketArn]);

    for (const verb of ['plan-inspection', 'advance-phase'] as const)
      may(verb, ['ssm:DescribeInstanceInformation'], ['*']);
    may(
      'advance-phase',
      ['ssm:SendCommand'],
      scripts.map((script) =>
        this.formatArn({ service: 'ssm', resource: 'document', resourceName: documentName(script) }),
      ),
    );
    // Never AWS-RunShellScript, and only to instances that carry the tag of one of our systems.
    may(
      'advance-phase',
      ['ssm:SendCommand'],
      [this.formatArn({ service: 'ec2', resource: 'instance', resourceName: '*' })],
      {
        StringEquals: { [`ssm:resourceTag/${tagKeys.system}`]: Object.keys(config.systems) },
      },
    );
    // Run Command knows no resource for these.
    may('advance-phase', ['ssm:ListCommands', 'ssm:ListCommandInvocations', 'ssm:GetCommandInvocation'], ['*']);
    may('plan-undo', ['ssm:ListCommands', 'ssm:CancelCommand'], ['*']);
    return functions;
  }

  /** What wakes somebody. Each alarm has a section of its name in docs/runbook.md. */
  private alarms(
    { config, now }: ControlStackProps,
    of: {
      backup: StateMachine;
      restore: StateMachine;
      upgrade: StateMachine;
      undo: StateMachine;
      failedEvents: Queue;
      measureAge: VerbFunction;
    },
  ): void {
    const key = new Key(this, 'TopicKey', {
      description: 'Encrypts the notifications of Holdfast',
      enableKeyRotation: true,
    });
    for (const service of ['cloudwatch', 'events'])
      key.grantEncryptDecrypt(new ServicePrincipal(`${service}.amazonaws.com`));
    const topic = new Topic(this, 'Notifications', { topicName: 'holdfast', masterKey: key, enforceSSL: true });
    // A topic with a policy of its own no longer takes everything from its account: alarms must be let in by name.
    topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: {
          ArnLike: {
            'aws:SourceArn': this.formatArn({
              service: 'cloudwatch',
              resource: 'alarm',
              resourceName: 'holdfast-*',
              arnFormat: ArnFormat.COLON_RESOURCE_NAME,
            }),
          },
        },
      }),
    );
    for (const address of config.notifications.email) topic.addSubscription(new EmailSubscription(address));
    const tell = new SnsAction(topic);
    const alarm = (
      alarmName: string,
      metric: IMetric,
      threshold: number,
      alarmDescription: string,
      treatMissingData = TreatMissingData.NOT_BREACHING,
    ): void => {
      const made = new Alarm(this, `Alarm-${alarmName}`, {
        alarmName,
        alarmDescription,
        metric,
        threshold,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: 1,
        treatMissingData,
      });
      made.addAlarmAction(tell);
      made.addOkAction(tell);
    };
    for (const [system, configured] of Object.entries(config.systems)) {
      const gaps = timingsOf(config, configured).map(({ timing }) => longestGap(timing, now) / 1000);
      if (gaps.length === 0) continue;
      const threshold = Math.min(onceSeconds, Math.round(Math.min(...gaps) * 1.5));
      alarm(
        `holdfast-${system}-backup-overdue`,
        new Metric({
          namespace: ageMetric.namespace,
          metricName: ageMetric.name,
          dimensionsMap: ageMetric.dimensions(system),
          statistic: Stats.MAXIMUM,
          period: Duration.hours(1),
        }),
        threshold,
        `The newest good backup of ${system} is older than ${threshold} s, or its age is not known. See docs/runbook.md, backup-overdue.`,
        TreatMissingData.BREACHING,
      );
    }
    const period = Duration.minutes(5);
    alarm(
      'holdfast-backup-failed',
      of.backup.metricFailed({ period }),
      0,
      'A backup failed and was undone. See docs/runbook.md, backup-failed.',
    );
    alarm(
      'holdfast-restore-failed',
      of.restore.metricFailed({ period }),
      0,
      'A restore failed and was undone. See docs/runbook.md, restore-failed.',
    );
    alarm(
      'holdfast-upgrade-failed',
      of.upgrade.metricFailed({ period }),
      0,
      'An upgrade failed and was stopped where it was. See docs/runbook.md, upgrade-failed.',
    );
    alarm(
      'holdfast-undo-failed',
      of.undo.metricFailed({ period }),
      0,
      'The traces of a failed run could not be removed: services may be down. See docs/runbook.md, undo-failed.',
    );
    // An alarm says that something failed; this says what, why and where to look.
    new Rule(this, 'TellOfFailure', {
      description: 'Tells of each backup, restore, upgrade or undoing that did not succeed',
      eventPattern: {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: {
          stateMachineArn: [of.backup, of.restore, of.upgrade, of.undo].map(({ stateMachineArn }) => stateMachineArn),
          status: ['FAILED', 'TIMED_OUT', 'ABORTED'],
        },
      },
      targets: [
        new SnsTopic(topic, {
          message: RuleTargetInput.fromText(
            [
              `Holdfast: ${EventField.fromPath('$.detail.name')} ended as ${EventField.fromPath('$.detail.status')}.`,
              `${EventField.fromPath('$.detail.error')}: ${EventField.fromPath('$.detail.cause')}`,
              `Its input was ${EventField.fromPath('$.detail.input')}`,
              `https://${this.region}.console.aws.amazon.com/states/home?region=${this.region}#/v2/executions/details/${EventField.fromPath('$.detail.executionArn')}`,
              'What to do: docs/runbook.md, backup-failed, restore-failed, upgrade-failed or undo-failed.',
            ].join('\n'),
          ),
          deadLetterQueue: of.failedEvents,
        }),
      ],
    });
    alarm(
      'holdfast-event-undelivered',
      of.failedEvents.metricApproximateNumberOfMessagesVisible({ period, statistic: Stats.MAXIMUM }),
      0,
      'A schedule or rule could not start what it should. See docs/runbook.md, event-undelivered.',
    );
    alarm(
      'holdfast-measure-age-failed',
      of.measureAge.function.metricErrors({ period: Duration.hours(1) }),
      0,
      'The age of backups could not be measured. See docs/runbook.md, measure-age-failed.',
    );
    new CfnOutput(this, 'NotificationTopic', { value: topic.topicArn });
  }
}

/** How late a schedule may still start its backup: half the time to its next slot, from a minute to an hour. */
const maximumAge = (timing: Timing, now: Date): Duration =>
  Duration.seconds(Math.round(Math.min(3600, Math.max(60, longestGap(timing, now) / 2000))));
