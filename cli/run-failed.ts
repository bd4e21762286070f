import { adviceOn } from '#domain/advice';
import type { RunRef } from '#domain/payloads';
import { CliError } from './cli-error.ts';
import type { Outcome } from './follow-run.ts';
import type { Started } from './run.ts';

/** Says why a run failed and what to do; `again` is the command that does the same again. */
export const runFailed = (
  operation: RunRef['operation'],
  { run, system }: Pick<Started, 'run' | 'system'>,
  { error, cause }: Extract<Outcome, { kind: 'failed' }>,
  again?: string,
): CliError => {
  const { exit, next } = adviceOn(error, { operation, system, ...(again !== undefined && { again }) });
  return new CliError(exit, `run ${run} failed: ${error}: ${cause}`, next);
};
