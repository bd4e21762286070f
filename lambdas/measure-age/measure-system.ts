import { lastVerified } from '#domain/history';
import { isGood, type Manifest } from '#domain/manifest';
import { comparedWith, type Measured } from '#domain/measurement';
import { parseHistoryKey, vaultKeys } from '#domain/naming';
import type { Bucket } from '#domain/ports';
import { committedBackups, readHistory, readManifest } from '../catalog.ts';

/** The newest good ones, as many as are compared. What was found damaged is none. */
const newestGoodOnes = async (vault: Bucket, system: string, committed: readonly string[]): Promise<Manifest[]> => {
  const found: Manifest[] = [];
  for (const backup of committed.toReversed()) {
    const manifest = await readManifest(vault, system, backup);
    if (!manifest || !isGood(manifest)) continue;
    if (lastVerified(await readHistory(vault, system, backup))?.outcome === 'damaged') continue;
    found.push(manifest);
    if (found.length > comparedWith) break;
  }
  return found;
};

/** When a backup was last found sound. Histories that were written last are read first: a few are enough. */
const lastSound = async (vault: Bucket, system: string): Promise<Date | undefined> => {
  const objects = await vault.listObjects(vaultKeys.catalog(system));
  let last: Date | undefined;
  for (const { key, modifiedAt } of objects.toSorted((a, b) => b.modifiedAt.getTime() - a.modifiedAt.getTime())) {
    const of = parseHistoryKey(key);
    if (!of) continue;
    // An entry is written after the moment that it tells.
    if (last && modifiedAt < last) break;
    for (const entry of await readHistory(vault, system, of.backup)) {
      if (entry.change !== 'verified' || entry.outcome !== 'sound') continue;
      const at = new Date(entry.at);
      if (!last || at > last) last = at;
    }
  }
  return last;
};

/** Reads what is measured of a system: what was committed and what lies in the vault, nothing of any run. */
export const readMeasured = async (vault: Bucket, system: string): Promise<Measured> => {
  const committed = await committedBackups(vault, system);
  const [oldest] = committed;
  const verifiedAt = await lastSound(vault, system);
  return {
    newest: await newestGoodOnes(vault, system, committed),
    uploads: await vault.listUploads(vaultKeys.system(system)),
    ...(verifiedAt && { verifiedAt }),
    ...(oldest !== undefined && { oldest }),
  };
};
