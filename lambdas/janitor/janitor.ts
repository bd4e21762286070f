import pMap from 'p-map';
import { jsonState } from '#aws/bucket';
import type { Config } from '#domain/config';
import { AlreadyExistsError } from '#domain/errors';
import { damageOf, holdOf, retentionChanges } from '#domain/history';
import { isRegular, objectsOfBackup } from '#domain/manifest';
import { stateKeys, tagKeys, vaultKeys } from '#domain/naming';
import { type JanitorInput, Lock, type Tidied } from '#domain/payloads';
import type { ObjectVersion, StoredVersion } from '#domain/ports';
import { type Chore, type Found, type FoundBackup, isUnderLock, keeps, planTidying } from '#domain/tidying';
import { backupsOf, committedBackups, type PassedOver, type ReadableBackup, readManifest } from '#domain/vault/catalog';
import { changeRetention, discard } from '#domain/vault/changes';
import type { ExecutionsOf, StateBucketOf, VaultOf } from '../verbs.ts';

export interface Services {
  readonly config: Config;
  readonly state: StateBucketOf<'janitor'>;
  readonly vault: VaultOf<'janitor'>;
  readonly runs: ExecutionsOf<'janitor'>;
  readonly now: () => Date;
}

/** Objects whose tags are read side by side. */
const readersAtOnce = 20;

/** Chores that are told one by one. */
const choresTold = 200;

const tagsOf = async (vault: VaultOf<'janitor'>, objects: readonly ObjectVersion[]): Promise<FoundBackup['tags']> => {
  const tagOf = async ({ key, versionId }: ObjectVersion) =>
    [key, (await vault.tags({ key, versionId }))[tagKeys.retention]] as const;
  return Object.fromEntries(await pMap(objects, tagOf, { concurrency: readersAtOnce }));
};

const idOf = ({ key, versionId }: ObjectVersion): string => `${key} ${versionId}`;

const foundBackup = async (
  vault: VaultOf<'janitor'>,
  { manifest, history }: ReadableBackup,
  versions: ReadonlyMap<string, StoredVersion>,
  catalog: ReadonlySet<string>,
): Promise<FoundBackup> => {
  const { system, backup } = manifest;
  const lastChange = retentionChanges(history).at(-1);
  // What is missing is found by a verification, and nothing that could be tagged.
  const objects = objectsOfBackup(manifest).filter((object) => versions.has(idOf(object)));
  const beside = [vaultKeys.history(system, backup), vaultKeys.manifest(system, backup)].filter((key) =>
    catalog.has(key),
  );
  return {
    backup,
    class: manifest.retentionClass,
    regular: isRegular(manifest),
    complete: manifest.state === 'complete',
    damaged: damageOf(history) !== undefined,
    committedAt: new Date(manifest.committedAt),
    held: holdOf(history) !== undefined,
    replaced: objects.filter((object) => !versions.get(idOf(object))?.isLatest).map(({ key }) => key),
    tags: await tagsOf(vault, [...objects, ...beside.map((key) => ({ key }))]),
    ...(lastChange && { lastChange }),
  };
};

const find = async (
  { state, vault, runs }: Services,
  system: string,
): Promise<Found & { readonly unreadable: readonly PassedOver[] }> => {
  const lock = await jsonState(state).read(stateKeys.lock(system), Lock);
  const endedAt = lock && (await runs.endedAt(lock));
  // The objects first: what is committed after this is in the catalog, and what came after it is not among them.
  const versions = await vault.versions(vaultKeys.system(system));
  const inCatalog = await vault.listObjects(vaultKeys.catalog(system));
  const objects = [...versions.filter(({ isLatest }) => isLatest), ...inCatalog];
  const byId = new Map(versions.map((version) => [idOf(version), version]));
  const catalog = new Set(inCatalog.map(({ key }) => key));
  const uploads = await vault.listUploads(vaultKeys.system(system));
  const committed = await committedBackups({ vault }, system);
  const backups: FoundBackup[] = [];
  const unreadable: PassedOver[] = [];
  // One that this version can't read is no orphan, and its tags stay.
  for await (const backup of backupsOf({ vault }, system))
    if (backup.readable) backups.push(await foundBackup(vault, backup, byId, catalog));
    else unreadable.push(backup);
  return {
    ...{ system, objects, uploads, committed, backups, unreadable },
    ...(lock && {
      lock: {
        ...{ run: lock.run, execution: lock.execution, backup: lock.backup, acquiredAt: new Date(lock.acquiredAt) },
        ...(endedAt && { endedAt }),
      },
    }),
  };
};

const lineOf = (chore: Chore): string => {
  switch (chore.kind) {
    case 'undo run':
      return `undo ${chore.run}, which has died and holds the lock`;
    case 'abort upload':
      return `abort the upload of ${chore.key}`;
    case 'delete objects':
      return `delete ${chore.keys.length} objects of ${chore.backup}, which was never committed`;
    case 'change retention':
      return `tag ${chore.keys.length} objects of ${chore.backup} as ${chore.tag}`;
    default:
      return chore satisfies never;
  }
};

/** Does one thing; false when it turns out that somebody else was at it. */
const act = async ({ vault, state, runs, now }: Services, system: string, chore: Chore): Promise<boolean> => {
  switch (chore.kind) {
    case 'undo run':
      return runs.undo(chore.run, chore.execution);
    case 'abort upload':
      await vault.abortUpload(chore.key, chore.uploadId);
      return true;
    case 'delete objects': {
      const { backup, keys } = chore;
      const lock = await jsonState(state).read(stateKeys.lock(system), Lock);
      if (lock && isUnderLock({ ...lock, acquiredAt: new Date(lock.acquiredAt) }, backup)) return false;
      if (await vault.has(vaultKeys.manifest(system, backup))) return false;
      for (const key of keys) await discard(vault, key);
      return true;
    }
    case 'change retention': {
      const { backup, tag, change } = chore;
      const manifest = await readManifest({ vault }, system, backup);
      if (!manifest) return false;
      try {
        await changeRetention(vault, manifest, { at: now().toISOString(), change, tag, by: 'janitor' });
        return true;
      } catch (error) {
        if (error instanceof AlreadyExistsError) return false;
        throw error;
      }
    }
    default:
      return chore satisfies never;
  }
};

/**
 * Tidies one system up, or tells what it would do, and looks whether the newest version of everything that was committed is still the
 * committed one. What is refused removes nothing and lets nothing expire.
 */
export const tidy = async (
  services: Services,
  system: string,
  { dryRun, share }: Pick<JanitorInput, 'dryRun' | 'share'>,
): Promise<Tidied> => {
  const { config, now } = services;
  const found = await find(services, system);
  const { chores, objects, touched, refused, replaced } = planTidying(found, {
    ...{ now: now(), keepLast: config.retention.keepLast, share },
  });
  const left: Chore[] = [];
  for (const chore of dryRun ? [] : chores)
    if ((!refused || keeps(chore)) && !(await act(services, system, chore))) left.push(chore);
  const told = (list: readonly Chore[]): string[] => list.slice(0, choresTold).map(lineOf);
  const outcome = refused ? 'refused' : dryRun ? 'dry run' : 'done';
  return {
    system,
    outcome,
    objects,
    touched,
    chores: told(chores),
    left: told(left),
    replaced: replaced.slice(0, choresTold),
    unreadable: found.unreadable.map(({ backup, reason }) => `${backup}: ${reason}`),
  };
};
