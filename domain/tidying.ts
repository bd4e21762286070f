import type { Change } from './history.ts';
import { BackupId, backupId, backupMoment, vaultKeys } from './naming.ts';
import { type ExpiringClass, type RetentionTag, retentionTags } from './retention.ts';

/** What the janitor does once a day: decided here from what was found, done elsewhere. */

const hour = 3_600_000;
const day = 24 * hour;

/**
 * Days after which an upload is nobody's: a run of 52 hours may have begun it with its first command. The vault's lifecycle, which
 * knows of no lock, ends uploads at the same age.
 */
export const uploadOrphanedAfterDays = 3;

/** A backup is made in less than that; what has no manifest then never gets one. */
const objectOrphanedAfter = 3 * day;

/** The undo of a run that has died ends in an hour. A lock that is there after two was never undone. */
const lockOrphanedAfter = 2 * hour;

/** A committed backup as it is found. */
export interface FoundBackup {
  readonly backup: string;
  readonly class: ExpiringClass;
  /** It was made to be restored: neither a safety backup nor one of what still lived. */
  readonly regular: boolean;
  readonly complete: boolean;
  readonly damaged: boolean;
  readonly committedAt: Date;
  /** The retention tag of each of its objects, its manifest among them. */
  readonly tags: Readonly<Record<string, string | undefined>>;
  /** Of its retention. */
  readonly lastChange?: Change;
  /** Somebody holds it. */
  readonly held: boolean;
  /** Objects on which another version lies than the committed one. */
  readonly replaced: readonly string[];
}

/** All that is known of a system in the vault. */
export interface Found {
  readonly system: string;
  /** Below its prefixes, manifests among them. */
  readonly objects: readonly { readonly key: string; readonly modifiedAt: Date }[];
  readonly uploads: readonly { readonly key: string; readonly uploadId: string; readonly startedAt: Date }[];
  /** The ids of all manifests, also of those that cannot be read. */
  readonly committed: readonly string[];
  /** Those that can be read. */
  readonly backups: readonly FoundBackup[];
  /** `endedAt` is absent while its run lives. */
  readonly lock?: {
    readonly run: string;
    readonly execution: string;
    readonly backup: string;
    readonly acquiredAt: Date;
    readonly endedAt?: Date;
  };
}

/** True for a backup that the holder of the lock makes, or that is made for it before its changes. */
export const isUnderLock = (lock: { readonly backup: string; readonly acquiredAt: Date }, backup: string): boolean =>
  backup === lock.backup || backup >= backupId(lock.acquiredAt);

/** One thing to do. */
export type Chore =
  | { readonly kind: 'undo run'; readonly run: string; readonly execution: string }
  | { readonly kind: 'abort upload'; readonly key: string; readonly uploadId: string }
  | { readonly kind: 'delete objects'; readonly backup: string; readonly keys: readonly string[] }
  | {
      readonly kind: 'change retention';
      readonly backup: string;
      readonly tag: RetentionTag;
      readonly change: 'kept' | 'let go';
      /** Objects whose tag is another now. */
      readonly keys: readonly string[];
    };

export interface Tidying {
  readonly chores: readonly Chore[];
  readonly objects: number;
  /** Objects that the chores would delete, or let expire. */
  readonly touched: number;
  /** So many that something must be wrong with what was found: nothing is done but what keeps. */
  readonly refused: boolean;
  /** Committed objects on which something else lies now: somebody has written where nobody should. */
  readonly replaced: readonly string[];
}

/** The backup that an object belongs to; undefined for installers and what nodes hand to each other. */
const backupOf = (system: string, key: string): string | undefined => {
  const prefix = vaultKeys.system(system);
  const id = key.startsWith(prefix) ? key.slice(prefix.length).split('/')[0] : undefined;
  return BackupId.safeParse(id).success ? id : undefined;
};

