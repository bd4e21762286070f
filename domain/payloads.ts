import * as z from 'zod';
import { BackupId, PhaseName, RunId, SystemId } from './naming.ts';

/**
 * What travels between states and lambdas: a run's name and no more. Plans, results and manifests lie in S3, so that a
 * payload never grows with the number of nodes.
 */

export const operations = ['backup'] as const;

/** Who a run is. Made by acquire-lock, read by every later state. */
export const RunRef = z.object({ system: SystemId, operation: z.enum(operations), run: RunId });
export type RunRef = z.infer<typeof RunRef>;

/** What a person types into the console, or a schedule sends. Made by people and schedules, read by acquire-lock. */
export const BackupRequest = z.strictObject({
  system: SystemId,
  schedule: z.string().max(64).optional(),
  /** The slot: the moment for which the schedule fired, however late or often it is delivered. */
  scheduledTime: z.iso.datetime({ offset: true }).optional(),
});
export type BackupRequest = z.infer<typeof BackupRequest>;

/** Made by the state machine, read by acquire-lock. */
export const AcquireLockInput = z.strictObject({
  request: z.unknown(),
  operation: z.enum(operations),
  run: RunId,
  execution: z.string(),
  startedAt: z.iso.datetime({ offset: true }),
});
export type AcquireLockInput = z.infer<typeof AcquireLockInput>;

/** How an attempt to get the lock ended. Made by acquire-lock, read by the state machine's choice. */
export type AcquireLockOutput = RunRef & { backup: string } & (
    | { outcome: 'acquired' }
    | { outcome: 'duplicate' }
    | { outcome: 'acquired-from-dead'; deadRun: string }
  );

/** The phases to run, in order. Made by the planning lambdas, read by the state machine's map. */
export interface PlanOutput {
  readonly phases: readonly string[];
}

/** One step of one phase. Made by run-phase, read by advance-phase. */
export const AdvancePhaseInput = RunRef.extend({ phase: PhaseName }).strict();
export type AdvancePhaseInput = z.infer<typeof AdvancePhaseInput>;

/** Made by advance-phase, read by run-phase: look again after `waitSeconds`, or go on. */
export type AdvancePhaseOutput = { status: 'running'; waitSeconds: number } | { status: 'done'; waitSeconds: 0 };

/** Any state's error as Step Functions puts it into `Catch`. */
export const CaughtFailure = z.object({ Error: z.string(), Cause: z.string().default('') });
export type CaughtFailure = z.infer<typeof CaughtFailure>;

/** Made by the way out of a state machine, read by explain-failure. */
export const ExplainFailureInput = z.strictObject({
  run: RunId,
  failure: CaughtFailure,
  undoFailure: CaughtFailure.optional(),
});

/** A failure for people: an error's name, and one sentence that says where, why and what to do. */
export interface Failure {
  readonly error: string;
  readonly cause: string;
}

/** What is known of a run before anything else happens: written by acquire-lock, read by the undoing. */
export const RunRecord = RunRef.extend({
  backup: BackupId,
  execution: z.string(),
  startedAt: z.iso.datetime({ offset: true }),
  scheduled: z.boolean(),
});
export type RunRecord = z.infer<typeof RunRecord>;

/** The content of a system's lock: who holds it, and why. */
export const Lock = RunRef.extend({
  backup: BackupId,
  execution: z.string(),
  acquiredAt: z.iso.datetime({ offset: true }),
});
export type Lock = z.infer<typeof Lock>;

/** Read by plan-undo, clean-up: the run whose traces are to be removed. */
export const UndoInput = z.object({ run: RunId });
