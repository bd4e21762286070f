import { randomBytes } from 'node:crypto';
import { StartExecutionCommand } from '@aws-sdk/client-sfn';
import { backupId } from '#domain/naming';
import { RestoreRequest, type RestoreSummary } from '#domain/payloads';
import { assertSystem } from './catalog.ts';
import { CliError } from './cli-error.ts';
import { type Connection, consoleLink, machineArn, sameConnection } from './connection.ts';
import { type Exit, exitCodes } from './exit-codes.ts';
import { type FollowOptions, followRun, type RunProgress } from './follow-run.ts';
import { formatBytes, formatDuration, pairs } from './format.ts';
import type { Output } from './output.ts';
import { progressDisplay } from './progress.ts';

export interface RestoreOptions extends FollowOptions {
  readonly before?: string;
  readonly plan?: boolean;
  readonly confirm?: string;
  readonly scope?: readonly string[];
  readonly databases?: string;
  readonly allow?: readonly string[];
  readonly safetyBackup?: boolean;
  readonly reinstall?: string;
  readonly onto?: readonly string[];
  readonly approvalMinutes?: string;
  readonly watch?: boolean;
  readonly json?: boolean;
}

const ontoOf = (pairsTyped: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    pairsTyped.map((pair) => {
      const [role = '', instance = ''] = pair.split('=');
      return [role, instance];
    }),
  );

/** The input of the state machine; what is wrong with it is told before anything is started. */
const requestOf = (system: string, backup: string | undefined, options: RestoreOptions): object => {
  const request = {
    system,
    ...(options.before === undefined ? { backup: backup ?? 'latest' } : { before: options.before }),
    ...(options.before !== undefined && backup !== undefined && { backup }),
    ...(options.plan === true && { planOnly: true }),
    ...(options.confirm !== undefined && { confirm: options.confirm }),
    ...(options.scope && { scope: options.scope }),
    ...(options.databases !== undefined && { databases: options.databases }),
    ...(options.allow && { allow: options.allow }),
    ...(options.safetyBackup === false && { safetyBackup: false }),
    ...(options.reinstall !== undefined && { reinstall: { installer: options.reinstall } }),
    ...(options.onto && { onto: ontoOf(options.onto) }),
    ...(options.approvalMinutes !== undefined && { approvalSeconds: Math.round(Number(options.approvalMinutes) * 60) }),
  };
  const parsed = RestoreRequest.safeParse(request);
  if (parsed.success) return request;
  const said = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  throw new CliError('usage', said, 'See holdfast restore --help.');
};

const planLines = (summary: RestoreSummary): readonly string[] => [
  ...pairs([
    ['backup', `${summary.backup}, taken ${summary.takenAt}`],
    [
      'fetches',
      `${summary.artifacts} artifacts, ${formatBytes(summary.bytesStored)}, ${formatBytes(summary.bytesRaw)} unpacked`,
    ],
    ['estimate', formatDuration(summary.estimatedSeconds)],
    ['plan', summary.plan],
  ]),
  ...summary.warnings.map((warning) => `warning: ${warning}`),
  ...summary.steps.map((step) => `  ${step}`),
];

const nextAfter = (error: string, system: string): string => {
  switch (error) {
    case 'SystemBusyError':
      return 'Wait until that run has ended, then try again.';
    case 'UndoFailedError':
      return 'Look at the nodes now: a service may still be stopped. Then start the restore again: it goes on from there.';
    case 'UnknownBackupError':
    case 'NoBackupError':
      return `List what there is: holdfast backups ${system}`;
    default:
      return 'Mend the cause, then start the restore again. docs/runbook.md, restore-failed, has every error.';
  }
};

/** Starts a restore, or asks for its plan; with `watch` follows it to its end, where `ok` means that everything was proven. */
export const restore = async (
  connect: () => Promise<Connection>,
  system: string,
  backup: string | undefined,
  options: RestoreOptions,
  output: Output,
): Promise<Exit> => {
  assertSystem(system);
  const request = requestOf(system, backup, options);
  const connection = await connect();
  const name = `${system}-restore-${backupId(new Date())}-${randomBytes(3).toString('hex')}`;
  const { executionArn = '' } = await connection.stepFunctions.send(
    new StartExecutionCommand({
      stateMachineArn: machineArn(connection, 'restore'),
      name,
      input: JSON.stringify(request),
    }),
  );
  const started = {
    run: name,
    system,
    execution: executionArn,
    console: consoleLink(connection, executionArn),
    ...(options.confirm === undefined &&
      options.plan !== true && { approve: sameConnection(connection, `holdfast approve ${name}`) }),
  };
  const told = Object.entries(started).flatMap(([key, value]): [string, string][] =>
    value === undefined ? [] : [[key, value]],
  );
  if (options.watch !== true && options.plan !== true) {
    if (options.json === true) output.document(started);
    else for (const line of pairs(told)) output.line(line);
    return 'ok';
  }
  if (options.json !== true) for (const line of pairs(told)) output.note(line);
  const detach = (): never => {
    output.note(`Detached. The run goes on: ${started.console ?? name}`);
    process.exit(exitCodes.interrupted.code);
  };
  process.once('SIGINT', detach);
  try {
    return conclude(system, await watchRun(connection, executionArn, options, output), options, output);
  } finally {
    process.off('SIGINT', detach);
  }
};

const watchRun = async (
  connection: Connection,
  executionArn: string,
  options: RestoreOptions,
  output: Output,
): Promise<RunProgress> => {
  const show = progressDisplay(output);
  let last: RunProgress | undefined;
  for await (const progress of followRun(connection, executionArn, options)) {
    last = progress;
    const { outcome: _, ...snapshot } = progress;
    if (options.json === true && options.plan !== true) output.jsonLine({ event: 'progress', ...snapshot });
    else if (options.json !== true) show(progress);
  }
  if (!last) throw new CliError('unexpected', 'the run could not be followed');
  return last;
};

const conclude = (
  system: string,
  { run, outcome, seconds }: RunProgress,
  options: RestoreOptions,
  output: Output,
): Exit => {
  switch (outcome?.kind) {
    case 'planned':
      if (options.json === true) output.document(outcome.summary);
      else for (const line of planLines(outcome.summary)) output.line(line);
      return 'ok';
    case 'restored':
      if (options.json === true) output.jsonLine({ event: 'restored', run, ...outcome });
      else {
        output.line(`${system}/${outcome.backup} is restored and proven, in ${formatDuration(seconds)}:`);
        for (const line of outcome.compared) output.line(`  ${line}`);
        output.line(
          outcome.safety === 'none'
            ? 'No safety backup was taken.'
            : `What was there before: ${system}/${outcome.safety}`,
        );
      }
      return 'ok';
    case 'failed':
      throw new CliError(
        outcome.error === 'SystemBusyError' ? 'busy' : outcome.error === 'UnknownBackupError' ? 'not-found' : 'failed',
        `run ${run} restored nothing: ${outcome.error}: ${outcome.cause}`,
        nextAfter(outcome.error, system),
      );
    default:
      throw new CliError('unexpected', `following ${run} ended before the run did`);
  }
};
