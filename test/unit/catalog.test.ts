import { describe, expect, it } from 'vitest';
import { jsonState } from '#aws/bucket';
import type { Verified } from '#domain/history';
import { stateKeys, tagKeys, vaultKeys } from '#domain/naming';
import { RestoreRequest, RunRecord } from '#domain/payloads';
import type { Bucket } from '#domain/ports';
import { newestGood, readManifest } from '#domain/vault/catalog';
import { changeRetention, enterVerification } from '#domain/vault/changes';
import { chooseBackup } from '#lambdas/choose-backup/choose-backup';
import { tidy } from '#lambdas/janitor/janitor';
import { readMeasured } from '#lambdas/measure-age/measure-system';
import { verifyBackup } from '#lambdas/verify-backup/verify-backup';
import { show } from '../../cli/show.ts';
import { backupsInMemory } from './backup-in-memory.ts';
import { commit, commitSound, manifestOf, recordedOutput } from './cli-fixtures.ts';
import { memoryBucket } from './memory.ts';

const ids = ['20261117T020000Z', '20261118T020000Z', '20261119T020000Z', '20261120T020000Z'] as const;
const [oldest, , before, newest] = ids;
const noon = new Date('2026-11-20T12:00:00Z');

const verification = (outcome: Verified['outcome'], at = noon.toISOString()): Verified => ({
  ...{ at, change: 'verified', outcome, bytes: 0, run: `verify-${at.slice(11, 13)}-${outcome}` },
  faults: outcome === 'damaged' ? ['pe-puppetdb.dump.zst: its SHA-256 is another'] : [],
});

const judge = (vault: Bucket, backup: string, ...args: Parameters<typeof verification>): Promise<void> =>
  enterVerification(vault, { system: 'pe-main', backup }, verification(...args));

/** A vault with four backups, oldest first, all of whose objects are there. */
const vaultOfFour = async () => {
  const vault = memoryBucket();
  for (const id of ids) await commitSound(vault, manifestOf('pe-main', id));
  return vault;
};

/** What each of those that ask for the newest good backup takes for it. */
const answers = async (vault: ReturnType<typeof memoryBucket>) => {
  const state = memoryBucket();
  const ref = { system: 'pe-main', operation: 'restore' as const, run: 'run-1' };
  await jsonState(state).write(stateKeys.run('run-1'), {
    ...{ ...ref, backup: newest, execution: 'arn', startedAt: noon.toISOString(), scheduled: false, attempt: 0 },
    ...{ safety: false, restore: RestoreRequest.parse({ system: 'pe-main', backup: 'latest', confirm: 'pe-main' }) },
  });
  const chosen = await chooseBackup({ state: jsonState(state), vault }, ref);
  const { choiceWarnings } = JSON.parse((await state.read(stateKeys.run('run-1')))?.text ?? '');
  await verifyBackup(
    { state: jsonState(state), vault, now: () => noon, rangeBytes: 1024 ** 2 },
    { run: 'verify-latest', execution: 'arn', startedAt: noon.toISOString() },
    { system: 'pe-main', backup: 'latest' },
  );
  const verified = JSON.parse((await state.read(stateKeys.run('verify-latest')))?.text ?? '');
  const { output, stdout, stderr } = recordedOutput();
  const deployment = { vault, state, vaultName: 'vault', options: {} };
  await show(async () => deployment, 'pe-main/latest', { json: true }, output);
  return {
    backups: new Set([
      (await newestGood({ vault }, 'pe-main')).good?.backup,
      (await readMeasured(vault, 'pe-main')).newest[0]?.backup,
      chosen.backup,
      verified.backup,
      JSON.parse(stdout()).backup,
    ]),
    told: { plan: choiceWarnings, show: stderr() },
  };
};

