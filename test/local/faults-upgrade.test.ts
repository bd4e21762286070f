import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { vaultKeys } from '#domain/naming';
import { buildInstaller } from '#local/lab/pe2016/installer';
import { type Bench, large, startBench, statesOf } from './harness.ts';

/**
 * An upgrade is aborted in each state that it has, one after another: each goes on from where the last one was stopped, so
 * that all of them together upgrade the system once.
 */

const to = '2016.4.2';

const configuration = `${large('schedules: [nightly]')}
schedules:
  nightly: { cron: '30 1 * * *', timezone: Europe/Berlin }
`;

let bench: Bench;
let installer: { name: string; sha256: string };

beforeAll(async () => {
  bench = await startBench({ configuration, products: { 'pe-main': 'pe2016' } });
  const archive = await readFile(await buildInstaller(bench.lab.runtime.vaultDirectory.replace(/[^/]*$/, '..')));
  await bench.upload(vaultKeys.installer('pe-main', 'pe.tar.gz'), archive);
  installer = { name: 'pe.tar.gz', sha256: createHash('sha256').update(archive).digest('hex') };
});
afterAll(() => bench?.close());

const start = (): Promise<string> =>
  bench.start({ system: 'pe-main', version: to, installer, confirm: 'pe-main' }, 'holdfast-upgrade');

// Those that this upgrade does not enter: nothing is dead, without a confirmation, or of another kind.
const passedOver = ['UndoDeadRun', 'WaitForApproval', 'UpgradePuppet', 'UpgradeJuju', 'CloseUpgrade'];
const before = statesOf('upgrade').filter((state) => !passedOver.includes(state));

it.each([
  ...before.map((state) => ['upgrade', state] as const),
  ...statesOf('upgrade-puppet').map((state) => ['upgrade-puppet', state] as const),
  ['upgrade', 'CloseUpgrade'] as const,
])('an upgrade that is aborted in %s: %s leaves nothing half done, and one mail', async (machine, state) => {
  const execution = await start();
  await bench.entered(execution, machine, state);
  await bench.stop(execution);
  const { status } = await bench.ending(execution);
  await expect
    .poll(
      async () => {
        const { uploads, lock, onNode, servicesDown } = await bench.traces();
        return { uploads, lock, onNode, servicesDown };
      },
      { timeout: 150_000, interval: 500 },
    )
    .toEqual({ uploads: [], lock: false, onNode: '', servicesDown: [] });
  await expect.poll(() => bench.opened(), { timeout: 30_000 }).toEqual([]);
  expect(await bench.vault.list('backups/pe-main/upgrades/')).toEqual([]);
  expect(Object.values(bench.lab.runtime.scheduleStates())).toEqual(['ENABLED']);
  const run = execution.split(':').at(-1);
  const { mails } = bench.lab.runtime.notices;
  const told = () => mails.filter(({ text }) => text.includes(`Where:  ${run}\n`)).map(({ subject }) => subject);
  await expect
    .poll(told, { timeout: 30_000 })
    .toEqual(status === 'SUCCEEDED' ? [] : ['Holdfast: upgrade of pe-main cancelled: Stopped']);
});

it('an upgrade after all that succeeds', async () => {
  const { status, cause } = await bench.ending(await start());
  expect([status, cause]).toEqual(['SUCCEEDED', '']);
});
