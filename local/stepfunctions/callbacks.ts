import { randomBytes } from 'node:crypto';
import { ApiError, TaskError } from './errors.ts';

interface Callback {
  settle(outcome: { output: string } | Error): void;
  beat(): void;
}

export type Callbacks = ReturnType<typeof createCallbacks>;

/** The tokens of `.waitForTaskToken` tasks and who waits for them. */
export function createCallbacks() {
  const open = new Map<string, Callback>();
  const closed = new Set<string>();

  const find = (token: string): Callback => {
    const callback = open.get(token);
    if (callback) return callback;
    if (closed.has(token)) throw new ApiError('TaskTimedOut', 'The task of this token has ended.');
    if (TOKEN.test(token)) throw new ApiError('TaskDoesNotExist', 'No task has this token.');
    throw new ApiError('InvalidToken', 'This is not a task token.');
  };

  return {
    /** Waits for the answer to a token. Fails without heartbeats for `heartbeatSeconds`, and when the signal aborts. */
    wait(token: string, heartbeatSeconds: number | undefined, signal: AbortSignal): Promise<unknown> {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      let silence: NodeJS.Timeout | undefined;
      const settle: Callback['settle'] = (outcome) => {
        clearTimeout(silence);
        open.delete(token);
        closed.add(token);
        if (outcome instanceof Error) reject(outcome);
        else resolve(JSON.parse(outcome.output));
      };
      const beat = () => {
        clearTimeout(silence);
        if (heartbeatSeconds === undefined) return;
        silence = setTimeout(() => settle(new TaskError('States.HeartbeatTimeout', '')), heartbeatSeconds * 1000);
      };
      open.set(token, { settle, beat });
      beat();
      signal.addEventListener('abort', () => settle(new TaskError('States.Runtime', 'The task was aborted.')));
      return promise;
    },
    succeed(token: string, output: string): void {
      const callback = find(token);
      try {
        JSON.parse(output);
      } catch {
        throw new ApiError('InvalidOutput', 'The output is not JSON.');
      }
      callback.settle({ output });
    },
    fail: (token: string, error: string | undefined, cause: string | undefined): void =>
      find(token).settle(new TaskError(error, cause)),
    heartbeat: (token: string): void => find(token).beat(),
    /** Fails the task with an error of its own, unless its token was answered already. */
    giveUp: (token: string, error: Error): void => open.get(token)?.settle(error),
  };
}

const TOKEN = /^AQ[\w-]{64}$/;

/** A new token; the prefix keeps it from starting with a hyphen, which a command line would take for an option. */
export const newToken = (): string => `AQ${randomBytes(48).toString('base64url')}`;
