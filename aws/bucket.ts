import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  type ObjectVersion as ListedVersion,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  PutObjectTaggingCommand,
  paginateListObjectsV2,
  RestoreObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import type * as z from 'zod';
import { AlreadyExistsError } from '#domain/errors';
import type { Bucket, ObjectVersion, PendingUpload, State, StoredVersion } from '#domain/ports';

const isStatus = (error: unknown, ...statuses: number[]): error is S3ServiceException =>
  error instanceof S3ServiceException && statuses.includes(error.$metadata.httpStatusCode ?? 0);

/**
 * S3 answers 412 when the condition does not hold, 409 when another conditional write is under way, and 404 when the object
 * that was to be replaced is gone.
 */
const refusedAs = (key: string) => (error: unknown) => {
  if (isStatus(error, 412, 409) || (isStatus(error, 404) && error.name === 'NoSuchKey'))
    throw new AlreadyExistsError(`${key} is there already, or has changed meanwhile.`);
  throw error;
};

const tagging = (tags: Readonly<Record<string, string>>) => ({
  TagSet: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
});

/** S3 keeps telling the class that a version is archived in, also while a restored copy can be read. */
const coldness = (listed: ListedVersion): StoredVersion['cold'] => {
  // The class of a version is typed as STANDARD alone, and is any.
  const storageClass: string = listed.StorageClass ?? '';
  if (storageClass !== 'GLACIER' && storageClass !== 'DEEP_ARCHIVE') return undefined;
  if (listed.RestoreStatus?.IsRestoreInProgress === true) return 'thawing';
  return listed.RestoreStatus?.RestoreExpiryDate === undefined ? 'frozen' : undefined;
};

const named = (Bucket: string, { key: Key, versionId: VersionId }: ObjectVersion) => ({
  Bucket,
  Key,
  ...(VersionId !== undefined && { VersionId }),
});

/**
 * Reads an artifact without the SDK's own comparison of S3's checksum: it is compared with the SHA-256 of its manifest, and that it is
 * damaged is a finding, no error of the call.
 */
const unchecked = (command: GetObjectCommand): GetObjectCommand => {
  command.middlewareStack.addRelativeTo(
    <Args extends { input: object }, Answer>(next: (args: Args) => Promise<Answer>) =>
      (args: Args) =>
        next({ ...args, input: { ...args.input, ChecksumMode: undefined } }),
    { relation: 'after', toMiddleware: 'flexibleChecksumsInputMiddleware' },
  );
  return command;
};

/** Not the SDK's paginator, which this call has none of. */
const listVersions = async (client: S3Client, Bucket: string, Prefix: string): Promise<readonly StoredVersion[]> => {
  const versions: StoredVersion[] = [];
  let page: ListObjectVersionsCommandOutput | undefined;
  do {
    page = await client.send(
      new ListObjectVersionsCommand({
        ...{ Bucket, Prefix, OptionalObjectAttributes: ['RestoreStatus'] },
        ...{ KeyMarker: page?.NextKeyMarker, VersionIdMarker: page?.NextVersionIdMarker },
      }),
    );
    for (const listed of page.Versions ?? []) {
      const { Key: key, VersionId: versionId, Size: bytes, LastModified: modifiedAt, IsLatest } = listed;
      if (key === undefined || versionId === undefined || bytes === undefined || !modifiedAt) continue;
      const cold = coldness(listed);
      versions.push({ key, versionId, bytes, modifiedAt, isLatest: IsLatest === true, ...(cold && { cold }) });
    }
  } while (page.IsTruncated === true && page.NextKeyMarker !== undefined);
  return versions;
};

const listUploads = async (client: S3Client, Bucket: string, Prefix: string): Promise<readonly PendingUpload[]> => {
  const uploads: PendingUpload[] = [];
  let page: ListMultipartUploadsCommandOutput | undefined;
  do {
    page = await client.send(
      new ListMultipartUploadsCommand({
        ...{ Bucket, Prefix },
        KeyMarker: page?.NextKeyMarker,
        UploadIdMarker: page?.NextUploadIdMarker,
      }),
    );
    for (const { Key: key, UploadId: uploadId, Initiated: startedAt } of page.Uploads ?? [])
      if (key?.startsWith(Prefix) && uploadId !== undefined && startedAt) uploads.push({ key, uploadId, startedAt });
  } while (page.IsTruncated === true && page.NextKeyMarker !== undefined);
  return uploads;
};

/** One that was completed or aborted since the listing is gone: that is what was wanted. */
const abortUpload = async (client: S3Client, Bucket: string, Key: string, UploadId: string): Promise<void> => {
  await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch((error: unknown) => {
    if (!isStatus(error, 404)) throw error;
  });
};

type Changing =
  | 'create'
  | 'replace'
  | 'write'
  | 'tag'
  | 'thaw'
  | 'lock'
  | 'hold'
  | 'delete'
  | 'abortUpload'
  | 'abortUploads';

