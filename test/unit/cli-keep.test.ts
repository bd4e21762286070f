import { afterEach, describe, expect, it } from 'vitest';
import type { Config } from '#domain/config';
import { History } from '#domain/history';
import { type Manifest, objectsOfBackup } from '#domain/manifest';
import { tagKeys, vaultKeys } from '#domain/naming';
import { HoldRequest } from '#domain/payloads';
import type { Kept } from '#domain/retention';
import { letOlderGo } from '#lambdas/commit-backup/commit-backup';
import { holdBackup } from '#lambdas/hold-backup/hold-backup';
import type { Connection } from '../../cli/connection.ts';
import { keep } from '../../cli/keep.ts';
import { show } from '../../cli/show.ts';
import { startDeployment } from './cli-deployment.ts';
import { commit, manifestOf, recordedOutput } from './cli-fixtures.ts';
import { memoryBucket } from './memory.ts';

const ids = ['20261117T020000Z', '20261118T020000Z', '20261119T020000Z', '20261120T020000Z'] as const;
const now = new Date('2026-11-20T12:00:00Z');

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const vaultWith = async (...manifests: Manifest[]) => lockedVaultWith(undefined, ...manifests);
const lockedVaultWith = async (objectLock: Config['vault']['objectLock'], ...manifests: Manifest[]) => {
  const vault = memoryBucket();
  for (const manifest of manifests) {
    await commit(vault, manifest, manifest.purpose === 'safety' ? manifest.retentionClass : 'keep');
    for (const { key } of objectsOfBackup(manifest)) await vault.create(key, 'x', { [tagKeys.retention]: 'keep' });
  }
  const { connection: deployed, close } = await startDeployment({
    'hold-backup': ({ request }) =>
      holdBackup(
        { config: { vault: { objectLock, keyAdministrators: [], replication: 'off' } }, vault },
        HoldRequest.parse(request),
        now.toISOString(),
      ),
  });
  closing.push(close);
  // What people read is the vault; what they may write is nothing of it.
  const refuse = (): never => {
    throw new Error('people write nothing in the vault');
  };
  const read: Connection['vault'] = { ...vault, read: (key) => vault.read(key), tags: (object) => vault.tags(object) };
  const connection: Connection = {
    ...deployed,
    vault: { ...read, create: refuse, replace: refuse, write: refuse, tag: refuse, delete: refuse },
  };
  const change = async (what: 'held' | 'released', text: string, reason?: string) => {
    const recorded = recordedOutput();
    const options = { pollMilliseconds: 5, ...(reason !== undefined && { reason }) };
    const exit = await keep(async () => connection, text, what, options, recorded.output);
    return { exit, stdout: recorded.stdout() };
  };
  const tags = async (manifest: Manifest) => {
    const objects = [...objectsOfBackup(manifest), { key: vaultKeys.manifest(manifest.system, manifest.backup) }];
    return new Set(await Promise.all(objects.map(async (object) => (await vault.tags(object))[tagKeys.retention])));
  };
  const kept = (list: readonly Manifest[]): Kept[] =>
    list.map(({ backup, retentionClass }) => ({ backup, class: retentionClass, complete: true, damaged: false }));
  return {
    vault,
    connection,
    change,
    tags,
    commitNewer: (list: readonly Manifest[]) => letOlderGo(vault, 'pe-main', kept(list), 1, now),
  };
};

const all = ids.map((id) => manifestOf('pe-main', id));
const [oldest = manifestOf('pe-main', ids[0]), , , newest = manifestOf('pe-main', ids[3])] = all;
const historyOf = async (vault: ReturnType<typeof memoryBucket>, backup: string) =>
  History.parse(JSON.parse((await vault.read(vaultKeys.history('pe-main', backup)))?.text ?? '[]'));

