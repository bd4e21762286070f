import { Cron } from 'croner';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cronFault } from '#domain/cron';
import {
  isLocalTime,
  longestGap,
  overdueAfterSeconds,
  rateMilliseconds,
  schedulerExpression,
  spreadMinutes,
} from '#domain/schedule';

const hour = 3_600_000;
const cron = (text: string): string => schedulerExpression({ cron: text, timezone: 'UTC' });

describe("a crontab's expression for EventBridge Scheduler", () => {
  it.each([
    ['30 1 * * *', 'cron(30 1 * * ? *)'],
    ['0 2 * * 0', 'cron(0 2 ? * SUN *)'],
    ['0 2 * * 7', 'cron(0 2 ? * SUN *)'],
    ['0 2 * * 1-5', 'cron(0 2 ? * MON-FRI *)'],
    ['0 2 * * 1,3,5', 'cron(0 2 ? * MON,WED,FRI *)'],
    ['*/15 8-18 1 1 *', 'cron(*/15 8-18 1 1 ? *)'],
    ['0 2 * * MON', 'cron(0 2 ? * MON *)'],
    ['0 2 * * 5-7', 'cron(0 2 ? * FRI,SAT,SUN *)'],
    ['0 2 * * fri-sun', 'cron(0 2 ? * FRI,SAT,SUN *)'],
    ['0 2 * * 0-2', 'cron(0 2 ? * SUN-TUE *)'],
    ['0 2 * * */2', 'cron(0 2 ? * SUN,TUE,THU,SAT *)'],
    ['0 2 * * 1-5/2', 'cron(0 2 ? * MON,WED,FRI *)'],
    ['0 8-18/4 * * *', 'cron(0 8,12,16 * * ? *)'],
    ['05 02 01 jan-mar *', 'cron(5 2 1 1-3 ? *)'],
    ['0 2 * * 5L', 'cron(0 2 ? * 6L *)'],
    ['0 2 * * 5#2', 'cron(0 2 ? * 6#2 *)'],
    ['0 2 * * 7#1', 'cron(0 2 ? * 1#1 *)'],
    ['0 2 * * MON#1', 'cron(0 2 ? * 2#1 *)'],
    ['0 2 L * *', 'cron(0 2 L * ? *)'],
    ['0 2 15w * *', 'cron(0 2 15W * ? *)'],
    ['0 2 29 2 *', 'cron(0 2 29 2 ? *)'],
  ])('%s is %s', (text, expression) => {
    expect(cron(text)).toBe(expression);
  });

  it.each([
    ['0 2 1 * 1', /not both.*Write two schedules/],
    ['0 2 * *', /five fields.*found 4/],
    ['0 0 2 * * *', /five fields.*found 6/],
    ['cron(0 2 * * ? *)', /five fields.*EventBridge's own form/],
    ['@daily', /five fields/],
    ['61 2 * * *', /a minute from 0 to 59, found 61/],
    ['0 2 * 13 *', /a month from 1 to 12 or JAN, .* found 13/],
    ['0 2 ? * 1', /\* instead of \? as the day of the month/],
    ['0 2 1 * ?', /\* instead of \? as the weekday/],
    ['50-10 2 * * *', /write 50-59,0-10 instead of 50-10/],
    ['0 2 * * 6-2', /write 6-SUN,SUN-2 instead of 6-2/],
    ['5/10 2 * * *', /\*\/10 or 5-59\/10 as the minute, found 5\/10/],
    ['*/0 2 * * *', /a step of the minute from 1 to 59/],
    ['0 2 30 2 *', /FEB has 29 days at most, so this never fires/],
    ['0 2 31 4,6 *', /never fires/],
    ['0 2 * * +1', /a weekday, found \+1/],
    ['0 2 * * 5#6', /from #1 to #5/],
    ['0 2 * * 1#1,3#2', /alone/],
    ['0 2 * * MON#MON', /one weekday such as 5L or 5#2 alone/],
    ['0 2,,3 * * *', /an? hour, found nothing/],
  ])('%s is refused, with what to write', (text, reason) => {
    expect(cronFault(text)).toMatch(reason);
  });

  it('fires when the crontab does, and is never what EventBridge refuses', () => {
    const list = (least: number, most: number) =>
      fc.oneof(
        fc.constant('*'),
        fc.uniqueArray(fc.integer({ min: least, max: most }), { minLength: 1, maxLength: 3 }).map(String),
        fc
          .tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most }))
          .map((pair) => pair.toSorted((a, b) => a - b).join('-')),
        fc.integer({ min: 2, max: 6 }).map((step) => `*/${step}`),
        fc
          .tuple(fc.integer({ min: least, max: least + 2 }), fc.integer({ min: 1, max: 3 }))
          .map(([from, step]) => `${from}-${most}/${step}`),
      );
    const weekday = fc.oneof(list(0, 7), fc.constantFrom('5L', '1#2', 'FRI-SUN', 'SAT'));
    const any = fc.oneof(
      fc.tuple(list(0, 59), list(0, 23), list(1, 28), list(1, 12), fc.constant('*')),
      fc.tuple(list(0, 59), list(0, 23), fc.constant('*'), list(1, 12), weekday),
    );
    fc.assert(
      fc.property(any, (fields) => {
        const text = fields.join(' ');
        expect([text, cronFault(text)]).toEqual([text, undefined]);
        const said = cron(text).slice(5, -1).split(' ');
        const day = '(SUN|MON|TUE|WED|THU|FRI|SAT)';
        expect(said[4]).toMatch(new RegExp(String.raw`^(\?|[1-7](L|#[1-5])|${day}([-,]${day})*)$`));
        for (const [, from = '', to = ''] of (said[4] ?? '').matchAll(/([A-Z]{3})-([A-Z]{3})/g)) {
          const week = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
          expect(week.indexOf(from)).toBeLessThan(week.indexOf(to));
        }
        expect([said[2] === '?', said[4] === '?']).toEqual([said[4] !== '?', said[2] !== '?']);
        // The dialects differ in a day's number alone, so names and ? make it a crontab's again.
        const back = [...said.slice(0, 4), said[4]?.replace(/^\d/, (digit) => `${Number(digit) - 1}`)]
          .map((field) => (field === '?' ? '*' : field))
          .join(' ');
        const from = new Date('2026-11-29T00:00:00Z');
        const runs = (pattern: string) => new Cron(pattern, { paused: true, timezone: 'UTC' }).nextRuns(5, from);
        expect(runs(back)).toEqual(runs(text));
      }),
    );
  });

  it('says a rate with its unit as EventBridge counts it', () => {
    expect(['1 hours', '6 hour', '20 minutes'].map((rate) => schedulerExpression({ rate }))).toEqual([
      'rate(1 hour)',
      'rate(6 hours)',
      'rate(20 minutes)',
    ]);
  });

  it('knows the days of the calendar', () => {
    expect(['2027-02-28', '2028-02-29', '2027-12-31'].map((day) => isLocalTime(`${day}T02:00:00`))).toEqual([
      true,
      true,
      true,
    ]);
    expect(['2027-02-30', '2027-02-29', '2027-13-01'].map((day) => isLocalTime(`${day}T02:00:00`))).toEqual([
      false,
      false,
      false,
    ]);
    expect(isLocalTime('2027-01-01T25:00:00')).toBe(false);
  });

  it('begins within five minutes, and what happens once or more often than hourly at its time', () => {
    const now = new Date('2026-11-29T00:00:00Z');
    const spread = (...timings: Parameters<typeof spreadMinutes>[0][]) =>
      timings.map((timing) => spreadMinutes(timing, now));
    expect(spread({ cron: '0 2 * * *', timezone: 'UTC' }, { cron: '*/30 * * * *', timezone: 'UTC' })).toEqual([5, 0]);
    expect(spread({ rate: '1 hour' }, { rate: '59 minutes' })).toEqual([5, 0]);
    expect(spread({ at: '2027-01-01T00:00:00', timezone: 'UTC' })).toEqual([0]);
  });
});

