import type { Clock } from './clock.ts';
import {
  type Document,
  executionTimeoutSeconds,
  type ParameterValues,
  refusedByAgent,
  renderScript,
} from './document.ts';
import type { ManagedInstance } from './instance.ts';
import { type Report, runScript } from './script.ts';

/** Commands that an agent runs side by side. */
const WORKERS = 5;

/** Commands that wait for a worker, on the node's disk. The real agent took three of twelve, and at times more. */
const QUEUE = 3;

/** How long after the death of a worker, or after its own start, an agent gives a command up. */
const GIVEN_UP_MS = 60_000;

/** A command that the service has handed to an agent. */
export interface Job {
  readonly id: string;
  readonly document: Document;
  readonly parameters: ParameterValues;
  /** Called once with what is told to the service, unless nothing ever is. */
  readonly onReport: (report: Report) => void;
  /** Called when the script begins. */
  readonly onStart: () => void;
}

interface Kept extends Job {
  /**
   * `cancelled`: waits no more, but its file is still there. `running`: a worker sees to it. `abandoned`: nobody does, while its
   * script may live on.
   */
  state: 'queued' | 'cancelled' | 'running' | 'abandoned';
  readonly stop: AbortController;
  cancelTimer: () => void;
}

const failed = (responseCode: number, words = ''): Report => ({
  ...{ status: 'Failed', statusDetails: 'Failed', responseCode, stdout: '', stderr: '' },
  ...(words !== '' && { words }),
});

const notStarted = (error: unknown): Report => ({ ...failed(1), stderr: `failed to run commands: ${error}` });

/** What tests see of an agent, and do to it. */
export interface AgentControl {
  /** What the agent writes into its own log. */
  readonly log: readonly string[];
  /** How commands ended on this node by their ids, told to the service or not: the agent keeps that on disk. */
  readonly ended: ReadonlyMap<string, Report>;
  /** Ids of the commands that a worker sees to, and of those that wait, in their order. */
  under(): { readonly running: readonly string[]; readonly queued: readonly string[] };
  /** Lets so many commands of others, of patching say, take the places and then the queue. */
  occupy(places: number): void;
  /** Ends the worker of a command, as the kernel does for lack of memory: its script lives on. */
  killWorker(commandId: string): void;
  /** Ends the agent and starts it again: its workers live on, and it takes up every file that lies in its queue. */
  restart(): void;
}

/**
 * The agent of one node, which outlives its restarts and those of the node. It reports nothing by itself: the service asks
 * whether it is there.
 */
export const startAgent = (
  instance: () => ManagedInstance | undefined,
  clock: Clock,
  /** Called when a script is over, however it ended. */
  onEnd: () => void,
) => {
  const log: string[] = [];
  const jobs = new Map<string, Kept>();
  const ended = new Map<string, Report>();
  const scripts = new Map<AbortController, Promise<void>>();
  let others = 0;
  let node = instance();
  let boots = node?.boots ?? 0;

  const inState = (state: Kept['state']): Kept[] => [...jobs.values()].filter((job) => job.state === state);
  /** A place is taken until its command was given up. */
  const places = (): number => others + inState('running').length + inState('abandoned').length;

  const end = (job: Kept, report: Report): void => {
    if (jobs.get(job.id) !== job) return;
    job.cancelTimer();
    jobs.delete(job.id);
    ended.set(job.id, report);
    job.onReport(report);
    pump();
  };

  const pump = (): void => {
    for (const job of inState('queued').slice(0, Math.max(0, WORKERS - places()))) start(job);
  };

  const start = (job: Kept): void => {
    const on = instance();
    if (on === undefined) return;
    const { id, document, parameters } = job;
    job.state = 'running';
    job.onStart();
    job.cancelTimer = clock.after(1000 * executionTimeoutSeconds(document, parameters), () =>
      job.stop.abort('ExecutionTimedOut'),
    );
    const script = Promise.resolve()
      .then(() => runScript(on, renderScript(document, parameters), id, job.stop.signal))
      .catch(notStarted)
      .then((report) => {
        scripts.delete(job.stop);
        if (report === 'reboot') {
          log.push(`${id}: exit status 194 asks for a reboot`);
          on.reboot?.();
        } else if (report !== 'cut off' && job.state === 'running') end(job, report);
        onEnd();
      });
    scripts.set(job.stop, script);
  };

  const giveUp = (job: Kept, report: Report): void => {
    job.cancelTimer();
    job.state = 'abandoned';
    job.cancelTimer = clock.after(GIVEN_UP_MS, () => {
      log.push(`${job.id}: document process failed unexpectedly`);
      end(job, report);
    });
  };

  const restart = (): void => {
    for (const job of inState('cancelled')) job.state = 'queued';
    pump();
  };

  return {
    log,
    ended,
    under: () => ({
      running: inState('running').map(({ id }) => id),
      queued: inState('queued').map(({ id }) => id),
    }),
    /** Takes into account what happened to the node: it was started again, or another one has its id and nothing of its disk. */
    notice(): void {
      const now = instance();
      if (now === undefined || (now === node && now.boots === boots)) return;
      if (now !== node) {
        for (const job of jobs.values()) job.cancelTimer();
        jobs.clear();
      }
      node = now;
      boots = now.boots;
      for (const job of [...inState('running'), ...inState('abandoned')]) giveUp(job, failed(1));
      restart();
    },
    /** Takes a command, to run or to keep it; false when the queue is full. */
    accept(job: Job): boolean {
      const reason = refusedByAgent(job.document);
      if (reason !== undefined) {
        log.push(`${job.id}: ${reason}`);
        const report = failed(-1);
        ended.set(job.id, report);
        job.onReport(report);
        return true;
      }
      if (places() + inState('queued').length >= WORKERS + QUEUE) {
        const line = `${job.id}: CommandBufferFull`;
        if (!log.includes(line)) log.push(line);
        return false;
      }
      jobs.set(job.id, { ...job, state: 'queued', stop: new AbortController(), cancelTimer: () => undefined });
      pump();
      return true;
    },
    /** Ends a script, or lets a command wait no more, of which nothing is ever told. */
    cancel(id: string): void {
      const job = jobs.get(id);
      if (job?.state === 'running') job.stop.abort('Cancelled');
      if (job?.state === 'queued') job.state = 'cancelled';
    },
    occupy(places: number): void {
      others = places;
      pump();
    },
    killWorker(id: string): void {
      const job = jobs.get(id);
      if (job?.state !== 'running') throw new Error(`no worker sees to the command ${id}`);
      giveUp(job, failed(1, 'document process failed unexpectedly'));
    },
    restart,
    /** Kills what still runs. Resolves when every script is gone. */
    async close(): Promise<void> {
      for (const job of jobs.values()) job.cancelTimer();
      jobs.clear();
      for (const stop of scripts.keys()) stop.abort('Cancelled');
      await Promise.all(scripts.values());
    },
  };
};

export type Agent = ReturnType<typeof startAgent>;
