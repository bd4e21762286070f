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
  const allow = (actions: string[], resources: string[]): PolicyStatement =>
    new PolicyStatement({ actions, resources });

  policy('viewers', 'See what Holdfast does and has done', [
    allow(['states:ListStateMachines'], ['*']),
    allow(['states:ListExecutions'], [ours('stateMachine', 'holdfast-*')]),
    allow(['states:DescribeExecution', 'states:GetExecutionHistory'], [ours('execution', 'holdfast-*')]),
    allow(['s3:ListBucket', 's3:ListBucketMultipartUploads'], [vault.bucketArn, state.bucketArn]),
    allow(['s3:ListMultipartUploadParts'], [vault.arnForObjects('backups/*')]),
    allow(
      ['s3:GetObject', 's3:GetObjectTagging'],
      [
        vault.arnForObjects('catalog/*'),
        ...['runs/*', 'locks/*', 'deployed/*'].map((keys) => state.arnForObjects(keys)),
      ],
    ),
    allow(['kms:Decrypt'], [key.keyArn]),
    allow(['kms:VerifyMac'], [manifestKey.keyArn]),
  ]);
  policy('operators', 'Start and stop backups, restores, upgrades and verifications; hold backups', [
    allow(
      ['states:StartExecution'],
      started.map(({ stateMachineArn }) => stateMachineArn),
    ),
    allow(['states:StopExecution', 'states:RedriveExecution'], [ours('execution', 'holdfast-*')]),
    allow(['s3:PutObject'], [vault.arnForObjects('catalog/*.history.json')]),
    allow(['s3:PutObjectTagging'], [vault.arnForObjects('catalog/*')]),
    allow(['s3:GetObjectVersionTagging', 's3:PutObjectVersionTagging'], [vault.arnForObjects('backups/*')]),
    allow(['kms:GenerateDataKey'], [key.keyArn]),
  ]);
  // A task's token names it; these actions know no resource.
  policy('approvers', 'Approve and reject restores and upgrades', [
    allow(['states:SendTaskSuccess', 'states:SendTaskFailure'], ['*']),
  ]);
};
