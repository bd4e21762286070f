import { describe, expect, it } from 'vitest';
import { cronFault, longestGap, overdueAfterSeconds, rateMilliseconds, schedulerExpression } from '#domain/schedule';

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
  ])('%s is %s', (text, expression) => {
    expect(cron(text)).toBe(expression);
  });

  it('knows what it cannot say', () => {
    expect(cronFault('0 2 1 * 1')).toMatch(/not both/);
    expect(cronFault('0 2 * *')).toMatch(/five fields/);
    expect(cronFault('61 2 * * *')).toMatch(/expected a cron expression/);
    expect(cronFault('0 2 * * *')).toBeUndefined();
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
