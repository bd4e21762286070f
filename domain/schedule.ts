import { Cron } from 'croner';

/** When a schedule fires: five-field cron in a time zone, a fixed rate, or once. */
export type Timing =
  | { readonly cron: string; readonly timezone: string }
  | { readonly rate: string }
  | { readonly at: string; readonly timezone: string };

const dayNames = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'] as const;

/** Units of a rate in milliseconds. */
const units: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** The milliseconds of a rate such as `6 hours`, or undefined when it is none. */
export const rateMilliseconds = (rate: string): number | undefined => {
  const parts = /^([1-9]\d{0,4}) (minute|hour|day)s?$/.exec(rate);
  const unit = parts?.[2] === undefined ? undefined : units[parts[2]];
  return unit === undefined ? undefined : Number(parts?.[1]) * unit;
};

/** What is wrong with a five-field cron expression, or undefined when EventBridge Scheduler can keep it. */
export const cronFault = (cron: string): string | undefined => {
  const fields = cron.trim().split(/\s+/);
  if (fields.length !== 5) return `expected five fields (minute hour day month weekday), found ${fields.length}`;
  if (fields[2] !== '*' && fields[4] !== '*')
    return 'expected a day of the month or a weekday, not both: EventBridge Scheduler has no "or"';
  try {
    new Cron(cron, { paused: true, timezone: 'UTC' });
    return undefined;
  } catch (error) {
    return `expected a cron expression: ${error instanceof Error ? error.message : 'unreadable'}`;
  }
};

/**
 * The expression that EventBridge Scheduler understands, `cron(0 2 * * ? *)`. Its weekdays count from 1 = Sunday where
 * crontab's count from 0, so numbers become names; of day and weekday one must be `?`.
 */
export const schedulerExpression = (timing: Timing): string => {
  if ('rate' in timing) return `rate(${timing.rate})`;
  if ('at' in timing) return `at(${timing.at})`;
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = timing.cron.trim().split(/\s+/);
  const named = weekday.replace(/(?<![\d/])[0-7](?!\d)/g, (digit) => dayNames[Number(digit)] ?? digit);
  return `cron(${minute} ${hour} ${weekday === '*' ? day : '?'} ${month} ${weekday === '*' ? '?' : named} *)`;
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
