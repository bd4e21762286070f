import { describe, expect, it } from 'vitest';
import { jsonState } from '#aws/bucket';
import { objectsOfBackup } from '#domain/manifest';
import { stateKeys, tagKeys, vaultKeys } from '#domain/naming';
import { RestoreRequest, Safety } from '#domain/payloads';
import { chooseBackup } from '#lambdas/choose-backup/choose-backup';
import { commitBackup } from '#lambdas/commit-backup/commit-backup';
import { backupsInMemory } from './backup-in-memory.ts';
import { commitSound, manifestOf } from './cli-fixtures.ts';
import { memoryBucket } from './memory.ts';

const at = new Date('2026-11-20T02:00:00Z');
const id = '20261120T020000Z';
const ref = { system: 'pe-main', operation: 'backup' as const, run: `run-${at.getTime()}` };

describe('a commit', () => {
  it('names what was stored by its version, tags it as kept, and comes last', async () => {
    const { vault, backUp } = backupsInMemory();
    const manifest = await backUp(at);
    expect(manifest).toMatchObject({ backup: id, state: 'complete', purpose: 'regular', retentionClass: 'yearly' });
    expect(manifest.artifacts.map(({ stored }) => stored.upload.versionId)).toEqual(manifest.artifacts.map(() => 'v1'));
    for (const key of await vault.list(''))
      expect([key, await vault.tags({ key })]).toEqual([key, { [tagKeys.retention]: 'keep' }]);
  });

  it('done again by the same run changes nothing', async () => {
    const { state, vault, config, backUp } = backupsInMemory();
    await backUp(at);
    const before = await vault.read(vaultKeys.manifest('pe-main', id));
    await commitBackup({ config, state, vault, now: () => at }, ref);
    expect(await vault.read(vaultKeys.manifest('pe-main', id))).toEqual(before);
  });

  it('locks every object, the manifest too, for as long as its class is to be locked', async () => {
    const { state, vault, config, backUp } = backupsInMemory();
    const manifest = await backUp(at);
    expect([...vault.locked]).toEqual([]);
    const commit = (classes: { yearly?: number; daily?: number }) => {
      const objectLock = { mode: 'governance' as const, days: 7, classes };
      return commitBackup(
        { config: { ...config, vault: { ...config.vault, objectLock } }, state, vault, now: () => at },
        ref,
      );
    };
    await commit({ daily: 30 });
    expect([...vault.locked]).toEqual([]);
    await commit({ yearly: 365 });
    const keys = [...objectsOfBackup(manifest).map(({ key }) => key), vaultKeys.manifest('pe-main', id)];
    expect([...vault.locked].map(([object]) => object.split(' ')[0]).toSorted()).toEqual(keys.toSorted());
    expect(new Set([...vault.locked.values()].map((until) => until.toISOString()))).toEqual(
      new Set(['2027-11-20T02:00:00.000Z']),
    );
  });

  it('is refused where another run has committed this backup', async () => {
    const { vault, state, config, backUp } = backupsInMemory();
    await backUp(at);
    const key = vaultKeys.manifest('pe-main', id);
    await vault.write(key, JSON.stringify(manifestOf('pe-main', id, { run: 'another' })));
    await expect(commitBackup({ config, state, vault, now: () => at }, ref)).rejects.toMatchObject({
      ...{ name: 'AlreadyExistsError', message: expect.stringMatching(/by another run, another/) },
    });
  });

  it.each([
    ['shorter than the node said', (vault: ReturnType<typeof memoryBucket>, key: string) => vault.corrupt(key, '')],
    ['not there', (vault: ReturnType<typeof memoryBucket>, key: string) => vault.lose(key)],
  ])('is refused when something is %s, and leaves no manifest', async (_, spoil) => {
    const { vault, state, config, backUp } = backupsInMemory();
    await backUp(at);
    await vault.delete(vaultKeys.manifest('pe-main', id));
    const [key = ''] = await vault.list(vaultKeys.backup('pe-main', id));
    spoil(vault, key);
    await expect(commitBackup({ config, state, vault, now: () => at }, ref)).rejects.toThrow(/Nothing was committed/);
    expect(await vault.has(vaultKeys.manifest('pe-main', id))).toBe(false);
  });

  it('of a safety backup takes no place among the kept, lacks what is broken, and is known to its restore', async () => {
    const { vault, state, backUp } = backupsInMemory();
    const manifest = await backUp(at, { safety: true, scheduled: false, lockedBy: 'restore-1' });
    expect(manifest).toMatchObject({ purpose: 'safety', retentionClass: 'manual' });
    expect(await vault.tags({ key: vaultKeys.manifest('pe-main', id) })).toEqual({ [tagKeys.retention]: 'manual' });
    expect(await jsonState(state).read(stateKeys.safety('restore-1'), Safety)).toEqual({ backup: id });
  });

  it('is refused for a system that is gone, and for a run that has collected nothing', async () => {
    const { vault, state, config, backUp } = backupsInMemory();
    await backUp(at);
    const services = { config, state, vault, now: () => at };
    await expect(commitBackup(services, { ...ref, system: 'pe-gone' })).rejects.toThrow(/has no system pe-gone/);
    await state.delete(stateKeys.phase(ref.run, 'collect'));
    await expect(commitBackup(services, ref)).rejects.toThrow(/has collected nothing/);
  });
});

