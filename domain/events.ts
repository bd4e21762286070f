import * as z from 'zod';
import { backupOf, Ended, resultOf, results } from './contracts/machine.ts';
import { type Manifest, purposes } from './manifest.ts';
import { consoleUrl, stateMachineName } from './naming.ts';
import { operations, type RunRecord } from './payloads.ts';

/** What is told of the end of a run: an event for programs, a mail for people. docs/reference/events.md describes the event. */

/** The event's names on the account's default bus. */
export const runEnded = { source: 'holdfast', detailType: 'Holdfast Run Ended' } as const;

/** An undo is no operation that anybody starts, but how it ends matters. */
const told = [...operations, 'undo'] as const;

/** The event's detail. A field that is added does not change the version; one that is taken away, or means something else, does. */
export const RunEnded = z.strictObject({
  version: z.literal(1),
  /** The name of its execution. */
  run: z.string(),
  operation: z.enum(told),
  /** Null when the run was started without one. */
  system: z.string().nullable(),
  outcome: z.enum(['succeeded', 'failed', 'cancelled', 'timed out']),
  /** Of one that succeeded: its result. */
  result: z.enum([...results, 'undone']).nullable(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  seconds: z.number().nonnegative(),
  /** That was made or restored. */
  backup: z.string().nullable(),
  /** Of a backup that was committed: what it holds in the vault, and whether anything is missing from it. */
  bytes: z.number().nullable(),
  state: z.enum(['complete', 'partial']).nullable(),
  /** Of the same backup: only a regular one is ever the latest. */
  purpose: z.enum(purposes).nullable(),
  /** Of a backup, the run before whose changes it was taken; of an undo, the run that was undone. */
  of: z.string().nullable(),
  /** Who approved or rejected it, as IAM names them, and which; null when nobody was asked. */
  decision: z.string().nullable(),
  /** Of one that did not succeed. */
  error: z.string().nullable(),
  cause: z.string().nullable(),
  execution: z.string(),
  console: z.string(),
  /** The section of the runbook that says what to do; null when nothing is to be done. */
  runbook: z.string().nullable(),
  /** What to type next; null when nothing is to be done. */
  next: z.string().nullable(),
});
export type RunEnded = z.infer<typeof RunEnded>;

/** EventBridge's event on the end of an execution. Made by Step Functions, read by tell-end. */
export const StatusChange = z.object({
  detail: z.object({
    executionArn: z.string(),
    name: z.string(),
    status: z.enum(['SUCCEEDED', 'FAILED', 'ABORTED', 'TIMED_OUT']),
    startDate: z.number(),
    stopDate: z.number(),
    input: z.string().nullish(),
    output: z.string().nullish(),
    error: z.string().nullish(),
    cause: z.string().nullish(),
  }),
});
export type StatusChange = z.infer<typeof StatusChange>;

/**
 * True for an end that ran no Catch, so that nothing has undone the run: it was aborted, took too long, or met what `States.ALL` does not
 * catch. Errors of ours never begin with `States.`.
 */
export const endedUncaught = ({
  status,
  error,
}: {
  readonly status: string;
  readonly error?: string | null;
}): boolean =>
  status === 'ABORTED' || status === 'TIMED_OUT' || (status === 'FAILED' && error?.startsWith('States.') === true);

const outcomes = { SUCCEEDED: 'succeeded', FAILED: 'failed', ABORTED: 'cancelled', TIMED_OUT: 'timed out' } as const;

/** What is read of an execution's input. */
const Asked = z.object({
  system: z.string().optional(),
  lockedBy: z.string().optional(),
  safety: z.boolean().optional(),
  run: z.string().optional(),
  AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: z.string().optional(),
});

const parsed = <T>(schema: z.ZodType<T>, text: string | null | undefined): T | undefined => {
  try {
    return schema.safeParse(JSON.parse(text ?? '')).data;
  } catch {
    return undefined;
  }
};

/** The operation that an execution is of; undefined for a machine that only others start. */
const operationOf = (execution: string): RunEnded['operation'] | undefined =>
  told.find((operation) => stateMachineName(operation) === execution.split(':').at(-2));

/** What is known beside the execution itself. */
export interface Known {
  /** Where the runbook is read. */
  readonly runbook: string;
  /** Of the run that was undone. */
  readonly undone?: { readonly system: string };
  /** On the plan of a restore or an upgrade. */
  readonly decision?: RunRecord['decision'];
  readonly committed?: { readonly bytes: number } & Pick<Manifest, 'state' | 'purpose'>;
}

const nextOf = (operation: RunEnded['operation'], run: string, of: string | null): string =>
  operation === 'undo'
    ? `Services may be down. Fix the cause, then start holdfast-undo again with {"run": "${of ?? run}"}.`
    : `npx holdfast watch ${run}`;

const resultIn = (operation: RunEnded['operation'], ended: Ended | undefined): RunEnded['result'] => {
  if (operation === 'undo') return 'undone';
  return ended ? resultOf(ended) : null;
};

const storedIn = (committed: Known['committed']): Pick<RunEnded, 'bytes' | 'state' | 'purpose'> =>
  committed
    ? { bytes: committed.bytes, state: committed.state, purpose: committed.purpose }
    : { bytes: null, state: null, purpose: null };

const decisionIn = (decision: Known['decision']): string | null =>
  decision ? `${decision.approve ? 'approved' : 'rejected'} by ${decision.by}` : null;

/** The event that tells of the end of a run; undefined for what nobody waits for. */
export const runEndedEvent = (
  { detail }: StatusChange,
  { runbook, undone, decision, committed }: Known,
): RunEnded | undefined => {
  const { name: run, executionArn: execution, status } = detail;
  const operation = operationOf(execution);
  if (!operation) return undefined;
  const asked = parsed(Asked, detail.input);
  const ended = parsed(Ended, detail.output);
  const outcome = outcomes[status];
  const good = outcome === 'succeeded';
  const of = (operation === 'undo' ? asked?.run : asked?.lockedBy) ?? null;
  return {
    version: 1,
    ...{ run, operation, outcome, of, execution },
    system: undone?.system ?? asked?.system ?? null,
    // Null too where a later version ended it in a way that this one does not know.
    result: good ? resultIn(operation, ended) : null,
    startedAt: new Date(detail.startDate).toISOString(),
    endedAt: new Date(detail.stopDate).toISOString(),
    seconds: Math.max(0, Math.round((detail.stopDate - detail.startDate) / 1000)),
    backup: (ended && backupOf(ended)) ?? null,
    ...storedIn(committed),
    decision: decisionIn(decision),
    error: good ? null : (detail.error ?? { failed: 'Failed', cancelled: 'Aborted', 'timed out': 'TimedOut' }[outcome]),
    cause: good ? null : (detail.cause ?? 'No reason was given.'),
    console: consoleUrl(execution) ?? '',
    runbook: good ? null : `${runbook}#${operation}-failed`,
    next: good ? null : nextOf(operation, run, of),
  };
};

/** True for a run that another one waits for, which tells of its failure as well. */
export const isWaitedFor = ({ detail }: StatusChange): boolean => {
  const asked = parsed(Asked, detail.input);
  return asked?.lockedBy !== undefined || asked?.AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID !== undefined;
};

/** A mail as SNS takes it: its subject is one line of fewer than 100 printable ASCII characters that begins with a letter. */
export interface Mail {
  readonly subject: string;
  readonly text: string;
}

/** What a person reads of a run that did not succeed: what, why, where, and what to type next; undefined for one that did. */
export const mailOf = (event: RunEnded): Mail | undefined => {
  const { operation, system, outcome, run, of, seconds, decision, error, cause, console, next, runbook } = event;
  if (outcome === 'succeeded') return undefined;
  const what = operation === 'undo' ? `The undo of ${of ?? 'a run'}` : `The ${operation}`;
  const ended = outcome === 'cancelled' ? 'was cancelled' : outcome;
  const subject = `Holdfast: ${operation} of ${system ?? 'an unknown system'} ${outcome}: ${error}`;
  return {
    subject: subject.replaceAll(/[^ -~]+/g, ' ').slice(0, 99),
    text: [
      `${what} of ${system ?? 'an unknown system'} ${ended} after ${seconds} s.`,
      '',
      // Quoted: what a node said must not pass for what we say.
      `Why:    ${error}: "${(cause ?? '').replaceAll('"', "'").replaceAll(/\p{Cc}+/gu, ' ')}"`,
      ...(decision === null ? [] : [`Plan:   ${decision}`]),
      `Where:  ${run}`,
      `        ${console}`,
      `Next:   ${next}`,
      `        What each error means and how to fix it: ${runbook}`,
      '',
    ].join('\n'),
  };
};
