import { type Config, timingsOf } from '#domain/config';
import { AlreadyExistsError, InvalidInputError, SystemBusyError, UnknownSystemError } from '#domain/errors';
import { backupId, executionName, stateKeys } from '#domain/naming';
import {
  type AcquireLockInput,
  type AcquireLockOutput,
  type BackupRequest,
  Lock,
  type RestoreRequest,
  type RunRecord,
  type UpgradeRequest,
} from '#domain/payloads';
import { slotFault } from '#domain/schedule';
import { isCommitted } from '#domain/vault/catalog';
import type { ExecutionsOf, StateBucketOf, VaultOf } from '../verbs.ts';

export interface Services {
  readonly config: Config;
  readonly state: StateBucketOf<'acquire-lock'>;
  readonly vault: VaultOf<'acquire-lock'>;
  readonly executions: ExecutionsOf<'acquire-lock'>;
}

/** What a run was asked for, by its operation. */
export type Request =
  | { readonly operation: 'backup'; readonly request: BackupRequest }
  | { readonly operation: 'restore'; readonly request: RestoreRequest }
  | { readonly operation: 'upgrade'; readonly request: UpgradeRequest };

/**
 * Throws an InvalidInputError for a backup whose caller claims what only a schedule, or the run that holds the lock, may say: its id would
 * be a moment of the caller's choice.
 */
const checkClaims = (
  config: Config,
  { system, schedule, scheduledTime, lockedBy, rescue }: BackupRequest,
  startedAt: string,
): void => {
  const configured = config.systems[system];
  if ((schedule === undefined) !== (scheduledTime === undefined))
    throw new InvalidInputError(
      'schedule and scheduledTime come together, from a schedule. Leave both out to back up now.',
    );
  if (rescue && lockedBy === undefined)
    throw new InvalidInputError('rescue is for the backup before a restore. Leave it out to back up now.');
  if (!configured || schedule === undefined || scheduledTime === undefined) return;
  const timing = timingsOf(config, configured).find(({ name }) => name === schedule)?.timing;
  const fault = timing ? slotFault(timing, new Date(scheduledTime), new Date(startedAt)) : 'is of no schedule of it';
  if (fault !== undefined)
    throw new InvalidInputError(
      `scheduledTime ${scheduledTime} of ${system}, schedule ${schedule}, ${fault}. Leave both out to back up now.`,
    );
};

/** Throws unless the run of that name holds the system's lock, lives, and has started this backup: what a caller says of it proves nothing. */
const checkParent = async (
  { state, executions }: Pick<Services, 'state' | 'executions'>,
  { system, lockedBy }: { readonly system: string; readonly lockedBy: string },
  child: Pick<AcquireLockInput, 'execution' | 'startedAt'>,
): Promise<void> => {
  const held = await state.read(stateKeys.lock(system));
  const owner = held && Lock.parse(JSON.parse(held.text));
  if (owner?.run !== lockedBy || owner.operation === 'backup' || !(await executions.isRunning(owner)))
    throw new SystemBusyError(`${lockedBy}, for which this backup is meant, does not hold the lock of ${system}.`);
  if (!(await executions.hasStarted(owner.execution, child)))
    throw new InvalidInputError(
      `${lockedBy} did not start this backup: only what holds the lock of ${system} starts one under it. Leave lockedBy out to back up now.`,
    );
};

/** The part of a run's record that its request decides. */
const detailsOf = (
  { operation, request }: Request,
  startedAt: string,
): Omit<RunRecord, 'system' | 'operation' | 'run' | 'kind' | 'execution' | 'startedAt' | 'attempt'> => {
  const started = { backup: backupId(new Date(startedAt)), scheduled: false, rescue: false };
  switch (operation) {
    case 'backup':
      return {
        backup: backupId(new Date(request.scheduledTime ?? startedAt)),
        scheduled: request.schedule !== undefined,
        rescue: request.rescue,
        ...(request.lockedBy !== undefined && { lockedBy: request.lockedBy }),
        ...(request.partial && { partial: true }),
        ...(request.planOnly && { planOnly: true }),
      };
    case 'restore':
      return { ...started, restore: request };
    case 'upgrade':
      return { ...started, upgrade: request };
    default:
      return operation satisfies never;
  }
};