const orphans = ({ system, objects, committed, lock }: Found, now: Date): Chore[] => {
  const spared = new Set(committed);
  const isOld = (moment: Date): boolean => now.getTime() - moment.getTime() > objectOrphanedAfter;
  const byBackup = new Map<string, { readonly keys: string[]; old: boolean }>();
  for (const { key, modifiedAt } of objects) {
    const backup = backupOf(system, key);
    if (backup === undefined || spared.has(backup) || (lock && isUnderLock(lock, backup))) continue;
    const found = byBackup.get(backup) ?? { keys: [], old: isOld(backupMoment(backup)) };
    found.keys.push(key);
    // One object that came lately: somebody is still at it.
    found.old &&= isOld(modifiedAt);
    byBackup.set(backup, found);
  }
  return Array.from(byBackup, ([backup, { keys, old }]) =>
    old ? [{ kind: 'delete objects' as const, backup, keys }] : [],
  ).flat();
};

/** The tag that a backup should have; undefined when it may stay as it is. */
const expectedTags = ({ backups }: Found, keepLast: number): ReadonlyMap<string, RetentionTag | undefined> => {
  const regular = backups.filter((one) => one.regular);
  const ranked = new Map(retentionTags(regular, keepLast).map(({ backup, tag }) => [backup, tag]));
  const lastCommit = Math.max(...regular.map(({ committedAt }) => committedAt.getTime()));
  return new Map(
    backups.map(({ backup, held, replaced, class: own, regular: isRegular, lastChange }) => {
      // A version that is no longer the newest would go with the others that are not.
      if (held || replaced.length > 0) return [backup, 'keep'];
      if (!isRegular) return [backup, own];
      // Who releases a backup is told that it stays until the next commit.
      const waits = lastChange?.change === 'released' && Date.parse(lastChange.at) >= lastCommit;
      const tag = ranked.get(backup);
      return [backup, waits && tag !== 'keep' ? undefined : tag];
    }),
  );
};

const retagged = (found: Found, keepLast: number): Chore[] => {
  const expected = expectedTags(found, keepLast);
  return found.backups.flatMap(({ backup, tags }) => {
    const tag = expected.get(backup);
    if (tag === undefined) return [];
    const keys = Object.keys(tags).filter((key) => tags[key] !== tag);
    const change = tag === 'keep' ? 'kept' : 'let go';
    return keys.length === 0 ? [] : [{ kind: 'change retention', backup, tag, change, keys }];
  });
};

/** True for what can cost no more than storage. */
export const keeps = (chore: Chore): boolean => chore.kind === 'change retention' && chore.tag === 'keep';

/**
 * What is to be done for a system: uploads that nobody ends, objects of backups that were never committed, a lock whose run
 * has died, tags that should have changed. It is refused when it would touch more than `share` of the system's objects.
 */
export const planTidying = (
  found: Found,
  { now, keepLast, share }: { readonly now: Date; readonly keepLast: number; readonly share: number },
): Tidying => {
  const { lock, uploads, objects } = found;
  const since = (moment: Date): number => now.getTime() - moment.getTime();
  const chores: readonly Chore[] = [
    ...(lock?.endedAt && since(lock.endedAt) > lockOrphanedAfter
      ? [{ kind: 'undo run' as const, run: lock.run, execution: lock.execution }]
      : []),
    ...uploads
      .filter(({ startedAt }) => since(startedAt) > uploadOrphanedAfterDays * day)
      // What began under the lock is ended by its holder, or by whoever undoes it.
      .filter(({ startedAt }) => !lock || startedAt < lock.acquiredAt)
      .map(({ key, uploadId }) => ({ kind: 'abort upload' as const, key, uploadId })),
    ...orphans(found, now),
    ...retagged(found, keepLast),
  ];
  const touched = chores.reduce((sum, chore) => sum + ('keys' in chore && !keeps(chore) ? chore.keys.length : 0), 0);
  const refused = touched > objects.length * share;
  return {
    ...{ chores, objects: objects.length, touched, refused },
    replaced: found.backups.flatMap((backup) => backup.replaced),
  };
};
