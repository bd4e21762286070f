import { userInfo } from 'node:os';
import { AlreadyExistsError } from '#domain/errors';
import { type Change, holdOf, retentionChanges } from '#domain/history';
import { isGood } from '#domain/manifest';
import { changeRetention, readHistory } from '#lambdas/catalog';
import { latestBackup, noBackups, parseBackup, readBackup } from './catalog.ts';
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
  const { system, backup: wanted } = parseBackup(text, apart);
  const connection = await connect();
  const { vault } = connection;
  const backup = wanted === 'latest' ? await latestBackup(vault, system) : wanted;
  const entry = backup === undefined ? undefined : await readBackup(vault, system, backup);
  if (entry === undefined)
    throw backup === undefined
      ? await noBackups(vault, system)
      : new CliError(
          'not-found',
          `there is no backup ${system}/${backup}`,
          `Look what there is: ${sameConnection(connection, `holdfast backups ${system}`)}`,
        );
  if (!entry.readable)
    throw new CliError('unexpected', `${system}/${backup}: ${entry.reason}`, 'A newer Holdfast may read it.');
  const { manifest } = entry;
  const id = `${system}/${manifest.backup}`;
  const history = await readHistory(vault, system, manifest.backup);
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
    tag: change === 'held' || isGood(manifest) ? 'keep' : manifest.retentionClass,
    by: userInfo().username,
    ...(reason !== undefined && { reason }),
  };
  try {
    await changeRetention(vault, manifest, entered);
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
      `${id} is released: it expires as ${manifest.retentionClass}${isGood(manifest) ? ', from the next backup on unless it is among the newest' : ''}.`,
    );
  return 'ok';
};
