import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';

/** An S3 that tells the checksum of other bytes than it sends: what lies there was damaged. */
const server = createServer((_, answer) => answer.setHeader('x-amz-checksum-crc32', 'AAAAAA==').end('damaged'));
const endpoint = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const bucket = () => {
  const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' };
  return s3Bucket(s3Client({ endpoint: endpoint(), region: 'eu-central-1', ...{ credentials } }), 'vault');
};

beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => new Promise((resolve) => server.close(resolve)));

it('an artifact is read as it lies there, for whoever compares it with its manifest', async () => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bucket().stream({ key: 'backups/pe-main/a' }, 0, 6)) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toBe('damaged');
});

it('anything else that does not have its checksum is not read', async () => {
  await expect(bucket().read('catalog/pe-main/a.json')).rejects.toThrow(/Checksum mismatch/);
});
