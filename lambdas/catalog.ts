import { type Change, History } from '#domain/history';
import { artifactKeys, isGood, Manifest } from '#domain/manifest';
import { parseManifestKey, tagKeys, vaultKeys } from '#domain/naming';
import type { Bucket } from '#domain/ports';

/** The ids of a system's committed backups, oldest first. */
export const committedBackups = async (vault: Bucket, system: string): Promise<readonly string[]> =>
  (await vault.list(vaultKeys.catalog(system))).flatMap((key) => parseManifestKey(key)?.backup ?? []).toSorted();

/** The manifest of a backup, or undefined when it was not committed. Throws a ZodError when the object is no manifest. */
export const readManifest = async (vault: Bucket, system: string, backup: string): Promise<Manifest | undefined> => {
  const found = await vault.read(vaultKeys.manifest(system, backup));
  return found && Manifest.parse(JSON.parse(found.text));
};

/** The newest good manifest of a system, taken before a backup id when one is given; safety backups are passed over. */
export const newestGood = async (vault: Bucket, system: string, before?: string): Promise<Manifest | undefined> => {
  for (const backup of (await committedBackups(vault, system)).toReversed()) {
    if (before !== undefined && backup >= before) continue;
    const manifest = await readManifest(vault, system, backup);
    if (manifest && isGood(manifest)) return manifest;
  }
  return undefined;
};

/** What became of a backup's retention since its commit, oldest first. Throws a ZodError when the object is none. */
export const readHistory = async (vault: Bucket, system: string, backup: string): Promise<History> => {
  const found = await vault.read(vaultKeys.history(system, backup));
  return found ? History.parse(JSON.parse(found.text)) : [];
};

/** Objects tagged side by side. */
const taggedAtOnce = 10;

/**
 * Gives every object of a backup the tag of a change, and enters it in the backup's history first; the manifest comes last,
 * so that a broken attempt is seen. Doing it again changes nothing. Throws an AlreadyExistsError, and changes nothing, when
 * somebody else makes a change at the same moment.
 */
export const changeRetention = async (vault: Bucket, manifest: Manifest, change: Change): Promise<void> => {
  const { system, backup } = manifest;
  const key = vaultKeys.history(system, backup);
  const found = await vault.read(key);
  const history = found ? History.parse(JSON.parse(found.text)) : [];
  const last = history.at(-1);
  if (last?.change !== change.change || last.tag !== change.tag) {
    const text = JSON.stringify([...history, change], undefined, 2);
    await (found ? vault.replace(key, text, found.etag) : vault.create(key, text));
  }
  // A restore that is under way has a tag of its own on what it reads.
  const tag = async (one: string): Promise<void> =>
    vault.tag(one, { ...(await vault.tags(one)), [tagKeys.retention]: change.tag });
  const keys = [key, ...artifactKeys(manifest)];
  for (let from = 0; from < keys.length; from += taggedAtOnce)
    await Promise.all(keys.slice(from, from + taggedAtOnce).map(tag));
  await tag(vaultKeys.manifest(system, backup));
};
