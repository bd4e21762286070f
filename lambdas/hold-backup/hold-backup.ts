import type { Config } from '#domain/config';
import { InvalidInputError, ManifestUnreadableError, UnknownBackupError } from '#domain/errors';
import { type Change, holdOf, retentionChanges } from '#domain/history';
import { isRegular, objectsOfBackup } from '#domain/manifest';
import { vaultKeys } from '#domain/naming';
import type { HoldOutput, HoldRequest } from '#domain/payloads';
import { readBackup } from '#domain/vault/catalog';
import { changeRetention } from '#domain/vault/changes';
import type { VaultOf } from '../verbs.ts';

export interface Services {
  readonly config: Pick<Config, 'vault'>;
  readonly vault: VaultOf<'hold-backup'>;
}

/**
 * Puts a hold on a backup, which then never expires and, with Object Lock, can be deleted by nobody, or takes it back; doing it again changes nothing. A good backup that is released stays
 * until the next one is committed: only then is it known whether it is among the newest. Throws an UnknownBackupError, an InvalidInputError
 * where nobody holds what is to be released, and an AlreadyExistsError when somebody else changes the backup at the same moment.
 */
export const holdBackup = async (
  { config, vault }: Services,
  { system, backup, change, by, reason }: HoldRequest,
  at: string,
): Promise<HoldOutput> => {
  const found = await readBackup({ vault }, system, backup);
  if (!found)
    throw new UnknownBackupError(
      `There is no backup ${system}/${backup}. List the backups: holdfast backups ${system}`,
    );
  if (!found.readable)
    throw new ManifestUnreadableError(`The backup ${system}/${backup} cannot be read: ${found.reason}.`);
  const { manifest, history } = found;
  // A release that broke off may be done again.
  if (change === 'released' && !holdOf(history) && retentionChanges(history).at(-1)?.change !== 'released')
    throw new InvalidInputError(`Nobody holds ${system}/${backup}.`);
  const entered: Change = {
    ...{ at: new Date(at).toISOString(), change, by },
    tag: change === 'held' || isRegular(manifest) ? 'keep' : manifest.retentionClass,
    ...(reason !== undefined && { reason }),
  };
  const holdAll = async (isHeld: boolean): Promise<void> => {
    if (!config.vault.objectLock) return;
    for (const object of [...objectsOfBackup(manifest), { key: vaultKeys.manifest(system, backup) }])
      await vault.hold(object, isHeld);
  };
  // Held first and released last: what the history says is held is held.
  if (change === 'held') await holdAll(true);
  await changeRetention(vault, manifest, entered);
  if (change === 'released') await holdAll(false);
  return { system, backup, ...entered };
};
