import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backupId, vaultKeys } from '#domain/naming';
import type { RetentionTag } from '#domain/retention';
import { type Found, type FoundBackup, keeps, planTidying, uploadOrphanedAfterDays } from '#domain/tidying';

const hour = 3_600_000;
const now = new Date('2026-11-20T13:15:00Z');
const ago = (hours: number): Date => new Date(now.getTime() - hours * hour);
const id = (hoursAgo: number): string => backupId(ago(hoursAgo));
const keysOf = (backup: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `${vaultKeys.backup('pe-main', backup)}i-1/object-${n}`);

const tags = fc.constantFrom<(RetentionTag | undefined)[]>('keep', 'daily', 'weekly', 'manual', undefined);

/** A vault in any state: backups committed or not, tagged right or wrong, objects and uploads of any age, a lock or none. */
const founds = fc
  .record({
    made: fc.uniqueArray(
      fc.record({
        hours: fc.integer({ min: 1, max: 600 }),
        objects: fc.integer({ min: 1, max: 6 }),
        committed: fc.boolean(),
        readable: fc.boolean(),
        good: fc.boolean(),
        complete: fc.boolean(),
        held: fc.boolean(),
        tags: fc.array(tags, { minLength: 7, maxLength: 7 }),
      }),
      { maxLength: 14, selector: ({ hours }) => hours },
    ),
    uploads: fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 5 }),
    lock: fc.option(fc.record({ of: fc.nat(), ended: fc.option(fc.integer({ min: 0, max: 9 })) }), { nil: undefined }),
    padding: fc.integer({ min: 0, max: 600 }),
  })
  .map(({ made, uploads, lock, padding }): Found => {
    const all = made.map((one) => ({ ...one, backup: id(one.hours), keys: keysOf(id(one.hours), one.objects) }));
    const committed = all.filter((one) => one.committed);
    const locked = lock && all[lock.of % all.length];
    return {
      system: 'pe-main',
      objects: [
        ...all.flatMap(({ keys, hours }) => keys.map((key) => ({ key, modifiedAt: ago(hours) }))),
        ...committed.map(({ backup, hours }) => ({
          key: vaultKeys.manifest('pe-main', backup),
          modifiedAt: ago(hours),
        })),
        ...Array.from({ length: padding }, (_, n) => ({
          key: vaultKeys.installer('pe-main', `${n}`),
          modifiedAt: ago(900),
        })),
      ],
      uploads: uploads.map((hours, n) => ({ key: `u${n}`, uploadId: `${n}`, startedAt: ago(hours) })),
      committed: committed.map(({ backup }) => backup),
      backups: committed
        .filter(({ readable }) => readable)
        .map(
          ({ backup, keys, hours, good: regular, complete, held, tags: own }): FoundBackup => ({
            ...{
              backup,
              class: 'daily',
              regular,
              complete,
              damaged: false,
              held,
              replaced: [],
              committedAt: ago(hours),
            },
            tags: Object.fromEntries(
              [...keys, vaultKeys.manifest('pe-main', backup)].map((key, n) => [key, own[n]] as const),
            ),
          }),
        ),
      ...(lock &&
        locked && {
          lock: {
            ...{ run: 'run-1', execution: 'arn', backup: locked.backup, acquiredAt: ago(locked.hours) },
            ...(lock.ended !== null && { endedAt: ago(lock.ended) }),
          },
        }),
    };
  });

/** The vault after its chores were done. */
const tidied = (found: Found, share: number): Found => {
  const plan = planTidying(found, { now, keepLast: 3, share });
  const chores = plan.refused ? plan.chores.filter(keeps) : plan.chores;
  const deleted = new Set(chores.flatMap((chore) => (chore.kind === 'delete objects' ? chore.keys : [])));
  const aborted = new Set(chores.flatMap((chore) => (chore.kind === 'abort upload' ? [chore.uploadId] : [])));
  const undone = chores.some(({ kind }) => kind === 'undo run');
  const { lock, ...rest } = found;
  return {
    ...rest,
    objects: found.objects.filter(({ key }) => !deleted.has(key)),
    uploads: found.uploads.filter(({ uploadId }) => !aborted.has(uploadId)),
    backups: found.backups.map((one) => {
      const chore = chores.find((each) => each.kind === 'change retention' && each.backup === one.backup);
      const tag = chore?.kind === 'change retention' ? chore.tag : undefined;
      return tag === undefined
        ? one
        : { ...one, tags: Object.fromEntries(Object.keys(one.tags).map((key) => [key, tag])) };
    }),
    ...(lock && !undone && { lock }),
  };
};

