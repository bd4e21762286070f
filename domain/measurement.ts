import * as z from 'zod';
import { type Config, timingsOf } from './config.ts';
import { type Manifest, storedBytes } from './manifest.ts';
import { backupMoment, type SystemMetric } from './naming.ts';
import { overdueAfterSeconds } from './schedule.ts';
import { uploadOrphanedAfterDays } from './tidying.ts';

/** What is measured of a system, from what was committed alone. */

/** Backups that the newest is compared with. */
export const comparedWith = 5;

/** An upload that goes on for longer is nobody's, and neither the lifecycle nor the janitor has ended it: they had a day more. */
const orphanedAfter = (uploadOrphanedAfterDays + 1) * 86_400_000;

/** How many times a size is larger, or smaller, than the median of others: at least 1; undefined without others. */
export const deviation = (size: number, others: readonly number[]): number | undefined => {
  const sorted = others.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[sorted.length % 2 === 0 ? half - 1 : half], sorted[half]];
  if (low === undefined || high === undefined) return undefined;
  const ratio = size / ((low + high) / 2);
  return Math.max(ratio, 1 / ratio);
};

export interface Measured {
  /** Good ones, newest first: one more than is compared with, where there are as many. */
  readonly newest: readonly Pick<Manifest, 'backup' | 'artifacts' | 'startedAt' | 'committedAt' | 'nodes'>[];
  /** When a backup was last read back whole and found sound; absent when none ever was. */
  readonly verifiedAt?: Date;
  /** The oldest committed backup: since when there is something to verify. */
  readonly oldest?: string;
  readonly uploads: readonly { readonly startedAt: Date }[];
}

/** The metrics of a system. What is not known is left out, which the alarm on its age takes for overdue. */
export const measure = (
  { newest: [newest, ...others], verifiedAt, oldest, uploads }: Measured,
  now: Date,
): Readonly<Partial<Record<SystemMetric, number>>> => {
  const since = (moment: Date): number => Math.max(0, Math.round((now.getTime() - moment.getTime()) / 1000));
  const checked = verifiedAt ?? (oldest === undefined ? undefined : backupMoment(oldest));
  const size = newest && storedBytes(newest);
  const deviates = size && deviation(size, others.slice(0, comparedWith).map(storedBytes));
  return {
    ...(newest && {
      // An id in the future must not keep the age at nothing.
      age: Math.max(since(backupMoment(newest.backup)), since(new Date(newest.committedAt))),
      duration: Math.round((Date.parse(newest.committedAt) - Date.parse(newest.startedAt)) / 1000),
    }),
    ...(size !== undefined && { bytes: size }),
    ...(deviates !== undefined && { deviation: deviates }),
    ...(checked && { verificationAge: since(checked) }),
    orphanUploads: uploads.filter(({ startedAt }) => now.getTime() - startedAt.getTime() > orphanedAfter).length,
  };
};

/** The systems that are deployed, also those that have never run. Made by measure-age, read by the command line. */
export const Deployed = z.object({
  systems: z.record(
    z.string(),
    z.object({
      /** The age of its newest good backup from which the alarm is raised; absent without a schedule. */
      overdueAfterSeconds: z.number().optional(),
    }),
  ),
});
export type Deployed = z.infer<typeof Deployed>;

/** What is expected of each configured system. */
export const deployedSystems = (config: Config, now: Date): Deployed => ({
  systems: Object.fromEntries(
    Object.entries(config.systems).map(([system, configured]) => {
      const timings = timingsOf(config, configured).map(({ timing }) => timing);
      return [system, { overdueAfterSeconds: overdueAfterSeconds(timings, now) }];
    }),
  ),
});
