import { jsonState } from '#aws/bucket';
import { finishRestore } from '#domain/contracts/shared';
import { stateKeys, tagKeys, vaultKeys } from '#domain/naming';
import { type CleanUpOutput, Paused, RunRecord } from '#domain/payloads';
import { answersOf, PhaseState } from '#domain/phase';
import { Plan } from '#domain/plan';
import { fetchedBy } from '#domain/systems/transfer';
import { discard } from '#domain/vault/changes';
import { readLock, releaseLock } from '../release-lock/release-lock.ts';
import type { SchedulesOf, StateBucketOf, VaultOf } from '../verbs.ts';

export interface Services {
  readonly state: StateBucketOf<'clean-up'>;
  readonly vault: VaultOf<'clean-up'>;
  readonly schedules: SchedulesOf<'clean-up'>;
}

/** Ends what open-backup has begun: nodes can no longer read anything, the system's schedules start backups again. */
const closeVault = async ({ state, vault, schedules }: Services, { run, system }: RunRecord): Promise<void> => {
  // Before there is a plan, nothing was opened.
  const plan = await jsonState(state).read(stateKeys.plan(run), Plan);
  for (const { key, versionId } of fetchedBy(plan?.phases ?? [])) {
    const { [tagKeys.restore]: opened, ...tags } = await vault.tags({ key, versionId });
    if (opened !== undefined) await vault.tag({ key, versionId }, tags);
  }
  for (const key of await vault.list(vaultKeys.upgrade(system, run))) await discard(vault, key);
  await vault.abortUploads(vaultKeys.upgrade(system, run));
  for (const name of (await jsonState(state).read(stateKeys.paused(run), Paused))?.schedules ?? [])
    await schedules.resume(name);
};

/** What a proven restore could not remove from nodes. */
const leftOnNodes = async ({ state }: Services, run: string): Promise<readonly string[]> =>
  answersOf(await jsonState(state).read(stateKeys.phase(run, 'finish'), PhaseState), finishRestore).flatMap(
    ({ instanceId, answer: { left } }) =>
      left.map((one) => `${instanceId}: ${one}. It is what was there before: look at it, then remove it by hand`),
  );

const nothing: CleanUpOutput = { abortedUploads: 0, deletedObjects: 0, left: [] };

/**
 * Removes what a run left in the vault, unless its backup was committed, and releases its lock. When another run has
 * taken over the lock for the same backup, the vault is left to that run: it writes the same keys. Of others it removes the
 * tags that let nodes read, and what nodes handed to each other.
 */
export const cleanUp = async (services: Services, run: string): Promise<CleanUpOutput> => {
  const { state, vault } = services;
  const record = await jsonState(state).read(stateKeys.run(run), RunRecord);
  if (!record) return nothing;
  const { system, backup } = record;
  if (record.planOnly) return { ...nothing, abortedUploads: await vault.abortUploads(vaultKeys.check(system, run)) };
  if (record.operation !== 'backup') {
    await closeVault(services, record);
    await releaseLock(state, system, run);
    return { ...nothing, left: await leftOnNodes(services, run) };
  }
  const lock = await readLock(state, system);
  const taken = lock !== undefined && lock.run !== run && lock.backup === backup;
  const prefix = vaultKeys.backup(system, backup);
  const abortedUploads = taken ? 0 : await vault.abortUploads(prefix);
  const committed = await vault.has(vaultKeys.manifest(system, backup));
  const keys = taken || committed ? [] : await vault.list(prefix);
  for (const key of keys) await discard(vault, key);
  await releaseLock(state, system, run);
  return { ...nothing, abortedUploads, deletedObjects: keys.length };
};
