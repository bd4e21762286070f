import { resultOf } from '#domain/contracts/machine';
import { assertSystem } from './catalog.ts';
import { CliError } from './cli-error.ts';
import { type Connection, sameConnection } from './connection.ts';
import { listRuns, type Run } from './executions.ts';
import type { Exit } from './exit-codes.ts';
import { formatAmount, formatDuration, formatMoment, table } from './format.ts';
import type { Output } from './output.ts';
import { waitingText } from './progress.ts';
import { readStep } from './step.ts';

export interface RunsOptions {
  /** As it is typed. */
  readonly limit?: string;
  readonly json?: boolean;
}

/** Runs that are looked at for those of one system: each costs a call. */
const lookedAtMost = 500;

const parseLimit = (typed: string): number => {
  if (/^\d{1,3}$/.test(typed) && Number(typed) > 0) return Number(typed);
  throw new CliError('usage', `not a number of runs: ${typed}`, 'Give --limit a number from 1 to 999.');
};

/** The newest runs of a system, or of all, at most so many. Throws a CliError when there is none. */
const newestRuns = async (
  connection: Connection,
  system: string | undefined,
  limit: number,
): Promise<readonly Seen[]> => {
  const found: Seen[] = [];
  let lookedAt = 0;
  for await (const run of listRuns(connection)) {
    lookedAt += 1;
    if (system === undefined || run.system === system) found.push(await seen(connection, run));
    if (found.length === limit || lookedAt === lookedAtMost) break;
  }
  if (found.length > 0) return found;
  const where = lookedAt === lookedAtMost ? `among the newest ${lookedAt} runs` : 'in the last 90 days';
  throw new CliError(
    'not-found',
    `nothing ${system === undefined ? '' : `of ${system} `}has run ${where}`,
    `List the systems: ${sameConnection(connection, 'holdfast systems')}`,
  );
};

/** Lists runs of all operations, newest first. `not-found` when there is none. */
export const runs = async (
  connect: () => Promise<Connection>,
  system: string | undefined,
  { limit = '20', json = false }: RunsOptions,
  output: Output,
  now = new Date(),
): Promise<Exit> => {
  if (system !== undefined) assertSystem(system);
  const atMost = parseLimit(limit);
  const connection = await connect();
  const found = await newestRuns(connection, system, atMost);
  if (json) {
    output.document({ runs: found.map((one) => documentOf(one, now)) });
    return 'ok';
  }
  const rows = found.map((one) => row(one, now));
  for (const line of table(columns, rows)) output.line(line);
  const failed = found.find(({ run }) => run.failure);
  if (failed)
    output.note(`Why one failed, and what to do: ${sameConnection(connection, `holdfast watch ${failed.run.run}`)}`);
  for (const { waiting } of found) if (waiting !== undefined) output.note(waiting);
  return 'ok';
};

/** A run with what a person must do for it. */
interface Seen {
  readonly run: Run;
  readonly approvalUntil?: string;
  readonly waiting?: string;
}

const seen = async (connection: Connection, run: Run): Promise<Seen> => {
  const step = run.state === 'running' ? await readStep(connection, run.run, run.execution) : undefined;
  const waiting = waitingText(connection, run.run, step);
  return {
    run,
    ...(step?.approvalUntil !== undefined && { approvalUntil: step.approvalUntil }),
    ...(waiting !== undefined && { waiting: `${run.run} is ${waiting}` }),
  };
};

const columns = [
  { heading: 'RUN' },
  { heading: 'OPERATION' },
  { heading: 'SYSTEM' },
  { heading: 'STATE' },
  { heading: 'STARTED' },
  { heading: 'TOOK', align: 'right' },
  { heading: 'RESULT' },
] as const;

const secondsOf = ({ startedAt, endedAt }: Run, now: Date): number =>
  Math.max(0, ((endedAt ?? now).getTime() - startedAt.getTime()) / 1000);

/** Describes the result of a run in a word or two. */
const resultText = ({ ended, failure }: Run): string => {
  if (failure) return failure.error;
  switch (ended?.operation) {
    case 'backup':
      if (ended.check) return `checked, ${formatAmount(ended.check.problems, 'problem')}`;
      return ended.outcome === 'duplicate' ? `${ended.backup} was made by another run` : ended.backup;
    case 'restore':
      return `${ended.chosen.backup} ${resultOf(ended)}`;
    case 'upgrade':
      return `${ended.plan.summary.to} ${resultOf(ended)}`;
    case 'verify':
      return `${[...ended.sound, ...ended.cold.map((backup) => `${backup} (cold)`)].join(', ')}`;
    case undefined:
      return '-';
    default:
      return ended satisfies never;
  }
};

const row = ({ run, approvalUntil }: Seen, now: Date): readonly string[] => [
  run.run,
  run.safety ? 'safety backup' : run.operation,
  run.system ?? '-',
  approvalUntil === undefined ? run.state : 'waiting',
  formatMoment(run.startedAt),
  formatDuration(secondsOf(run, now)),
  resultText(run),
];

const documentOf = ({ run, approvalUntil }: Seen, now: Date) => ({
  run: run.run,
  execution: run.execution,
  operation: run.operation,
  system: run.system ?? null,
  ...(run.lockedBy !== undefined && { lockedBy: run.lockedBy, safety: run.safety }),
  state: approvalUntil === undefined ? run.state : 'waiting',
  ...(approvalUntil !== undefined && { approvalUntil }),
  startedAt: run.startedAt.toISOString(),
  endedAt: run.endedAt?.toISOString() ?? null,
  seconds: Math.round(secondsOf(run, now)),
  ...(run.failure ? run.failure : { result: run.ended ? resultText(run) : null }),
});
