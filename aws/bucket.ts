import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  PutObjectTaggingCommand,
  paginateListObjectsV2,
  RestoreObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import type * as z from 'zod';
import { AlreadyExistsError } from '#domain/errors';
import type { Bucket, PendingUpload, State, StoredObject } from '#domain/ports';

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

/** S3 keeps telling the class that the object is archived in, also while a restored copy can be read. */
const coldness = ({ StorageClass, Restore }: HeadObjectCommandOutput): StoredObject['cold'] => {
  if (StorageClass !== 'GLACIER' && StorageClass !== 'DEEP_ARCHIVE') return undefined;
  if (Restore === undefined) return 'frozen';
  return Restore.includes('ongoing-request="true"') ? 'thawing' : undefined;
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

/** One S3 bucket. */
export const s3Bucket = (client: S3Client, bucket: string): Bucket => ({
  read: async (Key) => {
    try {
      const { Body, ETag } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
      return { text: (await Body?.transformToString()) ?? '', etag: ETag ?? '' };
    } catch (error) {
      if (error instanceof NoSuchKey || isStatus(error, 404)) return undefined;
      throw error;
    }
  },
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
  head: async (Key) => {
    try {
      const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key, ChecksumMode: 'ENABLED' }));
      const checksum = (['CRC64NVME', 'CRC32', 'CRC32C', 'SHA256', 'SHA1'] as const)
        .map((algorithm) => [algorithm, head[`Checksum${algorithm}`]] as const)
        .find(([, value]) => value !== undefined);
      const cold = coldness(head);
      return {
        bytes: head.ContentLength ?? 0,
        etag: head.ETag ?? '',
        ...(head.VersionId !== undefined && { versionId: head.VersionId }),
        ...(checksum && { checksum: checksum.join(':') }),
        ...(cold && { cold }),
      };
    } catch (error) {
      if (error instanceof NotFound || isStatus(error, 404)) return undefined;
      throw error;
    }
  },
  stream: async function* (Key, first, last) {
    // A part of an object: its whole checksum, which the SDK would compare with, says nothing of it.
    const { Body } = await client.send(
      new GetObjectCommand({ Bucket: bucket, Key, Range: `bytes=${first}-${last}`, ChecksumMode: undefined }),
    );
    if (!(Body instanceof Readable)) throw new Error(`${Key} was answered without a body.`);
    yield* Body;
  },
  list: async (Prefix) => {
    const keys: string[] = [];
    for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix }))
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key);
    return keys;
  },
  tags: async (Key) => {
    const { TagSet } = await client.send(new GetObjectTaggingCommand({ Bucket: bucket, Key }));
    return Object.fromEntries((TagSet ?? []).map((tag) => [tag.Key ?? '', tag.Value ?? '']));
  },
  tag: async (Key, tags) => {
    await client.send(new PutObjectTaggingCommand({ Bucket: bucket, Key, Tagging: tagging(tags) }));
  },
  thaw: async (Key, Days) => {
    try {
      const RestoreRequest = { Days, GlacierJobParameters: { Tier: 'Standard' as const } };
      await client.send(new RestoreObjectCommand({ Bucket: bucket, Key, RestoreRequest }));
    } catch (error) {
      if (error instanceof S3ServiceException && error.name === 'RestoreAlreadyInProgress') return;
      throw error;
    }
  },
  delete: async (Key) => {
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
  },
  listObjects: async (Prefix) => {
    const objects: { key: string; modifiedAt: Date }[] = [];
    for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix }))
      for (const { Key: key, LastModified: modifiedAt } of page.Contents ?? [])
        if (key !== undefined && modifiedAt) objects.push({ key, modifiedAt });
    return objects;
  },
  listUploads: (prefix) => listUploads(client, bucket, prefix),
  abortUpload: (key, uploadId) => abortUpload(client, bucket, key, uploadId),
  abortUploads: async (prefix) => {
    const uploads = await listUploads(client, bucket, prefix);
    for (const { key, uploadId } of uploads) await abortUpload(client, bucket, key, uploadId);
    return uploads.length;
  },
});

/** A bucket's objects as JSON of known shapes. */
export const jsonState = (bucket: Bucket): State => ({
  read: async <T>(key: string, schema: z.ZodType<T>) => {
    const found = await bucket.read(key);
    return found && schema.parse(JSON.parse(found.text));
  },
  write: (key, value) => bucket.write(key, JSON.stringify(value)),
});
