import { ZodError } from 'zod';
import { jsonState } from '#aws/bucket';
import { storedBytes } from '#domain/manifest';
import { stateKeys } from '#domain/naming';
import type { RunRef } from '#domain/payloads';
import { PhaseState } from '#domain/phase';
import { newestGood } from '#domain/vault/catalog';
import type { Connection } from './connection.ts';
import { listRuns } from './executions.ts';
import { type PhaseProgress, phaseProgress } from './phase-progress.ts';

/** How far a run is, and how long it still takes, told from the last one of its kind that succeeded. */

/** What the last run of the same system and operation took. */
export interface LastRun {
  /** By phase. */
  readonly phaseSeconds: Readonly<Record<string, number>>;
  /** Of a backup: what it stored. */
  readonly bytes?: number;
}

export interface Estimate {
  readonly percent: number;
  readonly secondsLeft: number;
  /** What the last run took, in the phases of this one. */
  readonly lastSeconds: number;
}

/** Runs that are looked at for one that succeeded; with more than a few systems the newest may be another's. */
const runsLookedAt = 30;

/** The phase in which a backup's bytes arrive. */
const collecting = 'collect';

/** The last run of the same system and operation that succeeded. Undefined when there is none, or when it may not be read. */
export const lastRun = async (
  connection: Pick<Connection, 'stepFunctions' | 'backupMachineArn' | 'state' | 'vault'>,
  { system, operation }: Pick<RunRef, 'system' | 'operation'>,
): Promise<LastRun | undefined> => {
  try {
    return operation === 'backup'
      ? await lastBackup(connection, system)
      : await lastOther(connection, system, operation);
  } catch (error) {
    // What is only told for comfort must not end the watching.
    if (error instanceof ZodError || error instanceof SyntaxError) return undefined;
    if (error instanceof Error && error.name.startsWith('AccessDenied')) return undefined;
    throw error;
  }
};

const lastBackup = async ({ vault }: Pick<Connection, 'vault'>, system: string): Promise<LastRun | undefined> => {
  const { good } = await newestGood({ vault }, system);
  return good && { phaseSeconds: good.manifest.phaseSeconds, bytes: storedBytes(good.manifest) };
};

const lastOther = async (
  connection: Pick<Connection, 'stepFunctions' | 'backupMachineArn' | 'state'>,
  system: string,
  operation: RunRef['operation'],
): Promise<LastRun | undefined> => {
  const { state } = connection;
  let lookedAt = 0;
  for await (const one of listRuns(connection, { operations: [operation], statuses: ['SUCCEEDED'] })) {
    lookedAt += 1;
    if (lookedAt > runsLookedAt) return undefined;
    const plannedOnly = one.ended?.operation === 'restore' && one.ended.proof === undefined;
    if (one.system !== system || plannedOnly) continue;
    const keys = await state.list(stateKeys.phase(one.run, '').replace(/\.json$/, ''));
    const phases = await Promise.all(keys.map((key) => jsonState(state).read(key, PhaseState)));
    const seconds = phases.flatMap((phase) => (phase ? [phaseProgress(phase, one.endedAt ?? one.startedAt)] : []));
    return { phaseSeconds: Object.fromEntries(seconds.map((phase) => [phase.name, phase.seconds])) };
  }
  return undefined;
};

/** How much of a phase is done at most while it runs: what comes after the last byte takes its time too. */
const mostOfPhase = 0.95;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** How far a run is whose phases are known. Undefined while only its first is, since a run inspects before it plans, and when it failed. */
export const estimate = (
  phases: readonly PhaseProgress[],
  uploaded: { readonly bytes: number } | undefined,
  last: LastRun,
): Estimate | undefined => {
  if (phases.length < 2 || phases.some(({ state }) => state === 'failed' || state === 'stopped')) return undefined;
  const expected = (name: string): number => last.phaseSeconds[name] ?? 0;
  const done = ({ name, state, seconds }: PhaseProgress): number => {
    if (state !== 'running') return state === 'done' ? 1 : 0;
    const byBytes = name === collecting && uploaded && last.bytes !== undefined;
    return Math.min(mostOfPhase, byBytes ? uploaded.bytes / last.bytes : seconds / Math.max(1, expected(name)));
  };
  const total = sum(phases.map(({ name }) => expected(name)));
  if (total === 0) return undefined;
  const fraction = sum(phases.map((phase) => done(phase) * expected(phase.name))) / total;
  const elapsed = sum(phases.map(({ seconds }) => seconds));
  // What is left at the last run's pace and at this one's, the more of this one's the further it is.
  const secondsLeft = (1 - fraction) * ((1 - fraction) * total + elapsed);
  return {
    percent: Math.floor(fraction * 100),
    secondsLeft: Math.round(secondsLeft),
    lastSeconds: total,
  };
};
