import { isGood, Manifest } from '#domain/manifest';
import { parseManifestKey, vaultKeys } from '#domain/naming';
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
