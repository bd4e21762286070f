import type { Bucket, ObjectVersion } from '#domain/ports';
import type { Grants, Right } from './verb.ts';

/** What grants say about a key, as IAM reads them: a prefix ends in a slash and may have a `*` within, anything else is one key. */

const expressionOf = (pattern: string): RegExp => {
  const text = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${text}${pattern.endsWith('/') ? '' : '$'}`);
};

/** True when one of the rights is granted for a key. */
const isGranted = (grants: Grants, key: string, rights: readonly Right[]): boolean =>
  Object.entries(grants).some(
    ([pattern, granted]) => rights.some((right) => granted.includes(right)) && expressionOf(pattern).test(key),
  );

/**
 * Returns the bucket with no more than the grants let its user do; `user` says whose they are. Every method throws an Error for
 * a key for which nothing is granted, as S3 would refuse it: what works on the lab works with the deployed permissions.
 */
export const within = (user: string, grants: Grants, bucket: Bucket): Bucket => {
  const check = (key: string, ...rights: Right[]): void => {
    if (!isGranted(grants, key, rights))
      throw new Error(
        `${user} has no right to ${rights.join(' or ')} ${key}. Its row in lambdas/verbs.ts says what it has.`,
      );
  };
  const tagged = ({ key, versionId }: ObjectVersion, ...rights: Right[]): void =>
    versionId === undefined ? check(key, ...rights) : check(key, 'tag-versions');
  return {
    read: async (key) => {
      check(key, 'read');
      return bucket.read(key);
    },
    create: async (key, text, tags) => {
      check(key, 'write');
      if (tags) check(key, 'tag');
      return bucket.create(key, text, tags);
    },
    replace: async (key, text, etag) => {
      check(key, 'write');
      return bucket.replace(key, text, etag);
    },
    write: async (key, text) => {
      check(key, 'write');
      return bucket.write(key, text);
    },
    has: async (key) => {
      check(key, 'read');
      return bucket.has(key);
    },
    versions: async (prefix) => {
      check(prefix, 'list-versions');
      return bucket.versions(prefix);
    },
    stream: async function* (object, first, last) {
      check(object.key, 'read-versions');
      yield* bucket.stream(object, first, last);
    },
    list: async (prefix) => {
      check(prefix, 'list', 'read');
      return bucket.list(prefix);
    },
    tags: async (object) => {
      tagged(object, 'tag');
      return bucket.tags(object);
    },
    tag: async (object, tags) => {
      tagged(object, 'tag', 'discard');
      return bucket.tag(object, tags);
    },
    thaw: async (object, days) => {
      check(object.key, 'thaw');
      return bucket.thaw(object, days);
    },
    delete: async (key) => {
      check(key, 'delete', 'discard');
      return bucket.delete(key);
    },
    listObjects: async (prefix) => {
      check(prefix, 'list', 'read');
      return bucket.listObjects(prefix);
    },
    listUploads: async (prefix) => {
      check(prefix, 'list-uploads', 'abort-uploads');
      return bucket.listUploads(prefix);
    },
    abortUpload: async (key, uploadId) => {
      check(key, 'abort-uploads');
      return bucket.abortUpload(key, uploadId);
    },
    abortUploads: async (prefix) => {
      check(prefix, 'abort-uploads');
      return bucket.abortUploads(prefix);
    },
  };
};
