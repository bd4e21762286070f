import { ArnFormat, CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { EventBus, EventField, Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { LambdaFunction, SfnStateMachine } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import type * as z from 'zod';
import type { Config } from '#domain/config';
import {
  scheduleGroup,
  stateKeys,
  stateMachineName,
  tagKeys,
  undoneMachines,
  type Verb,
  vaultKeys,
} from '#domain/naming';
import { documents } from '#domain/systems/documents';
import type { Env as AcquireLockEnv } from '#lambdas/acquire-lock/env';
import type { Env as AdvancePhaseEnv } from '#lambdas/advance-phase/env';
import type { Env as ChooseBackupEnv } from '#lambdas/choose-backup/env';
import type { Env as CleanUpEnv } from '#lambdas/clean-up/env';
import type { Env as CommitBackupEnv } from '#lambdas/commit-backup/env';
import type { Env as ConcludeCheckEnv } from '#lambdas/conclude-check/env';
import type { Env as ExplainFailureEnv } from '#lambdas/explain-failure/env';
import type { Env as JanitorEnv } from '#lambdas/janitor/env';
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
import type { Env as TellEndEnv } from '#lambdas/tell-end/env';
import type { Env as ThawBackupEnv } from '#lambdas/thaw-backup/env';
import type { Env as VerifyBackupEnv } from '#lambdas/verify-backup/env';
import type { Machines } from './alarms.ts';
import { Machine } from './machine.ts';
import { Notifications } from './notifications.ts';
import { addPeople } from './people.ts';
import type { VaultStack } from './vault-stack.ts';
import { VerbFunction } from './verb.ts';

/** Verbs that keep notes of a run. */
const notingVerbs = [
  'acquire-lock',
  'plan-inspection',
  'plan-backup',
  'conclude-check',
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
  'verify-backup',
] as const;

/** What changing an object's tag takes. */
const tidies = ['s3:GetObjectTagging', 's3:PutObjectTagging'];

/** The same for a version by its id. */
const tidiesVersions = ['s3:GetObjectVersionTagging', 's3:PutObjectVersionTagging'];

export interface ControlStackProps extends StackProps {
  readonly config: Config;
  readonly configFile: string;
  readonly storage: VaultStack;
}

/** Lambdas, state machines, rules, notifications, what people are granted. */
export class ControlStack extends Stack {
  readonly machines: Machines;
  readonly topic: Topic;
  readonly undelivered: Queue;
  readonly measureAge: VerbFunction;
  readonly janitor: VerbFunction;
  /** Of the schedules; who pauses one has to hand over its role again. */
  readonly startBackups: Role;

  constructor(scope: Construct, id: string, props: ControlStackProps) {
    super(scope, id, props);
    const { config } = props;
    const notifications = new Notifications(this, config);
    const functions = this.functions(props, notifications);
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
        fn('conclude-check'),
        fn('commit-backup'),
        fn('release-lock'),
        fn('explain-failure'),
        fn('fail-run'),
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
    const restoreJuju = new Machine(this, 'RestoreJuju', {
      name: 'restore-juju',
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
        fn('fail-run'),
      ],
      children: [
        ['run-phase', runPhase],
        ['backup', backup],
        ['restore-puppet', restorePuppet],
        ['restore-juju', restoreJuju],
        ['undo', undo],
      ],
    }).stateMachine;
    const upgradePuppet = new Machine(this, 'UpgradePuppet', {
      name: 'upgrade-puppet',
      functions: [fn('share-settings'), fn('plan-rollout')],
      children: [['run-phase', runPhase]],
    }).stateMachine;
    const upgradeJuju = new Machine(this, 'UpgradeJuju', {
      name: 'upgrade-juju',
      functions: [],
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
        fn('fail-run'),
      ],
      children: [
        ['run-phase', runPhase],
        ['backup', backup],
        ['upgrade-puppet', upgradePuppet],
        ['upgrade-juju', upgradeJuju],
        ['undo', undo],
      ],
    }).stateMachine;
    const verify = new Machine(this, 'Verify', { name: 'verify', functions: [fn('verify-backup')] }).stateMachine;
    const started = { backup, restore, upgrade } satisfies Record<(typeof undoneMachines)[number], StateMachine>;
    // By name: the machine itself calls this lambda, so its ARN here would close a circle.
    for (const verb of ['acquire-lock', 'janitor'] as const)
      functions[verb].function.addToRolePolicy(
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
    undo.grantStartExecution(functions.janitor.function);

    const failedEvents = new Queue(this, 'Undelivered', {
      queueName: 'holdfast-undelivered',
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    // What endedUncaught says in one sentence takes two rules.
    const undoes = (id: string, description: string, ended: Record<string, unknown>): Rule =>
      new Rule(this, id, {
        description,
        eventPattern: {
          source: ['aws.states'],
          detailType: ['Step Functions Execution Status Change'],
          detail: { stateMachineArn: Object.values(started).map(({ stateMachineArn }) => stateMachineArn), ...ended },
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
    undoes('UndoAborted', 'Undoes a run that was aborted or timed out', { status: ['ABORTED', 'TIMED_OUT'] });
    // States.ALL catches neither States.Runtime nor States.DataLimitExceeded, nor a history that is full.
    undoes('UndoUncaught', 'Undoes a run that failed with an error of AWS that nothing catches', {
      status: ['FAILED'],
      error: [{ prefix: 'States.' }],
    });

    // A role of a name that is known: who pauses a schedule has to hand over its role again.
    this.startBackups = new Role(this, 'StartBackups', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
    });
    for (const verb of ['open-backup', 'clean-up'] as const) {
      functions[verb].function.addToRolePolicy(
        new PolicyStatement({
          actions: ['scheduler:GetSchedule', 'scheduler:UpdateSchedule'],
          // The group, whose schedules are all ours: one for each of them would outgrow what a policy may hold.
          resources: [
            this.formatArn({ service: 'scheduler', resource: 'schedule', resourceName: `${scheduleGroup}/*` }),
          ],
        }),
      );
      functions[verb].function.addToRolePolicy(
        new PolicyStatement({
          actions: ['iam:PassRole'],
          resources: [this.startBackups.roleArn],
          conditions: { StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } },
        }),
      );
    }
    this.machines = { backup, restore, upgrade, verify, undo };
    this.topic = notifications.topic;
    this.undelivered = failedEvents;
    this.measureAge = functions['measure-age'];
    this.janitor = functions.janitor;
    addPeople(this, { storage: props.storage, started: [backup, restore, upgrade, verify] });
    // An alarm says that something failed; this says what, why and where to look, and tells programs of every end.
    functions['tell-end'].function.configureAsyncInvoke({
      onFailure: new SqsDestination(failedEvents),
      maxEventAge: Duration.hours(6),
      retryAttempts: 2,
    });
    new Rule(this, 'TellEnds', {
      description: 'Tells of the end of each run',
      eventPattern: {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: {
          stateMachineArn: Object.values(this.machines).map(({ stateMachineArn }) => stateMachineArn),
          status: ['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED'],
        },
      },
      targets: [
        new LambdaFunction(functions['tell-end'].function, {
          deadLetterQueue: failedEvents,
          retryAttempts: 8,
          maxEventAge: Duration.hours(6),
        }),
      ],
    });
    const startedHere = (id: string, { stateMachineArn }: StateMachine, description: string): CfnOutput =>
      new CfnOutput(this, id, {
        description,
        value: `https://${this.region}.console.aws.amazon.com/states/home?region=${this.region}#/statemachines/view/${stateMachineArn}`,
      });
    startedHere('RestoreStateMachine', restore, 'Start a restore here with {"system": "<id>", "backup": "latest"}');
    startedHere(
      'UpgradeStateMachine',
      upgrade,
      'Start an upgrade here with {"system": "<id>", "version": "<version>", "installer": {"name": "…", "sha256": "…"}}',
    );
    startedHere('BackupStateMachine', backup, 'Start a backup here with {"system": "<id>"}');
  }

  /** One lambda per verb, each with the least that its verb needs. */
  private functions(
    { config, configFile, storage }: ControlStackProps,
    notifications: Notifications,
  ): Record<Verb, VerbFunction> {
    const { vault, state } = storage;
    const STATE_BUCKET = state.bucketName;
    const VAULT_BUCKET = vault.bucketName;
    const make = (
      verb: Verb,
      environment: Record<string, string>,
      more: { configFile?: string; timeout?: Duration; memorySize?: number } = {},
    ) => new VerbFunction(this, `Verb-${verb}`, { verb, environment, ...more });
    const both = { STATE_BUCKET, VAULT_BUCKET };
    const functions = {
      'acquire-lock': make('acquire-lock', both satisfies z.input<typeof AcquireLockEnv>, { configFile }),
      'plan-inspection': make('plan-inspection', { STATE_BUCKET } satisfies z.input<typeof PlanInspectionEnv>, {
        configFile,
      }),
      'plan-backup': make('plan-backup', both satisfies z.input<typeof PlanBackupEnv>, { configFile }),
      'conclude-check': make('conclude-check', both satisfies z.input<typeof ConcludeCheckEnv>, { configFile }),
      'advance-phase': make('advance-phase', { STATE_BUCKET } satisfies z.input<typeof AdvancePhaseEnv>, {
        timeout: Duration.minutes(5),
      }),
      'commit-backup': make('commit-backup', both satisfies z.input<typeof CommitBackupEnv>, {
        configFile,
        timeout: Duration.minutes(15),
      }),
      'release-lock': make('release-lock', { STATE_BUCKET } satisfies z.input<typeof ReleaseLockEnv>),
      'explain-failure': make('explain-failure', { STATE_BUCKET } satisfies z.input<typeof ExplainFailureEnv>),
      'fail-run': make('fail-run', {}),
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
      janitor: make('janitor', both satisfies z.input<typeof JanitorEnv>, {
        configFile,
        timeout: Duration.minutes(15),
      }),
      'tell-end': make(
        'tell-end',
        { ...both, TOPIC_ARN: notifications.topic.topicArn } satisfies z.input<typeof TellEndEnv>,
        { configFile },
      ),
      // Reading 85 MB/s, which one connection to S3 gives, and hashing it takes a whole processor.
      'verify-backup': make('verify-backup', both satisfies z.input<typeof VerifyBackupEnv>, {
        timeout: Duration.minutes(15),
        memorySize: 1769,
      }),
      'measure-age': make('measure-age', both satisfies z.input<typeof MeasureAgeEnv>, { configFile }),
    };
    const may = (verb: Verb, actions: string[], resources: string[], conditions?: Record<string, unknown>): void =>
      functions[verb].function.addToRolePolicy(
        new PolicyStatement({ actions, resources, ...(conditions && { conditions }) }),
      );
    // A bucket of that name that is another account's is not ours, however it came to be.
    const ours = { StringEquals: { 'aws:ResourceAccount': this.account } };
    const mayOn = (verb: Verb, bucket: Bucket, prefix: string, ...actions: string[]): void =>
      may(verb, actions, [bucket.arnForObjects(`${prefix}*`)], ours);
    // Sizes and versions, which are no content.
    const mayListVersions = (verb: Verb, prefix: string): void =>
      may(verb, ['s3:ListBucketVersions'], [vault.bucketArn], { ...ours, StringLike: { 's3:prefix': `${prefix}*` } });
    const mayUseKeyOf = (verb: Verb, bucket: Bucket, ...actions: string[]): void =>
      may(verb, actions, [storage.key.keyArn], {
        StringEquals: { 'kms:ViaService': `s3.${this.region}.amazonaws.com` },
        StringLike: { 'kms:EncryptionContext:aws:s3:arn': [bucket.bucketArn, bucket.arnForObjects('*')] },
      });
    // Without ListBucket S3 answers 403 instead of 404 for an object that is not there.
    const mayUse = (verb: Verb, bucket: Bucket, prefix: string, ...actions: string[]): void => {
      may(verb, ['s3:ListBucket'], [bucket.bucketArn], ours);
      mayOn(verb, bucket, prefix, ...actions);
      mayUseKeyOf(verb, bucket, 'kms:Decrypt', ...(actions.includes('s3:PutObject') ? ['kms:GenerateDataKey'] : []));
    };
    const [backups, installers, catalog] = ['backups/', 'installers/', vaultKeys.catalogs];
    for (const verb of notingVerbs) mayUse(verb, state, 'runs/', 's3:GetObject', 's3:PutObject');
    for (const verb of ['release-lock', 'clean-up', 'thaw-backup', 'prove-restore'] as const)
      mayUse(verb, state, 'runs/', 's3:GetObject');
    mayUse('advance-phase', state, 'answers/', 's3:GetObject');
    mayUse('acquire-lock', state, 'locks/', 's3:GetObject', 's3:PutObject');
    for (const verb of ['release-lock', 'clean-up'] as const)
      mayUse(verb, state, 'locks/', 's3:GetObject', 's3:DeleteObject');
    for (const verb of ['acquire-lock', 'plan-backup', 'clean-up', 'measure-age'] as const)
      mayUse(verb, vault, catalog, 's3:GetObject');
    mayUse('commit-backup', vault, catalog, 's3:GetObject', 's3:PutObject', ...tidies);
    mayListVersions('commit-backup', backups);
    mayOn('commit-backup', vault, backups, ...tidiesVersions, 's3:AbortMultipartUpload');
    mayOn('clean-up', vault, backups, ...tidiesVersions, 's3:PutObjectTagging');
    mayOn('clean-up', vault, backups, 's3:DeleteObject', 's3:AbortMultipartUpload');
    mayOn('clean-up', vault, installers, ...tidiesVersions);
    for (const verb of ['choose-backup', 'plan-restore', 'thaw-backup', 'prove-restore'] as const)
      mayUse(verb, vault, catalog, 's3:GetObject');
    for (const verb of ['choose-backup', 'thaw-backup'] as const) mayListVersions(verb, backups);
    for (const verb of ['plan-restore', 'prove-restore', 'plan-upgrade', 'plan-rollout'] as const)
      mayListVersions(verb, installers);
    mayOn('thaw-backup', vault, backups, 's3:RestoreObject');
    // The one lambda that reads what the backups hold.
    mayListVersions('verify-backup', backups);
    mayOn('verify-backup', vault, backups, 's3:GetObjectVersion');
    mayUse('verify-backup', vault, catalog, 's3:GetObject', 's3:PutObject', ...tidies);
    for (const prefix of [backups, installers]) mayOn('open-backup', vault, prefix, ...tidiesVersions);
    mayListVersions('share-settings', backups);
    mayOn('share-settings', vault, `${backups}*/upgrades/`, ...tidiesVersions);
    mayUse('tell-end', state, 'runs/', 's3:GetObject');
    mayUse('tell-end', vault, catalog, 's3:GetObject');
    notifications.grantPublish(functions['tell-end'].function);
    may('tell-end', ['events:PutEvents'], [EventBus.fromEventBusName(this, 'Bus', 'default').eventBusArn]);
    mayUse('janitor', state, 'locks/', 's3:GetObject');
    mayListVersions('janitor', backups);
    mayOn('janitor', vault, backups, ...tidiesVersions, 's3:PutObjectTagging');
    mayOn('janitor', vault, backups, 's3:DeleteObject', 's3:AbortMultipartUpload');
    mayUse('janitor', vault, catalog, ...tidies, 's3:GetObject', 's3:PutObject');
    may('measure-age', ['s3:PutObject'], [state.arnForObjects(stateKeys.deployed)], ours);
    mayUseKeyOf('measure-age', state, 'kms:GenerateDataKey');
    for (const verb of ['commit-backup', 'clean-up', 'janitor', 'measure-age'] as const)
      may(verb, ['s3:ListBucketMultipartUploads'], [vault.bucketArn], ours);

    for (const verb of ['plan-inspection', 'advance-phase'] as const)
      may(verb, ['ssm:DescribeInstanceInformation'], ['*']);
    may(
      'advance-phase',
      ['ssm:SendCommand'],
      documents.map(({ name }) => this.formatArn({ service: 'ssm', resource: 'document', resourceName: name })),
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
    // A task's token names it; these actions know no resource.
    may('fail-run', ['states:SendTaskSuccess', 'states:SendTaskFailure'], ['*']);
    return functions;
  }
}
