import { userInfo } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import {
  DescribeExecutionCommand,
  type DescribeExecutionCommandOutput,
  ExecutionDoesNotExist,
} from '@aws-sdk/client-sfn';
import { holdOf, retentionChanges } from '#domain/history';
import { isRegular } from '#domain/manifest';
import { HoldOutput, type HoldRequest } from '#domain/payloads';
import { parseBackup, typedBackup } from './catalog.ts';
import { CliError } from './cli-error.ts';
import { type Connection, sameConnection } from './connection.ts';
import type { Exit } from './exit-codes.ts';
import type { Output } from './output.ts';
import { runName, startRun } from './run.ts';

export interface KeepOptions {
  readonly system?: string;
  readonly reason?: string;
  readonly json?: boolean;
  readonly pollMilliseconds?: number;
}

/** An execution once it has ended. One that has just begun may be unknown for a while. */
const ended = async (
  { stepFunctions }: Pick<Connection, 'stepFunctions'>,
  executionArn: string,
  pollMilliseconds: number,
): Promise<DescribeExecutionCommandOutput> => {
  for (;;) {
    try {
      const found = await stepFunctions.send(new DescribeExecutionCommand({ executionArn }));
      if (found.status !== 'RUNNING') return found;
    } catch (error) {
      if (!(error instanceof ExecutionDoesNotExist)) throw error;
    }
    await wait(pollMilliseconds);
  }
};

/** Has a backup held or released, which nobody but its lambda may do. Throws a CliError when it was not. */
const ask = async (connection: Connection, request: HoldRequest, pollMilliseconds: number): Promise<HoldOutput> => {
  const { system, backup } = request;
  const { execution } = await startRun(connection, 'hold', runName(`${system.slice(0, 28)}-hold`), request);
  const { status, output, error, cause } = await ended(connection, execution, pollMilliseconds);
  if (status === 'SUCCEEDED') return HoldOutput.parse(JSON.parse(output ?? 'null'));
  if (error === 'AlreadyExistsError')
    throw new CliError('busy', `${system}/${backup} is being changed by another command`, 'Try again.');
  throw new CliError(
    'failed',
    `${execution} failed: ${error ?? status}: ${cause ?? 'no reason was given'}`,
    'Run the same command again to finish it.',
  );
};

/**
 * Puts a hold on a backup, which then never expires, or takes it back. A good backup that is released stays until the next
 * one is committed: only then is it known whether it is among the newest.
 */
export const keep = async (
  connect: () => Promise<Connection>,
  text: string,
  change: 'held' | 'released',
  { system: apart, reason, json = false, pollMilliseconds = 500 }: KeepOptions,
  output: Output,
): Promise<Exit> => {
  const typed = parseBackup(text, apart);
  const connection = await connect();
  const { manifest, history } = await typedBackup(connection, typed, output);
  const { system } = typed;
  const id = `${system}/${manifest.backup}`;
  // A release that broke off may be done again.
  if (change === 'released' && !holdOf(history) && retentionChanges(history).at(-1)?.change !== 'released')
    throw new CliError(
      'not-found',
      `nobody holds ${id}`,
      `Details: ${sameConnection(connection, `holdfast show ${id}`)}`,
    );
  const request = {
    ...{ system, backup: manifest.backup, change, by: userInfo().username },
    ...(reason !== undefined && { reason }),
  };
  const entered = await ask(connection, request, pollMilliseconds);
  if (json) {
    output.document(entered);
    return 'ok';
  }
  if (change === 'held') {
    output.line(`${id} is held: it does not expire.`);
    output.note(`Release it: ${sameConnection(connection, `holdfast release ${id}`)}`);
  } else
    output.line(
      `${id} is released: it expires as ${manifest.retentionClass}${isRegular(manifest) ? ', from the next backup on unless it is among the newest' : ''}.`,
    );
  return 'ok';
};
