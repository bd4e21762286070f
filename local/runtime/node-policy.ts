import { vaultKeys } from '#domain/naming';
import type { S3Request, Verdict } from './gateway.ts';

/**
 * What a node may do in S3, as the managed policy of its system says it: write below its own prefix, and nothing else. A
 * stand-in for IAM, so that a document that needs more than the policy allows fails here as it would there.
 */
export const nodeVerdict = (
  vaultBucket: string,
  system: string,
  { method, bucket, key, query }: S3Request,
): Verdict => {
  const own = bucket === vaultBucket && key.startsWith(vaultKeys.system(system));
  const writes = method === 'PUT' || (method === 'POST' && (query.has('uploads') || query.has('uploadId')));
  const settings = ['tagging', 'acl', 'retention', 'legal-hold'].some((name) => query.has(name));
  return own && writes && !settings ? 'pass' : 'deny';
};