describe('the newest good backup is the same for whoever asks', () => {
  it('when all is well', async () => {
    expect(await answers(await vaultOfFour())).toEqual({
      backups: new Set([newest]),
      told: { plan: undefined, show: '' },
    });
  });

  it('when the newest is damaged, which everybody is told', async () => {
    const vault = await vaultOfFour();
    await judge(vault, newest, 'damaged');
    const { backups, told } = await answers(vault);
    expect(backups).toEqual(new Set([before]));
    expect(told.plan).toEqual([
      `the backup ${newest} is skipped: a verification found it damaged on 2026-11-20: pe-puppetdb.dump.zst: its SHA-256 is another`,
    ]);
    expect(told.show).toMatch(new RegExp(`pe-main/${newest} is skipped: .* damaged`));
  });

  it.each([
    ['manifest is broken', vaultKeys.manifest('pe-main', newest), 'half a man', /its manifest is not JSON/],
    [
      'manifest is of a newer version',
      vaultKeys.manifest('pe-main', newest),
      JSON.stringify({ ...manifestOf('pe-main', newest), format: 99 }),
      /its manifest is not what this version understands: format/,
    ],
    [
      'history is broken',
      vaultKeys.history('pe-main', newest),
      '{}',
      /its history is not what this version understands/,
    ],
  ])("when the newest one's %s", async (_, key, text, reason) => {
    const vault = await vaultOfFour();
    await vault.write(key, text);
    const { backups, told } = await answers(vault);
    expect(backups).toEqual(new Set([before]));
    expect(told.plan).toEqual([expect.stringMatching(reason)]);
    expect(told.show).toMatch(reason);
  });

  it('when a safety backup or one of what still lived is newer: nobody need be told', async () => {
    const vault = await vaultOfFour();
    await commit(vault, manifestOf('pe-main', '20261121T020000Z', { purpose: 'safety' }));
    await commit(vault, manifestOf('pe-main', '20261122T020000Z', { purpose: 'partial' }));
    expect(await answers(vault)).toEqual({ backups: new Set([newest]), told: { plan: undefined, show: '' } });
  });
});

describe('a damaged backup', () => {
  it('stays damaged when cold storage keeps the next verification from reading it', async () => {
    const vault = await vaultOfFour();
    await judge(vault, newest, 'damaged', '2026-11-20T08:00:00Z');
    await judge(vault, newest, 'cold', '2026-11-20T09:00:00Z');
    expect((await newestGood({ vault }, 'pe-main')).good?.backup).toBe(before);
    await judge(vault, newest, 'sound', '2026-11-20T10:00:00Z');
    expect((await newestGood({ vault }, 'pe-main')).good?.backup).toBe(newest);
  });

  it('is restored when a person names it, who is told', async () => {
    const vault = await vaultOfFour();
    await judge(vault, newest, 'damaged');
    const state = jsonState(memoryBucket());
    const ref = { system: 'pe-main', operation: 'restore' as const, run: 'run-1' };
    await state.write(stateKeys.run('run-1'), {
      ...{ ...ref, backup: newest, execution: 'arn', startedAt: noon.toISOString(), scheduled: false, attempt: 0 },
      ...{ safety: false, restore: RestoreRequest.parse({ system: 'pe-main', backup: newest, confirm: 'pe-main' }) },
    });
    expect(await chooseBackup({ state, vault }, ref)).toMatchObject({ backup: newest });
    expect(await state.read(stateKeys.run('run-1'), RunRecord)).toMatchObject({
      choiceWarnings: [expect.stringMatching(/is not sound: .*damaged on 2026-11-20/)],
    });
  });

  it('pushes no sound one out of the newest, and is not let go before a sound one has taken its place', async () => {
    const { vault, state, backUp, config } = backupsInMemory(await vaultOfFour());
    for (const damaged of ids.slice(1)) await judge(vault, damaged, 'damaged');
    const tagOf = async (backup: string) =>
      (await vault.tags({ key: vaultKeys.manifest('pe-main', backup) }))[tagKeys.retention];
    const janitor = async () => {
      const runs = { endedAt: async () => undefined, undo: async () => false };
      await tidy({ config, state, vault, runs, now: () => noon }, 'pe-main', { dryRun: false, share: 1 });
    };
    // Their verifications are newer than what they are verified from: only now the janitor has something to judge.
    await janitor();
    expect(await Promise.all(ids.map(tagOf))).toEqual(['keep', 'keep', 'keep', 'keep']);
    await backUp(new Date('2026-11-21T02:00:00Z'));
    expect(await tagOf('20261121T020000Z')).toBe('keep');
    expect(await Promise.all(ids.map(tagOf))).toEqual(['daily', 'daily', 'daily', 'daily']);
  });

  it('does not stand for its week: the next sound one is the weekly one', async () => {
    const { vault, backUp } = backupsInMemory();
    const monday = await backUp(new Date('2026-11-16T02:00:00Z'));
    expect(monday.retentionClass).toBe('yearly');
    await judge(vault, monday.backup, 'damaged');
    expect((await backUp(new Date('2026-11-17T02:00:00Z'))).retentionClass).toBe('yearly');
    expect((await backUp(new Date('2026-11-18T02:00:00Z'))).retentionClass).toBe('daily');
  });
});

