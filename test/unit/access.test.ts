import { describe, expect, it } from 'vitest';
import { within } from '#domain/contracts/access';
import { memoryBucket } from './memory.ts';

describe('a bucket within grants', () => {
  const world = () => {
    const all = memoryBucket();
    const bucket = within(
      'The verb test',
      {
        'runs/': ['read', 'write'],
        'catalog/': ['read', 'tag'],
        'backups/': ['list', 'list-versions', 'tag-versions', 'discard', 'list-uploads'],
        'backups/*/upgrades/': ['read-versions'],
        'deployed/systems.json': ['write'],
      },
      all,
    );
    return { all, bucket };
  };

  it('does what is granted', async () => {
    const { all, bucket } = world();
    await bucket.create('runs/a/run.json', '{}');
    await bucket.write('deployed/systems.json', '{}');
    await all.write('backups/pe-main/upgrades/a', 'abc');
    expect(await bucket.read('runs/a/run.json')).toMatchObject({ text: '{}' });
    expect(await bucket.list('backups/pe-main/')).toEqual(['backups/pe-main/upgrades/a']);
    const [version] = await bucket.versions('backups/pe-main/');
    await bucket.tag({ key: version?.key ?? '', versionId: version?.versionId }, { a: 'b' });
    const read = [];
    for await (const chunk of bucket.stream({ key: 'backups/pe-main/upgrades/a' }, 0, 1)) read.push(chunk);
    expect(Buffer.concat(read).toString()).toBe('ab');
    await bucket.tag({ key: 'backups/pe-main/upgrades/a' }, {});
    await bucket.delete('backups/pe-main/upgrades/a');
    expect(await all.has('backups/pe-main/upgrades/a')).toBe(false);
  });

  it.each<[string, (bucket: ReturnType<typeof within>) => unknown]>([
    ['read locks/pe-main.json', (bucket) => bucket.read('locks/pe-main.json')],
    ['read backups/pe-main/x', (bucket) => bucket.has('backups/pe-main/x')],
    ['write catalog/pe-main/x.json', (bucket) => bucket.write('catalog/pe-main/x.json', '')],
    ['tag runs/a', (bucket) => bucket.create('runs/a', '', { tag: 'x' })],
    ['write deployed/systems.json.old', (bucket) => bucket.write('deployed/systems.json.old', '')],
    ['delete or discard catalog/pe-main/x.json', (bucket) => bucket.delete('catalog/pe-main/x.json')],
    ['tag backups/x', (bucket) => bucket.tags({ key: 'backups/x' })],
    ['tag-versions catalog/x', (bucket) => bucket.tags({ key: 'catalog/x', versionId: 'v1' })],
    ['list-versions installers/', (bucket) => bucket.versions('installers/')],
    ['thaw backups/x', (bucket) => bucket.thaw({ key: 'backups/x', versionId: 'v1' }, 7)],
    ['lock backups/x', (bucket) => bucket.lock({ key: 'backups/x', versionId: 'v1' }, 'governance', new Date())],
    ['hold catalog/x', (bucket) => bucket.hold({ key: 'catalog/x' }, true)],
    ['abort-uploads backups/', (bucket) => bucket.abortUploads('backups/')],
    [
      'read-versions backups/pe-main/x',
      (bucket) => bucket.stream({ key: 'backups/pe-main/x' }, 0, 1)[Symbol.asyncIterator]().next(),
    ],
  ])('refuses to %s, and says whose row it is', async (what, use) => {
    await expect(use(world().bucket)).rejects.toThrow(
      `The verb test has no right to ${what}. Its row in lambdas/verbs.ts says what it has.`,
    );
  });
});
