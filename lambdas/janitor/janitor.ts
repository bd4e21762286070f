import { jsonState } from '#aws/bucket';
import type { Config } from '#domain/config';
import { AlreadyExistsError } from '#domain/errors';
import { holdOf, retentionChanges } from '#domain/history';
import { artifactKeys, isGood, type Manifest } from '#domain/manifest';
import { stateKeys, tagKeys, vaultKeys } from '#domain/naming';
import { type JanitorInput, Lock } from '#domain/payloads';
import type { Bucket, DeadRuns } from '#domain/ports';
import { type Chore, type Found, type FoundBackup, isUnderLock, planTidying } from '#domain/tidying';
import { changeRetention, committedBackups, readHistory, readManifest } from '../catalog.ts';

export interface Services {
  readonly config: Config;
  readonly state: Bucket;
  readonly vault: Bucket;
  readonly runs: DeadRuns;
  readonly now: () => Date;
}

/** What was done for a system, or would be. */
export interface Report {
  readonly system: string;
  readonly outcome: 'done' | 'dry run' | 'refused';
  readonly objects: number;
  readonly touched: number;
  /** One line each. */
  readonly chores: readonly string[];
  /** One line for each that was left, since somebody else was at it. */
  readonly left: readonly string[];
}

/** Objects whose tags are read side by side. */
const readersAtOnce = 20;

/** Chores that are told one by one. */
const choresTold = 200;

const tagsOf = async (vault: Bucket, keys: readonly string[]): Promise<FoundBackup['tags']> => {
  const tags: Record<string, string | undefined> = {};
  for (let from = 0; from < keys.length; from += readersAtOnce)
    await Promise.all(
      keys.slice(from, from + readersAtOnce).map(async (key) => {
        tags[key] = (await vault.tags(key))[tagKeys.retention];
      }),
    );
  return tags;
};

const foundBackup = async (vault: Bucket, manifest: Manifest, there: ReadonlySet<string>): Promise<FoundBackup> => {
  const { system, backup } = manifest;
  const history = await readHistory(vault, system, backup);
  const lastChange = retentionChanges(history).at(-1);
  // What is missing is found by a verification, and nothing that could be tagged.
  const keys = [
    ...artifactKeys(manifest),
    vaultKeys.history(system, backup),
    vaultKeys.manifest(system, backup),
  ].filter((key) => there.has(key));
  return {
    backup,
    class: manifest.retentionClass,
    good: isGood(manifest),
    complete: manifest.state === 'complete',
    committedAt: new Date(manifest.committedAt),
    held: holdOf(history) !== undefined,
    tags: await tagsOf(vault, keys),
    ...(lastChange && { lastChange }),
  };
};

const find = async ({ state, vault, runs }: Services, system: string): Promise<Found> => {
  const lock = await jsonState(state).read(stateKeys.lock(system), Lock);
  const endedAt = lock && (await runs.endedAt(lock));
  // The objects first: what is committed after this is in the catalog, and what came after it is not among them.
  const objects = [
    ...(await vault.listObjects(vaultKeys.system(system))),
    ...(await vault.listObjects(vaultKeys.catalog(system))),
  ];
  const there = new Set(objects.map(({ key }) => key));
  const uploads = await vault.listUploads(vaultKeys.system(system));
  const committed = await committedBackups(vault, system);
  const backups: FoundBackup[] = [];
  for (const backup of committed) {
    // One that this version can't read is no orphan, and its tags stay.
    const manifest = await readManifest(vault, system, backup).catch((error: unknown) => {
      if (error instanceof SyntaxError || (error instanceof Error && error.name === 'ZodError')) return undefined;
      throw error;
    });
    if (manifest) backups.push(await foundBackup(vault, manifest, there));
  }
  return {
    ...{ system, objects, uploads, committed, backups },
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
      if (await vault.head(vaultKeys.manifest(system, backup))) return false;
      for (const key of keys) await vault.delete(key);
      return true;
    }
    case 'change retention': {
      const { backup, tag, change } = chore;
      const manifest = await readManifest(vault, system, backup);
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

/** Tidies one system up, or tells what it would do. What is refused changes nothing at all. */
export const tidy = async (
  services: Services,
  system: string,
  { dryRun, share }: Pick<JanitorInput, 'dryRun' | 'share'>,
): Promise<Report> => {
  const { config, now } = services;
  const found = await find(services, system);
  const { chores, objects, touched, refused } = planTidying(found, {
    ...{ now: now(), keepLast: config.retention.keepLast, share },
  });
  const left: Chore[] = [];
  if (!dryRun && !refused) for (const chore of chores) if (!(await act(services, system, chore))) left.push(chore);
  const told = (list: readonly Chore[]): string[] => list.slice(0, choresTold).map(lineOf);
  const outcome = refused ? 'refused' : dryRun ? 'dry run' : 'done';
  return { system, outcome, objects, touched, chores: told(chores), left: told(left) };
};
