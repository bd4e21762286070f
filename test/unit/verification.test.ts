import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backupId, backupMoment } from '#domain/naming';
import { coverageDays, dueForVerification, type Verifiable } from '#domain/verification';

const day = 86_400_000;
const start = Date.UTC(2026, 0, 1, 2);
const moment = (days: number): Date => new Date(start + days * day);

/** Days on which the monthly run comes. */
const monthly = Array.from({ length: 40 }, (_, month) => Math.round((Date.UTC(2026, month, 1, 12) - start) / day));

describe('the monthly sample', () => {
  it('leaves nothing unread for a year, however backups come and go', () => {
    const lives = fc.array(fc.record({ made: fc.nat({ max: 900 }), lives: fc.integer({ min: 1, max: 1100 }) }), {
      maxLength: 120,
    });
    fc.assert(
      fc.property(lives, (all) => {
        const read = new Map<string, Date>();
        for (const today of monthly) {
          const now = moment(today);
          const alive = all.filter(({ made, lives: length }) => made <= today && today < made + length);
          const vault = [...new Set(alive.map(({ made }) => backupId(moment(made))))].map((backup): Verifiable => {
            const verifiedAt = read.get(backup);
            return { backup, good: true, ...(verifiedAt && { verifiedAt }) };
          });
          for (const { backup, verifiedAt } of vault)
            expect(now.getTime() - (verifiedAt ?? backupMoment(backup)).getTime()).toBeLessThanOrEqual(
              coverageDays * day,
            );
          for (const backup of dueForVerification(vault, now)) read.set(backup, now);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('reads about an eleventh each month, not everything at the end of the year', () => {
    const backups = Array.from({ length: 110 }, (_, n) => backupId(moment(n / 4)));
    const read = new Map<string, Date>();
    const sizes = monthly.slice(1, 25).map((today) => {
      const due = dueForVerification(
        backups.map((backup) => {
          const verifiedAt = read.get(backup);
          return { backup, good: true, ...(verifiedAt && { verifiedAt }) };
        }),
        moment(today),
      );
      for (const backup of due) read.set(backup, moment(today));
      return due.length;
    });
    expect(Math.max(...sizes)).toBeLessThanOrEqual(12);
    expect(read.size).toBe(110);
  });

  it('always has the newest, which a restore would take, and what was never read before what was', () => {
    const now = moment(60);
    const backups = [0, 10, 20, 30].map((days) => ({
      backup: backupId(moment(days)),
      good: true,
      ...(days === 0 && { verifiedAt: moment(40) }),
    }));
    expect(dueForVerification(backups, now)).toEqual([backupId(moment(10)), backupId(moment(30))]);
    expect(dueForVerification([], now)).toEqual([]);
  });
});
