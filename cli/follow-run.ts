import { setTimeout as pause } from 'node:timers/promises';
import { jsonState } from '#aws/bucket';
import { CheckReport } from '#domain/check';
import { type Ended, resultOf } from '#domain/contracts/machine';
import type { Manifest } from '#domain/manifest';
import { stateKeys, vaultKeys } from '#domain/naming';
import { type RestoreSummary, RunRecord, type UpgradeSummary, type VerifySummary } from '#domain/payloads';
import { Plan } from '#domain/plan';
import { readBackup } from '#domain/vault/catalog';
import { bytesRead, Verification } from '#domain/verification';
import { CliError } from './cli-error.ts';
import { type Connection, sameConnection } from './connection.ts';
import { describeRun, type Run } from './executions.ts';
import { type Estimate, estimate, type LastRun, lastRun } from './last-run.ts';
import { type PhaseProgress, phaseReader } from './phase-progress.ts';
import { readStep, type Step } from './step.ts';
import type { Upload } from './uploads.ts';

/** What is in the vault of the backup that a run makes. */
export interface UploadedProgress {
  readonly bytes: number;
  /** Over the last half minute; absent until two looks can be compared. */
  readonly bytesPerSecond?: number;
  readonly stored: number;
  readonly underWay: number;
}

/** What a verification has read back. */
export interface ReadProgress {
  readonly bytes: number;
  /** That there are to read; absent when it is not known. */
  readonly total?: number;
  readonly bytesPerSecond?: number;
}

/** How a run ended. A backup is `committed` only when its manifest was read. */
export type Outcome =
  | { readonly kind: 'committed'; readonly manifest: Manifest }
  /** The same slot was asked for before; `committed` tells whether its backup exists already. */
  | { readonly kind: 'duplicate'; readonly backup: string; readonly committed: boolean }
  /** Everything of the backup was restored and compared. `safety` is the backup of what was there before, or `none`. */
  | {
      readonly kind: 'restored';
      readonly backup: string;
      readonly safety: string;
      readonly compared: readonly string[];
      /** What is not as it was, or not known. */
      readonly told: readonly string[];
    }
  /** Nothing was changed: only a plan was asked for. */
  | { readonly kind: 'planned'; readonly summary: RestoreSummary }
  /** `before` is the backup that was taken before it. */
  | { readonly kind: 'upgraded'; readonly summary: UpgradeSummary; readonly before: string }
  /** Nothing was upgraded: only a plan was asked for, or every node has the version already. */
  | { readonly kind: 'upgrade-planned' | 'upgrade-not-needed'; readonly summary: UpgradeSummary }
  /** Whether a backup could be made; none was. */
  | { readonly kind: 'checked'; readonly report: CheckReport }
  | { readonly kind: 'verified'; readonly summary: VerifySummary }
  | { readonly kind: 'failed'; readonly error: string; readonly cause: string };

/** Where a run stands. */
export interface RunProgress {
  readonly run: string;
  readonly executionArn: string;
  readonly startedAt: string;
  readonly seconds: number;
  readonly operation: Run['operation'];
  /** Absent until the run has written what it is about. */
  readonly system?: string;
  /** Absent once it has ended, and when its history may not be read. */
  readonly step?: Step;
  /** Of a restore: absent until it has chosen. */
  readonly backup?: string;
  readonly phases: readonly PhaseProgress[];
  /** Absent until uploads are expected, and when looking at them is not permitted. */
  readonly uploaded?: UploadedProgress;
  /** Of a verification: absent until it has begun. */
  readonly read?: ReadProgress;
  /** Absent when no run of this kind has succeeded before, and when nothing can be said. */
  readonly estimate?: Estimate;
  /** Absent while the run is under way. */
  readonly outcome?: Outcome;
}

export interface FollowOptions {
  /** Between two looks. Two seconds ask Step Functions for half a call a second; its quota allows fifteen. */
  readonly pollMilliseconds?: number;
}

