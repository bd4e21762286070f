import { describe, expect, it } from 'vitest';
import { jsonState } from '#aws/bucket';
import { History } from '#domain/history';
import { type Manifest, uploadsOf } from '#domain/manifest';
import { stateKeys, tagKeys, vaultKeys } from '#domain/naming';
import type { VerifyBackupOutput, VerifyRequest } from '#domain/payloads';
import { bytesRead, Verification } from '#domain/verification';
import { verifyBackup } from '#lambdas/verify-backup/verify-backup';
import { commitSound, manifestOf } from './cli-fixtures.ts';
import { memoryBucket } from './memory.ts';

const id = '20261120T020000Z';
const now = new Date('2026-11-20T12:00:00Z');

const bench = async (...backups: string[]) => {
  const vault = memoryBucket();
  const manifests: Manifest[] = [];
  for (const backup of backups) manifests.push(await commitSound(vault, manifestOf('pe-main', backup)));
  const state = jsonState(memoryBucket());
  const [first = manifestOf('pe-main', id)] = manifests;
  const keys = first.artifacts.flatMap(({ collected }) => uploadsOf(collected).map(({ key }) => key));
  const slice = (
    request: VerifyRequest,
    run = 'run-1',
    clock = () => now,
    rangeBytes = 1024 ** 2,
  ): Promise<VerifyBackupOutput> =>
    verifyBackup(
      { state, vault, now: clock, rangeBytes },
      { run, execution: 'arn', startedAt: now.toISOString() },
      request,
    );
  const history = async (backup = id): Promise<History> =>
    History.parse(JSON.parse((await vault.read(vaultKeys.history('pe-main', backup)))?.text ?? '[]'));
  return { vault, state, keys, slice, history, manifests };
};

