import { vaultKeys } from '#domain/naming';
import type { S3Credentials } from './s3.ts';

/** A node's account in S3 and the system that it belongs to. */
export interface NodeAccount extends S3Credentials {
  readonly system: string;
}

/**
 * The vault's policy: each node may write below its own system's prefix, and nothing else. On AWS the same is said by the
 * managed policy of the node's instance profile; here the S3 server enforces it as a policy of the bucket, so that a
 * document that needs more fails here as it would there.
 */
export const vaultPolicy = (bucket: string, nodes: readonly NodeAccount[]): object => ({
  Version: '2012-10-17',
  Statement: nodes.map(({ accessKeyId, system }) => ({
    Effect: 'Allow',
    Principal: { AWS: [accessKeyId] },
    Action: ['s3:PutObject'],
    Resource: `arn:aws:s3:::${bucket}/${vaultKeys.system(system)}*`,
  })),
});
