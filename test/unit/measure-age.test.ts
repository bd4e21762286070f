import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { Verified } from '#domain/history';
import { deviation, measure } from '#domain/measurement';
import { fleetMetrics, systemMetrics, vaultKeys } from '#domain/naming';
import { enterVerification } from '#domain/vault/changes';
import { readMeasured } from '#lambdas/measure-age/measure-system';
import { commit, manifestOf } from './cli-fixtures.ts';
import { memoryBucket } from './memory.ts';

/** The line of the log that a call of publish.ts writes. */
const published = (call: string): unknown => {
  const module = new URL('../../lambdas/publish.ts', import.meta.url).href;
  const args = ['--input-type=module', '--eval', `(await import('${module}')).${call}`];
  return JSON.parse(execFileSync(process.execPath, args, { env: { PATH: process.env['PATH'] } }).toString());
};

it('the published metrics have the very dimensions that the alarms look for', () => {
  const dimensions = systemMetrics.dimensions('pe-main');
  expect(published("publishMetrics('pe-main', { age: 42, deviation: 1.5, orphanUploads: 0 })")).toMatchObject({
    ...dimensions,
    ...{ BackupAgeSeconds: 42, BackupSizeDeviation: 1.5, OrphanUploads: 0 },
    _aws: {
      CloudWatchMetrics: [
        {
          Namespace: systemMetrics.namespace,
          Dimensions: [Object.keys(dimensions)],
          Metrics: [
            { Name: 'BackupAgeSeconds', Unit: 'Seconds' },
            { Name: 'BackupSizeDeviation' },
            { Name: 'OrphanUploads', Unit: 'Count' },
          ],
        },
      ],
    },
  });
});

it('what is measured over all systems names none', () => {
  expect(published("publishFleetMetric('unreadableBackups', 2)")).toMatchObject({
    ...fleetMetrics.dimensions,
    UnreadableBackups: 2,
    _aws: { CloudWatchMetrics: [{ Namespace: fleetMetrics.namespace, Dimensions: [['service']] }] },
  });
});

const now = new Date('2026-11-20T12:00:00Z');
const ids = Array.from({ length: 8 }, (_, n) => `202611${13 + n}T020000Z`);
const [oldest = '', , , , , before = '', , newest = ''] = ids;

/** A backup of ten times as many bytes as usual, or of its usual size. */
const sized = (backup: string, times = 1) => {
  const manifest = manifestOf('pe-main', backup);
  const [dump] = manifest.artifacts;
  if (dump) dump.collected.upload.bytes *= times;
  return manifest;
};

const verified = (at: string, outcome: Verified['outcome']): Verified => ({
  ...{ at, change: 'verified', outcome, bytes: 1, faults: [], run: `run-${at.replaceAll(/\D/g, '')}` },
});

describe('what is measured of a system', () => {
  it('is the age, length and size of its newest good backup, against the five before it', async () => {
    const vault = memoryBucket();
    for (const backup of ids) await commit(vault, sized(backup, backup === newest ? 10 : 1));
    await commit(vault, manifestOf('pe-main', '20261120T050000Z', { purpose: 'safety' }));
    const values = measure(await readMeasured(vault, 'pe-main'), now);
    expect(values).toMatchObject({ age: 10 * 3600, duration: 95, orphanUploads: 0 });
    expect(values.bytes).toBeGreaterThan(10 * 1024 ** 2);
    expect(values.deviation).toBeGreaterThan(9.9);
    expect(values.deviation).toBeLessThan(10);
  });

  it('skips a backup that was found damaged', async () => {
    const vault = memoryBucket();
    for (const backup of ids) await commit(vault, sized(backup));
    for (const backup of ids.slice(6))
      await enterVerification(vault, { system: 'pe-main', backup }, verified('2026-11-20T11:00:00Z', 'damaged'));
    const { newest: good } = await readMeasured(vault, 'pe-main');
    expect(good.map(({ backup }) => backup)).toEqual(ids.slice(0, 6).toReversed());
    expect(good[0]?.backup).toBe(before);
  });

  it('has the age of the last verification that found a backup sound, of the oldest backup before the first', async () => {
    const vault = memoryBucket();
    for (const backup of ids) await commit(vault, sized(backup));
    const age = async () => measure(await readMeasured(vault, 'pe-main'), now).verificationAge;
    expect(await age()).toBe(7 * 86_400 + 10 * 3600);
    await enterVerification(vault, { system: 'pe-main', backup: newest }, verified('2026-11-20T11:30:00Z', 'cold'));
    await enterVerification(vault, { system: 'pe-main', backup: oldest }, verified('2026-11-20T10:00:00Z', 'sound'));
    vault.modified.set(vaultKeys.history('pe-main', oldest), new Date('2026-11-20T10:00:01Z'));
    expect(await age()).toBe(2 * 3600);
  });

  it('counts uploads that were begun more than four days ago, and knows no age where there is no backup', async () => {
    const vault = memoryBucket();
    for (const hours of [1, 95, 97, 200]) {
      const startedAt = new Date(now.getTime() - hours * 3_600_000);
      vault.pending.push({ key: vaultKeys.artifact('pe-main', newest, 'i-1', `${hours}`), uploadId: 'u', startedAt });
    }
    expect(measure(await readMeasured(vault, 'pe-main'), now)).toEqual({ orphanUploads: 2 });
  });
});

it.each([
  [100, [], undefined],
  [100, [100], 1],
  [100, [200, 50, 200], 2],
  [200, [90, 110], 2],
  [50, [100, 100, 1000, 1, 100], 2],
])('a size of %i beside %j deviates by %s', (size, others, expected) => {
  expect(deviation(size, others)).toBe(expected);
});