/** What following needs of a connection. */
export type Followed = Pick<
  Connection,
  'stepFunctions' | 'backupMachineArn' | 'state' | 'vault' | 'uploads' | 'options'
>;

/** A restore has chosen what it restores as soon as it has a plan, not before. */
const backupIn = (record: RunRecord | undefined, plan: Plan | undefined): string | undefined =>
  record?.operation === 'restore' ? plan?.backup : record?.backup;

/** A run; throws a CliError when there is none. */
const existingRun = async (connection: Followed, executionArn: string) => {
  const described = await describeRun(connection, executionArn);
  if (!described)
    throw new CliError(
      'not-found',
      `there is no execution ${executionArn}`,
      `List the runs: ${sameConnection(connection, 'holdfast runs')}`,
    );
  return described;
};

/** Where a run stands, again and again; what never changes, or is measured between two looks, is remembered. */
const observer = (connection: Followed, executionArn: string) => {
  const { state } = connection;
  const typed = jsonState(state);
  const phases = phaseReader(state);
  const uploads = uploadReader(connection);
  const measureRead = rateMeter();
  let record: RunRecord | undefined;
  let last: Promise<LastRun | undefined> | undefined;

  const uploadedOf = async ({ operation, planOnly, system, backup }: RunRecord, now: Date) =>
    operation === 'backup' && !planOnly ? uploads(vaultKeys.backup(system, backup), now) : undefined;
  const readOf = async ({ operation, run }: Run, now: Date): Promise<ReadProgress | undefined> => {
    const found = operation === 'verify' ? await typed.read(stateKeys.verification(run), Verification) : undefined;
    return found && readProgress(found, measureRead(now, bytesRead(found)));
  };
  const estimateOf = async (seen: readonly PhaseProgress[], uploaded: UploadedProgress | undefined) => {
    if (record && !record.planOnly) last ??= lastRun(connection, record);
    const before = await last;
    return before && estimate(seen, uploaded, before);
  };

  return async (): Promise<RunProgress> => {
    // Asked first, so that what is read afterwards is at least as new: an ended run's phases are all in their last state.
    const described = await existingRun(connection, executionArn);
    const { run, operation, startedAt } = described;
    record ??= await typed.read(stateKeys.run(run), RunRecord);
    const plan = await typed.read(stateKeys.plan(run), Plan);
    const backup = backupIn(record, plan);
    const now = new Date();
    const until = described.endedAt ?? now;
    const seen = await phases(run, plan, until, described.state !== 'running');
    const uploaded = record && (await uploadedOf(record, now));
    const read = await readOf(described, now);
    const outcome = await outcomeOf(described, connection);
    const step = outcome ? undefined : await readStep(connection, run, executionArn);
    const expected = outcome ? undefined : await estimateOf(seen, uploaded);
    return {
      run,
      operation,
      executionArn,
      startedAt: startedAt.toISOString(),
      seconds: Math.max(0, (until.getTime() - startedAt.getTime()) / 1000),
      ...(record && { system: record.system }),
      ...(backup !== undefined && { backup }),
      phases: seen,
      ...(step && { step }),
      ...(uploaded && { uploaded }),
      ...(read && { read }),
      ...(expected && { estimate: expected }),
      ...(outcome && { outcome }),
    };
  };
};

/**
 * Where a run stands, again and again until it has ended: the last snapshot has the outcome. Throws the SDK's error when
 * AWS can't be reached; the run continues.
 */
export async function* followRun(
  connection: Followed,
  executionArn: string,
  { pollMilliseconds = 2000 }: FollowOptions = {},
): AsyncGenerator<RunProgress, void, undefined> {
  const observe = observer(connection, executionArn);
  for (;;) {
    const progress = await observe();
    yield progress;
    if (progress.outcome) return;
    await pause(pollMilliseconds);
  }
}

/** The window over which a rate is taken: long enough for parts of 8 MiB to arrive evenly, short enough to see a stall. */
const rateWindowMilliseconds = 30_000;

