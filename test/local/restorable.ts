import { expect } from 'vitest';
import type { StateMachineName } from '#domain/naming';
import { type Bench, monolithic, startBench } from './harness.ts';

/** A system with a backup, and something that was made after it: a restore that fails leaves it there. */
export const startRestorable = async (): Promise<{ bench: Bench; backup: string }> => {
  const bench = await startBench({
    configuration: `${monolithic('live', '    schedules: [nightly]')}
schedules:
  nightly: { cron: '30 1 * * *', timezone: Europe/Berlin }
`,
  });
  const backup = (await bench.backUp()).output.backup ?? '';
  await bench.sql('console', 'CREATE TABLE made_after_the_backup (n int)');
  return { bench, backup };
};

/** The installation is as it was, no session doubled a row, and nothing of the run is left. */
export const expectUntouched = async (bench: Bench): Promise<void> => {
  expect(await bench.sql('console', 'SELECT count(*) FROM made_after_the_backup')).toBe('0');
  expect(await bench.sql('console_auth', 'SELECT count(*) FROM users')).toBe('150');
  expect(await bench.traces()).toMatchObject({ uploads: [], lock: false, onNode: '', servicesDown: [] });
  expect(await bench.opened()).toEqual([]);
  expect(bench.lab.runtime.scheduleStates()).toEqual({ 'pe-main.nightly': 'ENABLED' });
  expect(await bench.sql('postgres', "SELECT datname FROM pg_database WHERE datname LIKE 'holdfast-%'")).toBe('');
};

/** Aborts a restore when it has entered a state: the system is as it was, and nothing is half done. */
export const abortIn = async (
  bench: Bench,
  backup: string,
  machine: StateMachineName,
  state: string,
): Promise<void> => {
  const execution = await bench.start(
    { system: 'pe-main', backup, confirm: 'pe-main', safetyBackup: state === 'SafetyBackup' },
    'holdfast-restore',
  );
  await bench.entered(execution, machine, state);
  await bench.stop(execution);
  await expect
    .poll(async () => ({ ...(await bench.traces()), manifests: [], objects: [] }), { timeout: 90_000, interval: 250 })
    .toEqual({ manifests: [], objects: [], uploads: [], lock: false, onNode: '', servicesDown: [] });
  // From the last step on the restore is done: what was made after the backup is gone for good.
  const finished = ['FinishRestore', 'CloseRestore'].includes(state);
  if (finished && (await bench.sql('console', "SELECT to_regclass('made_after_the_backup') IS NULL")) === 't')
    await bench.sql('console', 'CREATE TABLE made_after_the_backup (n int)');
  await expect.poll(() => bench.opened(), { timeout: 30_000 }).toEqual([]);
  await expectUntouched(bench);
};
