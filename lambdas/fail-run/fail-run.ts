import { SendTaskFailureCommand, SendTaskSuccessCommand, type SFNClient } from '@aws-sdk/client-sfn';
import type { FailRunInput } from '#domain/payloads';

/**
 * Ends a run with its own error and cause, which a lambda's exception would wrap. A Fail state would do so too, but fail again
 * whenever the execution is redriven; this lets a redriven one go on.
 */
export const failRun = async (
  client: SFNClient,
  { token: taskToken, error, cause, attempt, redrives }: FailRunInput,
): Promise<void> => {
  if (redrives > attempt) await client.send(new SendTaskSuccessCommand({ taskToken, output: '{}' }));
  else await client.send(new SendTaskFailureCommand({ taskToken, error, cause }));
};
