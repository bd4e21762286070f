import { ArtifactMissingError, InvalidInputError, NoBackupError, UnknownBackupError } from '#domain/errors';
import { type Manifest, uploadsOf } from '#domain/manifest';
import { backupId, stateKeys } from '#domain/naming';
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

/** Objects that cold storage has to bring back. Throws an ArtifactMissingError when one is not what was committed. */
export const coldObjects = async (vault: Bucket, manifest: Manifest): Promise<readonly string[]> => {
  const cold: string[] = [];
  for (const { collected, stored } of manifest.artifacts)
    for (const [index, { key, bytes }] of uploadsOf(collected).entries()) {
      const object = await vault.head(key);
      const expected = index === 0 ? stored.upload.s3Checksum : stored.contents?.s3Checksum;
      const said = !object
        ? 'the vault does not have it'
        : object.bytes !== bytes
          ? `the vault has ${object.bytes} bytes of ${bytes}`
          : expected !== undefined && object.checksum !== undefined && object.checksum !== expected
            ? `the vault has it with the checksum ${object.checksum}, not ${expected}`
            : undefined;
      if (said !== undefined)
        throw new ArtifactMissingError(
          `The backup ${manifest.backup} can not be restored: ${key}: ${said}. Nothing was touched. Restore another one, or bring back an earlier version of this object.`,
        );
      if (object?.cold !== undefined) cold.push(key);
    }
  return cold;
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
