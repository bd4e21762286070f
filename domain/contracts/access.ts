import type { Bucket, ObjectVersion, State } from '#domain/ports';
import type { Grants, Right } from './verb.ts';

type PatternsOf<G extends Grants, R extends Right> = {
  [P in keyof G & string]: Extract<G[P][number], R> extends never ? never : P;
}[keyof G & string];

/** The keys that patterns mean. */
type KeysIn<Pattern extends string> = Pattern extends `${infer Head}*${infer Tail}`
  ? `${Head}${string}${Tail}${string}`
  : Pattern extends `${string}/`
    ? `${Pattern}${string}`
    : Pattern;

/** The keys for which one of the rights is granted. */
type KeysOf<G extends Grants, R extends Right> = KeysIn<PatternsOf<G, R>> & string;

/** What a method takes when one of the rights is granted at all: keys that come from manifests and answers are known only while it runs. */
type If<G extends Grants, R extends Right, T> = PatternsOf<G, R> extends never ? never : T;

type Returns<Method extends keyof Bucket> = ReturnType<Bucket[Method]>;

/** A bucket for whom grants let use it: a method takes only keys for which its right is granted, and none when it is granted for none. */
export interface BucketFor<G extends Grants> {
  readonly read: (key: KeysOf<G, 'read'>) => Returns<'read'>;
  readonly create: (
    key: KeysOf<G, 'write'>,
    text: string,
    tags?: Readonly<Record<string, string>>,
  ) => Returns<'create'>;
  readonly replace: (key: KeysOf<G, 'write'>, text: string, etag: string) => Returns<'replace'>;
  readonly write: (key: KeysOf<G, 'write'>, text: string) => Returns<'write'>;
  readonly has: (key: KeysOf<G, 'read'>) => Returns<'has'>;
  readonly versions: (prefix: If<G, 'list-versions', string>) => Returns<'versions'>;
  readonly stream: (object: If<G, 'read-versions', ObjectVersion>, first: number, last: number) => Returns<'stream'>;
  readonly list: (prefix: KeysOf<G, 'list' | 'read'>) => Returns<'list'>;
  readonly tags: (object: If<G, 'tag' | 'tag-versions', ObjectVersion>) => Returns<'tags'>;
  readonly tag: (
    object: If<G, 'tag' | 'tag-versions' | 'discard', ObjectVersion>,
    tags: Readonly<Record<string, string>>,
  ) => Returns<'tag'>;
  readonly thaw: (object: If<G, 'thaw', ObjectVersion>, days: number) => Returns<'thaw'>;
  readonly lock: (
    object: If<G, 'lock', ObjectVersion>,
    mode: 'governance' | 'compliance',
    until: Date,
  ) => Returns<'lock'>;
  readonly hold: (object: If<G, 'hold', ObjectVersion>, isHeld: boolean) => Returns<'hold'>;
  readonly delete: (key: If<G, 'delete' | 'discard', string>) => Returns<'delete'>;
  readonly listObjects: (prefix: KeysOf<G, 'list' | 'read'>) => Returns<'listObjects'>;
  readonly listUploads: (prefix: KeysOf<G, 'list-uploads' | 'abort-uploads'>) => Returns<'listUploads'>;
  readonly abortUpload: (key: If<G, 'abort-uploads', string>, uploadId: string) => Returns<'abortUpload'>;
  readonly abortUploads: (prefix: KeysOf<G, 'abort-uploads'>) => Returns<'abortUploads'>;
}

/** The same for a bucket whose objects are JSON of known shapes. */
export type StateFor<G extends Grants> = State<KeysOf<G, 'read'>, KeysOf<G, 'write'>>;

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

/** What throws an Error for a key for which none of the rights is granted to a user. */
const checkOf =
  (user: string, grants: Grants) =>
  (key: string, ...rights: Right[]): void => {
    if (!isGranted(grants, key, rights))
      throw new Error(
        `${user} has no right to ${rights.join(' or ')} ${key}. Its row in lambdas/verbs.ts says what it has.`,
      );
  };

/**
 * Returns the bucket with no more than the grants let its user do; `user` says whose they are. Every method throws an Error for
 * a key for which nothing is granted, as S3 would refuse it: what works on the lab works with the deployed permissions.
 */
export const within = (user: string, grants: Grants, bucket: Bucket): Bucket => {
  const check = checkOf(user, grants);
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
    lock: async (object, mode, until) => {
      check(object.key, 'lock');
      return bucket.lock(object, mode, until);
    },
    hold: async (object, isHeld) => {
      check(object.key, 'hold');
      return bucket.hold(object, isHeld);
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
