import { concludeBackup } from './backup.ts';
import { assertSystem } from './catalog.ts';
import type { Connection } from './connection.ts';
import type { Exit } from './exit-codes.ts';
import type { FollowOptions } from './follow-run.ts';
import type { Output } from './output.ts';
import { runName, startRun, watchRun } from './run.ts';
import { runFailed } from './run-failed.ts';

export interface CheckOptions extends FollowOptions {
  readonly json?: boolean;
}

/** Looks whether a system could be backed up now, and waits for the answer; then `ok` means that nothing is in the way. */
export const check = async (
  connect: () => Promise<Connection>,
  system: string,
  { json = false, ...follow }: CheckOptions,
  output: Output,
): Promise<Exit> => {
  assertSystem(system);
  const connection = await connect();
  const request = { system, planOnly: true };
  const started = await startRun(connection, 'backup', runName(`${system.slice(0, 28)}-check`), request);
  output.note(`run ${started.run}`);
  // The report is one document, so what leads to it is told as to a person.
  const ended = await watchRun(connection, started, { json: false, ...follow }, output);
  if (ended.outcome?.kind === 'failed') throw runFailed('backup', started, ended.outcome, `holdfast check ${system}`);
  if (json && ended.outcome?.kind === 'checked') output.document(ended.outcome.report);
  return concludeBackup(connection, started, ended, json, output);
};
