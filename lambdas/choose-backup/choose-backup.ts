import { ArtifactMissingError, InvalidInputError, NoBackupError, UnknownBackupError } from '#domain/errors';
import { type Manifest, objectsOfBackup, type StoredUpload } from '#domain/manifest';
import { backupId, stateKeys, vaultKeys } from '#domain/naming';
import type { ChooseBackupOutput, RestoreRequest, RunRef } from '#domain/payloads';
import { committedBackups, damageText, newestGood, readHistory, readManifest, type Vault } from '#domain/vault/catalog';
import { readRun } from '../runs.ts';
import type { StateOf, VaultOf } from '../verbs.ts';

/** Backups that were skipped and are named one by one. */
const passedOverTold = 3;

export interface Services {
  readonly state: StateOf<'choose-backup'>;
  readonly vault: VaultOf<'choose-backup'>;
}

/** What was chosen, and what a person should know of the choice. */
interface Choice {
  readonly manifest: Manifest;
  readonly warnings: readonly string[];
}

const chooseById = async (from: Vault, system: string, backup: string): Promise<Choice> => {
  const manifest = await readManifest(from, system, backup);
  if (!manifest) {
    const newest = (await committedBackups(from, system)).slice(-3).toReversed();
    throw new UnknownBackupError(
      `${system} has no backup ${backup}. ${newest.length === 0 ? 'It has none at all.' : `Its newest are ${newest.join(', ')}.`}`,
    );
  }
  const damage = damageText((await readHistory(from, system, backup)) ?? []);
  return { manifest, warnings: damage === undefined ? [] : [`the backup ${backup} is not sound: ${damage}`] };
};

const choose = async (from: Vault, { system, backup, before }: RestoreRequest): Promise<Choice> => {
  if (backup !== undefined && backup !== 'latest') return chooseById(from, system, backup);
  const until = before === undefined ? undefined : backupId(new Date(before));
  const { good, passedOver } = await newestGood(from, system, until);
  const told = passedOver.slice(0, passedOverTold).map((one) => `the backup ${one.backup} is skipped: ${one.reason}`);
  if (good) return { manifest: good.manifest, warnings: told };
  throw new NoBackupError(
    `${system} has no good backup${before === undefined ? '' : ` before ${before}`}${told.map((one) => `; ${one}`).join('')}. \`holdfast backups ${system}\` lists what there is.`,
  );
};

/**
 * Objects that cold storage has to bring back. What counts is the version that was committed, whatever lies on top of it. Throws an
 * ArtifactMissingError when one is not there any more.
 */
export const coldObjects = async (
  vault: VaultOf<'choose-backup'>,
  manifest: Manifest,
): Promise<readonly StoredUpload[]> => {
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
        `The backup ${manifest.backup} cannot be restored: ${key}: the vault ${found ? `has ${found.bytes} bytes of ${bytes}` : `does not have the version ${versionId} that was committed`}. Nothing was changed. Restore another one.`,
      );
    return found.cold !== undefined;
  });
};

/**
 * Chooses the backup that a restore was asked for and looks whether the vault still has all of it. Throws an
 * UnknownBackupError, a NoBackupError, a ManifestUnreadableError or an ArtifactMissingError.
 */
export const chooseBackup = async (services: Services, { run }: RunRef): Promise<ChooseBackupOutput> => {
  const { state, vault } = services;
  const record = await readRun(state, run);
  if (!record.restore) throw new InvalidInputError(`Run ${run} is no restore.`);
  const { manifest, warnings } = await choose(services, record.restore);
  const cold = await coldObjects(vault, manifest);
  await state.write(stateKeys.run(run), {
    ...{ ...record, backup: manifest.backup },
    ...(warnings.length > 0 && { choiceWarnings: warnings }),
  });
  return { backup: manifest.backup, cold: cold.length };
};
