import { randomBytes } from 'node:crypto';
import { StartExecutionCommand } from '@aws-sdk/client-sfn';
import { backupId, type StateMachineName } from '#domain/naming';
import { CliError, explain } from './cli-error.ts';
import { type Connection, consoleLink, machineArn, sameConnection } from './connection.ts';
import { type Exit, exitCodes } from './exit-codes.ts';
import { type FollowOptions, followRun, type RunProgress } from './follow-run.ts';
import { formatDuration, pairs } from './format.ts';
import type { Output } from './output.ts';
import { progressDisplay } from './progress.ts';

/** A run that was started or found, and where it can be seen. */
export interface Started {
  readonly run: string;
  readonly execution: string;
  readonly system: string;
  /** Only on AWS. */
  readonly console?: string;
  readonly follow: string;
  /** Of a backup: the command that lists it. */
  readonly result?: string;
  /** Of a restore that waits for an approval: the commands that decide. */
  readonly approve?: string;
  readonly reject?: string;
}

/** Says how a run has ended, to a person unless lines of JSON have said it, and with which exit code. Throws a CliError for one that failed. */
export type Conclude = (
  connection: Connection,
  started: Started,
  progress: RunProgress,
  json: boolean,
  output: Output,
) => Exit;

/** A name for a run: when the SDK repeats a call whose answer was lost, Step Functions returns the same run. */
export const runName = (prefix: string): string =>
  `${prefix}-${backupId(new Date())}-${randomBytes(3).toString('hex')}`;

/** Starts a state machine of the deployment on a system. */
export const startRun = async (
  connection: Pick<Connection, 'stepFunctions' | 'backupMachineArn' | 'options'>,
  machine: StateMachineName,
  run: string,
  request: { readonly system: string },
): Promise<Started> => {
  const { executionArn: execution } = await connection.stepFunctions.send(
    new StartExecutionCommand({
      stateMachineArn: machineArn(connection, machine),
      name: run,
      input: JSON.stringify(request),
    }),
  );
  if (execution === undefined)
    throw new CliError(
      'unexpected',
      'Step Functions started a run and did not name it',
      `See whether it started: ${sameConnection(connection, `holdfast runs ${request.system}`)}`,
    );
  return seenAt(connection, run, execution, request.system);
};

/** Where a run can be seen. */
export const seenAt = (
  connection: Pick<Connection, 'options'>,
  run: string,
  execution: string,
  system: string,
): Started => {
  const link = consoleLink(connection, execution);
  return {
    run,
    execution,
    system,
    ...(link !== undefined && { console: link }),
    follow: sameConnection(connection, `holdfast watch ${run}`),
  };
};

/**
 * Reports on a run that was started; with `watch` follows it to its end, which `conclude` judges. With `json` everything is
 * JSON: one document, or a line per event.
 */
export const seeThrough = async (
  connection: Connection,
  started: Started,
  { watch, json, ...follow }: FollowOptions & { readonly watch: boolean; readonly json: boolean },
  conclude: Conclude,
  output: Output,
): Promise<Exit> => {
  if (!json) for (const line of pairs(startedEntries(started))) (watch ? output.note : output.line)(line);
  else if (watch) output.jsonLine({ event: 'started', ...started });
  else output.document(started);
  if (!watch) return 'ok';
  const ended = await watchRun(connection, started, { json, ...follow }, output);
  return conclude(connection, started, ended, json, output);
};

/** How a person starts what needs an approval. */
export interface ApprovedOptions extends FollowOptions {
  /** Only a plan: nothing is changed. */
  readonly plan?: boolean;
  /** The system's name typed again: no approval is needed. */
  readonly confirm?: string;
  readonly watch?: boolean;
  readonly json?: boolean;
}

/** Starts an operation that waits for an approval unless it was confirmed; with `watch` or `plan` follows it to its end. */
export const startApproved = async (
  connection: Connection,
  machine: StateMachineName,
  { request, approvalSeconds }: { readonly request: { readonly system: string }; readonly approvalSeconds: number },
  { plan = false, confirm, watch = false, json = false, ...options }: ApprovedOptions,
  conclude: Conclude,
  output: Output,
): Promise<Exit> => {
  const waits = !plan && confirm === undefined;
  // Sixty characters with the longest system: whoever starts something for this run can still add to its name.
  const run = runName(`${request.system.slice(0, 28)}-${machine}`);
  const started: Started = {
    ...(await startRun(connection, machine, run, request)),
    ...(waits && {
      approve: sameConnection(connection, `holdfast approve ${run}`),
      reject: sameConnection(connection, `holdfast reject ${run} --reason TEXT`),
    }),
  };
  if (waits)
    output.note(
      `After planning, it waits ${formatDuration(approvalSeconds)} for an approval. Nothing is changed until then.`,
    );
  // A plan is one document, so what leads to it is told as to a person.
  const follow = { ...options, watch: watch || plan, json: json && !plan };
  const concludePlan: Conclude = (to, of, ended) => {
    if (!json || !ended.outcome || !('summary' in ended.outcome)) return conclude(to, of, ended, json, output);
    output.document(ended.outcome.summary);
    return 'ok';
  };
  return seeThrough(connection, started, follow, plan ? concludePlan : conclude, output);
};

/** What is told of a started run, by name. */
export const startedEntries = ({ system: _, ...told }: Started): [string, string][] => Object.entries(told);

const howToFollow = ({ follow }: Started): string => `Follow it: ${follow}`;

/**
 * Shows a run until it has ended, with `json` as a line per event; the last snapshot has the outcome. Ctrl-C ends the
 * process, not the run. Throws a CliError when the run is lost sight of.
 */
export const watchRun = async (
  connection: Connection,
  started: Started,
  { json, ...follow }: FollowOptions & { readonly json: boolean },
  output: Output,
): Promise<RunProgress> => {
  const { run } = started;
  const show = progressDisplay(output, connection);
  const detach = (): never => {
    if (json) output.jsonLine({ event: 'detached', run });
    output.note(`Detached. The run continues. ${howToFollow(started)}`);
    process.exit(exitCodes.interrupted.code);
  };
  process.once('SIGINT', detach);
  let last: RunProgress | undefined;
  try {
    for await (const progress of followRun(connection, started.execution, follow)) {
      last = progress;
      const { outcome: _, ...snapshot } = progress;
      if (json) output.jsonLine({ event: 'progress', ...snapshot });
      else show(progress);
    }
  } catch (error) {
    const { exit, message } = explain(error);
    throw new CliError(exit, message, `The run continues. ${howToFollow(started)}`);
  } finally {
    process.off('SIGINT', detach);
  }
  if (last?.outcome === undefined)
    throw new CliError('unexpected', `following ${run} ended before the run did`, howToFollow(started));
  if (json) output.jsonLine({ event: last.outcome.kind, run, ...last.outcome });
  return last;
};
