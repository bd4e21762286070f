import {
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListPartsCommand,
  type MultipartUpload,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3';

/** An object of the vault as a watcher sees it: stored, or on its way with the bytes that have arrived so far. */
export interface Upload {
  readonly key: string;
  readonly bytes: number;
  readonly state: 'stored' | 'under way';
}

/** Up to which part of an upload there is no gap, and the bytes up to there: those parts need not be listed again. */
interface Seen {
  readonly part: number;
  readonly bytes: number;
}

/**
 * Looks at what lies below a prefix of a bucket and what is on its way there. Each look lists only the parts that have
 * arrived since the last one, so that a dump of ten thousand parts costs a watcher no more than a small one.
 */
export const watchUploads = (client: S3Client, bucket: string): ((prefix: string) => Promise<readonly Upload[]>) => {
  const seen = new Map<string, Seen>();

  const arrived = async (key: string, uploadId: string): Promise<number> => {
    let { part, bytes } = seen.get(uploadId) ?? { part: 0, bytes: 0 };
    let marker = part === 0 ? undefined : String(part);
    let beyond = 0;
    // Not the SDK's paginator: S3 names a next part on the last page too, and the paginator would ask on for ever.
    for (let more = true; more; ) {
      const page = await client.send(
        new ListPartsCommand({ Bucket: bucket, Key: key, UploadId: uploadId, PartNumberMarker: marker }),
      );
      for (const { PartNumber = 0, Size = 0 } of page.Parts ?? []) {
        // Parts arrive out of order: only those before the first gap are done with.
        if (PartNumber === part + 1) {
          part = PartNumber;
          bytes += Size;
        } else if (PartNumber > part) beyond += Size;
      }
      more = page.IsTruncated === true;
      marker = page.NextPartNumberMarker;
    }
    seen.set(uploadId, { part, bytes });
    return bytes + beyond;
  };

  const look = async ({ Key, UploadId }: MultipartUpload): Promise<readonly Upload[]> => {
    if (Key === undefined || UploadId === undefined) return [];
    try {
      return [{ key: Key, bytes: await arrived(Key, UploadId), state: 'under way' }];
    } catch (error) {
      // It was completed or aborted since it was listed; a completed one is among the objects.
      if (error instanceof Error && error.name === 'NoSuchUpload') return [];
      throw error;
    }
  };

  return async (prefix) => {
    const underWay = await Promise.all((await listUploads(client, bucket, prefix)).map(look));
    const uploads = new Map(underWay.flat().map((upload) => [upload.key, upload]));
    // Listed last, so that an upload which is completed in between is seen at least once, and counted once.
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix })) {
      for (const { Key: key, Size: bytes = 0 } of Contents)
        if (key !== undefined) uploads.set(key, { key, bytes, state: 'stored' });
    }
    return [...uploads.values()];
  };
};

const listUploads = async (client: S3Client, bucket: string, prefix: string): Promise<readonly MultipartUpload[]> => {
  const uploads: MultipartUpload[] = [];
  let page: ListMultipartUploadsCommandOutput | undefined;
  do {
    page = await client.send(
      new ListMultipartUploadsCommand({
        Bucket: bucket,
        Prefix: prefix,
        KeyMarker: page?.NextKeyMarker,
        UploadIdMarker: page?.NextUploadIdMarker,
      }),
    );
    uploads.push(...(page.Uploads ?? []));
  } while (page.IsTruncated === true);
  return uploads;
};
