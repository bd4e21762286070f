import { RestoreRequest, type RestoreSummary } from '#domain/payloads';
import { assertSystem } from './catalog.ts';
import { CliError } from './cli-error.ts';
import type { Connection } from './connection.ts';
import type { Exit } from './exit-codes.ts';
import { formatAmount, formatBytes, formatDuration, formatMoment, pairs } from './format.ts';
import type { Output } from './output.ts';
import { type ApprovedOptions, type Conclude, startApproved } from './run.ts';
import { runFailed } from './run-failed.ts';

/** As they are typed. */
export interface RestoreOptions extends ApprovedOptions {
  readonly before?: string;
  readonly approvalMinutes?: string;
  readonly scope?: readonly string[];
  readonly databases?: string;
  readonly allow?: readonly string[];
  readonly safetyBackup?: boolean;
  readonly reinstall?: string;
  readonly sha256?: string;
  readonly answers?: readonly string[];
  readonly onto?: readonly string[];
  readonly nodes?: readonly string[];
  readonly constraints?: string;
  readonly ensureAvailability?: string;
  readonly reconnectSeconds?: string;
  readonly reconnectPercent?: string;
}

/**
 * Starts a restore; with `watch` follows it to its end, where `ok` means that everything was proven. With `plan` it waits
 * for the plan, and nothing is changed.
 */
export const restore = async (
  connect: () => Promise<Connection>,
  system: string,
  backup: string | undefined,
  options: RestoreOptions,
  output: Output,
): Promise<Exit> => {
  assertSystem(system);
  const { request, approvalSeconds } = requestOf(system, backup, options);
  return startApproved(await connect(), 'restore', { request, approvalSeconds }, options, concludeRestore, output);
};

/** The input of the state machine: what was typed, and no more. What is wrong with it is told before anything is started. */
const requestOf = (system: string, backup: string | undefined, options: RestoreOptions) => {
  const { before, plan, confirm, approvalMinutes, scope, databases, allow, safetyBackup } = options;
  const { reinstall, sha256, answers, onto, nodes } = options;
  const request = {
    system,
    backup: backup ?? (before === undefined ? 'latest' : undefined),
    before,
    planOnly: plan,
    confirm,
    approvalSeconds: approvalMinutes === undefined ? undefined : Math.round(Number(approvalMinutes) * 60),
    scope,
    databases,
    allow,
    safetyBackup,
    reinstall:
      reinstall === undefined && sha256 === undefined && answers === undefined
        ? undefined
        : { installer: reinstall, sha256, ...(answers && { answers: answersOf(answers) }) },
    onto: onto && ontoOf(onto),
    nodes,
    juju: jujuOf(options),
  };
  const parsed = RestoreRequest.safeParse(request);
  if (parsed.success) return { request, approvalSeconds: parsed.data.approvalSeconds };
  const said = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  throw new CliError('usage', said, 'All options: holdfast restore --help');
};

const jujuOf = (options: RestoreOptions): object | undefined => {
  const { constraints, ensureAvailability, reconnectSeconds, reconnectPercent } = options;
  const typed = Object.entries({ ensureAvailability, reconnectSeconds, reconnectPercent }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Number(value)] as const],
  );
  return constraints === undefined && typed.length === 0 ? undefined : { constraints, ...Object.fromEntries(typed) };
};

/** What is wrong with them is the request's to say. */
const answersOf = (typed: readonly string[]): object =>
  Object.fromEntries(
    typed.map((one) => {
      const [role = '', name = '', sha256 = ''] = one.split('=');
      return [role, { name, sha256 }];
    }),
  );

const ontoOf = (typedPairs: readonly string[]): Readonly<Record<string, string>> => {
  const entries = typedPairs.map((pair): [string, string] => {
    const [role = '', instance = '', ...rest] = pair.split('=');
    if (role === '' || instance === '' || rest.length > 0)
      throw new CliError(
        'usage',
        `onto: expected ROLE=INSTANCE, got ${pair}`,
        'Such as: --onto master=i-0123456789abcdef0',
      );
    return [role, instance];
  });
  const twice = entries.find(([role], index) => entries.findIndex(([other]) => other === role) !== index);
  if (twice) throw new CliError('usage', `onto: ${twice[0]} is given twice`, 'Name each role once.');
  return Object.fromEntries(entries);
};

/** Prints the result of a restore. */
export const concludeRestore: Conclude = (_, { system, run }, { outcome, seconds }, json, output) => {
  switch (outcome?.kind) {
    case 'planned':
      if (!json) for (const line of planLines(outcome.summary, new Date())) output.line(line);
      return 'ok';
    case 'restored': {
      const { backup, compared, told, safety } = outcome;
      if (json) return 'ok';
      output.line(`${system}/${backup} is restored and proven, in ${formatDuration(seconds)}:`);
      for (const line of compared) output.line(`  ${line}`);
      for (const line of told) output.line(`! ${line}`);
      output.line(
        safety === 'none' ? 'No safety backup was taken.' : `What was there before: safety backup ${system}/${safety}`,
      );
      return 'ok';
    }
    case 'failed':
      throw runFailed('restore', { run, system }, outcome);
    default:
      throw new CliError(
        'unexpected',
        `run ${run} ended without the result of a restore`,
        'Open its execution in the Step Functions console. A newer version of Holdfast may understand it.',
      );
  }
};

/** A plan for people, at a moment. */
const planLines = (summary: RestoreSummary, now: Date): readonly string[] => {
  const taken = new Date(summary.takenAt);
  const age = formatDuration((now.getTime() - taken.getTime()) / 1000);
  return [
    ...pairs([
      ['backup', `${summary.backup}, taken ${formatMoment(taken)}, ${age} ago`],
      [
        'fetches',
        `${formatAmount(summary.artifacts, 'artifact')}, ${formatBytes(summary.bytesStored)}, ${formatBytes(summary.bytesRaw)} unpacked`,
      ],
      ['estimate', formatDuration(summary.estimatedSeconds)],
      ['plan', `${summary.plan} in the state bucket`],
    ]),
    ...summary.warnings.map((warning) => `warning: ${warning}`),
    ...(summary.steps.length === 0 ? [] : ['', ...summary.steps]),
  ];
};
