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
  { system, schedule, scheduledTime, lockedBy, safety }: BackupRequest,
  startedAt: string,
): void => {
  const configured = config.systems[system];
  if ((schedule === undefined) !== (scheduledTime === undefined))
    throw new InvalidInputError(
      'schedule and scheduledTime belong together and come from a schedule. Leave both out to back up now.',
    );
  if (safety && lockedBy === undefined)
    throw new InvalidInputError('safety is for the backup before a restore. Leave it out to back up now.');
  if (!configured || schedule === undefined || scheduledTime === undefined) return;
  const timing = timingsOf(config, configured).find(({ name }) => name === schedule)?.timing;
  const fault = timing ? slotFault(timing, new Date(scheduledTime), new Date(startedAt)) : 'is of no schedule of it';
  if (fault !== undefined)
    throw new InvalidInputError(
      `scheduledTime ${scheduledTime} of ${system}, schedule ${schedule}, ${fault}. Leave both out to back up now.`,
    );
};

type Holding = Pick<Services, 'state' | 'executions'>;

const readLock = async ({ state }: Holding, system: string) => {
  const found = await state.read(stateKeys.lock(system));
  return found && { lock: Lock.parse(JSON.parse(found.text)), etag: found.etag };
};

/** Throws unless the run of that name holds the system's lock, lives, and has started this backup: what a caller says of it proves nothing. */
const checkParent = async (
  { state, executions }: Holding,
  { system, lockedBy }: { readonly system: string; readonly lockedBy: string },
  child: Pick<AcquireLockInput, 'execution' | 'startedAt'>,
): Promise<void> => {
  const owner = (await readLock({ state, executions }, system))?.lock;
  if (owner?.run !== lockedBy || owner.operation === 'backup' || !(await executions.isRunning(owner)))
    throw new SystemBusyError(`${lockedBy}, for which this backup was requested, does not hold the lock of ${system}.`);
  if (!(await executions.hasStarted(owner.execution, child)))
    throw new InvalidInputError(
      `${lockedBy} did not start this backup: only the run that holds the lock of ${system} can start one under it. Leave lockedBy out to back up now.`,
    );
};

/** The part of a run's record that its request decides. */
const detailsOf = (
  { operation, request }: Request,
  startedAt: string,
): Omit<RunRecord, 'system' | 'operation' | 'run' | 'kind' | 'execution' | 'startedAt' | 'attempt'> => {
  const started = { backup: backupId(new Date(startedAt)), scheduled: false, safety: false };
  switch (operation) {
    case 'backup':
      return {
        backup: backupId(new Date(request.scheduledTime ?? startedAt)),
        scheduled: request.schedule !== undefined,
        safety: request.safety,
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

const busy = (system: string, owner: string): SystemBusyError =>
  new SystemBusyError(`${system} is locked by ${owner}. Wait until it has ended, then start the operation again.`);

/** The lock of a system is held by a run that lives. */
const heldBy = ({ system, operation, execution, acquiredAt }: Lock): SystemBusyError =>
  busy(system, `the ${operation} ${executionName(execution)}, which has run since ${acquiredAt}`);

/** Throws a SystemBusyError while somebody works: what a check finds in the midst of that means nothing. */
const checkFree = async (holding: Holding, system: string): Promise<void> => {
  const held = await readLock(holding, system);
  if (held && (await holding.executions.isRunning(held.lock))) throw heldBy(held.lock);
};

/** Takes the lock, from a dead owner too. Throws a SystemBusyError when a living run of another slot holds it. */
const takeLock = async (holding: Holding, lock: Lock, attempt: number): Promise<AcquireLockOutput> => {
  const { state, executions } = holding;
  const { system, run, backup, operation } = lock;
  const taken = { system, operation, run, backup, attempt };
  const key = stateKeys.lock(system);
  try {
    await state.create(key, JSON.stringify(lock));
    return { ...taken, outcome: 'acquired' };
  } catch (error) {
    if (!(error instanceof AlreadyExistsError)) throw error;
  }
  const found = await readLock(holding, system);
  if (!found) throw busy(system, 'a run that has just ended');
  const owner = found.lock;
  // This very run again: its first answer got lost.
  if (owner.run === run) return { ...taken, outcome: 'acquired' };
  if (await executions.isRunning(owner)) {
    if (owner.backup === backup && owner.operation === operation && operation === 'backup')
      return { ...taken, outcome: 'duplicate' };
    throw heldBy(owner);
  }
  try {
    await state.replace(key, JSON.stringify(lock), found.etag);
  } catch (error) {
    if (error instanceof AlreadyExistsError) throw busy(system, 'another run that has just begun');
    throw error;
  }
  return { ...taken, outcome: 'acquired-from-dead', deadRun: owner.run };
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
      `holdfast.yaml has no system ${system}. It has: ${Object.keys(config.systems).join(', ')}. Correct the input, or deploy a configuration with that system.`,
    );
  if (asked.operation === 'backup') checkClaims(config, asked.request, startedAt);
  const details = detailsOf(asked, startedAt);
  const { backup, lockedBy, planOnly = false } = details;
  const mine = { system, operation, run, backup };
  if (operation === 'backup' && !planOnly && (await isCommitted({ vault }, system, backup)))
    return { ...mine, attempt, outcome: 'duplicate' };

  const holding = { state, executions };
  if (lockedBy !== undefined) await checkParent(holding, { system, lockedBy }, { execution, startedAt });
  const record: RunRecord = { ...mine, ...details, kind, execution, startedAt, attempt };
  // The record comes first: whoever finds the lock can find out what its owner was doing.
  await state.write(stateKeys.run(run), JSON.stringify(record));
  if (lockedBy !== undefined) return { ...mine, attempt, outcome: 'acquired' };
  if (planOnly) {
    await checkFree(holding, system);
    return { ...mine, attempt, outcome: 'acquired' };
  }
  return takeLock(holding, { ...mine, execution, acquiredAt: startedAt }, attempt);
};
