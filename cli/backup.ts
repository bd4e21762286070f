import { randomBytes } from 'node:crypto';
import { StartExecutionCommand } from '@aws-sdk/client-sfn';
import { storedBytes } from '#domain/manifest';
import { backupId } from '#domain/naming';
import type { BackupRequest } from '#domain/payloads';
import { assertSystem } from './catalog.ts';
import { CliError, explain } from './cli-error.ts';
import { type Connection, consoleLink, sameConnection } from './connection.ts';
import { type Exit, exitCodes } from './exit-codes.ts';
import { type FollowOptions, followRun, type Outcome, type RunProgress } from './follow-run.ts';
import { formatAmount, formatBytes, formatDuration, pairs } from './format.ts';
import type { Output } from './output.ts';
import { progressDisplay } from './progress.ts';

export interface BackupOptions extends FollowOptions {
  readonly watch?: boolean;
  readonly json?: boolean;
}

type Starting = Pick<Connection, 'stepFunctions' | 'backupMachineArn' | 'options'>;

/** A run that was started, and where it can be seen. */
interface Started {
  readonly run: string;
  readonly execution: string;
  readonly system: string;
  /** Only on AWS. */
  readonly console?: string;
  readonly follow: string;
  readonly result: string;
}

/** Starts a backup and, with `watch`, follows it to its end; then `ok` means that its manifest exists. */
export const backup = async (
  connect: () => Promise<Connection>,
  system: string,
  { watch = false, json = false, ...follow }: BackupOptions,
  output: Output,
): Promise<Exit> => {
  assertSystem(system);
  const connection = await connect();
  const started = await start(connection, system);
  const { system: _, ...told } = started;
  if (!watch) {
    if (json) output.document(started);
    else for (const line of pairs(Object.entries(told))) output.line(line);
    return 'ok';
  }
  if (json) output.jsonLine({ event: 'started', ...started });
  else for (const line of pairs(Object.entries(told))) output.note(line);
  const detach = (): never => {
    if (json) output.jsonLine({ event: 'detached', run: started.run });
    output.note(`Detached. The run goes on. ${howToFollow(started)}`);
    process.exit(exitCodes.interrupted.code);
  };
  process.once('SIGINT', detach);
  try {
    const last = await watchRun(connection, started, { json, ...follow }, output);
    if (json && last.outcome) output.jsonLine({ event: last.outcome.kind, run: started.run, ...last.outcome });
    return conclude(connection, started, last, json, output);
  } finally {
    process.off('SIGINT', detach);
  }
};

const howToFollow = ({ console, follow, result }: Started): string =>
  `Follow it: ${console ?? follow} ; when it is complete it is listed: ${result}`;

const start = async (connection: Starting, system: string): Promise<Started> => {
  // A name of our own: when the SDK repeats a call whose answer was lost, Step Functions returns the same run.
  const name = `${system}-${backupId(new Date())}-${randomBytes(3).toString('hex')}`;
  const request: BackupRequest = { system };
  const { executionArn } = await connection.stepFunctions.send(
    new StartExecutionCommand({ stateMachineArn: connection.backupMachineArn, name, input: JSON.stringify(request) }),
  );
  if (executionArn === undefined) throw new CliError('unexpected', 'Step Functions started a run and did not name it');
  const link = consoleLink(connection, executionArn);
  return {
    run: name,
    execution: executionArn,
    system,
    ...(link !== undefined && { console: link }),
    follow: sameConnection(connection, `aws stepfunctions describe-execution --execution-arn ${executionArn}`),
    result: sameConnection(connection, `holdfast backups ${system}`),
  };
};

const watchRun = async (
  connection: Connection,
  started: Started,
  { json, ...follow }: FollowOptions & { readonly json: boolean },
  output: Output,
): Promise<RunProgress> => {
  const show = progressDisplay(output);
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
  }
  if (last === undefined) throw new CliError('unexpected', 'the run could not be followed', howToFollow(started));
  return last;
};

const conclude = (
  connection: Connection,
  { system, run }: Started,
  { outcome, seconds }: RunProgress,
  json: boolean,
  output: Output,
): Exit => {
  switch (outcome?.kind) {
    case 'committed': {
      const { manifest } = outcome;
      const id = `${system}/${manifest.backup}`;
      if (json) return 'ok';
      output.line(
        `${id} is complete: ${formatAmount(manifest.artifacts.length, 'artifact')}, ${formatBytes(storedBytes(manifest))}, took ${formatDuration(seconds)}, ${manifest.retentionClass}, ${manifest.consistency}`,
      );
      for (const warning of manifest.warnings) output.note(`warning: ${warning}`);
      output.note(`Look at it: ${sameConnection(connection, `holdfast show ${id}`)}`);
      return 'ok';
    }
    case 'duplicate': {
      const id = `${system}/${outcome.backup}`;
      if (!outcome.committed)
        throw new CliError(
          'busy',
          `another run is making ${id} already`,
          `Look whether it is complete: ${sameConnection(connection, `holdfast backups ${system}`)}`,
        );
      if (!json) output.line(`${id} exists already: another run made it, this one had nothing to do`);
      return 'ok';
    }
    case 'failed':
      throw failure(system, run, outcome);
    default:
      throw new CliError('unexpected', `following ${run} ended before the run did`);
  }
};

/** What another exit code or another advice belongs to than to an ordinary failure. */
const failures: Readonly<Record<string, { readonly exit?: Exit; readonly next: (system: string) => string }>> = {
  SystemBusyError: {
    exit: 'busy',
    next: (system) => `Wait until that run has ended, then try again: holdfast backup ${system} --watch`,
  },
  UnknownSystemError: {
    exit: 'not-found',
    next: () => 'Add it to holdfast.yaml, try holdfast config check, then deploy.',
  },
  NodeUnreachableError: {
    next: (system) =>
      `Look at the node in Fleet Manager of Systems Manager, then try again: holdfast backup ${system} --watch`,
  },
  UndoFailedError: { next: () => 'Look at the nodes now: a service may still be stopped.' },
};

const failure = (system: string, run: string, { error, cause }: Extract<Outcome, { kind: 'failed' }>): CliError => {
  const known = failures[error];
  return new CliError(
    known?.exit ?? 'failed',
    `run ${run} made no backup: ${error}: ${cause}`,
    known?.next(system) ?? `Mend the cause, then try again: holdfast backup ${system} --watch`,
  );
};