describe('a restore chooses', () => {
  const choose = async (vault: ReturnType<typeof memoryBucket>, request: object | undefined) => {
    const state = jsonState(memoryBucket());
    await state.write(stateKeys.run('run-1'), {
      ...{ system: 'pe-main', operation: 'restore', run: 'run-1', backup: id, execution: 'arn', attempt: 0 },
      ...{ startedAt: at.toISOString(), scheduled: false, safety: false },
      ...(request && { restore: RestoreRequest.parse({ system: 'pe-main', ...request }) }),
    });
    return chooseBackup({ state, vault }, { system: 'pe-main', operation: 'restore', run: 'run-1' });
  };
  const vaultWith = async (...ids: string[]) => {
    const vault = memoryBucket();
    for (const one of ids) await commitSound(vault, manifestOf('pe-main', one));
    return vault;
  };

  it('what was named, or the newest before a moment, and counts what cold storage has', async () => {
    const vault = await vaultWith(id, '20261121T020000Z');
    expect(await choose(vault, { backup: id })).toEqual({ backup: id, cold: 0 });
    expect(await choose(vault, { before: '2026-11-21T02:00:00Z' })).toEqual({ backup: id, cold: 0 });
    const [key = ''] = await vault.list(vaultKeys.backup('pe-main', id));
    vault.cold.set(key, 'frozen');
    expect(await choose(vault, { backup: id })).toEqual({ backup: id, cold: 1 });
  });

  it('nothing that is not there, and says what there is', async () => {
    const vault = await vaultWith(id);
    await expect(choose(vault, { backup: '20200101T000000Z' })).rejects.toThrow(
      /no backup 20200101T000000Z. Its newest are 2026/,
    );
    await expect(choose(memoryBucket(), { backup: id })).rejects.toThrow(/It has none at all/);
    await expect(choose(memoryBucket(), { backup: 'latest' })).rejects.toThrow(/pe-main has no good backup\. /);
    await expect(choose(vault, { before: '2026-11-20T02:00:00Z' })).rejects.toThrow(/no good backup before 2026-11-20/);
    await vault.write(vaultKeys.manifest('pe-main', id), 'half a man');
    await expect(choose(vault, { backup: 'latest' })).rejects.toThrow(
      /no good backup; the backup 2026.* is skipped: its manifest is not JSON/,
    );
    await expect(choose(vault, undefined)).rejects.toThrow(/is no restore/);
  });

  it.each([
    ['gone', (vault: ReturnType<typeof memoryBucket>, key: string) => vault.lose(key), /does not have the version v1/],
    [
      'of another length',
      (vault: ReturnType<typeof memoryBucket>, key: string) => vault.corrupt(key, 'x'),
      /has 1 bytes of/,
    ],
  ])('nothing of which an object is %s', async (_, spoil, reason) => {
    const vault = await vaultWith(id);
    const [key = ''] = await vault.list(vaultKeys.backup('pe-main', id));
    spoil(vault, key);
    await expect(choose(vault, { backup: 'latest' })).rejects.toMatchObject({
      ...{ name: 'ArtifactMissingError', message: expect.stringMatching(reason) },
    });
  });
});
