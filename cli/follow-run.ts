import { setTimeout as pause } from 'node:timers/promises';
import { DescribeExecutionCommand, type DescribeExecutionCommandOutput } from '@aws-sdk/client-sfn';
import * as z from 'zod';
import { jsonState } from '#aws/bucket';
import type { Manifest } from '#domain/manifest';
import { stateKeys, vaultKeys } from '#domain/naming';
import { RestoreSummary, RunRecord } from '#domain/payloads';
import { type CommandState, isDone, PhaseState } from '#domain/phase';
import { isUndoPhase, Plan } from '#domain/plan';
import type { Bucket } from '#domain/ports';
import { readBackup } from './catalog.ts';
import type { Connection } from './connection.ts';
import type { Upload } from './uploads.ts';

/** One command of a phase, on all of its nodes. */
export type CommandProgress = { readonly id: string } & (
  | { readonly state: 'waiting' }
  | { readonly state: 'running'; readonly seconds: number }
  | { readonly state: 'succeeded' | 'failed'; readonly seconds: number }
  /** It had not ended when its run was given up. */
  | { readonly state: 'stopped' }
);

/** One phase. A phase whose command failed is `failed` at once, though others of its commands may still run. */
export interface PhaseProgress {
  readonly name: string;
  readonly state: 'waiting' | 'running' | 'done' | 'failed' | 'stopped';
  /** Since its start; until its end once it has ended. */
  readonly seconds: number;
  readonly commands: readonly CommandProgress[];
}

/** What is in the vault of the backup that a run makes. */
export interface UploadedProgress {
  readonly bytes: number;
  /** Over the last half minute; absent until two looks can be compared. */
  readonly bytesPerSecond?: number;
  readonly stored: number;
  readonly underWay: number;
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
    }
  /** Nothing was touched: only a plan was asked for. */
  | { readonly kind: 'planned'; readonly summary: RestoreSummary }
  | { readonly kind: 'failed'; readonly error: string; readonly cause: string };

/** Where a run stands. */
export interface RunProgress {
  readonly run: string;
  readonly executionArn: string;
  readonly startedAt: string;
  readonly seconds: number;
  /** Absent until the run has written what it is about. */
  readonly system?: string;
  /** Of a restore: absent until it has chosen. */
  readonly backup?: string;
  readonly phases: readonly PhaseProgress[];
  /** Absent until uploads are expected, and when looking at them is not permitted. */
  readonly uploaded?: UploadedProgress;
  /** Absent while the run is under way. */
  readonly outcome?: Outcome;
}

export interface FollowOptions {
  /** Between two looks. Two seconds ask Step Functions for half a call a second; its quota allows fifteen. */
  readonly pollMilliseconds?: number;
}

/** What following needs of a connection. */
export type Followed = Pick<Connection, 'stepFunctions' | 'state' | 'vault' | 'uploads'>;

/**
 * Where a run stands, again and again until it has ended: the last snapshot has the outcome. Throws the SDK's error when
 * AWS can't be reached; the run goes on.
 */
export async function* followRun(
  connection: Followed,
  executionArn: string,
  { pollMilliseconds = 2000 }: FollowOptions = {},
): AsyncGenerator<RunProgress, void, undefined> {
  const { stepFunctions, state, vault } = connection;
  const typed = jsonState(state);
  const phases = phaseReader(state);
  const uploads = uploadReader(connection);
  let record: RunRecord | undefined;
  for (;;) {
    // Asked first, so that what is read afterwards is at least as new: an ended run's phases are all in their last state.
    const execution = await stepFunctions.send(new DescribeExecutionCommand({ executionArn }));
    const run = execution.name ?? executionArn.split(':').at(-1) ?? executionArn;
    record ??= await typed.read(stateKeys.run(run), RunRecord);
    const plan = await typed.read(stateKeys.plan(run), Plan);
    // A restore has chosen what it restores as soon as it has a plan, not before.
    const backup = record?.operation === 'restore' ? plan?.backup : record?.backup;
    const now = new Date();
    const startedAt = execution.startDate ?? now;
    const until = execution.stopDate ?? now;
    const uploaded =
      record?.operation === 'backup' && (await uploads(vaultKeys.backup(record.system, record.backup), now));
    const outcome = execution.status === 'RUNNING' ? undefined : await outcomeOf(execution, vault);
    yield {
      run,
      executionArn,
      startedAt: startedAt.toISOString(),
      seconds: Math.max(0, (until.getTime() - startedAt.getTime()) / 1000),
      ...(record && { system: record.system }),
      ...(backup !== undefined && { backup }),
      phases: await phases(run, plan, until, outcome !== undefined),
      ...(uploaded && { uploaded }),
      ...(outcome && { outcome }),
    };
    if (outcome) return;
    await pause(pollMilliseconds);
  }
}

