import { ArnFormat, Stack } from 'aws-cdk-lib';
import { EventBus } from 'aws-cdk-lib/aws-events';
import { PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { type Grants, type Right, signaturesOf, type VerbContract } from '#domain/contracts/verb';
import { documentName, scheduleGroup, stateMachineName, tagKeys, undoneMachines } from '#domain/naming';
import type { DeadRuns, Executions, Notices, RunCommand, Signatures, Tasks } from '#domain/ports';
import { documents } from '#domain/systems/documents';
import type { Notifications } from './notifications.ts';

/** What rows of verbs are about. */
export interface Reachable {
  readonly vault: Bucket;
  readonly state: Bucket;
  readonly key: IKey;
  /** Signs manifests. */
  readonly manifestKey: IKey;
  /** Signs the tickets of commands. */
  readonly ticketKey: IKey;
  readonly notifications: Notifications;
  /** The role of the schedules: who changes one has to hand over its role again. */
  readonly startBackups: Role;
  /** The names of the configured systems. */
  readonly systems: readonly string[];
}

/** What a right takes on objects. */
const objectActions: Readonly<Record<Right, readonly string[]>> = {
  list: [],
  read: ['s3:GetObject'],
  write: ['s3:PutObject'],
  delete: ['s3:DeleteObject'],
  discard: ['s3:PutObjectTagging', 's3:DeleteObject'],
  tag: ['s3:GetObjectTagging', 's3:PutObjectTagging'],
  'tag-versions': ['s3:GetObjectVersionTagging', 's3:PutObjectVersionTagging'],
  'list-versions': [],
  'read-versions': ['s3:GetObjectVersion'],
  lock: ['s3:PutObjectRetention'],
  hold: ['s3:PutObjectLegalHold'],
  thaw: ['s3:RestoreObject'],
  'list-uploads': [],
  'abort-uploads': ['s3:AbortMultipartUpload'],
};

/** What a right takes on the bucket itself. Without ListBucket S3 answers 403 instead of 404 for an object that is not there. */
const bucketActions: Readonly<Partial<Record<Right, string>>> = {
  list: 's3:ListBucket',
  read: 's3:ListBucket',
  'list-uploads': 's3:ListBucketMultipartUploads',
  'abort-uploads': 's3:ListBucketMultipartUploads',
};

/** What a right takes on the key. */
const keyActions: Readonly<Partial<Record<Right, string>>> = {
  read: 'kms:Decrypt',
  'read-versions': 'kms:Decrypt',
  write: 'kms:GenerateDataKey',
};

const unique = (texts: readonly (string | undefined)[]): string[] => [
  ...new Set(texts.filter((text) => text !== undefined)),
];

const statement = (
  actions: readonly string[],
  resources: readonly string[],
  conditions?: Record<string, unknown>,
): readonly PolicyStatement[] =>
  actions.length === 0
    ? []
    : [new PolicyStatement({ actions: [...actions], resources: [...resources], ...(conditions && { conditions }) })];

/** What grants take in one of our buckets. A bucket of that name that is another account's is not ours, however it came to be. */
const inBucket = (grants: Grants, bucket: Bucket, key: IKey): readonly PolicyStatement[] => {
  const { account, region } = Stack.of(bucket);
  const ours = { StringEquals: { 'aws:ResourceAccount': account } };
  const rights = Object.values(grants).flat();
  return [
    ...statement(unique(rights.map((right) => bucketActions[right])), [bucket.bucketArn], ours),
    ...Object.entries(grants).flatMap(([pattern, granted]) => [
      ...statement(
        unique(granted.flatMap((right) => objectActions[right])),
        [bucket.arnForObjects(pattern.endsWith('/') ? `${pattern}*` : pattern)],
        ours,
      ),
      ...statement(granted.includes('list-versions') ? ['s3:ListBucketVersions'] : [], [bucket.bucketArn], {
        ...ours,
        StringLike: { 's3:prefix': `${pattern}*` },
      }),
    ]),
    ...statement(unique(rights.map((right) => keyActions[right])), [key.keyArn], {
      StringEquals: { 'kms:ViaService': `s3.${region}.amazonaws.com` },
      StringLike: { 'kms:EncryptionContext:aws:s3:arn': [bucket.bucketArn, bucket.arnForObjects('*')] },
    }),
  ];
};

/** Sends our documents, never AWS-RunShellScript, and only to instances that carry the tag of one of our systems; and makes their tickets. */
const sending = (stack: Stack, { systems, ticketKey }: Reachable): readonly PolicyStatement[] => [
  ...statement(['kms:Sign'], [ticketKey.keyArn]),
  ...statement(
    ['ssm:SendCommand'],
    documents.map(({ name }) => stack.formatArn({ service: 'ssm', resource: 'document', resourceName: name })),
  ),
  ...statement(['ssm:SendCommand'], [stack.formatArn({ service: 'ec2', resource: 'instance', resourceName: '*' })], {
    StringEquals: { [`ssm:resourceTag/${tagKeys.system}`]: [...systems] },
  }),
];

/** Version and hash of our documents, by their one prefix: seven policies with a line for each would be as long as all others together. */
const describing = (stack: Stack): readonly PolicyStatement[] =>
  statement(
    ['ssm:DescribeDocument'],
    [stack.formatArn({ service: 'ssm', resource: 'document', resourceName: `${documentName('')}*` })],
  );

/** What the methods of Run Command take beside sending and describing. It knows no resource for these. */
const commandActions: Readonly<Record<keyof RunCommand, readonly string[]>> = {
  document: [],
  nodes: ['ssm:DescribeInstanceInformation'],
  send: [],
  find: ['ssm:ListCommands'],
  invocations: ['ssm:ListCommandInvocations', 'ssm:GetCommandInvocation'],
  progress: ['ssm:ListCommands'],
  failures: ['ssm:ListCommandInvocations', 'ssm:GetCommandInvocation'],
  cancel: ['ssm:CancelCommand'],
};

/** What the methods of executions take on executions. */
const executionActions: Readonly<Partial<Record<keyof (Executions & DeadRuns), string>>> = {
  isRunning: 'states:DescribeExecution',
  endedAt: 'states:DescribeExecution',
  hasStarted: 'states:GetExecutionHistory',
};

/** By name: machines call these lambdas, so that their ARNs here would close a circle. */
const onExecutions = (
  stack: Stack,
  methods: readonly (keyof (Executions & DeadRuns))[],
): readonly PolicyStatement[] => {
  const arn = (resource: 'execution' | 'stateMachine', resourceName: string): string =>
    stack.formatArn({ service: 'states', resource, resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
  return [
    ...statement(
      unique(methods.map((method) => executionActions[method])),
      undoneMachines.map((machine) => arn('execution', `${stateMachineName(machine)}:*`)),
    ),
    ...statement(methods.includes('undo') ? ['states:StartExecution'] : [], [
      arn('stateMachine', stateMachineName('undo')),
    ]),
  ];
};

/** The group, whose schedules are all ours: one for each of them would outgrow what a policy may hold. */
const onSchedules = (stack: Stack, startBackups: Role): readonly PolicyStatement[] => [
  ...statement(
    ['scheduler:GetSchedule', 'scheduler:UpdateSchedule'],
    [stack.formatArn({ service: 'scheduler', resource: 'schedule', resourceName: `${scheduleGroup}/*` })],
  ),
  ...statement(['iam:PassRole'], [startBackups.roleArn], {
    StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' },
  }),
];

const signatureActions: Readonly<Record<keyof Signatures, string>> = {
  sign: 'kms:GenerateMac',
  holds: 'kms:VerifyMac',
};

/** A task's token names it; these actions know no resource. */
const taskActions: Readonly<Record<keyof Tasks, string>> = {
  succeed: 'states:SendTaskSuccess',
  fail: 'states:SendTaskFailure',
};

const grantNotices = (
  lambda: LambdaFunction,
  methods: readonly (keyof Notices)[],
  { notifications }: Reachable,
): void => {
  if (methods.includes('mail')) notifications.grantPublish(lambda);
  const bus = EventBus.fromEventBusName(lambda, 'Bus', 'default');
  for (const one of statement(methods.includes('publish') ? ['events:PutEvents'] : [], [bus.eventBusArn]))
    lambda.addToRolePolicy(one);
};

/** Lets a verb's lambda do what its row says, and no more. */
export const grantRow = (lambda: LambdaFunction, row: VerbContract, to: Reachable): void => {
  const stack = Stack.of(lambda);
  const { state, vault, runCommand = [], executions, schedules, tasks = [], notices } = row;
  const statements = [
    ...(state ? inBucket(state, to.state, to.key) : []),
    ...(vault ? inBucket(vault, to.vault, to.key) : []),
    ...(runCommand.includes('send') ? sending(stack, to) : []),
    ...(runCommand.includes('document') ? describing(stack) : []),
    ...statement(unique(runCommand.flatMap((method) => commandActions[method])), ['*']),
    ...(executions ? onExecutions(stack, executions) : []),
    ...(schedules ? onSchedules(stack, to.startBackups) : []),
    ...statement(
      signaturesOf(row).map((method) => signatureActions[method]),
      [to.manifestKey.keyArn],
    ),
    ...statement(
      tasks.map((method) => taskActions[method]),
      ['*'],
    ),
  ];
  for (const one of statements) lambda.addToRolePolicy(one);
  if (notices) grantNotices(lambda, notices, to);
};
