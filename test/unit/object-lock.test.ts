import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, DeleteObjectCommand, GetObjectRetentionCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { s3Bucket } from '#aws/bucket';
import { parseConfig } from '#domain/config-file';
import { startS3 } from '#local/runtime/s3';
import { controlCredentials } from '#local/runtime/session';

/** Object Lock on a real S3 server: what is asked of it is what S3 takes, and what is locked stays. */

const vault = 'vault';
let directory: string;
let s3: Awaited<ReturnType<typeof startS3>>;
let client: S3Client;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lock-'));
  s3 = await startS3(directory, []);
  const credentials = controlCredentials;
  client = new S3Client({ endpoint: s3.url, region: 'us-east-1', credentials, forcePathStyle: true, maxAttempts: 1 });
  await client.send(new CreateBucketCommand({ Bucket: vault, ObjectLockEnabledForBucket: true }));
});
afterAll(async () => {
  client.destroy();
  await s3.close();
  await rm(directory, { recursive: true, force: true });
});

describe.each([
  ['an artifact, by its version', true],
  ['a manifest, by its key', false],
])('%s', (what, byVersion) => {
  const written = async (key: string) => {
    const bucket = s3Bucket(client, vault);
    await bucket.create(key, 'rows');
    const [version] = await bucket.versions(key);
    const object = { key, ...(byVersion && { versionId: version?.versionId }) };
    const deleted = () =>
      client.send(new DeleteObjectCommand({ Bucket: vault, Key: key, VersionId: version?.versionId })).then(
        () => 'deleted',
        ({ name }: Error) => name,
      );
    return { bucket, object, deleted };
  };
  const days = (count: number): Date => new Date(Date.now() + count * 86_400_000);

  it('is deleted by nobody before its lock ends, which can be made longer and not shorter', async () => {
    const { bucket, object, deleted } = await written(`${what}/locked`);
    await bucket.lock(object, 'governance', days(7));
    await bucket.lock(object, 'governance', days(30));
    await expect(bucket.lock(object, 'governance', days(1))).rejects.toMatchObject({ name: 'AccessDenied' });
    const { Retention } = await client.send(new GetObjectRetentionCommand({ Bucket: vault, Key: object.key }));
    expect(Retention?.Mode).toBe('GOVERNANCE');
    expect(await deleted()).toBe('AccessDenied');
    const other = await written(`${what}/in compliance mode`);
    await other.bucket.lock(other.object, 'compliance', days(7));
    expect(await other.deleted()).toBe('AccessDenied');
  });

  it('is deleted by nobody while it is held', async () => {
    const { bucket, object, deleted } = await written(`${what}/held`);
    await bucket.hold(object, true);
    expect(await deleted()).toBe('AccessDenied');
    await bucket.hold(object, false);
    expect(await deleted()).toBe('deleted');
  });
});

it('a class is locked for no fewer days than everything is: S3 would refuse it at the commit', () => {
  const withLock = (classes: string) =>
    parseConfig(`
systems:
  pe-main:
    kind: puppet-enterprise
    nodes: [{ instance: i-0123456789abcdef0, roles: [master, puppetdb, console] }]
vault:
  objectLock: { mode: governance, days: 30, classes: ${classes} }
`).vault.objectLock?.classes;
  expect(withLock('{ daily: 30, monthly: 300 }')).toEqual({ daily: 30, monthly: 300 });
  expect(() => withLock('{ daily: 29 }')).toThrow(/classes: expected no fewer than days/);
  expect(() => withLock('{ keep: 30 }')).toThrow();
});
