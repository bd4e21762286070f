import { Cron } from 'croner';
import { eventBridgeCron } from './cron.ts';

/** When a schedule fires: five-field cron in a time zone, a fixed rate, or once. */
export type Timing =
  | { readonly cron: string; readonly timezone: string }
  | { readonly rate: string }
  | { readonly at: string; readonly timezone: string };

/** Units of a rate in milliseconds. */
const units: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** The milliseconds of a rate such as `6 hours`, or undefined when it is none. */
export const rateMilliseconds = (rate: string): number | undefined => {
  const parts = /^([1-9]\d{0,4}) (minute|hour|day)s?$/.exec(rate);
  const unit = parts?.[2] === undefined ? undefined : units[parts[2]];
  return unit === undefined ? undefined : Number(parts?.[1]) * unit;
};

/** The expression that EventBridge Scheduler understands, such as `cron(0 2 * * ? *)`. */
export const schedulerExpression = (timing: Timing): string => {
  if ('rate' in timing) {
    const [count = '', unit = ''] = timing.rate.split(' ');
    return `rate(${count} ${unit.replace(/s$/, '')}${count === '1' ? '' : 's'})`;
  }
  return 'at' in timing ? `at(${timing.at})` : eventBridgeCron(timing.cron);
};

/** True for a local time that the calendar has, such as `2028-02-29T02:00:00`. */
export const isLocalTime = (at: string): boolean => {
  const moment = new Date(`${at}Z`);
  return !Number.isNaN(moment.getTime()) && moment.toISOString().slice(0, 19) === at;
};

/** When it fires next after a moment; undefined when it never does again, and for a rate, which counts from its deployment. */
export const nextRun = (timing: Timing, now: Date): Date | undefined => {
  if ('rate' in timing) return undefined;
  // Croner takes a local time in a zone as well as a pattern.
  const pattern = 'cron' in timing ? timing.cron : timing.at;
  return new Cron(pattern, { paused: true, timezone: timing.timezone }).nextRun(now) ?? undefined;
};

/**
 * Minutes within which EventBridge may start it: everything at the same minute would meet an account's limits. What happens once, or
 * more often than hourly, is started at its time.
 */
export const spreadMinutes = (timing: Timing, now: Date): number => {
  if ('at' in timing) return 0;
  if ('rate' in timing) return (rateMilliseconds(timing.rate) ?? 0) < 3_600_000 ? 0 : 5;
  const first = nextRun(timing, now);
  const second = first && nextRun(timing, first);
  return first && second && second.getTime() - first.getTime() < 3_600_000 ? 0 : 5;
};

/**
 * The longest time in milliseconds between two ticks of a schedule within the 400 days after `from`: what the age of the
 * newest backup may reach when nothing was missed. Infinity for a schedule that fires once. A change to daylight saving
 * time makes a day of 25 hours, so it counts.
 */
export const longestGap = (timing: Timing, from: Date): number => {
  if ('at' in timing) return Number.POSITIVE_INFINITY;
  if ('rate' in timing) return rateMilliseconds(timing.rate) ?? Number.POSITIVE_INFINITY;
  const cron = new Cron(timing.cron, { paused: true, timezone: timing.timezone });
  const end = from.getTime() + 400 * 86_400_000;
  let longest = 0;
  let previous = cron.nextRun(from);
  // A schedule finer than hourly repeats within a few days; 2,000 ticks see every gap of an hourly one's DST change week.
  for (let ticks = 0; previous && previous.getTime() < end && ticks < 20_000; ticks++) {
    const next = cron.nextRun(previous);
    if (!next) break;
    longest = Math.max(longest, next.getTime() - previous.getTime());
    previous = next;
  }
  return longest === 0 ? Number.POSITIVE_INFINITY : longest;
};

/** A slot may be ahead of the clock by which an execution was started. */
const aheadMilliseconds = 5 * 60_000;

/** The scheduler tries for an hour, and a failed run is redriven on the same day or not at all. */
const lateMilliseconds = 86_400_000;

/** The scheduler and this program may read the hour that a change of daylight saving time skips or repeats in two ways. */
const besideMilliseconds = 3_600_000;

/** What is against a slot that a caller names, or undefined when the schedule may have fired for it. */
export const slotFault = (timing: Timing, slot: Date, startedAt: Date): string | undefined => {
  const ahead = slot.getTime() - startedAt.getTime();
  if (ahead > aheadMilliseconds) return 'is in the future';
  if (-ahead > lateMilliseconds) return 'is more than a day ago';
  if ('rate' in timing) return undefined;
  const tick =
    'at' in timing
      ? new Cron(timing.at, { paused: true, timezone: timing.timezone }).nextRun(new Date(0))
      : new Cron(timing.cron, { paused: true, timezone: timing.timezone }).nextRun(
          new Date(slot.getTime() - besideMilliseconds - 1),
        );
  return tick && Math.abs(tick.getTime() - slot.getTime()) <= besideMilliseconds
    ? undefined
    : 'is none of its schedule';
};

/** A schedule that fires once has no gap: what it made is overdue when there was nothing new for longer than that. */
const onceSeconds = 400 * 86_400;

/**
 * The age in seconds from which a system's newest good backup is overdue: one and a half times the longest gap of the schedule
 * whose longest gap is shortest. Undefined without a schedule.
 */
export const overdueAfterSeconds = (timings: readonly Timing[], now: Date): number | undefined =>
  timings.length === 0
    ? undefined
    : Math.min(onceSeconds, Math.round(Math.min(...timings.map((timing) => longestGap(timing, now))) * 0.0015));