describe('a hold', () => {
  it('survives the commits of newer backups, which let all others go', async () => {
    const { vault, change, tags, commitNewer } = await vaultWith(...all);
    expect((await change('held', `pe-main/${ids[0]}`, 'audit')).exit).toBe('ok');
    await commitNewer(all);
    await commitNewer(all);
    expect(await tags(oldest)).toEqual(new Set(['keep']));
    expect(await tags(manifestOf('pe-main', ids[1]))).toEqual(new Set(['daily']));
    expect(await historyOf(vault, ids[0])).toMatchObject([{ change: 'held', tag: 'keep', reason: 'audit' }]);
    expect(await historyOf(vault, ids[1])).toMatchObject([{ change: 'let go', tag: 'daily', by: 'holdfast' }]);
  });

  it('ends with its release: the next commit lets the backup go, however old it is', async () => {
    const many = Array.from({ length: 40 }, (_, index) =>
      manifestOf('pe-main', `202601${String((index % 28) + 1).padStart(2, '0')}T0${Math.floor(index / 28)}0000Z`),
    );
    const { vault, change, tags, commitNewer } = await vaultWith(...many);
    const first = many.toSorted((a, b) => (a.backup < b.backup ? -1 : 1))[0] ?? oldest;
    await change('held', `pe-main/${first.backup}`);
    for (let commits = 0; commits < 5; commits++) await commitNewer(many);
    expect((await change('released', `pe-main/${first.backup}`)).stdout).toContain('from the next backup on');
    expect(await tags(first)).toEqual(new Set(['keep']));
    await commitNewer(many);
    expect(await tags(first)).toEqual(new Set(['daily']));
    expect((await historyOf(vault, first.backup)).map(({ change: what }) => what)).toEqual([
      'held',
      'released',
      'let go',
    ]);
  });

  it('lets nobody delete an object of the backup where the vault has Object Lock, until it is released', async () => {
    const { vault, change } = await lockedVaultWith({ mode: 'governance', days: 1, classes: {} }, ...all);
    const objects = [...objectsOfBackup(oldest).map(({ key }) => key), vaultKeys.manifest('pe-main', ids[0])];
    await change('held', `pe-main/${ids[0]}`);
    expect([...vault.held].map((id) => id.split(' ')[0]).toSorted()).toEqual(objects.toSorted());
    await change('released', `pe-main/${ids[0]}`);
    expect([...vault.held]).toEqual([]);
    const without = await vaultWith(...all);
    await without.change('held', `pe-main/${ids[0]}`);
    expect([...without.vault.held]).toEqual([]);
  });

  it('of a backup that is among the newest leaves it there when it is released', async () => {
    const { change, tags, commitNewer } = await vaultWith(...all);
    await change('held', 'pe-main/latest');
    await change('released', 'pe-main/latest');
    await commitNewer(all);
    expect(await tags(newest)).toEqual(new Set(['keep']));
  });

  it('is possible on a safety backup, which expires as its class again once it is released', async () => {
    const safety = manifestOf('pe-main', ids[1], { purpose: 'safety' });
    const { change, tags } = await vaultWith(oldest, safety);
    await change('held', `pe-main/${ids[1]}`);
    expect(await tags(safety)).toEqual(new Set(['keep']));
    await change('released', `pe-main/${ids[1]}`);
    expect(await tags(safety)).toEqual(new Set(['daily']));
  });

  it('is the same when it is put or released twice, which fixes what broke off', async () => {
    const { vault, change, tags } = await vaultWith(...all);
    await change('held', 'pe-main/latest');
    await vault.tag(objectsOfBackup(newest)[0] ?? { key: '' }, {});
    await change('held', 'pe-main/latest');
    expect(await tags(newest)).toEqual(new Set(['keep']));
    await change('released', 'pe-main/latest');
    await change('released', 'pe-main/latest');
    expect(await historyOf(vault, ids[3])).toHaveLength(2);
  });

  it('is not taken back where there is none', async () => {
    const { vault, change, tags } = await vaultWith(...all);
    const released = HoldRequest.parse({ system: 'pe-main', backup: ids[0], change: 'released', by: 'alice' });
    const config = { vault: { keyAdministrators: [], replication: 'off' as const } };
    await expect(holdBackup({ config, vault }, released, now.toISOString())).rejects.toThrow(/Nobody holds/);
    expect(await historyOf(vault, ids[0])).toEqual([]);
    await change('held', `pe-main/${ids[0]}`);
    expect(await tags(oldest)).toEqual(new Set(['keep']));
  });

  it('never writes the manifest again: it would outlive its artifacts', async () => {
    const { vault, change } = await vaultWith(...all);
    const key = vaultKeys.manifest('pe-main', ids[0]);
    const before = await vault.read(key);
    await change('held', `pe-main/${ids[0]}`);
    await change('released', `pe-main/${ids[0]}`);
    expect(await vault.read(key)).toEqual(before);
  });

  it('is told by show', async () => {
    const { connection, change } = await vaultWith(...all);
    await change('held', 'pe-main/latest', 'audit');
    const { output, stdout } = recordedOutput();
    await show(async () => connection, 'pe-main/latest', {}, output);
    expect(stdout()).toMatch(/^ {2}2026-11-20 12:00:00Z +held +keep +\S+ +audit$/m);
  });

  it('is not released where there is none, nor put on what does not exist', async () => {
    const { change } = await vaultWith(oldest);
    await expect(change('released', `pe-main/${ids[0]}`)).rejects.toMatchObject({ exit: 'not-found' });
    await expect(change('held', `pe-main/${ids[1]}`)).rejects.toMatchObject({ exit: 'not-found' });
    await expect(change('held', 'pe-other/latest')).rejects.toMatchObject({ exit: 'not-found' });
  });

  it('leaves the tag of a restore that reads the backup at this moment', async () => {
    const { vault, change } = await vaultWith(oldest);
    const [object = { key: '' }] = objectsOfBackup(oldest);
    await vault.tag(object, { [tagKeys.retention]: 'daily', [tagKeys.restore]: 'pe-main' });
    await change('held', `pe-main/${ids[0]}`);
    expect(await vault.tags(object)).toEqual({ [tagKeys.retention]: 'keep', [tagKeys.restore]: 'pe-main' });
  });

  it('gives way to somebody who changes the same backup at the same moment', async () => {
    const { vault, change } = await vaultWith(oldest);
    const read = vault.read;
    vault.read = async (key) => {
      const found = await read(key);
      if (key.endsWith('.history.json')) await vault.write(key, '[]');
      return found;
    };
    await expect(change('held', `pe-main/${ids[0]}`)).rejects.toMatchObject({ exit: 'busy' });
  });
});
