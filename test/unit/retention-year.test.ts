import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '#domain/config-file';
import { isRegular, type Manifest, objectsOfBackup } from '#domain/manifest';
import { backupId, backupMoment, tagKeys, vaultKeys } from '#domain/naming';
import { JanitorInput } from '#domain/payloads';
import { classify, type ExpiringClass, type Kept } from '#domain/retention';
import { allBackups, keptOf } from '#domain/vault/catalog';
import { changeRetention, discard } from '#domain/vault/changes';
import { letOlderGo } from '#lambdas/commit-backup/commit-backup';
import { tidy } from '#lambdas/janitor/janitor';
import { agingBucket } from './aging-bucket.ts';
import { manifestOf } from './cli-fixtures.ts';
import { memoryBucket } from './memory.ts';

const day = 86_400_000;
const hour = 3_600_000;
const begin = Date.UTC(2026, 0, 1);
const system = 'pe-main';

/** Short, so that a year sees many of each class come and go. */
const lifetimes: Readonly<Record<ExpiringClass, number>> = {
  ...{ daily: 7, weekly: 30, monthly: 100, yearly: 300, manual: 14 },
};
/** Of what carries a class or was discarded, and of everything else: what is kept, and the histories that were written again. */
const [noncurrentDays, replacedDays] = [30, 395];

/** What becomes of a day's backup, and what a person does on that day. */
const nights = fc.record({
  backup: fc.constantFrom(
    ...([
      'good',
      'good',
      'good',
      'partial',
      'manual',
      'safety',
      'failed',
      'missed',
      'killed before',
      'killed after',
    ] as const),
  ),
  person: fc.option(
    fc.record({ does: fc.constantFrom('held' as const, 'released' as const), to: fc.nat({ max: 400 }) }),
    { nil: undefined, freq: 12 },
  ),
  /** After so many changes of tags everything breaks off. */
  killedAfter: fc.nat({ max: 12 }),
  janitor: fc.boolean(),
});
type Night = typeof nights extends fc.Arbitrary<infer T> ? T : never;

const configWith = (keepLast: number) =>
  parseConfig(`
systems:
  pe-main: { kind: puppet-enterprise, nodes: [{ instance: i-0123456789abcdef0, roles: [master, puppetdb, console] }] }
retention: { keepLast: ${keepLast} }
`);

/** A system's vault over many nights: the code of the commit, the hold and the janitor on a model of S3. */
const simulate = async (history: readonly Night[], keepLast: number, look: (vault: Vault) => void): Promise<void> => {
  let now = begin;
  const model = agingBucket(
    {
      lifetimes,
      noncurrentDays: (tag) => (tag === undefined || tag === 'keep' ? replacedDays : noncurrentDays),
    },
    () => now,
  );
  const vault = model.bucket;
  const state = memoryBucket();
  const config = configWith(keepLast);
  const committed = new Map<string, Manifest>();
  const held = new Set<string>();

  const kept = async (): Promise<Kept[]> => (await allBackups({ vault }, system)).flatMap(keptOf);

  /** As commit-backup does it: tags, then the manifest, then the older ones. */
  const backUp = async ({ backup: event, killedAfter }: Night): Promise<void> => {
    if (event === 'missed') return;
    const id = backupId(new Date(now));
    const before = await kept();
    const scheduled = event !== 'manual' && event !== 'safety';
    const manifest = manifestOf(system, id, {
      ...{ scheduled, retentionClass: classify(id, scheduled, before) },
      state: event === 'partial' ? 'partial' : 'complete',
      purpose: event === 'safety' ? 'safety' : 'regular',
    });
    const tag = isRegular(manifest) ? 'keep' : manifest.retentionClass;
    for (const { key } of objectsOfBackup(manifest)) await vault.create(key, 'x');
    if (event === 'failed') {
      for (const { key } of objectsOfBackup(manifest)) await discard(vault, key);
      return;
    }
    try {
      if (event === 'killed before') model.failAfter(killedAfter % 5);
      for (const object of objectsOfBackup(manifest)) await vault.tag(object, { [tagKeys.retention]: tag });
      await vault.create(vaultKeys.manifest(system, id), JSON.stringify(manifest), { [tagKeys.retention]: tag });
      committed.set(id, manifest);
      if (event === 'killed after') model.failAfter(killedAfter);
      const mine = isRegular(manifest)
        ? [{ backup: id, class: manifest.retentionClass, complete: manifest.state === 'complete', damaged: false }]
        : [];
      await letOlderGo(vault, system, [...before, ...mine], keepLast, new Date(now));
    } catch {
      // The next night, or the janitor, finds what this has left.
    } finally {
      model.failAfter(Number.POSITIVE_INFINITY);
    }
  };

  const change = async ({ does, to }: NonNullable<Night['person']>): Promise<void> => {
    const there = model.manifests();
    const id = there[to % Math.max(1, there.length)];
    const manifest = id === undefined ? undefined : committed.get(id);
    if (!manifest || (does === 'released' && !held.has(manifest.backup))) return;
    const tag = does === 'held' || isRegular(manifest) ? 'keep' : manifest.retentionClass;
    await changeRetention(vault, manifest, { at: new Date(now).toISOString(), change: does, tag, by: 'a person' });
    if (does === 'held') held.add(manifest.backup);
    else held.delete(manifest.backup);
  };

  const runs = { endedAt: async () => undefined, undo: async () => false };
  for (const [index, night] of history.entries()) {
    const morning = begin + index * day;
    now = morning + 2 * hour;
    await backUp(night);
    now = morning + 9 * hour;
    if (night.person) await change(night.person);
    now = morning + 13 * hour;
    if (night.janitor)
      await tidy({ config, state, vault, runs, now: () => new Date(now) }, system, JanitorInput.parse({ share: 1 }));
    now = morning + day;
    model.midnight();
    look({ now, model, committed, held });
  }
};

