import { jsonState } from '#aws/bucket';
import { InvalidConfigError, parseConfig } from '#domain/config-file';
import { storedBytes } from '#domain/manifest';
import { Deployed, deployedSystems } from '#domain/measurement';
import { backupMoment, stateKeys } from '#domain/naming';
import type { Lock } from '#domain/payloads';
import type { Bucket } from '#domain/ports';
import { newestGood } from '#domain/vault/catalog';
import { listLocks, systemsWithBackups } from './catalog.ts';
import { CliError } from './cli-error.ts';
import { read } from './config-check.ts';
import { type Connection, sameConnection } from './connection.ts';
import { describeRun, listRuns, type Run, unsuccessful } from './executions.ts';
import type { Exit } from './exit-codes.ts';
import { formatAmount, formatBytes, formatDuration, table } from './format.ts';
import type { Output } from './output.ts';
import { waitingText } from './progress.ts';
import { readStep } from './step.ts';

export interface SystemsOptions {
  /** A holdfast.yaml in place of what is deployed. */
  readonly config?: string;
  readonly json?: boolean;
}

/** The newest good backup of a system. */
interface Newest {
  readonly backup: string;
  readonly ageSeconds: number;
  readonly bytes: number;
  readonly complete: boolean;
}

interface UnderWay {
  readonly run: string;
  readonly operation: string;
  /** `undoing`: the run is over, and what it left is being removed. */
  readonly state: 'running' | 'waiting' | 'undoing';
  readonly seconds: number;
  readonly waiting?: string;
}

interface Status {
  readonly system: string;
  readonly state: 'ok' | 'overdue' | 'no backup' | 'not configured';
  readonly newest?: Newest;
  /** What the age of its newest backup may reach; absent without a configuration or a schedule. */
  readonly overdueAfterSeconds?: number;
  readonly underWay?: UnderWay;
  readonly lastFailure?: Run;
}

/**
 * Reports for every system whether it is backed up, how old its newest good backup is, what is running, and what failed last.
 * `overdue` when one has no good backup, or one that is older than its schedule allows.
 */
export const systems = async (
  connect: () => Promise<Connection>,
  options: SystemsOptions,
  output: Output,
  now = new Date(),
): Promise<Exit> => {
  const named = options.config === undefined ? undefined : await configured(options.config, now);
  const connection = await connect();
  const expected = named ?? (await deployed(connection.state)) ?? (await atHand(now, output));
  const failures = await lastFailures(connection);
  const locks = await listLocks(connection.state);
  const known = new Set([
    ...Object.keys(expected?.systems ?? {}),
    ...(await systemsWithBackups(connection.vault)),
    ...locks.map(({ system }) => system),
    ...failures.keys(),
  ]);
  if (known.size === 0)
    throw new CliError(
      'not-found',
      'no system has a backup, and none has run',
      `Make the first one: ${sameConnection(connection, 'holdfast backup SYSTEM --watch')}`,
    );
  const found = await Promise.all(
    [...known].toSorted().map(async (system): Promise<Status> => {
      const newest = await newestOf(connection.vault, system, now, output);
      const limit = expected?.systems[system]?.overdueAfterSeconds;
      const lock = locks.find((held) => held.system === system);
      const underWay = lock && (await underWayOf(connection, lock, now));
      const lastFailure = failures.get(system);
      return {
        system,
        state: stateOf(expected, system, newest, limit),
        ...(newest && { newest }),
        ...(limit !== undefined && { overdueAfterSeconds: limit }),
        ...(underWay && { underWay }),
        ...(lastFailure && { lastFailure }),
      };
    }),
  );
  if (options.json === true) output.document({ systems: found.map(documentOf) });
  else {
    for (const line of table(
      columns,
      found.map((status) => row(status, now)),
    ))
      output.line(line);
    for (const note of notes(connection, expected, found)) output.note(note);
  }
  return found.some(isAlarming) ? 'overdue' : 'ok';
};

/** What a configuration that the person names expects. Throws a CliError when it has mistakes. */
const configured = async (file: string, now: Date): Promise<Deployed> => {
  try {
    return deployedSystems(parseConfig(await read(file), file), now);
  } catch (error) {
    if (!(error instanceof InvalidConfigError)) throw error;
    const said = `${file} has ${formatAmount(error.faults.length, 'mistake')}`;
    throw new CliError('invalid', said, `Run holdfast config check ${file} to see every mistake`);
  }
};

/** What is deployed; undefined when that was not noted yet, and when it may not be read. */
const deployed = async (state: Bucket): Promise<Deployed | undefined> => {
  try {
    return await jsonState(state).read(stateKeys.deployed, Deployed);
  } catch (error) {
    if (error instanceof Error && error.name.startsWith('AccessDenied')) return undefined;
    throw error;
  }
};

/** What the holdfast.yaml of this folder expects; undefined when there is none that can be used. */
const atHand = async (now: Date, output: Output): Promise<Deployed | undefined> => {
  try {
    return await configured('holdfast.yaml', now);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    if (error.exit === 'invalid')
      output.note(`${error.message} and is ignored. Run holdfast config check to see every mistake`);
    return undefined;
  }
};

/** Runs that did not succeed, and how many of them are looked at for the last one of each system. */
const failuresLookedAt = 50;

const lastFailures = async (connection: Connection): Promise<ReadonlyMap<string, Run>> => {
  const last = new Map<string, Run>();
  let lookedAt = 0;
  for await (const run of listRuns(connection, { statuses: unsuccessful })) {
    lookedAt += 1;
    if (run.system !== undefined && !last.has(run.system)) last.set(run.system, run);
    if (lookedAt === failuresLookedAt) break;
  }
  return last;
};

