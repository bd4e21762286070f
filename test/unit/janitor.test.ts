import { describe, expect, it } from 'vitest';
import { parseConfig } from '#domain/config-file';
import { History } from '#domain/history';
import { objectsOfBackup } from '#domain/manifest';
import { stateKeys, tagKeys, vaultKeys } from '#domain/naming';
import { JanitorInput as Input, type JanitorInput } from '#domain/payloads';
import { tidy } from '#lambdas/janitor/janitor';
import { commit, manifestOf } from './cli-fixtures.ts';
import { memoryBucket } from './memory.ts';

const now = new Date('2026-11-20T13:15:00Z');
const config = parseConfig(`
systems:
  pe-main:
    kind: puppet-enterprise
    nodes: [{ instance: i-0123456789abcdef0, roles: [master, puppetdb, console] }]
retention: { keepLast: 1 }
`);

/** A vault with ten committed backups of five objects and a manifest each, the newest kept. */
const bench = async () => {
  const vault = memoryBucket();
  const state = memoryBucket();
  const manifests = Array.from({ length: 10 }, (_, n) => manifestOf('pe-main', `202611${10 + n}T020000Z`));
  for (const [index, manifest] of manifests.entries()) {
    const tag = index === 9 ? 'keep' : manifest.retentionClass;
    for (const { key } of objectsOfBackup(manifest)) await vault.create(key, 'x', { [tagKeys.retention]: tag });
    await commit(vault, manifest, tag);
  }
  const undone: string[] = [];
  let endedAt: Date | undefined;
  const runs = {
    endedAt: async () => endedAt,
    undo: async (run: string) => undone.push(run) === 1,
  };
  const orphan = async (backup: string, count: number): Promise<void> => {
    for (let n = 0; n < count; n++) {
      const key = `${vaultKeys.backup('pe-main', backup)}i-1/${n}`;
      await vault.create(key, 'x');
      vault.modified.set(key, new Date('2026-11-01T03:00:00Z'));
    }
  };
  return {
    ...{ vault, state, manifests, undone, orphan },
    die: (at: Date) => {
      endedAt = at;
    },
    run: (input: Partial<JanitorInput> = {}) =>
      tidy({ config, state, vault, runs, now: () => now }, 'pe-main', Input.parse(input)),
  };
};

const lock = (backup: string) =>
  JSON.stringify({
    ...{ system: 'pe-main', operation: 'backup', run: 'dead-run', backup },
    ...{ execution: 'arn', acquiredAt: '2026-11-01T02:00:00Z' },
  });