/** Reads a run's phases; one that is over is read once. */
const phaseReader = (state: Bucket) => {
  const typed = jsonState(state);
  const over = new Map<string, PhaseState>();
  return async (run: string, plan: Plan | undefined, now: Date, ended: boolean): Promise<readonly PhaseProgress[]> => {
    const keys = await state.list(stateKeys.phase(run, '').replace(/\.json$/, ''));
    const read = await Promise.all(
      keys.map(async (key) => {
        const phase = over.get(key) ?? (await typed.read(key, PhaseState));
        if (phase && isDone(phase)) over.set(key, phase);
        return phase ?? [];
      }),
    );
    const started = read.flat().toSorted((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
    const undone = plan?.phases.some(({ name }) => isUndoPhase(name)) === true;
    const givenUp = (name: string): boolean => ended || (undone && !isUndoPhase(name));
    const waiting =
      plan?.phases.filter(
        ({ name, commands }) => commands.length > 0 && !givenUp(name) && !started.some(({ phase }) => phase === name),
      ) ?? [];
    return [
      ...started
        .filter(({ commands }) => commands.length > 0)
        .map((phase) => phaseProgress(phase, now, givenUp(phase.phase))),
      ...waiting.map(
        ({ name, commands }): PhaseProgress => ({
          name,
          state: 'waiting',
          seconds: 0,
          commands: commands.map(({ id }) => ({ id, state: 'waiting' })),
        }),
      ),
    ];
  };
};

const secondsBetween = (from: string, to: string | Date): number =>
  Math.max(0, (new Date(to).getTime() - Date.parse(from)) / 1000);

const commandProgress = (command: CommandState, now: Date, givenUp: boolean): CommandProgress => {
  const { id } = command;
  if (givenUp && command.state !== 'ended') return { id, state: 'stopped' };
  switch (command.state) {
    case 'waiting':
      return { id, state: 'waiting' };
    case 'sending':
      return { id, state: 'running', seconds: secondsBetween(command.since, now) };
    case 'sent':
      return { id, state: 'running', seconds: secondsBetween(command.sentAt, now) };
    case 'ended': {
      const succeeded = command.invocations.every(({ status }) => status === 'Success');
      const state = succeeded ? 'succeeded' : 'failed';
      return { id, state, seconds: secondsBetween(command.sentAt, command.endedAt) };
    }
    default:
      return command satisfies never;
  }
};

/** Where a phase stands at a moment; `givenUp` when nothing of it goes on because its run failed or was stopped. */
export const phaseProgress = (phase: PhaseState, now: Date, givenUp = false): PhaseProgress => {
  const commands = phase.commands.map((command) => commandProgress(command, now, givenUp));
  const ends = phase.commands.flatMap((command) => (command.state === 'ended' ? [command.endedAt] : []));
  const done = isDone(phase);
  const failed = commands.some(({ state }) => state === 'failed');
  return {
    name: phase.phase,
    state: failed ? 'failed' : done ? 'done' : givenUp ? 'stopped' : 'running',
    seconds: secondsBetween(phase.startedAt, (done && ends.toSorted().at(-1)) || now),
    commands,
  };
};

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

/** What a state machine ends with. */
const Output = z.discriminatedUnion('operation', [
  z.object({ operation: z.literal('backup'), system: z.string(), backup: z.string(), outcome: z.string() }),
  z.object({
    operation: z.literal('restore'),
    chosen: z.object({ backup: z.string() }),
    plan: z.object({ summary: RestoreSummary }),
    safety: z.object({ backup: z.string() }).optional(),
    /** Absent when only a plan was asked for. */
    proof: z.object({ compared: z.array(z.string()) }).optional(),
  }),
]);

/** What the Lambda service makes of a handler's error. */
const LambdaCause = z.object({ errorMessage: z.string() });

const parseJson = (text: string | undefined): unknown => {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
};

const outcomeOf = async (execution: DescribeExecutionCommandOutput, vault: Bucket): Promise<Outcome> => {
  switch (execution.status) {
    case 'ABORTED':
      return { kind: 'failed', error: 'Aborted', cause: execution.cause ?? 'somebody stopped the run' };
    case 'TIMED_OUT':
      return { kind: 'failed', error: 'TimedOut', cause: execution.cause ?? 'the run took longer than it may' };
    case 'SUCCEEDED': {
      const ended = Output.parse(parseJson(execution.output));
      if (ended.operation === 'restore') {
        const { chosen, plan, safety, proof } = ended;
        return proof
          ? { kind: 'restored', backup: chosen.backup, safety: safety?.backup ?? 'none', compared: proof.compared }
          : { kind: 'planned', summary: plan.summary };
      }
      const { system, backup, outcome } = ended;
      const entry = await readBackup(vault, system, backup);
      if (outcome === 'duplicate') return { kind: 'duplicate', backup, committed: entry !== undefined };
      if (entry?.readable) return { kind: 'committed', manifest: entry.manifest };
      const reason = entry?.reason ?? 'it has no manifest';
      return {
        kind: 'failed',
        error: 'NotCommitted',
        cause: `the run ended well, but ${backup} is no backup: ${reason}`,
      };
    }
    default: {
      const reported = LambdaCause.safeParse(parseJson(execution.cause));
      const cause = reported.success ? reported.data.errorMessage : execution.cause;
      return { kind: 'failed', error: execution.error ?? 'Failed', cause: cause ?? 'the run gave no reason' };
    }
  }
};