/** Takes how many bytes there were at a moment, and tells bytes per second over the last half minute, once it can. */
export const rateMeter = (): ((at: Date, bytes: number) => number | undefined) => {
  let samples: readonly { readonly at: number; readonly bytes: number }[] = [];
  return (moment, bytes) => {
    const at = moment.getTime();
    samples = [...samples.filter((sample) => at - sample.at <= rateWindowMilliseconds), { at, bytes }];
    const first = samples[0];
    // An upload that was aborted takes its bytes away again.
    return first && at > first.at ? Math.max(0, ((bytes - first.bytes) * 1000) / (at - first.at)) : undefined;
  };
};

const readProgress = (verification: Verification, bytesPerSecond: number | undefined): ReadProgress => ({
  bytes: bytesRead(verification),
  ...(verification.total !== undefined && { total: verification.total }),
  ...(bytesPerSecond !== undefined && { bytesPerSecond }),
});

/** Looks at the uploads of one backup. */
const uploadReader = ({ uploads }: Followed) => {
  const measure = rateMeter();
  return async (prefix: string, now: Date): Promise<UploadedProgress | undefined> => {
    let found: readonly Upload[];
    try {
      found = await uploads(prefix);
    } catch (error) {
      // Who may see a run but not the vault's uploads still sees the run.
      if (error instanceof Error && error.name === 'AccessDenied') return undefined;
      throw error;
    }
    const bytes = found.reduce((sum, upload) => sum + upload.bytes, 0);
    const bytesPerSecond = measure(now, bytes);
    const stored = found.filter((upload) => upload.state === 'stored').length;
    return { bytes, ...(bytesPerSecond !== undefined && { bytesPerSecond }), stored, underWay: found.length - stored };
  };
};

/** A backup that succeeded is one only if its manifest says so. */
const backupOutcome = async (
  run: string,
  { system, backup, check, ...ended }: Extract<Ended, { operation: 'backup' }>,
  { vault, state }: Pick<Connection, 'vault' | 'state'>,
): Promise<Outcome> => {
  if (check) {
    const report = await jsonState(state).read(stateKeys.check(run), CheckReport);
    if (report) return { kind: 'checked', report };
    return { kind: 'failed', error: 'Expired', cause: 'what the check has found is no longer kept' };
  }
  const found = await readBackup({ vault }, system, backup);
  if (ended.outcome === 'duplicate') return { kind: 'duplicate', backup, committed: found !== undefined };
  if (found?.readable) return { kind: 'committed', manifest: found.manifest };
  const reason = found?.reason ?? 'it has no manifest';
  return {
    kind: 'failed',
    error: 'NotCommitted',
    cause: `the run succeeded, but ${backup} is no backup: ${reason}`,
  };
};

const outcomeOf = async (
  { state, ended, failure, run }: Run,
  at: Pick<Connection, 'vault' | 'state'>,
): Promise<Outcome | undefined> => {
  if (state === 'running') return undefined;
  if (failure) return { kind: 'failed', ...failure };
  if (ended === undefined)
    throw new CliError(
      'unexpected',
      `run ${run} has a result that this version does not know`,
      'Use a newer version of Holdfast.',
    );
  switch (ended.operation) {
    case 'restore': {
      const { chosen, plan, safety, proof, closed } = ended;
      const told = [...(proof?.told ?? []), ...(closed?.left ?? [])];
      return proof
        ? { kind: 'restored', backup: chosen.backup, safety: safety?.backup ?? 'none', ...proof, told }
        : { kind: 'planned', summary: plan.summary };
    }
    case 'backup':
      return backupOutcome(run, ended, at);
    case 'upgrade': {
      const { summary } = ended.plan;
      if (ended.before) return { kind: 'upgraded', summary, before: ended.before.backup };
      return { kind: resultOf(ended) === 'planned' ? 'upgrade-planned' : 'upgrade-not-needed', summary };
    }
    case 'verify':
      return { kind: 'verified', summary: ended };
    default:
      return ended satisfies never;
  }
};
