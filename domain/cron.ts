/**
 * A five-field crontab expression, read by its own grammar and said in the dialect of EventBridge Scheduler, whose weekdays count from
 * 1 = Sunday, where one of day and weekday is `?`, a weekday has no steps, and a range never descends.
 */

interface Field {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  /** Words for its numbers, from its least one on. */
  readonly words?: readonly string[];
}

const weekdays = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] as const;
const months = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'] as const;

const fields = {
  minute: { name: 'minute', least: 0, most: 59 },
  hour: { name: 'hour', least: 0, most: 23 },
  day: { name: 'day of the month', least: 1, most: 31 },
  month: { name: 'month', least: 1, most: 12, words: months },
  weekday: { name: 'weekday', least: 0, most: 7, words: [...weekdays, 'SUN'] },
} as const satisfies Record<string, Field>;

/** As long as a month can be. */
const longest = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** What a field says: every value, every so many, some of them, or a rule of its own such as `L`. */
type Said =
  | { readonly every: number }
  | { readonly ranges: readonly (readonly [from: number, to: number])[] }
  | { readonly rule: string };

const range = (from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, n) => from + n * step);

/** The expression can't be read, or not be said to EventBridge; the message is what was expected. */
class CronError extends Error {
  override readonly name = 'CronError';
}

const refuse = (expected: string): never => {
  throw new CronError(expected);
};

/** A number, or the word for it. Throws a CronError. */
const numberOf = (text: string, { name, least, most, words }: Field): number => {
  const word = words?.indexOf(text.toUpperCase()) ?? -1;
  if (word >= 0) return least + word;
  const value = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most
    ? value
    : refuse(
        `a ${name} from ${least} to ${most}${words ? ` or ${[...new Set(words)].join(', ')}` : ''}, found ${text}`,
      );
};

/** One part of a list: a value, a range, or a range with steps. */
const saidPart = (part: string, field: Field): readonly (readonly [number, number])[] => {
  const [, first, last, by] = /^(\*|\w+)(?:-(\w+))?(?:\/(\d{1,2}))?$/.exec(part) ?? [];
  if (first === undefined) return refuse(`a ${field.name}, found ${part || 'nothing'}`);
  if (by === '0') refuse(`a step of at least 1, found ${part}`);
  if (by !== undefined && last === undefined && first !== '*')
    refuse(`*/${by} or ${first}-${field.most}/${by} as the ${field.name}, found ${part}`);
  const from = first === '*' ? field.least : numberOf(first, field);
  const end = (): number => {
    if (first === '*') return field === fields.weekday ? 6 : field.most;
    if (last === undefined) return from;
    // FRI-SUN ends with the other Sunday.
    return field === fields.weekday && last.toUpperCase() === 'SUN' ? 7 : numberOf(last, field);
  };
  const to = end();
  if (to < from)
    refuse(
      `a range that ascends: write ${first}-${field.words?.at(-1) ?? field.most},${field.words?.[0] ?? field.least}-${last} instead of ${part}`,
    );
  return by === undefined ? [[from, to]] : range(from, to, Number(by)).map((value) => [value, value] as const);
};

const said = (text: string, field: Field): Said => {
  if (text === '*') return { every: 1 };
  if (text === '?') refuse(`* instead of ? as the ${field.name}: this is a crontab's expression`);
  const every = field === fields.weekday ? undefined : /^\*\/(\d{1,2})$/.exec(text)?.[1];
  if (every !== undefined && Number(every) >= 1 && Number(every) <= field.most) return { every: Number(every) };
  if (every !== undefined) refuse(`a step of the ${field.name} from 1 to ${field.most}, found ${every}`);
  return { ranges: text.split(',').flatMap((part) => saidPart(part, field)) };
};

const valuesOf = (what: Said, { least, most }: Field): readonly number[] =>
  'every' in what
    ? range(least, most, what.every)
    : 'rule' in what
      ? (/^\d+(?=W)/.exec(what.rule) ?? []).map(Number)
      : what.ranges.flatMap(([from, to]) => range(from, to));

