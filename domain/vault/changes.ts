import pMap from 'p-map';
import type { BucketFor } from '#domain/contracts/access';
import { type Change, History, retentionChanges, type Verified } from '#domain/history';
import { type Manifest, objectsOfBackup } from '#domain/manifest';
import { everyReader, instanceArn, longestTag, readersTag, tagKeys, vaultKeys } from '#domain/naming';
import type { ObjectVersion } from '#domain/ports';
import { discarded } from '#domain/retention';

/** What is changed in the vault after a commit: histories and tags, never a manifest. */

/**
 * Enters a verification in a backup's history, once per run. Throws an AlreadyExistsError, and changes nothing, when somebody
 * else makes an entry at the same moment.
 */
export const enterVerification = async (
  vault: BucketFor<{ 'catalog/': readonly ['read', 'write', 'tag'] }>,
  { system, backup }: Pick<Manifest, 'system' | 'backup'>,
  verified: Verified,
): Promise<void> => {
  const key = vaultKeys.history(system, backup);
  const found = await vault.read(key);
  const history = found ? History.parse(JSON.parse(found.text)) : [];
  if (history.some((entry) => entry.change === 'verified' && entry.run === verified.run)) return;
  const text = JSON.stringify([...history, verified], undefined, 2);
  // It expires with its backup.
  const { [tagKeys.retention]: retention } = await vault.tags({ key: vaultKeys.manifest(system, backup) });
  const tags = retention === undefined ? {} : { [tagKeys.retention]: retention };
  if (!found) return vault.create(key, text, tags);
  await vault.replace(key, text, found.etag);
  await vault.tag({ key }, tags);
};

/** Deletes an object that no backup names. What lies below the marker is tagged first, so that the lifecycle removes it soon. */
export const discard = async (vault: BucketFor<{ 'backups/': readonly ['discard'] }>, key: string): Promise<void> => {
  await vault.tag({ key }, { [tagKeys.retention]: discarded });
  await vault.delete(key);
};

/**
 * Lets nodes read a version until the run's traces are removed: those that are named. What lies among the installers is opened to
 * every node of the system when they are too many to be named; nothing of a backup ever is.
 */
export const openTo = async (
  vault: BucketFor<{ 'backups/': readonly ['tag-versions'] }>,
  execution: string,
  { key, versionId }: ObjectVersion,
  instanceIds: readonly string[],
): Promise<void> => {
  const object = { key, versionId };
  const named = readersTag(instanceIds.map((id) => instanceArn(execution, id)));
  const readers = named.length > longestTag && vaultKeys.isInstaller(key) ? everyReader : named;
  await vault.tag(object, { ...(await vault.tags(object)), [tagKeys.restore]: readers });
};

/** Objects tagged side by side. */
const taggedAtOnce = 10;

/**
 * Gives every object of a backup the tag of a change, and enters it in the backup's history first. The manifest comes last
 * when the backup is kept and first when it is let go: however an attempt breaks off, a manifest never outlives what it names.
 * Doing it again changes nothing. Throws an AlreadyExistsError, and changes nothing, when
 * somebody else makes a change at the same moment.
 */
export const changeRetention = async (
  vault: BucketFor<{ 'catalog/': readonly ['read', 'write', 'tag']; 'backups/': readonly ['tag-versions'] }>,
  manifest: Manifest,
  change: Change,
): Promise<void> => {
  const { system, backup } = manifest;
  const key = vaultKeys.history(system, backup);
  const found = await vault.read(key);
  const history = found ? History.parse(JSON.parse(found.text)) : [];
  const last = retentionChanges(history).at(-1);
  if (last?.change !== change.change || last.tag !== change.tag) {
    const text = JSON.stringify([...history, change], undefined, 2);
    await (found ? vault.replace(key, text, found.etag) : vault.create(key, text));
  }
  // An object that is written again has lost its tags. Its new life outlasts the manifest's, whatever breaks off after this.
  await vault.tag({ key }, { [tagKeys.retention]: change.tag });
  // A restore that is under way has a tag of its own on what it reads.
  const tag = async ({ key: Key, versionId }: ObjectVersion): Promise<void> => {
    const one = { key: Key, versionId };
    await vault.tag(one, { ...(await vault.tags(one)), [tagKeys.retention]: change.tag });
  };
  const objects = objectsOfBackup(manifest);
  const itself = { key: vaultKeys.manifest(system, backup) };
  if (change.tag !== 'keep') await tag(itself);
  await pMap(objects, tag, { concurrency: taggedAtOnce });
  if (change.tag === 'keep') await tag(itself);
};
