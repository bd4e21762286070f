import { AlreadyExistsError } from '#domain/errors';
import type { Bucket, PendingUpload, StoredObject } from '#domain/ports';

/** A bucket in memory, with S3's conditions. */
export const memoryBucket = (): Bucket & {
  readonly objects: Map<string, { text: string; tags: Readonly<Record<string, string>>; etag: string }>;
  /** What cold storage holds; nothing thaws there before a test says so. */
  readonly cold: Map<string, NonNullable<StoredObject['cold']>>;
  /** When objects were written; now, unless a test says otherwise. */
  readonly modified: Map<string, Date>;
  readonly pending: PendingUpload[];
} => {
  const objects = new Map<string, { text: string; tags: Readonly<Record<string, string>>; etag: string }>();
  const cold = new Map<string, NonNullable<StoredObject['cold']>>();
  const modified = new Map<string, Date>();
  const uploads: PendingUpload[] = [];
  let writes = 0;
  const put = (key: string, text: string, tags: Readonly<Record<string, string>> = {}): void => {
    writes += 1;
    objects.set(key, { text, tags, etag: String(writes) });
  };
  return {
    objects,
    cold,
    modified,
    pending: uploads,
    read: async (key) => {
      const found = objects.get(key);
      return found && { text: found.text, etag: found.etag };
    },
    create: async (key, text, tags) => {
      if (objects.has(key)) throw new AlreadyExistsError(key);
      put(key, text, tags);
    },
    replace: async (key, text, etag) => {
      if (objects.get(key)?.etag !== etag) throw new AlreadyExistsError(key);
      put(key, text);
    },
    write: async (key, text) => put(key, text),
    head: async (key) => {
      const found = objects.get(key);
      const state = cold.get(key);
      return found && { bytes: Buffer.byteLength(found.text), etag: found.etag, ...(state && { cold: state }) };
    },
    stream: async function* (key, first, last) {
      const found = objects.get(key);
      if (!found) throw new Error(`no such key: ${key}`);
      yield Buffer.from(found.text).subarray(first, last + 1);
    },
    list: async (prefix) => [...objects.keys()].filter((key) => key.startsWith(prefix)).toSorted(),
    tags: async (key) => objects.get(key)?.tags ?? {},
    tag: async (key, tags) => {
      const found = objects.get(key);
      if (!found) throw new Error(`no such key: ${key}`);
      objects.set(key, { ...found, tags });
    },
    thaw: async (key) => void (cold.has(key) && cold.set(key, 'thawing')),
    delete: async (key) => void objects.delete(key),
    listObjects: async (prefix) =>
      [...objects.keys()]
        .filter((key) => key.startsWith(prefix))
        .map((key) => ({ key, modifiedAt: modified.get(key) ?? new Date() })),
    listUploads: async (prefix) => uploads.filter(({ key }) => key.startsWith(prefix)),
    abortUpload: async (key, uploadId) => {
      const at = uploads.findIndex((upload) => upload.key === key && upload.uploadId === uploadId);
      if (at >= 0) uploads.splice(at, 1);
    },
    abortUploads: async () => 0,
  };
};