/** What is asked of a bucket. */
const reading = (client: S3Client, bucket: string): Omit<Bucket, Changing> => ({
  read: async (Key) => {
    try {
      const { Body, ETag } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
      return { text: (await Body?.transformToString()) ?? '', etag: ETag ?? '' };
    } catch (error) {
      if (error instanceof NoSuchKey || isStatus(error, 404)) return undefined;
      throw error;
    }
  },
  has: async (Key) => {
    try {
      await client.send(new HeadObjectCommand({ Bucket: bucket, Key }));
      return true;
    } catch (error) {
      if (error instanceof NotFound || isStatus(error, 404)) return false;
      throw error;
    }
  },
  versions: (prefix) => listVersions(client, bucket, prefix),
  stream: async function* (object, first, last) {
    const { Body } = await client.send(
      unchecked(new GetObjectCommand({ ...named(bucket, object), Range: `bytes=${first}-${last}` })),
    );
    if (!(Body instanceof Readable)) throw new Error(`${object.key} was answered without a body.`);
    yield* Body;
  },
  list: async (Prefix) => {
    const keys: string[] = [];
    for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix }))
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key);
    return keys;
  },
  tags: async (object) => {
    const { TagSet } = await client.send(new GetObjectTaggingCommand(named(bucket, object)));
    return Object.fromEntries((TagSet ?? []).map((tag) => [tag.Key ?? '', tag.Value ?? '']));
  },
  listObjects: async (Prefix) => {
    const objects: { key: string; modifiedAt: Date }[] = [];
    for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix }))
      for (const { Key: key, LastModified: modifiedAt } of page.Contents ?? [])
        if (key !== undefined && modifiedAt) objects.push({ key, modifiedAt });
    return objects;
  },
  listUploads: (prefix) => listUploads(client, bucket, prefix),
});

/** What changes a bucket. */
const changing = (client: S3Client, bucket: string): Pick<Bucket, Changing> => ({
  create: async (Key, Body, tags) => {
    const Tagging = tags && new URLSearchParams(tags).toString();
    await client
      .send(
        new PutObjectCommand({
          Bucket: bucket,
          Key,
          Body,
          IfNoneMatch: '*',
          ContentType: 'application/json',
          ...(Tagging && { Tagging }),
        }),
      )
      .catch(refusedAs(Key));
  },
  replace: async (Key, Body, IfMatch) => {
    await client
      .send(new PutObjectCommand({ Bucket: bucket, Key, Body, IfMatch, ContentType: 'application/json' }))
      .catch(refusedAs(Key));
  },
  write: async (Key, Body) => {
    await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body, ContentType: 'application/json' }));
  },
  tag: async (object, tags) => {
    await client.send(new PutObjectTaggingCommand({ ...named(bucket, object), Tagging: tagging(tags) }));
  },
  thaw: async (object, Days) => {
    try {
      const RestoreRequest = { Days, GlacierJobParameters: { Tier: 'Standard' as const } };
      await client.send(new RestoreObjectCommand({ ...named(bucket, object), RestoreRequest }));
    } catch (error) {
      if (error instanceof S3ServiceException && error.name === 'RestoreAlreadyInProgress') return;
      throw error;
    }
  },
  lock: async (object, mode, RetainUntilDate) => {
    const Mode = mode === 'governance' ? 'GOVERNANCE' : 'COMPLIANCE';
    await client.send(
      new PutObjectRetentionCommand({ ...named(bucket, object), Retention: { Mode, RetainUntilDate } }),
    );
  },
  hold: async (object, isHeld) => {
    const LegalHold = { Status: isHeld ? ('ON' as const) : ('OFF' as const) };
    await client.send(new PutObjectLegalHoldCommand({ ...named(bucket, object), LegalHold }));
  },
  delete: async (Key) => {
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
  },
  abortUpload: (key, uploadId) => abortUpload(client, bucket, key, uploadId),
  abortUploads: async (prefix) => {
    const uploads = await listUploads(client, bucket, prefix);
    for (const { key, uploadId } of uploads) await abortUpload(client, bucket, key, uploadId);
    return uploads.length;
  },
});

/** One S3 bucket. */
export const s3Bucket = (client: S3Client, bucket: string): Bucket => ({
  ...reading(client, bucket),
  ...changing(client, bucket),
});

/** A bucket's objects as JSON of known shapes. */
export const jsonState = <ReadKey extends string, WriteKey extends string>(bucket: {
  readonly read: (key: ReadKey) => ReturnType<Bucket['read']>;
  readonly write: (key: WriteKey, text: string) => Promise<void>;
}): State<ReadKey, WriteKey> => ({
  read: async <T>(key: ReadKey, schema: z.ZodType<T>) => {
    const found = await bucket.read(key);
    return found && schema.parse(JSON.parse(found.text));
  },
  write: (key, value) => bucket.write(key, JSON.stringify(value)),
});
