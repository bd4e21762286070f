import { BackupDamagedError, ManifestUnreadableError, NoBackupError, UnknownBackupError } from '#domain/errors';
import { lastVerified, type Verified } from '#domain/history';
import { objectsOfBackup, type StoredUpload, storedBytes } from '#domain/manifest';
import { backupId, stateKeys } from '#domain/naming';
import type { RunRecord, VerifyBackupOutput, VerifyRequest } from '#domain/payloads';
import { backupsOf, isGood, newestGood, readBackup } from '#domain/vault/catalog';
import { enterVerification } from '#domain/vault/changes';
import { dueForVerification, untouched, type Verifiable, Verification } from '#domain/verification';
import type { StateOf, VaultOf } from '../verbs.ts';
import { resumableSha256 } from './sha256.ts';

export interface Services {
  readonly state: StateOf<'verify-backup'>;
  readonly vault: VaultOf<'verify-backup'>;
  readonly now: () => Date;
  /** Read at once. */
  readonly rangeBytes: number;
}

/** At a bad megabyte per second it takes less than half of what a lambda may run. */
export const rangeBytes = 256 * 1024 ** 2;

/** After that no further range is begun: 5 minutes and a range of 5 are less than the lambda's 15. */
const sliceMilliseconds = 300_000;

/** Faults that are told of one backup. */
const faultsTold = 20;

/** Step Functions keeps 32,768 characters of a cause; a person reads fewer. */
const causeLimit = 8000;

const toRead = async (
  { vault, now }: Services,
  { system, backup }: VerifyRequest,
): Promise<readonly [string, ...string[]]> => {
  if (backup !== undefined) {
    const found =
      backup === 'latest' ? (await newestGood({ vault }, system)).good : await readBackup({ vault }, system, backup);
    if (found) return [found.backup];
    throw new UnknownBackupError(
      `${system} has no backup ${backup}. \`holdfast backups ${system}\` lists what there is.`,
    );
  }
  const verifiable: Verifiable[] = [];
  const unreadable: string[] = [];
  for await (const found of backupsOf({ vault }, system)) {
    if (!found.readable) {
      unreadable.push(found.backup);
      continue;
    }
    const verified = lastVerified(found.history);
    verifiable.push({
      ...{ backup: found.backup, good: isGood(found) },
      ...(verified && { verifiedAt: new Date(verified.at) }),
    });
  }
  const [first, ...others] = [...dueForVerification(verifiable, now()), ...unreadable];
  if (first === undefined) throw new NoBackupError(`${system} has no backup that could be verified.`);
  return [first, ...others];
};

/** Stored bytes of backups: how much there is to read, for whoever watches. */
const bytesOf = async (
  vault: VaultOf<'verify-backup'>,
  system: string,
  backups: readonly string[],
): Promise<number> => {
  const found = await Promise.all(backups.map((backup) => readBackup({ vault }, system, backup)));
  return found.reduce((sum, backup) => sum + (backup?.readable ? storedBytes(backup.manifest) : 0), 0);
};

/** What the vault's listing says against the version that was committed, before it is read; `cold` when it can't be. */
const look = async (
  vault: VaultOf<'verify-backup'>,
  { key, versionId, bytes }: StoredUpload,
): Promise<{ fault?: string; cold?: true }> => {
  const found = (await vault.versions(key)).find((version) => version.key === key && version.versionId === versionId);
  if (!found) return { fault: `${key}: the vault does not have the version that was committed` };
  if (found.bytes !== bytes) return { fault: `${key}: the vault has ${found.bytes} bytes of ${bytes}` };
  return found.cold === undefined ? {} : { cold: true };
};

/** Takes one backup a range, or one of its objects, further. */
const advance = async (services: Services, run: string, before: Verification): Promise<Verification> => {
  const { vault, now } = services;
  const { system, total, todo, object, bytes, faults, cold, done } = before;
  const [backup = '', ...rest] = todo;
  const begun = await readBackup({ vault }, system, backup);
  const next = (ended: readonly Verification['done'][number][]): Verification => ({
    ...{ system, total, done: [...done, ...ended], todo: rest },
    ...{ ...untouched, faults: [] },
  });
  // It has expired since it was chosen.
  if (!begun) return next([]);
  if (!begun.readable) {
    const outcome = begun.untrusted ? 'damaged' : 'unreadable';
    return next([{ backup, outcome, bytes: 0, faults: [begun.reason] }]);
  }
  const { manifest } = begun;
  const upload = objectsOfBackup(manifest)[object];
  if (!upload) {
    const outcome = faults.length > 0 ? 'damaged' : cold ? 'cold' : 'sound';
    const verified: Verified = { at: now().toISOString(), change: 'verified', outcome, bytes, faults, run };
    await enterVerification(vault, manifest, verified);
    return next([{ backup, outcome, bytes, faults }]);
  }
  return advanceObject(services, before, upload);
};

