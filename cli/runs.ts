import { randomBytes } from 'node:crypto';
import { StartExecutionCommand } from '@aws-sdk/client-sfn';
import { backupId, type StateMachineName } from '#domain/naming';
import { CliError, explain } from './cli-error.ts';
import { type Connection, consoleLink, machineArn, sameConnection } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { type FollowOptions, followRun, type RunProgress } from './follow-run.ts';
import type { Output } from './output.ts';
import { progressDisplay } from './progress.ts';

/** A run that was started, and where it can be seen. */
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
  if (execution === undefined) throw new CliError('unexpected', 'Step Functions started a run and did not name it');
  const link = consoleLink(connection, execution);
  return {
    run,
    execution,
    system: request.system,
    ...(link !== undefined && { console: link }),
    follow: sameConnection(connection, `aws stepfunctions describe-execution --execution-arn ${execution}`),
  };
};

/** What is told of a started run, by name. */
export const startedEntries = ({ system: _, ...told }: Started): [string, string][] => Object.entries(told);

const howToFollow = ({ console, follow, result }: Started): string =>
  `Follow it: ${console ?? follow}${result === undefined ? '' : ` ; when it is complete it is listed: ${result}`}`;

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
  const show = progressDisplay(output);
  const detach = (): never => {
    if (json) output.jsonLine({ event: 'detached', run });
    output.note(`Detached. The run goes on. ${howToFollow(started)}`);
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
    throw new CliError(exit, message, `The run goes on. ${howToFollow(started)}`);
  } finally {
    process.off('SIGINT', detach);
  }
  if (last?.outcome === undefined)
    throw new CliError('unexpected', `following ${run} ended before the run did`, howToFollow(started));
  if (json) output.jsonLine({ event: last.outcome.kind, run, ...last.outcome });
  return last;
};