/** The day of the month may also be the last one, or the working day nearest to one. */
const sayDay = (text: string): Said => {
  const rule = text.toUpperCase();
  const nearest = /^(\d{1,2})W$/.exec(rule)?.[1];
  if (nearest !== undefined) numberOf(nearest, fields.day);
  return /^(L|LW|\d{1,2}W)$/.test(rule) ? { rule } : said(text, fields.day);
};

/** The weekday may also be the last one of the month, or the first to the fifth. EventBridge takes one of these, alone. */
const sayWeekday = (text: string): Said => {
  const [, day, which] = /^(\w{3}|\d)(L|#\d)$/i.exec(text) ?? [];
  if (day === undefined || which === undefined) {
    if (/[L#]/i.test(text.replaceAll(/[a-z]{3}/gi, ''))) refuse(`one weekday such as 5L or 5#2 alone, found ${text}`);
    return said(text, fields.weekday);
  }
  if (!/^(L|#[1-5])$/i.test(which)) refuse(`a weekday from #1 to #5 of its month, found ${text}`);
  return { rule: `${(numberOf(day, fields.weekday) % 7) + 1}${which.toUpperCase()}` };
};

/** An expression as it was read. */
interface Crontab {
  readonly minute: Said;
  readonly hour: Said;
  readonly day: Said;
  readonly month: Said;
  readonly weekday: Said;
}

/** Reads an expression. Throws a CronError that says what was expected. */
const read = (text: string): Crontab => {
  const parts = text.trim().split(/\s+/);
  const [minute, hour, day, month, weekday] = parts;
  if (parts.length !== 5 || !minute || !hour || !day || !month || !weekday)
    return refuse(
      `five fields as in a crontab (minute hour day month weekday) such as 0 2 * * *, found ${/^cron\(/.test(text.trim()) ? "EventBridge's own form" : parts.length}`,
    );
  const crontab = {
    minute: said(minute, fields.minute),
    hour: said(hour, fields.hour),
    day: sayDay(day),
    month: said(month, fields.month),
    weekday: sayWeekday(weekday),
  };
  const isAny = (what: Said): boolean => 'every' in what && what.every === 1;
  if (!isAny(crontab.day) && !isAny(crontab.weekday))
    refuse('a day of the month or a weekday, not both: EventBridge Scheduler has no "or". Write two schedules');
  const days = valuesOf(crontab.day, fields.day);
  const inMonths = valuesOf(crontab.month, fields.month);
  if (days.length > 0 && !inMonths.some((one) => days.some((of) => of <= (longest[one - 1] ?? 0))))
    refuse(
      `a day that its month has: ${months[(inMonths[0] ?? 1) - 1]} has ${longest[(inMonths[0] ?? 1) - 1]} days at most, so this never fires`,
    );
  return crontab;
};

/** What is wrong with a five-field expression, or undefined when EventBridge Scheduler can keep it. */
export const cronFault = (text: string): string | undefined => {
  try {
    read(text);
    return undefined;
  } catch (error) {
    if (error instanceof CronError) return `expected ${error.message}`;
    throw error;
  }
};

const numbers = (what: Said): string => {
  if ('rule' in what) return what.rule;
  if ('every' in what) return what.every === 1 ? '*' : `*/${what.every}`;
  return what.ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
};

/** Weekdays by their names; a range that would descend, since EventBridge's week begins with Sunday, is a list. */
const names = (what: Said): string => {
  if (!('ranges' in what)) return numbers(what);
  const name = (day: number): string => weekdays[day % 7] ?? '';
  return what.ranges
    .map(([from, to]) =>
      from === to
        ? name(from)
        : to < 7
          ? `${name(from)}-${name(to)}`
          : [...new Set(range(from, to).map(name))].join(','),
    )
    .join(',');
};

/** The expression in EventBridge Scheduler's dialect, `cron(0 2 * * ? *)`. Throws an error when it can't be said. */
export const eventBridgeCron = (text: string): string => {
  const { minute, hour, day, month, weekday } = read(text);
  const onAnyWeekday = 'every' in weekday;
  return `cron(${numbers(minute)} ${numbers(hour)} ${onAnyWeekday ? numbers(day) : '?'} ${numbers(month)} ${onAnyWeekday ? '?' : names(weekday)} *)`;
};
