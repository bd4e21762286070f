import {
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  NoSuchUpload,
  S3Client,
} from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import { describe, expect, it } from 'vitest';
import { watchUploads } from '../../cli/uploads.ts';

const setUp = () => {
  const client = new S3Client({ region: 'us-east-1' });
  const s3 = mockClient(client);
  s3.on(ListObjectsV2Command).resolves({});
  s3.on(ListMultipartUploadsCommand).resolves({ Uploads: [{ Key: 'b/dump', UploadId: 'u1' }] });
  return { s3, look: watchUploads(client, 'vault') };
};

const parts = (...numbers: number[]) => ({ Parts: numbers.map((PartNumber) => ({ PartNumber, Size: 8 })) });

describe('uploads', () => {
  it('count the parts that have arrived, and the objects that are stored', async () => {
    const { s3, look } = setUp();
    s3.on(ListPartsCommand).resolves(parts(1, 2, 3));
    s3.on(ListObjectsV2Command).resolves({ Contents: [{ Key: 'b/globals', Size: 5 }] });
    expect(await look('b/')).toEqual([
      { key: 'b/dump', bytes: 24, state: 'under way' },
      { key: 'b/globals', bytes: 5, state: 'stored' },
    ]);
  });

  it('ask only for the parts after those that are known without a gap', async () => {
    const { s3, look } = setUp();
    s3.on(ListPartsCommand).resolves(parts(1, 2, 4));
    expect(await look('b/')).toMatchObject([{ bytes: 24 }]);
    s3.on(ListPartsCommand, { PartNumberMarker: '2' }).resolves(parts(3, 4, 5));
    expect(await look('b/')).toMatchObject([{ bytes: 40 }]);
    s3.on(ListPartsCommand, { PartNumberMarker: '5' }).resolves({});
    expect(await look('b/')).toMatchObject([{ bytes: 40 }]);
  });

  it('read every page of parts, and no more though S3 names a next part on the last page too', async () => {
    const { s3, look } = setUp();
    s3.on(ListPartsCommand)
      .resolvesOnce({ ...parts(1, 2), IsTruncated: true, NextPartNumberMarker: '2' })
      .resolves({ ...parts(3), IsTruncated: false, NextPartNumberMarker: '3' });
    expect(await look('b/')).toMatchObject([{ bytes: 24 }]);
    expect(s3.commandCalls(ListPartsCommand)).toHaveLength(2);
  });

  it('count an object once that is completed between the listings', async () => {
    const { s3, look } = setUp();
    s3.on(ListPartsCommand).resolves(parts(1, 2));
    s3.on(ListObjectsV2Command).resolves({ Contents: [{ Key: 'b/dump', Size: 17 }] });
    expect(await look('b/')).toEqual([{ key: 'b/dump', bytes: 17, state: 'stored' }]);
  });

  it('leave out an upload that ended since it was listed', async () => {
    const { s3, look } = setUp();
    s3.on(ListPartsCommand).rejects(new NoSuchUpload({ message: 'gone', $metadata: {} }));
    expect(await look('b/')).toEqual([]);
  });

  it('are listed page by page', async () => {
    const { s3, look } = setUp();
    s3.on(ListPartsCommand).resolves(parts(1));
    s3.on(ListMultipartUploadsCommand)
      .resolvesOnce({ Uploads: [{ Key: 'b/1', UploadId: 'u1' }], IsTruncated: true, NextKeyMarker: 'b/1' })
      .resolvesOnce({ Uploads: [{ Key: 'b/2', UploadId: 'u2' }] });
    expect((await look('b/')).map(({ key }) => key)).toEqual(['b/1', 'b/2']);
    expect(s3.commandCalls(ListMultipartUploadsCommand)[1]?.args[0].input.KeyMarker).toBe('b/1');
  });
});
