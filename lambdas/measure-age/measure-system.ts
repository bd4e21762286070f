import type { Manifest } from '#domain/manifest';
import { comparedWith, type Measured } from '#domain/measurement';
import { parseHistoryKey, vaultKeys } from '#domain/naming';
import { backupsOf, committedBackups, isGood, readHistory } from '#domain/vault/catalog';
import type { VaultOf } from '../verbs.ts';

/** The newest good ones, as many as are compared. */
const newestGoodOnes = async (vault: VaultOf<'measure-age'>, system: string): Promise<Manifest[]> => {
  const found: Manifest[] = [];
  for await (const backup of backupsOf({ vault }, system)) {
    if (isGood(backup)) found.push(backup.manifest);
    if (found.length > comparedWith) break;
  }
  return found;
};

/** The moments at which a backup was found sound. */
const soundAt = (history: Awaited<ReturnType<typeof readHistory>>): readonly Date[] =>
  (history ?? []).flatMap((entry) =>
    entry.change === 'verified' && entry.outcome === 'sound' ? [new Date(entry.at)] : [],
  );

/** When a backup was last found sound. Histories that were written last are read first: a few are enough. */
const lastSound = async (vault: VaultOf<'measure-age'>, system: string): Promise<Date | undefined> => {
  const objects = await vault.listObjects(vaultKeys.catalog(system));
  let last: Date | undefined;
  for (const { key, modifiedAt } of objects.toSorted((a, b) => b.modifiedAt.getTime() - a.modifiedAt.getTime())) {
    const of = parseHistoryKey(key);
    if (!of) continue;
    // An entry is written after the moment that it tells.
    if (last && modifiedAt < last) break;
    for (const at of soundAt(await readHistory({ vault }, system, of.backup))) if (!last || at > last) last = at;
  }
  return last;
};

/** Reads what is measured of a system: what was committed and what lies in the vault, nothing of any run. */
export const readMeasured = async (vault: VaultOf<'measure-age'>, system: string): Promise<Measured> => {
  const committed = await committedBackups({ vault }, system);
  const [oldest] = committed;
  const verifiedAt = await lastSound(vault, system);
  return {
    newest: await newestGoodOnes(vault, system),
    uploads: await vault.listUploads(vaultKeys.system(system)),
    ...(verifiedAt && { verifiedAt }),
    ...(oldest !== undefined && { oldest }),
  };
};