describe('the janitor', () => {
  it('deletes nothing of a committed backup, of a run that holds the lock, nor what is younger than three days', () => {
    fc.assert(
      fc.property(founds, (found) => {
        const { chores } = planTidying(found, { now, keepLast: 3, share: 1 });
        for (const chore of chores) {
          if (chore.kind !== 'delete objects') continue;
          expect(found.committed).not.toContain(chore.backup);
          if (found.lock) expect(chore.backup < found.lock.backup).toBe(true);
          for (const { key, modifiedAt } of found.objects)
            if (chore.keys.includes(key)) expect(modifiedAt.getTime()).toBeLessThan(ago(72).getTime());
        }
      }),
    );
  });

  it('removes or lets go no more than its share of the objects, or nothing at all', () => {
    fc.assert(
      fc.property(founds, fc.double({ min: 0, max: 1, noNaN: true }), (found, share) => {
        const { chores, touched, refused } = planTidying(found, { now, keepLast: 3, share });
        const keys = new Set(chores.flatMap((chore) => ('keys' in chore && !keeps(chore) ? chore.keys : [])));
        expect(touched).toBe(keys.size);
        expect(refused).toBe(keys.size > found.objects.length * share);
        if (refused) expect(chores.filter((chore) => !keeps(chore)).length).toBeGreaterThan(0);
      }),
    );
  });

  it('has nothing left to do after it has done it, but for a run whose undoing may still be under way', () => {
    fc.assert(
      fc.property(founds, (found) => {
        const { lock } = found;
        const after = tidied(found, 1);
        const again = planTidying(after, { now, keepLast: 3, share: 1 });
        // The run's own objects are its undo's to delete.
        const left = again.chores.filter(
          (chore) =>
            !(chore.kind === 'delete objects' && lock && chore.backup >= lock.backup) && chore.kind !== 'abort upload',
        );
        expect(left).toEqual([]);
      }),
    );
  });

  it('leaves the newest good backups, the newest complete one and what is held marked to be kept', () => {
    fc.assert(
      fc.property(founds, (found) => {
        const after = tidied(found, 1);
        const good = after.backups.filter((one) => one.regular).toSorted((a, b) => (a.backup < b.backup ? 1 : -1));
        const kept = [...good.slice(0, 3), ...good.filter(({ complete }) => complete).slice(0, 1)];
        for (const one of [...kept, ...after.backups.filter(({ held }) => held)])
          expect(new Set(Object.values(one.tags))).toEqual(new Set(['keep']));
      }),
    );
  });

  const empty: Found = { system: 'pe-main', objects: [], uploads: [], committed: [], backups: [] };

  it('undoes a run that died two hours ago or more, and lets the living and the newly dead be', () => {
    const chores = (endedAt?: Date) =>
      planTidying(
        {
          ...empty,
          lock: { run: 'r', execution: 'arn', backup: id(60), acquiredAt: ago(60), ...(endedAt && { endedAt }) },
        },
        { now, keepLast: 3, share: 0.1 },
      ).chores;
    expect(chores()).toEqual([]);
    expect(chores(ago(1))).toEqual([]);
    expect(chores(ago(3))).toEqual([{ kind: 'undo run', run: 'r', execution: 'arn' }]);
  });

  const aborted = (found: Found): string[] =>
    planTidying(found, { now, keepLast: 3, share: 0 }).chores.flatMap((chore) =>
      chore.kind === 'abort upload' ? [chore.uploadId] : [],
    );

  it('aborts uploads after three days, which no object pays for', () => {
    const uploads = [71, 73].map((hours) => ({ key: 'k', uploadId: `${hours}`, startedAt: ago(hours) }));
    expect(aborted({ ...empty, uploads })).toEqual(['73']);
  });

  it('never aborts an upload that began under the lock, whichever backup it is of, nor deletes what came with it', () => {
    const uploads = [99, 101].map((hours) => ({ key: 'k', uploadId: `${hours}`, startedAt: ago(hours) }));
    const lock = { run: 'a-restore', execution: 'arn', backup: id(900), acquiredAt: ago(100) };
    expect(aborted({ ...empty, uploads, lock })).toEqual(['101']);
    const objects = [99, 101].flatMap((hours) => keysOf(id(hours), 1).map((key) => ({ key, modifiedAt: ago(hours) })));
    expect(planTidying({ ...empty, objects, lock }, { now, keepLast: 3, share: 1 }).chores).toMatchObject([
      { kind: 'delete objects', backup: id(101) },
    ]);
  });

  it('waits for longer than any run that makes a backup may take, as the lifecycle does', () => {
    const { TimeoutSeconds } = JSON.parse(
      readFileSync(new URL('../../statemachines/backup.asl.json', import.meta.url), 'utf8'),
    );
    expect(TimeoutSeconds).toBeLessThan(uploadOrphanedAfterDays * 86_400);
  });

  it('leaves a released backup until the next commit, as its release promises', () => {
    const backup = (hours: number, lastChange?: FoundBackup['lastChange']): FoundBackup => ({
      ...{
        backup: id(hours),
        class: 'daily',
        regular: true,
        complete: true,
        damaged: false,
        held: false,
        replaced: [],
        committedAt: ago(hours),
      },
      tags: { [vaultKeys.manifest('pe-main', id(hours))]: 'keep' },
      ...(lastChange && { lastChange }),
    });
    const released = (hours: number) => ({
      ...{ at: ago(hours).toISOString(), change: 'released' as const, tag: 'keep' as const, by: 'somebody' },
    });
    const chores = (...backups: FoundBackup[]) =>
      planTidying({ ...empty, backups }, { now, keepLast: 1, share: 1 }).chores;
    expect(chores(backup(100, released(10)), backup(24))).toEqual([]);
    expect(chores(backup(100, released(30)), backup(24))).toMatchObject([{ backup: id(100), tag: 'daily' }]);
  });
});
