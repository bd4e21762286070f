import { Stack, type StackProps } from 'aws-cdk-lib';
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { Config } from '#domain/config';
import { stateKeys, tagKeys, vaultKeys } from '#domain/naming';
import type { VaultStack } from './vault-stack.ts';

/** What nodes may do in the vault: write below their own system's prefix, and read what a restore has tagged. */
export class NodesStack extends Stack {
  constructor(
    scope: Construct,
    id: string,
    props: StackProps & { readonly config: Config; readonly storage: VaultStack },
  ) {
    super(scope, id, props);
    const { config, storage } = props;
    for (const system of Object.keys(config.systems)) {
      const own = storage.vault.arnForObjects(`${vaultKeys.system(system)}*`);
      new ManagedPolicy(this, `NodePolicy-${system}`, {
        managedPolicyName: `holdfast-node-${system}`,
        description: `For the instance profiles of the nodes of ${system}, beside AmazonSSMManagedInstanceCore`,
        statements: [
          // Whoever begins an upload may take it back: only its beginner knows its id.
          new PolicyStatement({
            sid: 'WriteOwnBackups',
            actions: ['s3:PutObject', 's3:AbortMultipartUpload'],
            resources: [own],
          }),
          new PolicyStatement({
            sid: 'ReadWhatARestoreTagged',
            actions: ['s3:GetObject', 's3:GetObjectVersion'],
            resources: [own],
            conditions: { StringEquals: { [`s3:ExistingObjectTag/${tagKeys.restore}`]: system } },
          }),
          // What a node has to say of thousands of files is longer than Run Command takes.
          new PolicyStatement({
            sid: 'HandOverAnswers',
            actions: ['s3:PutObject'],
            resources: [storage.state.arnForObjects(`${stateKeys.answersOf(system)}*`)],
          }),
          new PolicyStatement({
            sid: 'EncryptThroughS3',
            // Decrypt: S3 reads the parts of a multipart upload back when it completes the object.
            actions: ['kms:GenerateDataKey', 'kms:Decrypt'],
            resources: [storage.key.keyArn],
            conditions: { StringEquals: { 'kms:ViaService': `s3.${this.region}.amazonaws.com` } },
          }),
        ],
      });
    }
  }
}
