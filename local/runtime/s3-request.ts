import type { IncomingMessage } from 'node:http';

/** An object in S3; without a version, its newest. */
export interface S3Object {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string | undefined;
}

/** A request to S3 as far as permissions and storage classes are concerned. */
export interface S3Request {
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  /** From the signature: who asks. */
  readonly accessKeyId: string;
  /** What it wants to be told of each listed object beside the usual. */
  readonly attributes: readonly string[];
  /** What it reads, if it reads an object: its content or headers, also as the source of a copy. */
  readonly reads?: S3Object | undefined;
}

/**
 * What an observer of S3 requests may decide: let it pass, refuse it as IAM would or as S3 refuses credentials that have
 * run out, or cut the connection.
 */
export type Verdict = 'pass' | 'deny' | 'expired' | 'cut';

/** A GET with one of these reads something about the object that has a permission of its own. */
const subresources = ['acl', 'attributes', 'legal-hold', 'retention', 'tagging', 'uploadId'];

const parsePath = (path: string): S3Object & { readonly query: URLSearchParams } => {
  const { pathname, searchParams: query } = new URL(path, 'http://gateway');
  const [bucket = '', ...key] = pathname.slice(1).split('/').map(decodeURIComponent);
  return { bucket, key: key.join('/'), query, versionId: query.get('versionId') ?? undefined };
};

/** Reads a request's line and headers. Throws a URIError when its path is not properly encoded. */
export const parseS3Request = ({ method = 'GET', url = '/', headers }: IncomingMessage): S3Request => {
  const { bucket, key, versionId, query } = parsePath(url);
  const source = headers['x-amz-copy-source'];
  const isRead =
    key !== '' && (method === 'HEAD' || (method === 'GET' && !subresources.some((name) => query.has(name))));
  return {
    method,
    bucket,
    key,
    query,
    attributes: String(headers['x-amz-optional-object-attributes'] ?? '').split(','),
    accessKeyId:
      /Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1] ??
      query.get('X-Amz-Credential')?.split('/')[0] ??
      '',
    reads:
      typeof source === 'string'
        ? parsePath(`/${source.replace(/^\//, '')}`)
        : isRead
          ? { bucket, key, versionId }
          : undefined,
  };
};
