import { GetObjectTaggingCommand, type S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { stateKeys } from '#domain/naming';
import { type NodeStatement, nodeStatements } from '#domain/node-policy';
import type { S3Request, Verdict } from './s3-request.ts';
import type { S3Credentials } from './session.ts';

/** A node's account in S3. On AWS its instance profile has none: the ARN of the instance tells who asks. */
export interface NodeAccount extends S3Credentials {
  readonly system: string;
  /** Absent while no node has the account. */
  readonly instanceArn?: string | undefined;
}

/** Lets the accounts of nodes into the vault at all. What they may do there is `judgeNodes`'s to say. */
export const vaultPolicy = (bucket: string, nodes: readonly NodeAccount[]): object => ({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { AWS: nodes.map(({ accessKeyId }) => accessKeyId) },
      Action: ['s3:PutObject', 's3:AbortMultipartUpload', 's3:GetObject', 's3:GetObjectVersion'],
      Resource: `arn:aws:s3:::${bucket}/*`,
    },
  ],
});

/** The same for the state bucket, where they put what is too long for Run Command. */
export const statePolicy = (bucket: string, nodes: readonly NodeAccount[]): object => ({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { AWS: nodes.map(({ accessKeyId }) => accessKeyId) },
      Action: ['s3:PutObject'],
      Resource: `arn:aws:s3:::${bucket}/${stateKeys.answersOf('*')}*`,
    },
  ],
});

/** What a request is to IAM: an action on a resource, with what is known of both. */
export interface Asked {
  readonly action: string;
  readonly resource: string;
  readonly context: Readonly<Record<string, string>>;
}

/** A pattern of IAM: `*` is anything, slashes too, `?` one character. A variable that the context lacks matches nothing. */
const matches = (
  pattern: string,
  text: string | undefined,
  { context }: Pick<Asked, 'context'>,
  like: boolean,
): boolean => {
  let known = true;
  const expression = pattern.replace(/\$\{([^}]+)\}|[*?]|[^A-Za-z0-9]/g, (found, name: string | undefined) => {
    const literal = (value: string): string => value.replace(/[^A-Za-z0-9]/g, String.raw`\$&`);
    if (name !== undefined) {
      const value = context[name];
      known &&= value !== undefined;
      return literal(value ?? '');
    }
    if (like && found === '*') return '[\\s\\S]*';
    if (like && found === '?') return '[\\s\\S]';
    return literal(found);
  });
  return known && text !== undefined && new RegExp(`^${expression}$`).test(text);
};

const holds = (operator: string, key: string, wanted: string | readonly string[], asked: Asked): boolean => {
  const values = typeof wanted === 'string' ? [wanted] : wanted;
  const like = operator === 'StringLike';
  if (!like && operator !== 'StringEquals') throw new Error(`the condition ${operator} is not known here`);
  return values.some((value) => matches(value, asked.context[key], asked, like));
};

/** True when IAM would allow it by one of these statements, which only allow. */
export const isAllowed = (statements: readonly NodeStatement[], asked: Asked): boolean =>
  statements.some(
    ({ actions, resources, conditions }) =>
      actions.includes(asked.action) &&
      resources.some((resource) => matches(resource, asked.resource, asked, true)) &&
      Object.entries(conditions).every(([operator, keys]) =>
        Object.entries(keys).every(([key, wanted]) => holds(operator, key, wanted, asked)),
      ),
  );

/** The action that IAM asks for; undefined for what no statement of a node may name. */
const actionOf = ({ method, query, reads }: S3Request): string | undefined => {
  if (reads) return reads.versionId === undefined ? 's3:GetObject' : 's3:GetObjectVersion';
  const others = [...query.keys()].filter((name) => !['uploads', 'uploadId', 'partNumber', 'x-id'].includes(name));
  if (others.length > 0) return undefined;
  if (method === 'PUT' || method === 'POST') return 's3:PutObject';
  return method === 'DELETE' && query.has('uploadId') ? 's3:AbortMultipartUpload' : undefined;
};

/**
 * Judges what a node asks of S3 by the very statements of its managed policy. `client` reaches the S3 server without the gateway; keys
 * are not S3's business here, so that the statement on them is not asked.
 */
export const judgeNodes =
  (
    client: S3Client,
    {
      vault,
      state,
      account,
      region,
    }: { readonly vault: string; readonly state: string; readonly account: string; readonly region: string },
    nodes: readonly NodeAccount[],
  ) =>
  async (request: S3Request): Promise<Verdict> => {
    const node = nodes.find(({ accessKeyId }) => accessKeyId === request.accessKeyId);
    if (!node) return 'pass';
    const vaultArn = `arn:aws:s3:::${vault}`;
    const stateArn = `arn:aws:s3:::${state}`;
    const statements = nodeStatements({ vaultArn, stateArn, keyArn: '', account, region }, node.system);
    const tagsOf = async (key: string, versionId: string | undefined): Promise<Readonly<Record<string, string>>> => {
      const tagSet = await client
        .send(new GetObjectTaggingCommand({ Bucket: vault, Key: key, VersionId: versionId }))
        .then(({ TagSet }) => TagSet ?? [])
        .catch((error: unknown) => {
          // An object that is not there has no tag: AWS answers AccessDenied to who may not list.
          if (error instanceof S3ServiceException && [400, 404].includes(error.$metadata.httpStatusCode ?? 0))
            return [];
          throw error;
        });
      return Object.fromEntries(tagSet.map(({ Key, Value }) => [`s3:ExistingObjectTag/${Key}`, Value ?? '']));
    };
    const may = async (
      action: string | undefined,
      bucket: string,
      key: string,
      tags: Readonly<Record<string, string>> = {},
    ): Promise<boolean> =>
      action !== undefined &&
      isAllowed(statements, {
        action,
        resource: `arn:aws:s3:::${bucket}/${key}`,
        context: {
          ...tags,
          'aws:ResourceAccount': account,
          ...(node.instanceArn !== undefined && { 'ec2:SourceInstanceARN': node.instanceArn }),
        },
      });
    const { reads, bucket, key } = request;
    const tags = reads?.bucket === vault ? await tagsOf(reads.key, reads.versionId) : {};
    if (reads && !(await may(actionOf(request), reads.bucket, reads.key, tags))) return 'deny';
    // A copy reads, and writes.
    const writes = request.method === 'GET' || request.method === 'HEAD' ? undefined : { ...request, reads: undefined };
    return !writes || (await may(actionOf(writes), bucket, key)) ? 'pass' : 'deny';
  };
