import { GetObjectTaggingCommand, type S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { stateKeys, tagKeys, vaultKeys } from '#domain/naming';
import type { S3Credentials } from './s3.ts';
import type { S3Request, Verdict } from './s3-request.ts';

/** A node's account in S3 and the system that it belongs to. */
export interface NodeAccount extends S3Credentials {
  readonly system: string;
}

/**
 * The vault's policy: each node may write and read below its own system's prefix, and nothing else. On AWS the same is said
 * by the managed policy of the node's instance profile; here the S3 server enforces it as a policy of the bucket, so that
 * a document that needs more fails here as it would there. The condition on reading is `judgeNodes`'s to check.
 */
export const vaultPolicy = (bucket: string, nodes: readonly NodeAccount[]): object => ({
  Version: '2012-10-17',
  Statement: nodes.map(({ accessKeyId, system }) => ({
    Effect: 'Allow',
    Principal: { AWS: [accessKeyId] },
    Action: ['s3:PutObject', 's3:AbortMultipartUpload', 's3:GetObject', 's3:GetObjectVersion'],
    Resource: `arn:aws:s3:::${bucket}/${vaultKeys.system(system)}*`,
  })),
});

/** The state bucket's: each node may put answers below its own system's prefix. */
export const statePolicy = (bucket: string, nodes: readonly NodeAccount[]): object => ({
  Version: '2012-10-17',
  Statement: nodes.map(({ accessKeyId, system }) => ({
    Effect: 'Allow',
    Principal: { AWS: [accessKeyId] },
    Action: ['s3:PutObject'],
    Resource: `arn:aws:s3:::${bucket}/${stateKeys.answersOf(system)}*`,
  })),
});

/**
 * Stands in for the condition of the managed policy, that a node reads only what a restore of its system has tagged: the
 * S3 server can not evaluate `s3:ExistingObjectTag`. `client` reaches the S3 server without the gateway.
 */
export const judgeNodes =
  (client: S3Client, vault: string, nodes: readonly NodeAccount[]) =>
  async ({ accessKeyId, method, query, reads }: S3Request): Promise<Verdict> => {
    const node = nodes.find((candidate) => candidate.accessKeyId === accessKeyId);
    if (!node) return 'pass';
    // Cold storage, too, is not the S3 server's, so its policy does not guard it.
    if (method === 'POST' && query.has('restore')) return 'deny';
    if (reads?.bucket !== vault) return 'pass';
    const { key: Key, versionId: VersionId } = reads;
    const tags = await client
      .send(new GetObjectTaggingCommand({ Bucket: vault, Key, ...(VersionId !== undefined && { VersionId }) }))
      .then(({ TagSet }) => TagSet ?? [])
      .catch((error: unknown) => {
        // An object that is not there has no tag: AWS answers AccessDenied to who may not list.
        if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) return [];
        throw error;
      });
    return tags.some(({ Key: name, Value }) => name === tagKeys.restore && Value === node.system) ? 'pass' : 'deny';
  };
