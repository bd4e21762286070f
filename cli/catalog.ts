import pMap from 'p-map';
import { jsonState } from '#aws/bucket';
import { BackupId, parseManifestKey, SystemId, stateKeys, tagKeys, vaultKeys } from '#domain/naming';
import { Lock } from '#domain/payloads';
import type { Bucket } from '#domain/ports';
import { RetentionTag } from '#domain/retention';
import {
  allBackups,
  type Backup,
  committedBackups,
  newestGood,
  type ReadableBackup,
  readBackup,
} from '#domain/vault/catalog';
import { CliError } from './cli-error.ts';
import { type Connection, sameConnection } from './connection.ts';
import type { Output } from './output.ts';

/** Backups as they are typed and listed. */

/** What retention says of a backup now; undefined when its manifest carries no tag. */
interface Tagged {
  readonly tag: RetentionTag | undefined;
}

/** A line of the catalog. */
export type CatalogEntry = (ReadableBackup & Tagged) | Exclude<Backup, ReadableBackup>;

/** Tags that are read at the same time. */
const readersAtOnce = 16;

/** Returns the tag that a backup's manifest carries now. */
export const retentionTagOf = async (
  vault: Bucket,
  system: string,
  backup: string,
): Promise<RetentionTag | undefined> => {
  const tags = await vault.tags({ key: vaultKeys.manifest(system, backup) });
  return RetentionTag.safeParse(tags[tagKeys.retention]).data;
};

/** Returns a system's backups, newest first. One that expires while it is being listed is left out. */
export const listBackups = async (vault: Bucket, system: string): Promise<readonly CatalogEntry[]> => {
  const all = await allBackups({ vault }, system);
  return pMap(
    all,
    async (one): Promise<CatalogEntry> =>
      one.readable ? { ...one, tag: await retentionTagOf(vault, system, one.backup) } : one,
    { concurrency: readersAtOnce },
  );
};

/** What a person may ask of a connection to find a backup. */
export type Finding = Pick<Connection, 'vault' | 'state' | 'options'>;

/**
 * Returns the backup that was typed; `latest` is the newest good one, as for a restore, and what it skips is told. Throws a CliError
 * when there is none, or when its manifest can't be read.
 */
export const typedBackup = async (
  connection: Finding,
  { system, backup }: { readonly system: string; readonly backup: string },
  output: Output,
): Promise<ReadableBackup> => {
  if (backup === 'latest') {
    const { good, passedOver } = await newestGood(connection, system);
    for (const { backup: id, reason } of passedOver) output.note(`${system}/${id} is skipped: ${reason}`);
    if (good) return good;
    throw await noGoodBackup(connection, system);
  }
  const found = await readBackup(connection, system, backup);
  if (found?.readable) return found;
  if (found)
    throw new CliError(
      'unexpected',
      `${system}/${backup}: ${found.reason}`,
      found.untrusted
        ? `Make a new one: ${sameConnection(connection, `holdfast backup ${system}`)}`
        : 'Use the version of Holdfast that made it, or a newer one.',
    );
  const { good } = await newestGood(connection, system);
  if (!good) throw await noGoodBackup(connection, system);
  throw new CliError(
    'not-found',
    `there is no backup ${system}/${backup}: no manifest of that id exists`,
    `The newest good one is ${system}/${good.backup}. List all: ${sameConnection(connection, `holdfast backups ${system}`)}`,
  );
};

const noGoodBackup = async (connection: Finding, system: string): Promise<CliError> => {
  const list = sameConnection(connection, `holdfast backups ${system}`);
  const run = await runUnderWay(connection.state, system);
  if (run !== undefined)
    return new CliError(
      'not-found',
      `${system} has no good backup yet; run ${run} is under way`,
      `List it when it is complete: ${list}`,
    );
  if ((await committedBackups(connection, system)).length === 0) return noBackups(connection.vault, system);
  return new CliError('not-found', `${system} has no good backup`, `List the backups: ${list}`);
};

/** The run that holds a system's lock, or undefined. */
export const runUnderWay = async (state: Bucket, system: string): Promise<string | undefined> =>
  (await jsonState(state).read(stateKeys.lock(system), Lock))?.run;

/** All locks that are held. */
export const listLocks = async (state: Bucket): Promise<readonly Lock[]> => {
  const keys = await state.list(stateKeys.lock('').replace(/\.json$/, ''));
  const locks = await Promise.all(keys.map((key) => jsonState(state).read(key, Lock)));
  return locks.filter((lock) => lock !== undefined);
};

/** The systems of which the vault has a backup. */
export const systemsWithBackups = async (vault: Bucket): Promise<readonly string[]> => [
  ...new Set((await vault.list(vaultKeys.catalogs)).flatMap((key) => parseManifestKey(key)?.system ?? [])),
];

/** Throws a CliError when a text can't be a system's id. */
export const assertSystem = (text: string): void => {
  if (SystemId.safeParse(text).success) return;
  throw new CliError(
    'usage',
    `not a system id: ${text}`,
    'Give one as in holdfast.yaml: 2 to 32 lower-case letters, digits and hyphens.',
  );
};

/** A backup as typed: `SYSTEM/ID`, `SYSTEM/latest`, or what follows the slash when the system is given apart. */
export const parseBackup = (text: string, apart?: string): { system: string; backup: string } => {
  const [first = '', second, ...rest] = text.split('/');
  const [system, backup] = second === undefined ? [apart, first] : [first, second];
  const contradicts = second !== undefined && apart !== undefined && apart !== first;
  if (
    system === undefined ||
    rest.length > 0 ||
    contradicts ||
    (backup !== 'latest' && !BackupId.safeParse(backup).success)
  )
    throw new CliError(
      'usage',
      contradicts ? `${text} is no backup of ${apart}` : `not a backup: ${text}`,
      'Give SYSTEM/ID such as pe-main/20261120T020000Z, or SYSTEM/latest. `holdfast backups SYSTEM` lists them.',
    );
  assertSystem(system);
  return { system, backup };
};

/** Why a system has no backup: a CliError that also names the systems that have some. */
export const noBackups = async (vault: Bucket, system: string): Promise<CliError> => {
  const others = await systemsWithBackups(vault);
  return new CliError(
    'not-found',
    `the vault has no backup of ${system}, and none is under way; it has ${others.length === 0 ? 'none of any system' : `backups of ${others.join(', ')}`}`,
    `If the name is right, make the first one: holdfast backup ${system} --watch`,
  );
};
