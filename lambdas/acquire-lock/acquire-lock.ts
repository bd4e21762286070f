import type { Config } from '#domain/config';
import { AlreadyExistsError, SystemBusyError, UnknownSystemError } from '#domain/errors';
import { backupId, stateKeys, vaultKeys } from '#domain/naming';
import {
  type AcquireLockInput,
  type AcquireLockOutput,
  type BackupRequest,
  Lock,
  type RunRecord,
} from '#domain/payloads';
import type { Bucket, Executions } from '#domain/ports';

export interface Services {
  readonly config: Config;
  readonly state: Bucket;
  readonly vault: Bucket;
  readonly executions: Executions;
}

/**
 * Takes the system's lock for a run, at most once per slot. A slot whose backup exists or is under way is a duplicate; a
 * lock whose owner's execution ended without releasing it is taken over. Throws an UnknownSystemError, or a
 * SystemBusyError when a living run of another slot holds the lock.
 */
export const acquireLock = async (
  { config, state, vault, executions }: Services,
  { operation, run, execution, startedAt }: Omit<AcquireLockInput, 'request'>,
  request: BackupRequest,
): Promise<AcquireLockOutput> => {
  const { system } = request;
  if (config.systems[system] === undefined)
    throw new UnknownSystemError(
      `holdfast.yaml has no system ${system}. It has: ${Object.keys(config.systems).join(', ')}. Correct the input, or deploy the configuration that has it.`,
    );
  const backup = backupId(new Date(request.scheduledTime ?? startedAt));
  const mine = { system, operation, run, backup };
  if (await vault.head(vaultKeys.manifest(system, backup))) return { ...mine, outcome: 'duplicate' };

  const record: RunRecord = { ...mine, execution, startedAt, scheduled: request.schedule !== undefined };
  const lock: Lock = { ...mine, execution, acquiredAt: startedAt };
  // The record comes first: whoever finds the lock can find out what its owner was doing.
  await state.write(stateKeys.run(run), JSON.stringify(record));
  const key = stateKeys.lock(system);
  try {
    await state.create(key, JSON.stringify(lock));
    return { ...mine, outcome: 'acquired' };
  } catch (error) {
    if (!(error instanceof AlreadyExistsError)) throw error;
  }

  const found = await state.read(key);
  const busy = (owner: string): SystemBusyError =>
    new SystemBusyError(`${system} is locked by ${owner}. Wait until it has ended, then start the operation again.`);
  if (!found) throw busy('a run that has just ended');
  const owner = Lock.parse(JSON.parse(found.text));
  // This very run again: its first answer got lost.
  if (owner.run === run) return { ...mine, outcome: 'acquired' };
  if (await executions.isRunning(owner.execution)) {
    if (owner.backup === backup && owner.operation === operation) return { ...mine, outcome: 'duplicate' };
    throw busy(`the ${owner.operation} ${owner.run}, which has run since ${owner.acquiredAt}`);
  }
  try {
    await state.replace(key, JSON.stringify(lock), found.etag);
  } catch (error) {
    if (error instanceof AlreadyExistsError) throw busy('another run that has just begun');
    throw error;
  }
  return { ...mine, outcome: 'acquired-from-dead', deadRun: owner.run };
};