describe('the longest gap of a schedule', () => {
  const from = new Date('2026-06-01T00:00:00Z');

  it('has the 25 hours of the day on which summer time ends', () => {
    expect(longestGap({ cron: '0 2 * * *', timezone: 'UTC' }, from)).toBe(24 * hour);
    expect(longestGap({ cron: '30 1 * * *', timezone: 'Europe/Berlin' }, from)).toBe(25 * hour);
  });

  it('spans the week-end of a schedule for working days', () => {
    expect(longestGap({ cron: '0 2 * * 1-5', timezone: 'UTC' }, from)).toBe(72 * hour);
  });

  it('is the rate of a rate, and without end for what happens once', () => {
    expect(longestGap({ rate: '6 hours' }, from)).toBe(6 * hour);
    expect(longestGap({ at: '2027-01-01T00:00:00', timezone: 'UTC' }, from)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('the age from which a backup is overdue', () => {
  const from = new Date('2026-06-01T00:00:00Z');

  it('is one and a half gaps of the schedule that fires most often', () => {
    const timings = [{ cron: '0 2 * * 1-5', timezone: 'UTC' }, { rate: '6 hours' }];
    expect(overdueAfterSeconds(timings, from)).toBe((1.5 * 6 * hour) / 1000);
    expect(overdueAfterSeconds(timings.slice(0, 1), from)).toBe((1.5 * 72 * hour) / 1000);
  });

  it('is 400 days for what happens once, and none where nothing is scheduled', () => {
    expect(overdueAfterSeconds([{ at: '2027-01-01T00:00:00', timezone: 'UTC' }], from)).toBe(400 * 86_400);
    expect(overdueAfterSeconds([], from)).toBeUndefined();
  });
});

it.each(['0 hours', '6', '6 weeks', 'hourly', '-1 days'])('%s is no rate', (rate) => {
  expect(rateMilliseconds(rate)).toBeUndefined();
});