describe('reading a backup back', () => {
  it('finds it sound when every byte is as it was committed, and says so in its history', async () => {
    const { slice, history, vault, manifests } = await bench(id);
    const bytes = manifests[0]?.artifacts.flatMap(({ collected }) => uploadsOf(collected)) ?? [];
    const read = bytes.reduce((sum, one) => sum + one.bytes, 0);
    expect(await slice({ system: 'pe-main', backup: 'latest' })).toEqual({
      status: 'read',
      ...{ operation: 'verify', system: 'pe-main', bytes: read, sound: [id], damaged: [], cold: [] },
      unreadable: [],
    });
    expect(await history()).toEqual([
      { at: now.toISOString(), change: 'verified', outcome: 'sound', bytes: read, faults: [], run: 'run-1' },
    ]);
    expect(await vault.tags({ key: vaultKeys.history('pe-main', id) })).toEqual({ [tagKeys.retention]: 'keep' });
  });

  it.each([0, 1, 2, 3, 4])('finds one flipped bit in object %i, which has its old length', async (which) => {
    const { slice, history, vault, keys } = await bench(id);
    const key = keys[which] ?? '';
    const text = (await vault.read(key))?.text ?? '';
    vault.corrupt(key, `${text.slice(0, 40)}${String.fromCharCode(text.charCodeAt(40) ^ 1)}${text.slice(41)}`);
    const output = await slice({ system: 'pe-main', backup: id });
    expect(output).toMatchObject({ status: 'damaged', damaged: [id], error: 'BackupDamagedError' });
    expect('cause' in output && output.cause).toContain(`${key}: its SHA-256 is `);
    expect(await history()).toMatchObject([{ outcome: 'damaged', faults: [expect.stringContaining(key)] }]);
  });

  it('finds what is missing and what is shorter, and reads the rest anyway', async () => {
    const { slice, history, vault, keys } = await bench(id);
    vault.lose(keys[0] ?? '');
    vault.corrupt(keys[3] ?? '', 'short');
    expect(await slice({ system: 'pe-main', backup: id })).toMatchObject({ status: 'damaged' });
    expect(await history()).toMatchObject([
      {
        bytes: expect.toSatisfy((bytes: number) => bytes > 100),
        faults: [expect.stringContaining('does not have the version'), expect.stringMatching(/has 5 bytes of/)],
      },
    ]);
  });

  it('goes on from where the last slice has ended, one object a slice when time is short', async () => {
    const { slice, history, state } = await bench(id);
    let clock = now.getTime();
    const slow = () => {
      clock += 400_000;
      return new Date(clock);
    };
    const statuses: string[] = [];
    for (;;) {
      const { status } = await slice({ system: 'pe-main', backup: id }, 'run-1', slow);
      statuses.push(status);
      if (status !== 'reading') break;
      const seen = await state.read(stateKeys.verification('run-1'), Verification);
      expect(seen?.object).toBe(statuses.length);
      expect(seen && bytesRead(seen)).toBeLessThanOrEqual(seen?.total ?? 0);
    }
    // Five objects, then the entry in the history.
    expect(statuses).toEqual([...Array.from({ length: 5 }, () => 'reading'), 'read']);
    expect(await history()).toHaveLength(1);
    expect((await slice({ system: 'pe-main', backup: id }, 'run-2')).status).toBe('read');
    expect(await history()).toHaveLength(2);
  });

  it.each([1, 63, 64, 100])(
    'reads an object in ranges of %i bytes, each once, over as many slices as it takes',
    async (range) => {
      const { slice, vault, manifests } = await bench(id);
      const { stream } = vault;
      const ranges: number[] = [];
      vault.stream = (key, first, last) => {
        ranges.push(last - first + 1);
        return stream(key, first, last);
      };
      let clock = now.getTime();
      const slow = () => {
        clock += 60_000;
        return new Date(clock);
      };
      let output: VerifyBackupOutput;
      do output = await slice({ system: 'pe-main', backup: id }, 'run-1', slow, range);
      while (output.status === 'reading');
      expect(output).toMatchObject({ status: 'read', sound: [id] });
      const sizes =
        manifests[0]?.artifacts.flatMap(({ collected }) => uploadsOf(collected).map(({ bytes }) => bytes)) ?? [];
      const total = sizes.reduce((sum, size) => sum + size, 0);
      expect(Math.max(...ranges)).toBe(range);
      expect(ranges.reduce((sum, one) => sum + one, 0)).toBe(total);
      expect('bytes' in output && output.bytes).toBe(total);
    },
  );

  it('throws when S3 cuts an object off, and goes on when it is called again', async () => {
    const { slice, vault } = await bench(id);
    const { stream } = vault;
    let cuts = 1;
    vault.stream = async function* (key, first, last) {
      yield* stream(key, first, cuts-- > 0 ? last - 3 : last);
    };
    await expect(slice({ system: 'pe-main', backup: id })).rejects.toThrow(/was cut off/);
    expect(await slice({ system: 'pe-main', backup: id })).toMatchObject({ status: 'read', sound: [id] });
  });

  it('tells of a backup that cold storage holds, without calling it sound or damaged', async () => {
    const { slice, vault, keys, history } = await bench(id);
    vault.cold.set(keys[0] ?? '', 'frozen');
    expect(await slice({ system: 'pe-main', backup: id })).toMatchObject({ status: 'read', sound: [], cold: [id] });
    expect(await history()).toMatchObject([{ outcome: 'cold' }]);
  });

  it('reads those that are due when none is named, and enters each in its own history', async () => {
    const old = ['20260101T020000Z', '20260601T020000Z', id] as const;
    const { slice, history } = await bench(...old);
    expect(await slice({ system: 'pe-main' })).toMatchObject({ status: 'read', sound: [old[0], id] });
    expect(await history(old[0])).toHaveLength(1);
    expect(await history(old[1])).toEqual([]);
    expect(await slice({ system: 'pe-main' }, 'run-2')).toMatchObject({ sound: [old[1], id] });
  });

  it('says what there is when there is no such backup, or none at all', async () => {
    const { slice } = await bench();
    await expect(slice({ system: 'pe-main', backup: id })).rejects.toMatchObject({ name: 'UnknownBackupError' });
    await expect(slice({ system: 'pe-main' })).rejects.toMatchObject({ name: 'NoBackupError' });
  });
});
