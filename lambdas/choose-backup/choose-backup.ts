import { ArtifactMissingError, InvalidInputError, NoBackupError, UnknownBackupError } from '#domain/errors';
import { type Manifest, objectsOfBackup, type StoredUpload } from '#domain/manifest';
import { backupId, stateKeys, vaultKeys } from '#domain/naming';
import type { ChooseBackupOutput, RestoreRequest, RunRef } from '#domain/payloads';
import type { Bucket, State } from '#domain/ports';
import { committedBackups, newestGood, readManifest } from '../catalog.ts';
import { readRun } from '../runs.ts';

export interface Services {
  readonly state: State;
  readonly vault: Bucket;
}

const choose = async (vault: Bucket, { system, backup, before }: RestoreRequest): Promise<Manifest> => {
  if (backup !== undefined && backup !== 'latest') {
    const manifest = await readManifest(vault, system, backup);
    if (manifest) return manifest;
    const newest = (await committedBackups(vault, system)).slice(-3).toReversed();
    throw new UnknownBackupError(
      `${system} has no backup ${backup}. ${newest.length === 0 ? 'It has none at all.' : `Its newest are ${newest.join(', ')}.`}`,
    );
  }
  const manifest = await newestGood(vault, system, before === undefined ? undefined : backupId(new Date(before)));
  if (!manifest)
    throw new NoBackupError(
      `${system} has no good backup${before === undefined ? '' : ` before ${before}`}. \`holdfast backups ${system}\` lists what there is.`,
    );
  return manifest;
};

/**
 * Objects that cold storage has to bring back. What counts is the version that was committed, whatever lies on top of it. Throws an
 * ArtifactMissingError when one is not there any more.
 */
export const coldObjects = async (vault: Bucket, manifest: Manifest): Promise<readonly StoredUpload[]> => {
  const versions = new Map(
    (await vault.versions(vaultKeys.backup(manifest.system, manifest.backup))).map((version) => [
      `${version.key} ${version.versionId}`,
      version,
    ]),
  );
  return objectsOfBackup(manifest).filter(({ key, versionId, bytes }) => {
    const found = versions.get(`${key} ${versionId}`);
    if (found?.bytes !== bytes)
      throw new ArtifactMissingError(
        `The backup ${manifest.backup} can not be restored: ${key}: the vault ${found ? `has ${found.bytes} bytes of ${bytes}` : `does not have the version ${versionId} that was committed`}. Nothing was touched. Restore another one.`,
      );
    return found.cold !== undefined;
  });
};

/**
 * Chooses the backup that a restore was asked for and looks whether the vault still has all of it. Throws an
 * UnknownBackupError, a NoBackupError or an ArtifactMissingError.
 */
export const chooseBackup = async ({ state, vault }: Services, { run }: RunRef): Promise<ChooseBackupOutput> => {
  const record = await readRun(state, run);
  if (!record.restore) throw new InvalidInputError(`Run ${run} is no restore.`);
  const manifest = await choose(vault, record.restore);
  const cold = await coldObjects(vault, manifest);
  await state.write(stateKeys.run(run), { ...record, backup: manifest.backup });
  return { backup: manifest.backup, cold: cold.length };
};