/**
 * Takes the system's lock for a run, at most once per slot. A slot whose backup exists or is under way is a duplicate; a
 * lock whose owner's execution ended without releasing it is taken over; a backup that a restore or an
 * upgrade has started works under its lock; a check takes none. Throws an UnknownSystemError, an InvalidInputError, or a SystemBusyError when a living run of another slot holds the lock.
 */
export const acquireLock = async (
  { config, state, vault, executions }: Services,
  { run, execution, startedAt, attempt }: Omit<AcquireLockInput, 'request' | 'operation'>,
  asked: Request,
): Promise<AcquireLockOutput> => {
  const { operation } = asked;
  const { system } = asked.request;
  const kind = config.systems[system]?.kind;
  if (kind === undefined)
    throw new UnknownSystemError(
      `holdfast.yaml has no system ${system}. It has: ${Object.keys(config.systems).join(', ')}. Correct the input, or deploy the configuration that has it.`,
    );
  if (asked.operation === 'backup') checkClaims(config, asked.request, startedAt);
  const details = detailsOf(asked, startedAt);
  const { backup, lockedBy, planOnly = false } = details;
  const mine = { system, operation, run, backup };
  if (operation === 'backup' && !planOnly && (await isCommitted({ vault }, system, backup)))
    return { ...mine, attempt, outcome: 'duplicate' };

  if (lockedBy !== undefined) await checkParent({ state, executions }, { system, lockedBy }, { execution, startedAt });
  const record: RunRecord = { ...mine, ...details, kind, execution, startedAt, attempt };
  const lock: Lock = { ...mine, execution, acquiredAt: startedAt };
  // The record comes first: whoever finds the lock can find out what its owner was doing.
  await state.write(stateKeys.run(run), JSON.stringify(record));
  const key = stateKeys.lock(system);
  if (lockedBy !== undefined) return { ...mine, attempt, outcome: 'acquired' };
  const busy = (owner: string): SystemBusyError =>
    new SystemBusyError(`${system} is locked by ${owner}. Wait until it has ended, then start the operation again.`);
  const living = ({ operation: what, execution: who, acquiredAt }: Lock): SystemBusyError =>
    busy(`the ${what} ${executionName(who)}, which has run since ${acquiredAt}`);
  if (planOnly) {
    // It only looks: what it finds in the midst of another run means nothing, but no backup has to wait for it.
    const held = await state.read(key);
    const owner = held && Lock.parse(JSON.parse(held.text));
    if (owner && (await executions.isRunning(owner))) throw living(owner);
    return { ...mine, attempt, outcome: 'acquired' };
  }
  try {
    await state.create(key, JSON.stringify(lock));
    return { ...mine, attempt, outcome: 'acquired' };
  } catch (error) {
    if (!(error instanceof AlreadyExistsError)) throw error;
  }

  const found = await state.read(key);
  if (!found) throw busy('a run that has just ended');
  const owner = Lock.parse(JSON.parse(found.text));
  // This very run again: its first answer got lost.
  if (owner.run === run) return { ...mine, attempt, outcome: 'acquired' };
  if (await executions.isRunning(owner)) {
    if (owner.backup === backup && owner.operation === operation && operation === 'backup')
      return { ...mine, attempt, outcome: 'duplicate' };
    throw living(owner);
  }
  try {
    await state.replace(key, JSON.stringify(lock), found.etag);
  } catch (error) {
    if (error instanceof AlreadyExistsError) throw busy('another run that has just begun');
    throw error;
  }
  return { ...mine, attempt, outcome: 'acquired-from-dead', deadRun: owner.run };
};
