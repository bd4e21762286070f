import { jsonState } from '#aws/bucket';
import { stateKeys } from '#domain/naming';
import { type CommandState, isDone, PhaseState, type Progress } from '#domain/phase';
import { isUndoPhase, type Plan } from '#domain/plan';
import type { Bucket } from '#domain/ports';

/** How far the phases of a run are. */

/** How far SSM has taken a command through many nodes. */
export type NodeCounts = Pick<Progress, 'nodes' | 'completed' | 'failed'>;

/** One command of a phase, on all of its nodes. */
export type CommandProgress = { readonly id: string; readonly nodes?: NodeCounts } & (
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

/** The commands of a phase that may fail without its end. */
const optionalIn =
  (plan: Plan | undefined, phase: string) =>
  (command: string): boolean =>
    plan?.phases.find(({ name }) => name === phase)?.commands.find(({ id }) => id === command)?.optional === true;

/** Reads a run's phases; one that is over is read once. */
export const phaseReader = (state: Bucket) => {
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
        .map((phase) => phaseProgress(phase, now, givenUp(phase.phase), optionalIn(plan, phase.phase))),
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

const nodesOf = ({ progress }: { readonly progress?: Progress | undefined }): { readonly nodes?: NodeCounts } =>
  progress ? { nodes: { nodes: progress.nodes, completed: progress.completed, failed: progress.failed } } : {};

const commandProgress = (command: CommandState, now: Date, givenUp: boolean): CommandProgress => {
  const { id } = command;
  if (givenUp && command.state !== 'ended') return { id, state: 'stopped' };
  switch (command.state) {
    case 'waiting':
      return { id, state: 'waiting' };
    case 'sending':
      return { id, state: 'running', seconds: secondsBetween(command.since, now) };
    case 'sent':
      return { id, ...nodesOf(command), state: 'running', seconds: secondsBetween(command.sentAt, now) };
    case 'ended': {
      // Of a command on many nodes some may fail: SSM's own word for the whole counts.
      const succeeded = command.progress
        ? command.progress.status === 'Success'
        : command.invocations.every(({ status }) => status === 'Success');
      const state = succeeded ? 'succeeded' : 'failed';
      return { id, ...nodesOf(command), state, seconds: secondsBetween(command.sentAt, command.endedAt) };
    }
    default:
      return command satisfies never;
  }
};

/**
 * Where a phase stands at a moment; `givenUp` when nothing of it goes on because its run failed or was stopped. Commands
 * that may fail do not fail it.
 */
export const phaseProgress = (
  phase: PhaseState,
  now: Date,
  givenUp = false,
  mayFail: (command: string) => boolean = () => false,
): PhaseProgress => {
  const commands = phase.commands.map((command) => commandProgress(command, now, givenUp));
  const ends = phase.commands.flatMap((command) => (command.state === 'ended' ? [command.endedAt] : []));
  const done = isDone(phase);
  const failed = commands.some(({ id, state }) => state === 'failed' && !mayFail(id));
  return {
    name: phase.phase,
    state: failed ? 'failed' : done ? 'done' : givenUp ? 'stopped' : 'running',
    seconds: secondsBetween(phase.startedAt, (done && ends.toSorted().at(-1)) || now),
    commands,
  };
};
