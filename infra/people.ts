import { ArnFormat, type Stack } from 'aws-cdk-lib';
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { VaultStack } from './vault-stack.ts';

export interface PeopleProps {
  readonly storage: VaultStack;
  /** What people start and stop. */
  readonly started: readonly StateMachine[];
}

/** What people are granted by attaching a managed policy: docs/reference/iam.md has the table, and a test holds both together. */
export const addPeople = (
  stack: Stack,
  { storage: { vault, state, key, manifestKey }, started }: PeopleProps,
): void => {
  const ours = (resource: 'stateMachine' | 'execution', name: string): string =>
    stack.formatArn({
      service: 'states',
      resource,
      resourceName: `${name}${resource === 'execution' ? ':*' : ''}`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  const policy = (name: string, description: string, statements: PolicyStatement[]): ManagedPolicy =>
    new ManagedPolicy(stack, `People-${name}`, { managedPolicyName: `holdfast-${name}`, description, statements });
  const allow = (
    actions: string[],
    resources: string[],
    conditions?: Readonly<Record<string, Readonly<Record<string, string | string[]>>>>,
  ): PolicyStatement => new PolicyStatement({ actions, resources, ...(conditions && { conditions }) });
  // A bucket of that name that is another account's is not ours, however it came to be.
  const inBuckets = (actions: string[], resources: string[]): PolicyStatement =>
    allow(actions, resources, { StringEquals: { 'aws:ResourceAccount': stack.account } });
  const withKeyOf = (action: string, ...buckets: (typeof vault)[]): PolicyStatement =>
    allow([action], [key.keyArn], {
      StringEquals: { 'kms:ViaService': `s3.${stack.region}.amazonaws.com` },
      StringLike: {
        'kms:EncryptionContext:aws:s3:arn': buckets.flatMap((bucket) => [bucket.bucketArn, bucket.arnForObjects('*')]),
      },
    });

  policy('viewers', 'See what Holdfast does and has done', [
    allow(['states:ListStateMachines'], ['*']),
    allow(['states:ListExecutions'], [ours('stateMachine', 'holdfast-*')]),
    allow(['states:DescribeExecution', 'states:GetExecutionHistory'], [ours('execution', 'holdfast-*')]),
    inBuckets(['s3:ListBucket', 's3:ListBucketMultipartUploads'], [vault.bucketArn, state.bucketArn]),
    inBuckets(['s3:ListMultipartUploadParts'], [vault.arnForObjects('backups/*')]),
    inBuckets(
      ['s3:GetObject', 's3:GetObjectTagging'],
      [
        vault.arnForObjects('catalog/*'),
        ...['runs/*', 'locks/*', 'deployed/*'].map((keys) => state.arnForObjects(keys)),
      ],
    ),
    withKeyOf('kms:Decrypt', vault, state),
    allow(['kms:VerifyMac'], [manifestKey.keyArn]),
  ]);
  policy('operators', 'Start and stop backups, restores, upgrades and verifications; hold backups', [
    allow(
      ['states:StartExecution'],
      started.map(({ stateMachineArn }) => stateMachineArn),
    ),
    allow(['states:StopExecution', 'states:RedriveExecution'], [ours('execution', 'holdfast-*')]),
  ]);
  policy('approvers', 'Approve and reject restores and upgrades', [
    // IAM fills in who asks: nobody decides in another one's name.
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable of IAM.
    inBuckets(['s3:PutObject'], [state.arnForObjects('decisions/*/${aws:userid}.json')]),
    withKeyOf('kms:GenerateDataKey', state),
    // A task's token names it; this action knows no resource.
    allow(['states:SendTaskSuccess'], ['*']),
  ]);
};
