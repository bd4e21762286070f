import { ZodError } from 'zod';
import { jsonState } from '#aws/bucket';
import { isGood, type Manifest } from '#domain/manifest';
import { BackupId, parseManifestKey, SystemId, stateKeys, tagKeys, vaultKeys } from '#domain/naming';
import { Lock } from '#domain/payloads';
import type { Bucket } from '#domain/ports';
import { RetentionTag } from '#domain/retention';
import { committedBackups, readManifest } from '#lambdas/catalog';
import { CliError } from './cli-error.ts';

/** What the vault says of backups: a backup exists if and only if its manifest does. */

/** A line of the catalog. `tag` is what retention says of it now; undefined when its manifest carries none. */
export type CatalogEntry = { readonly backup: string } & (
  | { readonly readable: true; readonly manifest: Manifest; readonly tag: RetentionTag | undefined }
  | { readonly readable: false; readonly reason: string }
);

/** Manifests that are read side by side. */
const readers = 16;

const notReadable = (error: unknown): string | undefined => {
  if (error instanceof SyntaxError) return 'its manifest is not JSON';
  if (!(error instanceof ZodError)) return undefined;
  const [issue] = error.issues;
  return `its manifest is not what this version understands: ${issue?.path.join('.')}: ${issue?.message}`;
};

/** One backup, or undefined when there is none of that id. */
export const readBackup = async (vault: Bucket, system: string, backup: string): Promise<CatalogEntry | undefined> => {
  let manifest: Manifest | undefined;
  try {
    manifest = await readManifest(vault, system, backup);
  } catch (error) {
    const reason = notReadable(error);
    if (reason === undefined) throw error;
    return { backup, readable: false, reason };
  }
  if (manifest === undefined) return undefined;
  const tags = await vault.tags({ key: vaultKeys.manifest(system, backup) });
  return { backup, readable: true, manifest, tag: RetentionTag.safeParse(tags[tagKeys.retention]).data };
};

/** A system's backups, newest first. One that expires while it is being listed is left out. */
export const listBackups = async (vault: Bucket, system: string): Promise<readonly CatalogEntry[]> => {
  const ids = (await committedBackups(vault, system)).toReversed();
  const entries: (CatalogEntry | undefined)[] = [];
  for (let from = 0; from < ids.length; from += readers) {
    const group = ids.slice(from, from + readers).map((backup) => readBackup(vault, system, backup));
    entries.push(...(await Promise.all(group)));
  }
  return entries.filter((entry) => entry !== undefined);
};

/** The id of a system's newest backup that a restore may choose by itself, or undefined. One that can't be read counts: it must be seen. */
export const latestBackup = async (vault: Bucket, system: string): Promise<string | undefined> => {
  for (const backup of (await committedBackups(vault, system)).toReversed()) {
    const entry = await readBackup(vault, system, backup);
    if (!entry?.readable || isGood(entry.manifest)) return backup;
  }
  return undefined;
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
    `not the id of a system: ${text}`,
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
    `If the name is right, make its first: holdfast backup ${system} --watch`,
  );
};
