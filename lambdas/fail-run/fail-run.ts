import type { FailRunInput } from '#domain/payloads';
import type { Tasks } from '#domain/ports';

/**
 * Ends a run with its own error and cause, which a lambda's exception would wrap. A Fail state would do so too, but fail again
 * whenever the execution is redriven; this lets a redriven one go on.
 */
export const failRun = async (
  tasks: Tasks,
  { token, error, cause, attempt, redrives }: FailRunInput,
): Promise<null> => {
  if (redrives > attempt) await tasks.succeed(token);
  else await tasks.fail(token, error, cause);
  return null;
};
