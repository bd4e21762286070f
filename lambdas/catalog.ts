import { Manifest } from '#domain/manifest';
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

/** The newest committed manifest of a system. */
export const newestManifest = async (vault: Bucket, system: string): Promise<Manifest | undefined> => {
  const newest = (await committedBackups(vault, system)).at(-1);
  return newest === undefined ? undefined : readManifest(vault, system, newest);
};
