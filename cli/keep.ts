import { userInfo } from 'node:os';
import { AlreadyExistsError } from '#domain/errors';
import { type Change, holdOf, retentionChanges } from '#domain/history';
import { isRegular } from '#domain/manifest';
import { changeRetention } from '#domain/vault/changes';
import { parseBackup, typedBackup } from './catalog.ts';
import { CliError } from './cli-error.ts';
import { type Connection, sameConnection } from './connection.ts';
import type { Exit } from './exit-codes.ts';
import type { Output } from './output.ts';

export interface KeepOptions {
  readonly system?: string;
  readonly reason?: string;
  readonly json?: boolean;
}

/**
 * Puts a hold on a backup, which then never expires, or takes it back. A good backup that is released stays until the next
 * one is committed: only then is it known whether it is among the newest.
 */
export const keep = async (
  connect: () => Promise<Connection>,
  text: string,
  change: 'held' | 'released',
  { system: apart, reason, json = false }: KeepOptions,
  output: Output,
  now = new Date(),
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
      `Look at it: ${sameConnection(connection, `holdfast show ${id}`)}`,
    );
  const entered: Change = {
    at: now.toISOString(),
    change,
    tag: change === 'held' || isRegular(manifest) ? 'keep' : manifest.retentionClass,
    by: userInfo().username,
    ...(reason !== undefined && { reason }),
  };
  try {
    await changeRetention(connection.vault, manifest, entered);
  } catch (error) {
    if (!(error instanceof AlreadyExistsError)) throw error;
    throw new CliError('busy', `${id} is being changed by somebody else`, 'Try again.');
  }
  if (json) {
    output.document({ system, backup: manifest.backup, ...entered });
    return 'ok';
  }
  if (change === 'held') {
    output.line(`${id} is held: it does not expire.`);
    output.note(`Take it back: ${sameConnection(connection, `holdfast release ${id}`)}`);
  } else
    output.line(
      `${id} is released: it expires as ${manifest.retentionClass}${isRegular(manifest) ? ', from the next backup on unless it is among the newest' : ''}.`,
    );
  return 'ok';
};
