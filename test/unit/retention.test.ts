import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backupId, backupMoment } from '#domain/naming';
import {
  classify,
  type ExpiringClass,
  gfsClasses,
  type Kept,
  type RetentionTag,
  retentionTags,
} from '#domain/retention';

const day = 86_400_000;
const start = Date.UTC(2026, 0, 1, 2);
const lifetimes: Readonly<Record<ExpiringClass, number>> = {
  daily: 7,
  weekly: 30,
  monthly: 100,
  yearly: 300,
  manual: 14,
};

/** A vault as S3 keeps it: tags change at commits, and the lifecycle expires what is too old for its tag. */
const vaultOver = (history: readonly ('good' | 'partial' | 'failed' | 'missed' | 'manual')[], keepLast: number) => {
  let vault: (Kept & { tag: RetentionTag })[] = [];
  const committed: Kept[] = [];
  const days: {
    readonly alive: readonly string[];
    readonly committed: readonly string[];
    readonly complete: string | undefined;
  }[] = [];
  for (const [index, event] of history.entries()) {
    const now = start + index * day;
    vault = vault.filter(
      ({ backup, tag }) => tag === 'keep' || now - backupMoment(backup).getTime() < lifetimes[tag] * day,
    );
    if (event !== 'failed' && event !== 'missed') {
      const backup = backupId(new Date(now));
      const made: Kept = {
        backup,
        class: classify(backup, event !== 'manual', vault),
        complete: event !== 'partial',
        damaged: false,
      };
      committed.push(made);
      const tags = new Map(retentionTags([...vault, made], keepLast).map(({ backup: id, tag }) => [id, tag]));
      vault = [...vault, { ...made, tag: 'keep' as const }].map((kept) => ({
        ...kept,
        tag: tags.get(kept.backup) ?? kept.tag,
      }));
    }
    days.push({
      alive: vault.map(({ backup }) => backup),
      committed: committed.map(({ backup }) => backup),
      complete: committed.findLast(({ complete }) => complete)?.backup,
    });
  }
  return { days, vault, committed };
};

const histories = fc.array(fc.constantFrom('good', 'good', 'partial', 'partial', 'failed', 'missed', 'manual'), {
  minLength: 1,
  maxLength: 400,
});

describe('retention', () => {
  it('never loses the newest good backups nor the newest complete one, whatever the history', () => {
    fc.assert(
      fc.property(histories, fc.integer({ min: 1, max: 6 }), (history, keepLast) => {
        for (const { alive, committed, complete } of vaultOver(history, keepLast).days) {
          expect(alive).toEqual(expect.arrayContaining(committed.slice(-keepLast)));
          if (complete !== undefined) expect(alive).toContain(complete);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('lets what is older than its class go, once it is no longer among the newest', () => {
    const { vault } = vaultOver(
      Array.from({ length: 400 }, () => 'good' as const),
      3,
    );
    const end = start + 399 * day;
    for (const { backup, tag } of vault)
      if (tag !== 'keep') expect(end - backupMoment(backup).getTime()).toBeLessThan(lifetimes[tag] * day);
    expect(vault.length).toBeLessThan(30);
  });

  it('gives each week, month and year one scheduled backup at most that stands for it', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const committed: Pick<Kept, 'backup' | 'class'>[] = [];
        for (const [index, event] of history.entries()) {
          const backup = backupId(new Date(start + index * day));
          if (event === 'good' || event === 'manual')
            committed.push({ backup, class: classify(backup, event === 'good', committed) });
        }
        const months = committed
          .filter(({ class: own }) => own === 'monthly' || own === 'yearly')
          .map(({ backup }) => backup.slice(0, 6));
        expect(new Set(months).size).toBe(months.length);
        const years = committed.filter(({ class: own }) => own === 'yearly').map(({ backup }) => backup.slice(0, 4));
        expect(new Set(years).size).toBe(years.length);
      }),
    );
  });

  it('makes the second of a month the monthly one when the first failed', () => {
    const january: Pick<Kept, 'backup' | 'class'>[] = [{ backup: '20260101T020000Z', class: 'yearly' }];
    expect(classify('20260202T020000Z', true, january)).toBe('monthly');
    expect(classify('20260203T020000Z', true, [...january, { backup: '20260202T020000Z', class: 'monthly' }])).toBe(
      'daily',
    );
  });

  it('counts weeks as ISO 8601 does at the turn of a year', () => {
    // Monday 28 December 2026 begins week 53, to which Friday 1 January 2027 belongs.
    const december: Pick<Kept, 'backup' | 'class'>[] = [
      { backup: '20260101T020000Z', class: 'yearly' },
      { backup: '20261201T020000Z', class: 'monthly' },
      { backup: '20261228T020000Z', class: 'weekly' },
    ];
    expect(classify('20261229T020000Z', true, december)).toBe('daily');
    expect(classify('20270101T020000Z', true, december)).toBe('yearly');
    const newYear = [...december, { backup: '20270101T020000Z', class: 'yearly' as const }];
    expect(classify('20270102T020000Z', true, newYear)).toBe('daily');
    expect(classify('20270104T020000Z', true, newYear)).toBe('weekly');
  });

  it('keeps one even when told to keep none', () => {
    expect(
      retentionTags([{ backup: '20260101T020000Z', class: 'daily', complete: true, damaged: false }], 0)[0]?.tag,
    ).toBe('keep');
    expect(gfsClasses).not.toContain('keep');
  });
});