const newestOf = async (vault: Bucket, system: string, now: Date, output: Output): Promise<Newest | undefined> => {
  const { good, passedOver } = await newestGood({ vault }, system);
  for (const { backup, reason } of passedOver) output.note(`${system}/${backup} is skipped: ${reason}`);
  return (
    good && {
      backup: good.backup,
      ageSeconds: Math.max(0, (now.getTime() - backupMoment(good.backup).getTime()) / 1000),
      bytes: storedBytes(good.manifest),
      complete: good.manifest.state === 'complete',
    }
  );
};

const stateOf = (
  expected: Deployed | undefined,
  system: string,
  newest: Newest | undefined,
  limit: number | undefined,
): Status['state'] => {
  if (expected && expected.systems[system] === undefined) return 'not configured';
  if (newest === undefined) return 'no backup';
  return limit !== undefined && newest.ageSeconds > limit ? 'overdue' : 'ok';
};

const underWayOf = async (
  connection: Connection,
  { run, operation, execution, acquiredAt }: Lock,
  now: Date,
): Promise<UnderWay> => {
  const seconds = Math.max(0, (now.getTime() - Date.parse(acquiredAt)) / 1000);
  // The lock of a run that is over is held until its traces are removed.
  if ((await describeRun(connection, execution))?.state !== 'running')
    return { run, operation, state: 'undoing', seconds };
  const step = await readStep(connection, run, execution);
  const waiting = waitingText(connection, run, step);
  return waiting === undefined
    ? { run, operation, state: 'running', seconds }
    : { run, operation, state: 'waiting', seconds, waiting };
};

const isAlarming = ({ state }: Status): boolean => state === 'overdue' || state === 'no backup';

const columns = [
  { heading: 'SYSTEM' },
  { heading: 'STATE' },
  { heading: 'NEWEST GOOD BACKUP' },
  { heading: 'AGE', align: 'right' },
  { heading: 'SIZE', align: 'right' },
  { heading: 'UNDER WAY' },
  { heading: 'LAST FAILURE' },
] as const;

const underWayText = ({ operation, state, seconds }: UnderWay): string =>
  `${operation} ${state === 'running' ? 'for' : state} ${formatDuration(seconds)}`;

const secondsSince = (moment: Date, now: Date): number => (now.getTime() - moment.getTime()) / 1000;

const failureText = ({ operation, failure, endedAt, startedAt }: Run, now: Date): string =>
  `${operation}, ${failure?.error ?? 'Failed'}, ${formatDuration(secondsSince(endedAt ?? startedAt, now))} ago`;

const row = ({ system, state, newest, underWay, lastFailure }: Status, now: Date): readonly string[] => [
  system,
  state,
  newest ? `${newest.backup}${newest.complete ? '' : ' (partial)'}` : '-',
  newest ? formatDuration(newest.ageSeconds) : '-',
  newest ? formatBytes(newest.bytes) : '-',
  underWay ? underWayText(underWay) : '-',
  lastFailure ? failureText(lastFailure, now) : '-',
];

const documentOf = ({ newest, underWay, lastFailure, ...status }: Status) => ({
  ...status,
  newest: newest ? { ...newest, ageSeconds: Math.round(newest.ageSeconds) } : null,
  underWay: underWay ? { ...underWay, seconds: Math.round(underWay.seconds) } : null,
  lastFailure: lastFailure
    ? {
        run: lastFailure.run,
        operation: lastFailure.operation,
        endedAt: lastFailure.endedAt?.toISOString() ?? null,
        ...lastFailure.failure,
      }
    : null,
});

/** What a person should do, then whether all is well. */
const notes = (connection: Connection, expected: Deployed | undefined, found: readonly Status[]): readonly string[] => {
  const at = (command: string): string => sameConnection(connection, command);
  const watched = found.filter((status) => status.state !== 'not configured');
  const good = watched.filter((status) => !isAlarming(status));
  const oldest = good
    .flatMap(({ system, newest }) => (newest ? [{ system, ...newest }] : []))
    .toSorted((a, b) => b.ageSeconds - a.ageSeconds)[0];
  return [
    ...found.flatMap(({ underWay }) =>
      underWay === undefined
        ? []
        : [
            underWay.waiting === undefined
              ? `Follow it: ${at(`holdfast watch ${underWay.run}`)}`
              : `${underWay.run} is ${underWay.waiting}`,
          ],
    ),
    ...found.filter(isAlarming).map(({ system, state, newest, underWay, lastFailure }) => {
      const what = state === 'overdue' ? 'is overdue' : 'has no good backup';
      if (underWay?.operation === 'backup' && underWay.state === 'running')
        return `${system} ${what}; its backup is under way.`;
      // A failure from before the newest backup explains nothing.
      if (lastFailure && !(newest && lastFailure.startedAt < backupMoment(newest.backup)))
        return `${system} ${what}. Why its last run failed: ${at(`holdfast watch ${lastFailure.run}`)}`;
      return `${system} ${what}. Make one: ${at(`holdfast backup ${system} --watch`)}`;
    }),
    `${good.length} of ${formatAmount(watched.length, 'system')} backed up${oldest ? `; the oldest of the newest backups is ${formatDuration(oldest.ageSeconds)} old, of ${oldest.system}` : ''}.`,
    ...(expected
      ? []
      : [
          'Holdfast learns of a new deployment within 15 minutes. Until then, schedules and systems that have never run are missing here; --config adds them.',
        ]),
  ];
};
