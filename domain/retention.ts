import * as z from 'zod';
import { backupMoment } from './naming.ts';

/**
 * Retention is S3's: each object carries one class as a tag, and one pair of lifecycle rules per class moves and expires
 * it. Lifecycle knows only age, so the newest backups carry `keep` until newer good ones are committed.
 */

export const gfsClasses = ['daily', 'weekly', 'monthly', 'yearly'] as const;
export const expiringClasses = [...gfsClasses, 'manual'] as const;

/** A class with an age at which its objects expire. */
export const ExpiringClass = z.enum(expiringClasses);
export type ExpiringClass = z.infer<typeof ExpiringClass>;

/** What an object's retention tag may say. `keep` never expires. */
export const RetentionTag = z.enum([...expiringClasses, 'keep']);
export type RetentionTag = z.infer<typeof RetentionTag>;

/** What an object's retention tag says that no backup names: it was deleted, and its versions go soon. */
export const discarded = 'discarded';

/** What retention needs to know of a committed backup. */
export interface Kept {
  readonly backup: string;
  readonly class: ExpiringClass;
  /** False when it lacks something that its configuration lets it lack. */
  readonly complete: boolean;
  /** A verification has found that it is not what was committed. */
  readonly damaged: boolean;
}

const day = 86_400_000;

/** The ISO 8601 week of a moment in UTC, as `2026-W47`. */
const isoWeek = (moment: Date): string => {
  const thursday = new Date(moment.getTime() + (3 - ((moment.getUTCDay() + 6) % 7)) * day);
  const firstDay = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  return `${thursday.getUTCFullYear()}-W${Math.floor((thursday.getTime() - firstDay) / (7 * day)) + 1}`;
};

/** The period of a moment that has one backup of the class. All periods are UTC's, as the ids are. */
const period = (of: 'weekly' | 'monthly' | 'yearly', moment: Date): string => {
  switch (of) {
    case 'weekly':
      return isoWeek(moment);
    case 'monthly':
      return moment.toISOString().slice(0, 7);
    case 'yearly':
      return moment.toISOString().slice(0, 4);
    default:
      return of satisfies never;
  }
};

/**
 * The class of a backup at its commit: `yearly` for the first good scheduled one of its year, then `monthly`, `weekly`,
 * else `daily`; `manual` for one that no schedule asked for. Only committed backups count, so when the first of a month
 * failed, the second becomes the monthly one.
 */
export const classify = (
  backup: string,
  scheduled: boolean,
  committed: readonly Pick<Kept, 'backup' | 'class'>[],
): ExpiringClass => {
  if (!scheduled) return 'manual';
  const moment = backupMoment(backup);
  const others = committed.filter((other) => other.class !== 'manual' && other.backup !== backup);
  for (const candidate of ['yearly', 'monthly', 'weekly'] as const) {
    const mine = period(candidate, moment);
    if (others.every((other) => period(candidate, backupMoment(other.backup)) !== mine)) return candidate;
  }
  return 'daily';
};

/**
 * The tag that each committed backup of a system should carry: `keep` for the newest `keepLast` and for the newest complete
 * one, its own class for the others, newest first. A damaged one takes nobody's place, and is kept until `keepLast` sound ones are newer.
 * `keepLast` is at least 1, so the last good backup never expires.
 */
export const retentionTags = (
  committed: readonly Kept[],
  keepLast: number,
): readonly { backup: string; tag: RetentionTag }[] => {
  const newest = committed.toSorted((a, b) => (a.backup < b.backup ? 1 : -1));
  const complete = newest.find((one) => one.complete && !one.damaged);
  const rankOf = (place: number): number => newest.slice(0, place).filter(({ damaged }) => !damaged).length;
  return newest.map((one, place) => ({
    backup: one.backup,
    tag: rankOf(place) < Math.max(1, keepLast) || one === complete ? 'keep' : one.class,
  }));
};
