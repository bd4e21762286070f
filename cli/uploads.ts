import {
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListPartsCommand,
  type MultipartUpload,
  type Part,
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

  const look = async ({ Key, UploadId }: MultipartUpload): Promise<readonly Upload[]> => {
    if (Key === undefined || UploadId === undefined) return [];
    try {
      const parts = await listParts(client, { Bucket: bucket, Key, UploadId }, seen.get(UploadId)?.part ?? 0);
      const { beyond, ...whole } = withParts(seen.get(UploadId), parts);
      seen.set(UploadId, whole);
      return [{ key: Key, bytes: whole.bytes + beyond, state: 'under way' }];
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

/** What was seen of an upload with the parts that were listed after it, and the bytes that lie beyond the first gap. */
const withParts = (
  before: Seen = { part: 0, bytes: 0 },
  parts: readonly Part[],
): Seen & { readonly beyond: number } => {
  let { part, bytes } = before;
  let beyond = 0;
  // Parts arrive out of order: only those before the first gap are done with.
  for (const { PartNumber = 0, Size = 0 } of parts)
    if (PartNumber === part + 1) {
      part = PartNumber;
      bytes += Size;
    } else if (PartNumber > part) beyond += Size;
  return { part, bytes, beyond };
};

/** The parts of an upload that come after one. */
const listParts = async (
  client: S3Client,
  upload: { readonly Bucket: string; readonly Key: string; readonly UploadId: string },
  after: number,
): Promise<readonly Part[]> => {
  const parts: Part[] = [];
  let marker = after === 0 ? undefined : String(after);
  // Not the SDK's paginator: S3 names a next part on the last page too, and the paginator would ask on for ever.
  for (let more = true; more; ) {
    const page = await client.send(new ListPartsCommand({ ...upload, PartNumberMarker: marker }));
    parts.push(...(page.Parts ?? []));
    more = page.IsTruncated === true;
    marker = page.NextPartNumberMarker;
  }
  return parts;
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