interface Vault {
  readonly now: number;
  readonly model: ReturnType<typeof agingBucket>;
  readonly committed: ReadonlyMap<string, Manifest>;
  readonly held: ReadonlySet<string>;
}

const isWhole = ({ model }: Vault, manifest: Manifest): boolean =>
  [...objectsOfBackup(manifest).map(({ key }) => key), vaultKeys.manifest(system, manifest.backup)].every(model.has);

const newestFirst = ({ committed }: Vault): Manifest[] =>
  [...committed.values()].filter(isRegular).toSorted((a, b) => (a.backup < b.backup ? 1 : -1));

const ageDays = ({ now }: Vault, { backup }: Manifest): number => (now - backupMoment(backup).getTime()) / day;

const hold = (vault: Vault, manifest: Manifest): void =>
  expect([manifest.backup, isWhole(vault, manifest)]).toEqual([manifest.backup, true]);

/** The newest good ones, the newest complete one and every held one are whole. */
const keepsNewest = (vault: Vault, keepLast: number): void => {
  const good = newestFirst(vault);
  const complete = good.find((one) => one.state === 'complete');
  const held = [...vault.held].flatMap((backup) => vault.committed.get(backup) ?? []);
  for (const manifest of [...good.slice(0, keepLast), ...(complete ? [complete] : []), ...held]) hold(vault, manifest);
};

/** No manifest outlives what it names, and nothing expires before its class says so. */
const expiresInTime = (vault: Vault): void => {
  for (const manifest of vault.committed.values())
    if (vault.model.has(vaultKeys.manifest(system, manifest.backup))) hold(vault, manifest);
    else expect(ageDays(vault, manifest)).toBeGreaterThanOrEqual(lifetimes[manifest.retentionClass]);
};

/** Each month and year that had a scheduled good backup still has just one, as long as its class lives. */
const keepsOneEach = (vault: Vault): void => {
  const scheduled = [...vault.committed.values()].filter((one) => isRegular(one) && one.scheduled);
  for (const month of new Set(scheduled.map(({ backup }) => backup.slice(0, 6)))) {
    const [representative, ...others] = scheduled.filter(
      ({ backup, retentionClass }) =>
        backup.startsWith(month) && (retentionClass === 'monthly' || retentionClass === 'yearly'),
    );
    expect([month, others]).toEqual([month, []]);
    expect(representative).toBeDefined();
    if (representative && ageDays(vault, representative) < lifetimes.monthly) hold(vault, representative);
  }
};

/** A failure is told by its seed: to shrink whole years takes minutes. */
const year = fc.array(nights, { minLength: 365, maxLength: 365 });

/** A year takes seconds on a machine of its own: this is for what hangs. */
const limitMilliseconds = 600_000;

describe('over a year of good, partial, failed, missed, killed and held backups', () => {
  it(
    'what must stay is whole each morning, nothing expires before its time, no manifest outlives what it names',
    async () => {
      await fc.assert(
        fc.asyncProperty(year, fc.integer({ min: 1, max: 6 }), async (history, keepLast) => {
          await simulate(history, keepLast, (vault) => {
            keepsNewest(vault, keepLast);
            expiresInTime(vault);
            keepsOneEach(vault);
          });
        }),
        { numRuns: 6, endOnFailure: true },
      );
    },
    limitMilliseconds,
  );

  it(
    'what is let go is gone in the end, with every version and every marker of it',
    async () => {
      const quiet: Night = { backup: 'missed', person: undefined, killedAfter: 0, janitor: true };
      await fc.assert(
        fc.asyncProperty(year, async (history) => {
          const after = lifetimes.yearly + 2 + replacedDays + 3;
          let last: Vault | undefined;
          await simulate([...history, ...Array.from({ length: after }, () => quiet)], 3, (vault) => {
            last = vault;
          });
          if (!last) throw new Error('no day has passed');
          const left = new Set(last.model.manifests());
          // Released ones wait for a commit that never comes.
          const remains = last.model.remains().filter((key) => ![...left].some((backup) => key.includes(backup)));
          expect(remains).toEqual([]);
          expect(left.size).toBeGreaterThan(0);
        }),
        { numRuns: 3, endOnFailure: true },
      );
    },
    limitMilliseconds,
  );
});
