import { everyReader, stateKeys, tagKeys, vaultKeys } from './naming.ts';

/** What a node may do. The managed policy of its instance profile is made of this, and the lab judges by it. */

export interface NodeStatement {
  readonly sid: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  /** Values by key, by operator. */
  readonly conditions: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

export interface Place {
  readonly vaultArn: string;
  readonly stateArn: string;
  readonly keyArn: string;
  readonly account: string;
  readonly region: string;
}

/** The ARN of the instance whose profile a request is signed with; nothing that runs on the instance can choose another. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable of IAM.
const self = '${ec2:SourceInstanceARN}';

/** The statements of the nodes of a system. */
export const nodeStatements = (
  { vaultArn, stateArn, keyArn, account, region }: Place,
  system: string,
): readonly NodeStatement[] => {
  const ours = { 'aws:ResourceAccount': account };
  return [
    {
      // Whoever begins an upload may take it back: only its beginner knows its id.
      sid: 'WriteOwnKeys',
      actions: ['s3:AbortMultipartUpload', 's3:PutObject'],
      resources: [`${vaultArn}/${vaultKeys.system(system)}*/${self}/*`],
      conditions: { StringEquals: ours },
    },
    {
      // By its version: what was written over it is not what a plan has named.
      sid: 'ReadWhatARunOpened',
      actions: ['s3:GetObjectVersion'],
      resources: [`${vaultArn}/${vaultKeys.system(system)}*`],
      conditions: {
        StringEquals: ours,
        StringLike: { [`s3:ExistingObjectTag/${tagKeys.restore}`]: `*@${self}@*` },
      },
    },
    {
      sid: 'ReadInstallersThatARunOpened',
      actions: ['s3:GetObjectVersion'],
      resources: [`${vaultArn}/${vaultKeys.installers(system)}*`],
      conditions: {
        StringEquals: ours,
        StringLike: { [`s3:ExistingObjectTag/${tagKeys.restore}`]: [`*@${self}@*`, everyReader] },
      },
    },
    {
      // What a node has to say of thousands of files is longer than Run Command takes.
      sid: 'HandOverAnswers',
      actions: ['s3:PutObject'],
      resources: [`${stateArn}/${stateKeys.answersOf(system)}*`],
      conditions: { StringEquals: ours },
    },
    {
      // Decrypt: S3 reads the parts of a multipart upload back when it completes the object.
      sid: 'EncryptThroughS3',
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      resources: [keyArn],
      conditions: {
        StringEquals: { 'kms:ViaService': `s3.${region}.amazonaws.com` },
        StringLike: { 'kms:EncryptionContext:aws:s3:arn': [vaultArn, stateArn].flatMap((arn) => [arn, `${arn}/*`]) },
      },
    },
  ];
};
