import { stateKeys } from '#domain/naming';
import { Lock } from '#domain/payloads';
import type { StateBucketOf } from '../verbs.ts';

/** The lock of a system, or undefined when nobody holds it. */
export const readLock = async (state: StateBucketOf<'release-lock'>, system: string): Promise<Lock | undefined> => {
  const found = await state.read(stateKeys.lock(system));
  return found && Lock.parse(JSON.parse(found.text));
};

/** Releases the system's lock if this run holds it; another run's lock is left alone. */
export const releaseLock = async (state: StateBucketOf<'release-lock'>, system: string, run: string): Promise<void> => {
  const lock = await readLock(state, system);
  if (lock?.run === run) await state.delete(stateKeys.lock(system));
};
