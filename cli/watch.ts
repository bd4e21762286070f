import type { Connection } from './connection.ts';
import { assertRun, findRun } from './executions.ts';
import type { Exit } from './exit-codes.ts';
import type { FollowOptions } from './follow-run.ts';
import { operations } from './operations.ts';
import type { Output } from './output.ts';
import { seenAt, watchRun } from './run.ts';

/** Follows any run to its end, or tells how one has ended; the exit code is that of its operation's own --watch. */
export const watch = async (
  connect: () => Promise<Connection>,
  name: string,
  { json = false, ...follow }: FollowOptions & { readonly json?: boolean },
  output: Output,
): Promise<Exit> => {
  assertRun(name);
  const connection = await connect();
  const { run, execution, operation, system = 'unknown' } = await findRun(connection, name);
  const found = seenAt(connection, run, execution, system);
  if (json) output.jsonLine({ event: 'found', operation, ...found });
  const ended = await watchRun(connection, found, { json, ...follow }, output);
  return operations[operation].conclude(connection, found, ended, json, output);
};