/** Takes one object a range further: to its end when it is no longer than that, or can't be read. */
const advanceObject = async (
  { vault, rangeBytes }: Services,
  before: Verification,
  upload: StoredUpload,
): Promise<Verification> => {
  const { system, total, todo, object, hash, bytes, faults, cold, done } = before;
  const onward = { system, total, todo, done, object: object + 1, bytes, faults, cold };
  const withFault = (fault: string): string[] => [...faults, fault].slice(0, faultsTold);
  if (!hash) {
    const seen = await look(vault, upload);
    if (seen.cold) return { ...onward, cold: true };
    if (seen.fault !== undefined) return { ...onward, faults: withFault(seen.fault) };
  }
  const sha256 = await resumableSha256(hash);
  const from = sha256.bytes();
  const end = Math.min(from + rangeBytes, upload.bytes);
  for await (const chunk of vault.stream(upload, from, end - 1)) sha256.update(chunk);
  if (sha256.bytes() !== end) throw new Error(`${upload.key} was cut off at ${sha256.bytes()} of ${end} bytes.`);
  const read = bytes + end - from;
  if (end < upload.bytes) return { ...before, bytes: read, hash: sha256.save() };
  const found = sha256.digest();
  if (found === upload.sha256) return { ...onward, bytes: read };
  return { ...onward, bytes: read, faults: withFault(`${upload.key}: its SHA-256 is ${found}, not ${upload.sha256}`) };
};

const outputOf = ({ system, todo, done }: Verification): VerifyBackupOutput => {
  if (todo.length > 0) return { status: 'reading' };
  const of = (outcome: (typeof done)[number]['outcome']): string[] =>
    done.filter((one) => one.outcome === outcome).map(({ backup }) => backup);
  const summary = {
    operation: 'verify' as const,
    system,
    bytes: done.reduce((sum, { bytes }) => sum + bytes, 0),
    ...{ sound: of('sound'), damaged: of('damaged'), cold: of('cold'), unreadable: of('unreadable') },
  };
  const damaged = summary.damaged.length > 0;
  if (!damaged && summary.unreadable.length === 0) return { status: 'read', ...summary };
  const told = done.flatMap(({ backup, faults: [first, ...more] }) =>
    first === undefined ? [] : [`${backup}: ${first}${more.length === 0 ? '' : `, and ${more.length} more`}`],
  );
  return {
    status: 'damaged',
    ...summary,
    error: (damaged ? new BackupDamagedError() : new ManifestUnreadableError()).name,
    cause:
      `${damaged ? `What lies in the vault of ${system} is not what was committed` : `What was committed of ${system} cannot be read`}. ${told.join('; ')}.`.slice(
        0,
        causeLimit,
      ),
  };
};

/**
 * Reads backups back for some minutes, compares every object with the manifest, and enters each backup's outcome in its
 * history. `reading` asks to be called again. Throws an UnknownBackupError or a NoBackupError.
 */
export const verifyBackup = async (
  services: Services,
  { run, execution, startedAt }: Pick<RunRecord, 'run' | 'execution' | 'startedAt'>,
  request: VerifyRequest,
): Promise<VerifyBackupOutput> => {
  const { state, now } = services;
  const until = now().getTime() + sliceMilliseconds;
  const key = stateKeys.verification(run);
  let progress = await state.read(key, Verification);
  if (!progress) {
    const todo = await toRead(services, request);
    const record: RunRecord = {
      ...{ system: request.system, operation: 'verify', run, execution, startedAt, attempt: 0 },
      ...{ backup: request.backup === undefined ? backupId(new Date(startedAt)) : todo[0] },
      ...{ scheduled: request.backup === undefined, safety: false },
    };
    await state.write(stateKeys.run(run), record);
    const total = await bytesOf(services.vault, request.system, todo);
    progress = { system: request.system, total, todo: [...todo], done: [], ...untouched, faults: [] };
  }
  do {
    progress = await advance(services, run, progress);
    await state.write(key, progress);
  } while (progress.todo.length > 0 && now().getTime() < until);
  return outputOf(progress);
};
