import { AlreadyExistsError } from '#domain/errors';
import type { Bucket, ObjectVersion, PendingUpload, StoredVersion } from '#domain/ports';

interface Version {
  text: string;
  tags: Readonly<Record<string, string>>;
  readonly versionId: string;
}

/** A versioned bucket in memory, with S3's conditions. */
export const memoryBucket = (): Bucket & {
  /** What cold storage holds; nothing thaws there before a test says so. */
  readonly cold: Map<string, NonNullable<StoredVersion['cold']>>;
  /** When objects were written; now, unless a test says otherwise. */
  readonly modified: Map<string, Date>;
  readonly pending: PendingUpload[];
  /** Until when what can't be deleted, by key and version. */
  readonly locked: Map<string, Date>;
  readonly held: Set<string>;
  /** Changes the content of the newest version, as no request to S3 can. */
  corrupt(key: string, text: string): void;
  /** As if it had never been, its versions too. */
  lose(key: string): void;
} => {
  const objects = new Map<string, Version[]>();
  /** Keys whose newest version is a delete marker. */
  const deleted = new Set<string>();
  const cold = new Map<string, NonNullable<StoredVersion['cold']>>();
  const modified = new Map<string, Date>();
  const uploads: PendingUpload[] = [];
  const locked = new Map<string, Date>();
  const held = new Set<string>();
  const put = (key: string, text: string, tags: Readonly<Record<string, string>> = {}): void => {
    const older = objects.get(key) ?? [];
    const versionId = `v${older.length + 1}`;
    objects.set(key, [...older, { text, tags, versionId }]);
    deleted.delete(key);
  };
  const newest = (key: string): Version | undefined => (deleted.has(key) ? undefined : objects.get(key)?.at(-1));
  const find = ({ key, versionId }: ObjectVersion): Version => {
    const found =
      versionId === undefined ? newest(key) : objects.get(key)?.find((version) => version.versionId === versionId);
    if (!found) throw new Error(`no such version: ${key} ${versionId ?? ''}`);
    return found;
  };
  const keys = (prefix: string): string[] => [...objects.keys()].filter((key) => key.startsWith(prefix)).toSorted();
  return {
    cold,
    modified,
    pending: uploads,
    locked,
    held,
    corrupt: (key, text) => {
      find({ key }).text = text;
    },
    lose: (key) => void objects.delete(key),
    read: async (key) => {
      const found = newest(key);
      return found && { text: found.text, etag: found.versionId };
    },
    create: async (key, text, tags) => {
      if (newest(key)) throw new AlreadyExistsError(key);
      put(key, text, tags);
    },
    replace: async (key, text, etag) => {
      if (newest(key)?.versionId !== etag) throw new AlreadyExistsError(key);
      put(key, text);
    },
    write: async (key, text) => put(key, text),
    has: async (key) => newest(key) !== undefined,
    versions: async (prefix) =>
      keys(prefix).flatMap((key) =>
        (objects.get(key) ?? []).map((version) => {
          const state = cold.get(key);
          return {
            key,
            versionId: version.versionId,
            bytes: Buffer.byteLength(version.text),
            isLatest: version === newest(key),
            modifiedAt: modified.get(key) ?? new Date(),
            ...(state && { cold: state }),
          };
        }),
      ),
    stream: async function* (object, first, last) {
      yield Buffer.from(find(object).text).subarray(first, last + 1);
    },
    list: async (prefix) => keys(prefix).filter((key) => newest(key)),
    tags: async (object) => find(object).tags,
    tag: async (object, tags) => {
      find(object).tags = tags;
    },
    lock: async (object, _mode, until) => {
      const id = `${object.key} ${find(object).versionId}`;
      if ((locked.get(id) ?? until) > until) throw new Error(`AccessDenied: ${id} is locked for longer`);
      locked.set(id, until);
    },
    hold: async (object, isHeld) => {
      const id = `${object.key} ${find(object).versionId}`;
      if (isHeld) held.add(id);
      else held.delete(id);
    },
    thaw: async ({ key }) => void (cold.has(key) && cold.set(key, 'thawing')),
    delete: async (key) => void deleted.add(key),
    listObjects: async (prefix) =>
      keys(prefix)
        .filter((key) => newest(key))
        .map((key) => ({ key, modifiedAt: modified.get(key) ?? new Date() })),
    listUploads: async (prefix) => uploads.filter(({ key }) => key.startsWith(prefix)),
    abortUpload: async (key, uploadId) => {
      const at = uploads.findIndex((upload) => upload.key === key && upload.uploadId === uploadId);
      if (at >= 0) uploads.splice(at, 1);
    },
    abortUploads: async () => 0,
  };
};
