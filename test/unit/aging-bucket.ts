import { AlreadyExistsError } from '#domain/errors';
import { parseHistoryKey, parseManifestKey, tagKeys } from '#domain/naming';
import type { Bucket, ObjectVersion } from '#domain/ports';
import type { ExpiringClass } from '#domain/retention';

const day = 86_400_000;

/** What the vault's rules say; test/infra/vault.test.ts proves that they do. */
export interface Rules {
  /** Days after which a manifest of a class expires; its artifacts live two days longer. */
  readonly lifetimes: Readonly<Record<ExpiringClass, number>>;
  /** Days that a version lives after it is not the newest any more, by its tag. */
  readonly noncurrentDays: (tag: string | undefined) => number;
}

interface Version {
  readonly versionId: string;
  /** Absent in a delete marker. */
  readonly text?: string;
  readonly createdAt: number;
  tags: Readonly<Record<string, string>>;
  /** Since when a newer version lies on top of it. */
  noncurrentSince?: number;
}

/** The first midnight, in UTC, at which something that is due after some days is done: S3 rounds up. */
const due = (from: number, days: number): number => Math.ceil((from + days * day) / day) * day;

/**
 * A versioned bucket as S3 keeps it, with a clock: every write is a version of its own, a deletion is a marker, and each
 * midnight the lifecycle expires current versions by their age and tag, removes old noncurrent ones, and markers that nothing
 * lies below.
 */
export const agingBucket = (rules: Rules, clock: () => number) => {
  const keys = new Map<string, Version[]>();
  let tagsLeft = Number.POSITIVE_INFINITY;
  const versions = (key: string): Version[] => keys.get(key) ?? [];
  const current = (key: string): (Version & { readonly text: string }) | undefined => {
    const top = versions(key).at(-1);
    return top?.text === undefined ? undefined : { ...top, text: top.text };
  };
  /** A version that was written, by its id or the newest. */
  const find = ({ key, versionId }: ObjectVersion): Version | undefined => {
    const list = versions(key);
    const found = versionId === undefined ? list.at(-1) : list.find((version) => version.versionId === versionId);
    return found?.text === undefined ? undefined : found;
  };
  const written = new Map<string, number>();
  const put = (key: string, version: Omit<Version, 'createdAt' | 'versionId'>): void => {
    const list = versions(key);
    const top = list.at(-1);
    if (top) top.noncurrentSince = clock();
    const count = (written.get(key) ?? 0) + 1;
    written.set(key, count);
    keys.set(key, [...list, { ...version, versionId: `v${count}`, createdAt: clock() }]);
  };
  const etag = (key: string): string => String(versions(key).length);
  const unused = (): never => {
    throw new Error('retention has no business here');
  };
  const live = (prefix: string): string[] =>
    [...keys.keys()].filter((key) => key.startsWith(prefix) && current(key)).toSorted();

  const lifetime = (key: string, tag: string | undefined): number | undefined => {
    const days = Object.entries(rules.lifetimes).find(([name]) => name === tag)?.[1];
    if (days === undefined) return undefined;
    if (key.startsWith('catalog/')) return days;
    return key.startsWith('backups/') ? days + 2 : undefined;
  };

  const bucket: Bucket = {
    read: async (key) => {
      const found = current(key);
      return found && { text: found.text, etag: etag(key) };
    },
    create: async (key, text, tags = {}) => {
      if (current(key)) throw new AlreadyExistsError(key);
      put(key, { text, tags });
    },
    replace: async (key, text, expected) => {
      if (!current(key) || etag(key) !== expected) throw new AlreadyExistsError(key);
      put(key, { text, tags: {} });
    },
    write: async (key, text) => put(key, { text, tags: {} }),
    has: async (key) => current(key) !== undefined,
    versions: async (prefix) =>
      [...keys.entries()]
        .filter(([key]) => key.startsWith(prefix))
        .flatMap(([key, list]) =>
          list.flatMap(({ text, createdAt, versionId }, at) =>
            text === undefined
              ? []
              : [
                  {
                    ...{ key, versionId, bytes: text.length, modifiedAt: new Date(createdAt) },
                    isLatest: at === list.length - 1,
                  },
                ],
          ),
        ),
    list: async (prefix) => live(prefix),
    listObjects: async (prefix) =>
      live(prefix).map((key) => ({ key, modifiedAt: new Date(current(key)?.createdAt ?? Number.NaN) })),
    lock: () => Promise.reject(new Error('the bucket has no Object Lock')),
    hold: () => Promise.reject(new Error('the bucket has no Object Lock')),
    tags: async (object) => find(object)?.tags ?? {},
    tag: async (object, tags) => {
      if (tagsLeft <= 0) throw new Error('the lambda was killed');
      tagsLeft -= 1;
      const found = find(object);
      if (!found) throw new Error(`no such version: ${object.key} ${object.versionId}`);
      found.tags = tags;
    },
    delete: async (key) => {
      if (keys.has(key)) put(key, { tags: {} });
    },
    listUploads: async () => [],
    abortUploads: async () => 0,
    abortUpload: unused,
    stream: unused,
    thaw: unused,
  };
  return {
    bucket,
    /** From now on the bucket fails after so many changes of tags, as when whoever makes them is killed. */
    failAfter: (tags: number): void => {
      tagsLeft = tags;
    },
    /** What the lifecycle does at midnight. */
    midnight: (): void => {
      const now = clock();
      for (const [key, list] of keys) {
        const top = list.at(-1);
        const days = top?.text === undefined ? undefined : lifetime(key, top.tags[tagKeys.retention]);
        if (top && days !== undefined && due(top.createdAt, days) <= now) put(key, { tags: {} });
        const kept = versions(key).filter(
          ({ noncurrentSince: since, tags }) =>
            since === undefined || due(since, rules.noncurrentDays(tags[tagKeys.retention])) > now,
        );
        if (kept.length === 1 && kept[0]?.text === undefined) keys.delete(key);
        else keys.set(key, kept);
      }
    },
    has: (key: string): boolean => current(key) !== undefined,
    /** Every key of which anything is left, be it a marker. */
    remains: (): readonly string[] => [...keys.keys()],
    manifests: (): readonly string[] => live('catalog/').flatMap((key) => parseManifestKey(key)?.backup ?? []),
    histories: (): readonly string[] => live('catalog/').flatMap((key) => parseHistoryKey(key)?.backup ?? []),
  };
};