describe('a manifest that this version cannot read', () => {
  const unreadable = async () => {
    const bench = backupsInMemory(await vaultOfFour());
    await bench.vault.write(bench.keyOf(newest), '{"format": 2}');
    await bench.vault.tag({ key: bench.keyOf(newest) }, { [tagKeys.retention]: 'keep' });
    return bench;
  };

  it('keeps no backup from being made, whose manifest tells of it', async () => {
    const { backUp } = await unreadable();
    const { warnings, state } = await backUp(new Date('2026-11-21T02:00:00Z'));
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`^the backup ${newest} cannot be read: its manifest`))]);
    expect(state).toBe('complete');
  });

  it('is told by the janitor, which leaves it alone and tidies up the others', async () => {
    const { vault, state, config } = await unreadable();
    const runs = { endedAt: async () => undefined, undo: async () => false };
    const report = await tidy({ config, state, vault, runs, now: () => noon }, 'pe-main', { dryRun: false, share: 1 });
    expect(report.unreadable).toEqual([expect.stringContaining(newest)]);
    const tagOf = async (backup: string) =>
      (await vault.tags({ key: vaultKeys.manifest('pe-main', backup) }))[tagKeys.retention];
    expect(await Promise.all([oldest, before, newest].map(tagOf))).toEqual(['daily', 'keep', 'keep']);
  });

  it('is told by a verification, which reads the others anyway', async () => {
    const { vault, state } = await unreadable();
    const verify = (backup?: string) =>
      verifyBackup(
        { state: jsonState(state), vault, now: () => noon, rangeBytes: 1024 ** 3 },
        { run: `verify-${backup ?? 'all'}`, execution: 'arn', startedAt: noon.toISOString() },
        { system: 'pe-main', ...(backup !== undefined && { backup }) },
      );
    expect(await verify()).toMatchObject({
      ...{ status: 'damaged', unreadable: [newest], damaged: [], error: 'ManifestUnreadableError' },
      sound: expect.arrayContaining([before]),
    });
    expect(await verify(newest)).toMatchObject({
      ...{ status: 'damaged', unreadable: [newest], damaged: [], error: 'ManifestUnreadableError' },
      cause: expect.stringContaining(newest),
    });
  });

  it('is an error of its own for who names it', async () => {
    const { vault } = await unreadable();
    await expect(readManifest({ vault }, 'pe-main', newest)).rejects.toMatchObject({
      name: 'ManifestUnreadableError',
      message: expect.stringMatching(/Use the version of Holdfast that made it/),
    });
  });
});

it('a hold outlasts every judgement', async () => {
  const { vault, backUp } = backupsInMemory(await vaultOfFour());
  await changeRetention(vault, manifestOf('pe-main', oldest), {
    ...{ at: noon.toISOString(), change: 'held', tag: 'keep', by: 'somebody' },
  });
  await judge(vault, oldest, 'damaged');
  await backUp(new Date('2026-11-21T02:00:00Z'));
  expect((await vault.tags({ key: vaultKeys.manifest('pe-main', oldest) }))[tagKeys.retention]).toBe('keep');
});
