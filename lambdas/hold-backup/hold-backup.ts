import { InvalidInputError, ManifestUnreadableError, UnknownBackupError } from '#domain/errors';
import { type Change, holdOf, retentionChanges } from '#domain/history';
import { isRegular } from '#domain/manifest';
import type { HoldOutput, HoldRequest } from '#domain/payloads';
import { readBackup } from '#domain/vault/catalog';
import { changeRetention } from '#domain/vault/changes';
import type { VaultOf } from '../verbs.ts';

/**
 * Puts a hold on a backup, which then never expires, or takes it back; doing it again changes nothing. A good backup that is released stays
 * until the next one is committed: only then is it known whether it is among the newest. Throws an UnknownBackupError, an InvalidInputError
 * where nobody holds what is to be released, and an AlreadyExistsError when somebody else changes the backup at the same moment.
 */
export const holdBackup = async (
  vault: VaultOf<'hold-backup'>,
  { system, backup, change, by, reason }: HoldRequest,
  at: string,
): Promise<HoldOutput> => {
  const found = await readBackup({ vault }, system, backup);
  if (!found)
    throw new UnknownBackupError(
      `There is no backup ${system}/${backup}. Look what there is: holdfast backups ${system}`,
    );
  if (!found.readable)
    throw new ManifestUnreadableError(`The backup ${system}/${backup} can not be read: ${found.reason}.`);
  const { manifest, history } = found;
  // A release that broke off may be done again.
  if (change === 'released' && !holdOf(history) && retentionChanges(history).at(-1)?.change !== 'released')
    throw new InvalidInputError(`Nobody holds ${system}/${backup}.`);
  const entered: Change = {
    ...{ at: new Date(at).toISOString(), change, by },
    tag: change === 'held' || isRegular(manifest) ? 'keep' : manifest.retentionClass,
    ...(reason !== undefined && { reason }),
  };
  await changeRetention(vault, manifest, entered);
  return { system, backup, ...entered };
};
