import { pMapIterable } from 'p-map';
import { ZodError } from 'zod';
import type { BucketFor } from '#domain/contracts/access';
import { ManifestUnreadableError, ManifestUntrustedError } from '#domain/errors';
import { damageOf, History } from '#domain/history';
import { isRegular, type Manifest, parseManifest } from '#domain/manifest';
import { parseManifestKey, vaultKeys } from '#domain/naming';
import type { Kept } from '#domain/retention';

/**
 * What the vault says of the backups of a system. Which one is the newest, which are good, damaged or unreadable is decided here, whoever
 * asks: a lambda or the command line.
 */

/** What reading the catalog needs. */
export interface Vault {
  readonly vault: BucketFor<{ 'catalog/': readonly ['read'] }>;
}

/** A committed backup whose manifest and history this version understands. */
export interface ReadableBackup {
  readonly backup: string;
  readonly readable: true;
  readonly manifest: Manifest;
  readonly history: History;
}

/** A committed backup whose manifest or history this version does not understand: a newer version wrote it, or it is broken. */
export interface UnreadableBackup {
  readonly backup: string;
  readonly readable: false;
  /** True when its manifest is not what a commit has signed. */
  readonly untrusted: boolean;
  readonly reason: string;
}

/** A committed backup. */
export type Backup = ReadableBackup | UnreadableBackup;

/** A backup that a restore of `latest` does not choose, though it is newer than the one that it chooses. */
export interface PassedOver {
  readonly backup: string;
  readonly reason: string;
}

/** How many backups are read at the same time, at most. */
const readersAtOnce = 16;

/** Returns the ids of a system's committed backups, oldest first, also of those that cannot be read. */
export const committedBackups = async ({ vault }: Vault, system: string): Promise<readonly string[]> =>
  (await vault.list(vaultKeys.catalog(system))).flatMap((key) => parseManifestKey(key)?.backup ?? []).toSorted();

/** What an object of the catalog says, or why it is not believed, or not understood by this version. */
type Read<T> = { readonly value: T | undefined } | { readonly reason: string; readonly untrusted: boolean };

const readObject = async <T>(
  { vault }: Vault,
  key: `catalog/${string}`,
  what: 'manifest' | 'history',
  parse: (value: unknown) => T,
): Promise<Read<T>> => {
  try {
    const found = await vault.read(key);
    return { value: found && parse(JSON.parse(found.text)) };
  } catch (error) {
    if (error instanceof ManifestUntrustedError) return { untrusted: true, reason: error.message };
    if (error instanceof SyntaxError) return { untrusted: false, reason: `its ${what} is not JSON` };
    if (!(error instanceof ZodError)) throw error;
    const [issue] = error.issues;
    return {
      untrusted: false,
      reason: `its ${what} is not what this version understands: ${issue?.path.join('.')}: ${issue?.message}`,
    };
  }
};

/** The one place where a manifest is believed: the vault of lambdas and of the command line reads none whose signature does not hold. */
const readTrusted = (from: Vault, system: string, backup: string): Promise<Read<Manifest>> =>
  readObject(from, vaultKeys.manifest(system, backup), 'manifest', parseManifest);

/** Returns the manifest of a backup, undefined when it was not committed. Throws a ManifestUntrustedError or a ManifestUnreadableError. */
export const readManifest = async (from: Vault, system: string, backup: string): Promise<Manifest | undefined> => {
  const read = await readTrusted(from, system, backup);
  if ('value' in read) return read.value;
  if (read.untrusted)
    throw new ManifestUntrustedError(
      `The backup ${system}/${backup} is not trusted: ${read.reason}. Nothing was changed. Choose another backup.`,
    );
  throw new ManifestUnreadableError(
    `The backup ${system}/${backup} cannot be read: ${read.reason}. Use the version of Holdfast that made it, or a newer one, or choose another backup.`,
  );
};

/** Returns true when a backup was committed, whether this version understands its manifest or not. What nobody has signed was not. */
export const isCommitted = async (from: Vault, system: string, backup: string): Promise<boolean> => {
  const read = await readTrusted(from, system, backup);
  return 'value' in read ? read.value !== undefined : !read.untrusted;
};

const readChanges = (from: Vault, system: string, backup: string): Promise<Read<History>> =>
  readObject(from, vaultKeys.history(system, backup), 'history', (value) => History.parse(value));