describe('the janitor', () => {
  it('finds nothing to do where all is well', async () => {
    const { run } = await bench();
    expect(await run()).toEqual({
      ...{ system: 'pe-main', outcome: 'done', objects: 60, touched: 0, chores: [], left: [], replaced: [] },
      unreadable: [],
    });
  });

  it('deletes what was never committed, and uploads that nobody ends', async () => {
    const { run, vault, orphan } = await bench();
    await orphan('20261101T020000Z', 3);
    vault.pending.push({ key: vaultKeys.backup('pe-main', 'x'), uploadId: 'u', startedAt: new Date(0) });
    expect(await run()).toMatchObject({ outcome: 'done', touched: 3, chores: [/upload/, /3 objects/].map(matching) });
    expect(await vault.list(vaultKeys.backup('pe-main', '20261101T020000Z'))).toEqual([]);
    expect(vault.pending).toEqual([]);
    expect(await vault.list('catalog/')).toHaveLength(10);
  });

  it('tells what it would do, and does nothing, when it is only asked', async () => {
    const { run, vault, orphan } = await bench();
    await orphan('20261101T020000Z', 3);
    expect(await run({ dryRun: true })).toMatchObject({
      outcome: 'dry run',
      touched: 3,
      chores: [/3 objects/].map(matching),
    });
    expect(await vault.list(vaultKeys.backup('pe-main', '20261101T020000Z'))).toHaveLength(3);
  });

  it('does nothing at all when it would touch more than a tenth, unless it is told a larger share', async () => {
    const { run, vault, orphan } = await bench();
    await orphan('20261101T020000Z', 7);
    vault.pending.push({ key: vaultKeys.backup('pe-main', 'x'), uploadId: 'u', startedAt: new Date(0) });
    expect(await run()).toMatchObject({ outcome: 'refused', objects: 67, touched: 7 });
    expect(await vault.list('backups/')).toHaveLength(57);
    expect(vault.pending).toHaveLength(1);
    expect(await run({ share: 0.2 })).toMatchObject({ outcome: 'done' });
    expect(await vault.list('backups/')).toHaveLength(50);
  });

  it('leaves what a backup has written that is being committed at this moment', async () => {
    const { run, vault, orphan } = await bench();
    await orphan('20261101T020000Z', 3);
    const { has } = vault;
    vault.has = async (key) => {
      if (key.startsWith('catalog/') && !(await has(key))) await vault.create(key, '{}');
      return has(key);
    };
    expect(await run()).toMatchObject({ left: [/3 objects/].map(matching) });
    expect(await vault.list(vaultKeys.backup('pe-main', '20261101T020000Z'))).toHaveLength(3);
  });

  it('puts tags right that a broken attempt has left, and enters it in the history', async () => {
    const { run, vault, manifests } = await bench();
    const [first = manifestOf('pe-main', '')] = manifests;
    const newest = manifests.at(-1) ?? first;
    await vault.tag(objectsOfBackup(first)[0] ?? { key: '' }, { [tagKeys.retention]: 'keep' });
    await vault.tag(objectsOfBackup(newest)[0] ?? { key: '' }, { [tagKeys.retention]: 'daily' });
    expect(await run()).toMatchObject({ outcome: 'done', touched: 1 });
    for (const [manifest, tag] of [
      [first, 'daily'],
      [newest, 'keep'],
    ] as const)
      for (const object of objectsOfBackup(manifest))
        expect(await vault.tags(object)).toEqual({ [tagKeys.retention]: tag });
    const history = await vault.read(vaultKeys.history('pe-main', newest.backup));
    expect(History.parse(JSON.parse(history?.text ?? ''))).toMatchObject([{ change: 'kept', by: 'janitor' }]);
    expect(await run()).toMatchObject({ touched: 0 });
  });

  it('sees what was written over a committed backup, keeps the committed version, and says so until it is the newest again', async () => {
    const { run, vault, manifests } = await bench();
    const [first = manifestOf('pe-main', '')] = manifests;
    const [object = { key: '', versionId: '' }] = objectsOfBackup(first);
    await vault.write(object.key, 'y');
    expect(await run()).toMatchObject({ outcome: 'done', replaced: [object.key] });
    expect(await vault.tags(object)).toEqual({ [tagKeys.retention]: 'keep' });
    expect(await vault.tags({ key: object.key })).toEqual({});
    expect(await run()).toMatchObject({ chores: [], replaced: [object.key] });
  });

  it('keeps what was written over also when it refuses all else', async () => {
    const { run, vault, manifests, orphan } = await bench();
    await orphan('20261101T020000Z', 20);
    for (const { key } of objectsOfBackup(manifests[0] ?? manifestOf('pe-main', ''))) await vault.write(key, 'y');
    expect(await run()).toMatchObject({ outcome: 'refused', replaced: { length: 5 } });
    for (const object of objectsOfBackup(manifests[0] ?? manifestOf('pe-main', '')))
      expect(await vault.tags(object)).toEqual({ [tagKeys.retention]: 'keep' });
    expect(await vault.list(vaultKeys.backup('pe-main', '20261101T020000Z'))).toHaveLength(20);
  });

  it('never takes what it cannot read for an orphan', async () => {
    const { run, vault, orphan } = await bench();
    await orphan('20261101T020000Z', 3);
    await vault.create(vaultKeys.manifest('pe-main', '20261101T020000Z'), '{"format": 9}');
    expect(await run()).toMatchObject({ touched: 0 });
  });

  it('starts the undo of a dead run once, and leaves its objects to it', async () => {
    const { run, state, orphan, undone, die, vault } = await bench();
    await orphan('20261101T020000Z', 3);
    await state.create(stateKeys.lock('pe-main'), lock('20261101T020000Z'));
    expect(await run()).toMatchObject({ chores: [] });
    die(new Date('2026-11-19T00:00:00Z'));
    expect(await run()).toMatchObject({ chores: [/undo dead-run/].map(matching), left: [] });
    expect(await run()).toMatchObject({ left: [/undo dead-run/].map(matching) });
    expect(undone).toEqual(['dead-run', 'dead-run']);
    expect(await vault.list(vaultKeys.backup('pe-main', '20261101T020000Z'))).toHaveLength(3);
  });
});

function matching(pattern: RegExp): unknown {
  return expect.stringMatching(pattern);
}
