import * as z from 'zod';
import { Verified, verifiedOutcomes } from './history.ts';
import { BackupId, backupMoment, SystemId } from './naming.ts';

/** Reading backups back from the vault: which are due, and how far a run of it has come. */

const day = 86_400_000;

/** Whatever lives longer than that was read at least once meanwhile. */
export const coverageDays = 365;

/** The longest time between two monthly runs. */
const betweenRunsDays = 31;

/** Eleven runs read everything, so that within a year one may be missed. */
const runsToCoverAll = 11;

/** What the choice of backups to read needs to know of one. */
export interface Verifiable {
  readonly backup: string;
  /** Absent when it never was. */
  readonly verifiedAt?: Date;
  /** A restore may choose it by itself. */
  readonly good: boolean;
}

/**
 * The backups that a monthly run reads back, those first that were not for longest: an eleventh of all, whatever would
 * otherwise pass a year before the next run, and in any case the newest good one, which a restore would take.
 */
export const dueForVerification = (backups: readonly Verifiable[], now: Date): readonly string[] => {
  const since = ({ backup, verifiedAt }: Verifiable): number => (verifiedAt ?? backupMoment(backup)).getTime();
  const stalest = backups.toSorted((a, b) => since(a) - since(b) || (a.backup < b.backup ? -1 : 1));
  const share = Math.ceil(backups.length / runsToCoverAll);
  const latest = now.getTime() - (coverageDays - betweenRunsDays) * day;
  const due = stalest.filter((one, rank) => rank < share || since(one) <= latest).map(({ backup }) => backup);
  const newest = backups
    .filter(({ good }) => good)
    .map(({ backup }) => backup)
    .toSorted()
    .at(-1);
  return newest === undefined || due.includes(newest) ? due : [...due, newest];
};

/** The state of an unfinished hash. */
export const HashState = z.object({
  bytes: z.int().nonnegative(),
  /** As the library saves it, in base64. */
  state: z.base64(),
});
export type HashState = z.infer<typeof HashState>;

/** How far a run has come: what its next slice goes on from. */
export const Verification = z.object({
  system: SystemId,
  /** Bytes of all that the run was to read. */
  total: z.int().nonnegative().optional(),
  /** What is left, the first one unfinished. */
  todo: z.array(BackupId),
  /** The object of the first one that is being read, by its place in the manifest. */
  object: z.int().nonnegative(),
  /** What was read of that object. */
  hash: HashState.optional(),
  /** Of the first one: bytes read, and what is not as it was committed. */
  bytes: z.int().nonnegative(),
  faults: z.array(z.string()),
  cold: z.boolean(),
  done: z.array(
    z.object({
      backup: BackupId,
      /** `unreadable`: what was committed is not known, since its manifest can't be read. */
      outcome: z.enum([...verifiedOutcomes, 'unreadable']),
      bytes: Verified.shape.bytes,
      faults: Verified.shape.faults,
    }),
  ),
});
export type Verification = z.infer<typeof Verification>;

/** Bytes that a run has read so far. */
export const bytesRead = ({ bytes, done }: Pick<Verification, 'bytes' | 'done'>): number =>
  done.reduce((sum, one) => sum + one.bytes, bytes);

/** Before the first byte of a backup. */
export const untouched = { object: 0, bytes: 0, faults: [], cold: false } as const;
