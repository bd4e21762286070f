import { jsonState } from '#aws/bucket';
import { stateKeys, vaultKeys } from '#domain/naming';
import { RunRecord } from '#domain/payloads';
import type { Bucket } from '#domain/ports';
import { readLock, releaseLock } from '../release-lock/release-lock.ts';

export interface Services {
  readonly state: Bucket;
  readonly vault: Bucket;
}

/** What was removed, for the execution's history. */
export interface CleanedUp {
  readonly abortedUploads: number;
  readonly deletedObjects: number;
}

/**
 * Removes what a run left in the vault, unless its backup was committed, and releases its lock. When another run has
 * taken over the lock for the same backup, the vault is left to that run: it writes the same keys.
 */
export const cleanUp = async ({ state, vault }: Services, run: string): Promise<CleanedUp> => {
  const record = await jsonState(state).read(stateKeys.run(run), RunRecord);
  if (!record) return { abortedUploads: 0, deletedObjects: 0 };
  const { system, backup } = record;
  const lock = await readLock(state, system);
  const taken = lock !== undefined && lock.run !== run && lock.backup === backup;
  const prefix = vaultKeys.backup(system, backup);
  const abortedUploads = taken ? 0 : await vault.abortUploads(prefix);
  const committed = (await vault.head(vaultKeys.manifest(system, backup))) !== undefined;
  const keys = taken || committed ? [] : await vault.list(prefix);
  for (const key of keys) await vault.delete(key);
  await releaseLock(state, system, run);
  return { abortedUploads, deletedObjects: keys.length };
};
