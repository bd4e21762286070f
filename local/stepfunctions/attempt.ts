import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { newToken } from './callbacks.ts';
import { TaskError } from './errors.ts';
import type { Execution } from './execution.ts';
import { record, taskEvents } from './history.ts';
import { dataLimit, isTooLarge } from './limits.ts';
import type { Task } from './machine.ts';
import { perform, type Services } from './tasks.ts';

/** Stands in the context for `$$.Task.Token` until an attempt makes a token of its own. */
export const TOKEN_PLACEHOLDER = `token-${randomUUID()}`;

/**
 * The interpreter knows neither that a task was aborted nor its token: it may even retry a task of an aborted
 * execution. So each attempt waits for one turn of the event loop, in which the aborts and the events before it
 * arrive, and then gives up if nobody wants it any more.
 */
export function taskHandler(
  execution: Execution,
  task: Task,
  currentSignal: () => AbortSignal,
  services: Services,
  region: string,
) {
  const events = taskEvents(task, region);
  return async (input: unknown) => {
    const overdue = new AbortController();
    const signal = AbortSignal.any([currentSignal(), overdue.signal]);
    const { parameters, timeoutSeconds } = splitTimeout(task, input);
    // The interpreter times the task out; a moment later what the task has started is stopped.
    const timer = timeoutSeconds && setTimeout(() => overdue.abort(), timeoutSeconds * 1000 + 50);
    try {
      await turn();
      if (signal.aborted) throw new TaskError('States.Runtime', 'The task was aborted.');
      const token = newToken();
      const sent = JSON.stringify(parameters).replaceAll(TOKEN_PLACEHOLDER, token);
      assertSize(sent, `input of task ${task.name}`);
      for (const event of events.scheduled(sent)) record(execution, event);
      const submitted = (output: unknown) => {
        if (!signal.aborted) record(execution, events.submitted(JSON.stringify(output)));
      };
      const attempt = { task, parameters: JSON.parse(sent), token, signal, submitted };
      const received = JSON.stringify((await perform(attempt, services)) ?? null);
      assertSize(received, `output of task ${task.name}`);
      if (!signal.aborted) record(execution, events.succeeded(received));
      return JSON.parse(received);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** What the hidden task `DRAIN` does. */
export async function drain<T>(input: T): Promise<T> {
  await turn();
  return input;
}

function assertSize(json: string, what: string): void {
  const { error, cause } = dataLimit(what);
  if (isTooLarge(json)) throw new TaskError(error, cause);
}

/** Takes TimeoutSecondsPath's value, which the machine was made to carry in its parameters, out of them again. */
function splitTimeout(task: Task, input: unknown) {
  if (!task.timeoutInParameters || typeof input !== 'object' || input === null || !('TimeoutSeconds' in input)) {
    return { parameters: input, timeoutSeconds: task.timeoutSeconds };
  }
  const { TimeoutSeconds, ...parameters } = input;
  return { parameters, timeoutSeconds: Number(TimeoutSeconds) };
}