/** Returns what became of a backup since its commit, oldest first, also of one that has expired; undefined when it cannot be read. */
export const readHistory = async (from: Vault, system: string, backup: string): Promise<History | undefined> => {
  const read = await readChanges(from, system, backup);
  return 'value' in read ? (read.value ?? []) : undefined;
};

/** Returns one backup, undefined when it was not committed. */
export const readBackup = async (from: Vault, system: string, backup: string): Promise<Backup | undefined> => {
  const [manifest, history] = await Promise.all([readTrusted(from, system, backup), readChanges(from, system, backup)]);
  if ('reason' in manifest) return { backup, readable: false, ...manifest };
  if (manifest.value === undefined) return undefined;
  if ('reason' in history) return { backup, readable: false, ...history };
  return { backup, readable: true, manifest: manifest.value, history: history.value ?? [] };
};

/** What retention needs to know of a backup; nothing for a safety backup, a partial one, and one that cannot be read: their tags stay. */
export const keptOf = (backup: Backup): readonly Kept[] =>
  backup.readable && isRegular(backup.manifest)
    ? [
        {
          backup: backup.backup,
          class: backup.manifest.retentionClass,
          complete: backup.manifest.state === 'complete',
          damaged: damageOf(backup.history) !== undefined,
        },
      ]
    : [];

/** Which backups are asked for, by their ids; all when nothing is said. */
export interface Between {
  readonly after?: string | undefined;
  readonly before?: string | undefined;
}

/** Yields a system's backups, newest first; one that expires meanwhile is left out. Some are read ahead. */
export async function* backupsOf(
  from: Vault,
  system: string,
  { after, before }: Between = {},
  readAhead = 4,
): AsyncGenerator<Backup, void, undefined> {
  const ids = (await committedBackups(from, system))
    .filter((id) => (after === undefined || id > after) && (before === undefined || id < before))
    .toReversed();
  for await (const backup of pMapIterable(ids, (id) => readBackup(from, system, id), { concurrency: readAhead }))
    if (backup !== undefined) yield backup;
}

/** Returns all backups of a system, newest first. */
export const allBackups = async (from: Vault, system: string): Promise<readonly Backup[]> => {
  const all: Backup[] = [];
  for await (const backup of backupsOf(from, system, {}, readersAtOnce)) all.push(backup);
  return all;
};

/** Returns true for a backup that a restore may choose by itself. One that lacks an optional node is better than an older one. */
export const isGood = (backup: Backup): backup is ReadableBackup =>
  backup.readable && isRegular(backup.manifest) && damageOf(backup.history) === undefined;

/** Returns a backup with the reason why a restore of `latest` skips it: nothing for a good one, or one that was never meant for it. */
export const passedOverOf = (backup: Backup): readonly PassedOver[] => {
  const reason = backup.readable ? isRegular(backup.manifest) && damageText(backup.history) : backup.reason;
  return reason ? [{ backup: backup.backup, reason }] : [];
};

const firstOf = ([first = 'nothing more is known', ...more]: readonly string[]): string =>
  more.length === 0 ? first : `${first}, and ${more.length} more`;

/** Returns what a verification has found broken, for people; undefined when a backup is not known to be damaged. */
export const damageText = (history: History): string | undefined => {
  const damage = damageOf(history);
  return damage && `a verification found it damaged on ${damage.at.slice(0, 10)}: ${firstOf(damage.faults)}`;
};

/**
 * Returns the newest good backup of a system, taken before a backup id when one is given, and the newer ones that are skipped since
 * they are damaged or cannot be read. Safety backups and partial ones are left out in silence.
 */
export const newestGood = async (
  from: Vault,
  system: string,
  before?: string,
): Promise<{ readonly good?: ReadableBackup; readonly passedOver: readonly PassedOver[] }> => {
  const passedOver: PassedOver[] = [];
  for await (const backup of backupsOf(from, system, { before })) {
    if (isGood(backup)) return { good: backup, passedOver };
    passedOver.push(...passedOverOf(backup));
  }
  return { passedOver };
};

/** Newer backups that are looked at: what they know more of grows with their age, so the newest tell most. */
const newerRead = 20;

/** Returns the newest manifests that were made after a backup, newest first, those of safety backups among them. */
export const newerManifests = async (
  from: Vault,
  { system, backup }: Pick<Manifest, 'system' | 'backup'>,
): Promise<readonly Manifest[]> => {
  const newer: Manifest[] = [];
  for await (const found of backupsOf(from, system, { after: backup })) {
    if (found.readable) newer.push(found.manifest);
    if (newer.length === newerRead) break;
  }
  return newer;
};
