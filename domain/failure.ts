import * as z from 'zod';
import {
  ApprovalRejectedError,
  StepAbortedError,
  StepFailedError,
  StepTimedOutError,
  UndoFailedError,
} from './errors.ts';
import { stateMachineName } from './naming.ts';
import type { CaughtFailure, Failure, RunRef } from './payloads.ts';

/** What Step Functions wraps around an error, level by level: a lambda's own report, or the description of a child execution. */
const LambdaReport = z.object({ errorType: z.string(), errorMessage: z.string() });
const ChildReport = z.object({
  Status: z.string(),
  ExecutionArn: z.string(),
  Error: z.string().nullish(),
  Cause: z.string().nullish(),
});

/** Step Functions keeps at most this many characters of a cause. */
const causeLimit = 8000;

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** What it means that the backup before a run's changes failed. */
const gateFailed: Readonly<Record<RunRef['operation'], (cause: string) => string>> = {
  backup: (cause) => cause,
  verify: (cause) => cause,
  restore: (cause) =>
    `The safety backup failed, and nothing was changed: ${cause} Fix that, or start the restore again with "safetyBackup": false.`,
  upgrade: (cause) =>
    `The backup before the upgrade failed, and nothing was upgraded: ${cause} Fix that, then start the upgrade again.`,
};

/** A step, or a whole child execution, took longer than it may. */
const timedOut = new StepTimedOutError().name;

const rejected = 'The run was rejected without a reason. Nothing was changed.';

/** What it means that a child execution ended without an error of its own. */
const childEnded = (status: string, child: string, cause: string): Failure => {
  switch (status) {
    case 'TIMED_OUT':
      return { error: timedOut, cause: `${child} timed out.` };
    case 'ABORTED':
      return {
        error: new StepAbortedError().name,
        cause: `${child} was aborted: ${cause || 'somebody stopped it'}. Start the operation again.`,
      };
    default:
      return {
        error: new StepFailedError().name,
        cause: `${child} ended with status ${status} and gave no reason. Open its execution in the Step Functions console.`,
      };
  }
};

/**
 * An error by a name of ours, and its cause for people. A run that ends with a name of AWS's own was never caught, and is undone by a rule;
 * this one was caught.
 */
const named = (error: string | null, cause: string): Failure => {
  // Whoever rejects a run in the console, or by the API, need not say anything.
  if (error === null) return { error: new ApprovalRejectedError().name, cause: cause || rejected };
  if (error === 'States.Timeout' || error === 'Sandbox.Timedout')
    return {
      error: timedOut,
      cause: `A step timed out. The execution shows which one. ${cause}`.trim(),
    };
  if (/^(States|Lambda|Sandbox|Runtime|StepFunctions)\./.test(error))
    return { error: new StepFailedError().name, cause: `${error}: ${cause || 'no reason was given'}` };
  return { error, cause: cause || 'No reason was given. Open the execution in the Step Functions console.' };
};

/** The original error inside what a state of a run caught: its name, and its message for people. */
export const originalFailure = (
  { Error: error, Cause: cause }: CaughtFailure,
  operation: RunRef['operation'],
): Failure => {
  const value = parsed(cause);
  const child = ChildReport.safeParse(value);
  if (child.success) {
    const { Error: inner, Cause: innerCause, Status: status, ExecutionArn: arn } = child.data;
    if (typeof inner === 'string') {
      const original = originalFailure({ Error: inner, Cause: innerCause ?? '' }, operation);
      return arn.includes(`:${stateMachineName('backup')}:`)
        ? { ...original, cause: gateFailed[operation](original.cause) }
        : original;
    }
    return childEnded(status, arn.split(':').slice(-2).join(' '), innerCause ?? '');
  }
  const lambda = LambdaReport.safeParse(value);
  return lambda.success ? named(lambda.data.errorType, lambda.data.errorMessage) : named(error, cause);
};

/** A failed run's cause with the way back to what was there before. */
export const withWayBack = (
  { error, cause }: Failure,
  { system, operation, kind }: Pick<RunRef, 'system' | 'operation'> & { readonly kind?: string | undefined },
  before: string | undefined,
): Failure => ({
  error,
  cause:
    before === undefined
      ? cause
      : operation === 'upgrade' && kind === 'juju'
        ? `${cause} Fix that and start the upgrade again: it continues from there. The backup ${before} holds the state before the upgrade. To go back, start a restore with {"system": "${system}", "backup": "${before}", "allow": ["version"]}.`
        : operation === 'upgrade'
          ? `${cause} Fix that and start the upgrade again: it continues from there. The backup ${before} holds the state before the upgrade. To go back, start a restore with the installer of that version: {"system": "${system}", "backup": "${before}", "reinstall": {"installer": "…", "sha256": "…"}}.`
          : `${cause} The safety backup ${before} holds the state before this restore. To go back, start a restore with {"system": "${system}", "backup": "${before}"}.`,
});

/** The one error that a run ends with; when its undo failed as well, both reasons are told and the worse one names it. */
export const explainFailure = (
  failure: CaughtFailure,
  operation: RunRef['operation'],
  undoFailure?: CaughtFailure,
): Failure => {
  const original = originalFailure(failure, operation);
  if (!undoFailure) return { ...original, cause: original.cause.slice(0, causeLimit) };
  const undo = originalFailure(undoFailure, operation);
  return {
    error: new UndoFailedError().name,
    cause: `${original.error}: ${original.cause.slice(0, causeLimit / 2)} And its undo failed: ${undo.error}: ${undo.cause.slice(0, causeLimit / 2)}`,
  };
};
