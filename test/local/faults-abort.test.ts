import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stateKeys } from '#domain/naming';
import { type Bench, monolithic, noTraces, startBench, statesOf } from './harness.ts';

/** What becomes of a run that is aborted, in each state that it has. */

let bench: Bench;

beforeAll(async () => {
  bench = await startBench({
    configuration: `${monolithic('quiesced', '    schedules: [nightly]')}
schedules:
  nightly: { cron: '30 1 * * *', timezone: Europe/Berlin }
`,
  });
});
afterAll(() => bench.close());
afterEach(() => bench.forget());

const mails = (run: string) => bench.lab.runtime.notices.mails.filter(({ text }) => text.includes(`Where:  ${run}\n`));

/** Nothing is left of a run; where it had come to its end before, its backup is whole. */
const expectUndone = async (execution: string): Promise<void> => {
  const run = execution.split(':').at(-1) ?? '';
  const { status } = await bench.ending(execution);
  const whole = status === 'SUCCEEDED';
  await expect
    .poll(
      async () => {
        const { manifests, objects, ...traces } = await bench.traces();
        // A manifest that was written is a backup, whatever became of its run afterwards.
        return { ...traces, half: objects.length > 0 && manifests.length === 0 };
      },
      { timeout: 90_000, interval: 250 },
    )
    .toEqual({ uploads: [], lock: false, onNode: '', servicesDown: [], half: false });
  expect(Object.values(bench.lab.runtime.scheduleStates())).toEqual(['ENABLED']);
  await expect
    .poll(() => mails(run).map(({ subject }) => subject), { timeout: 30_000 })
    .toEqual(whole ? [] : ['Holdfast: backup of pe-main cancelled: Stopped']);
};

describe('a backup that is aborted', () => {
  // Nothing is dead here, and nothing is only checked.
  const states = statesOf('backup').filter((state) => !['UndoDeadRun', 'ConcludeCheck'].includes(state));

  it.each(states)('in %s leaves nothing half done, and one mail', async (state) => {
    const execution = await bench.start({ system: 'pe-main' });
    await bench.entered(execution, 'backup', state);
    await bench.stop(execution);
    await expectUndone(execution);
  });

  it('in UndoDeadRun leaves to the next run what it was about to undo', async () => {
    const [first, second] = [await bench.start({ system: 'pe-main' }), 'dead'];
    await bench.entered(first, 'backup', 'RunPhases');
    const lock = (await bench.state.read(stateKeys.lock('pe-main')))?.text ?? '';
    const record = (await bench.state.read(stateKeys.run(first.split(':').at(-1) ?? '')))?.text ?? '';
    await bench.stop(first);
    await expectUndone(first);
    // An execution that nobody knows is dead once it is older than a few minutes.
    const acquiredAt = new Date(Date.now() - 3_600_000).toISOString();
    const dead = { ...JSON.parse(lock), run: second, execution: `${first}-${second}`, acquiredAt };
    await bench.state.write(stateKeys.lock('pe-main'), JSON.stringify(dead));
    await bench.state.write(stateKeys.run(second), JSON.stringify({ ...JSON.parse(record), ...dead }));
    const execution = await bench.start({ system: 'pe-main' });
    await bench.entered(execution, 'backup', 'UndoDeadRun');
    await bench.stop(execution);
    await expectUndone(execution);
    expect(await bench.backUp()).toMatchObject({ status: 'SUCCEEDED' });
  });
});

describe('a check that is aborted', () => {
  const states = statesOf('backup').filter((state) => !['UndoDeadRun', 'CommitBackup', 'ReleaseLock'].includes(state));

  it.each(states)('in %s leaves nothing, and one mail', async (state) => {
    const execution = await bench.start({ system: 'pe-main', planOnly: true });
    await bench.entered(execution, 'backup', state);
    await bench.stop(execution);
    await expectUndone(execution);
    expect(await bench.traces()).toEqual(noTraces);
  });
});

describe('a phase that is aborted beneath its backup', () => {
  it('ends the backup, which undoes itself and says so', async () => {
    const letGo = await bench.holdDump('console_auth', 'users');
    const execution = await bench.start({ system: 'pe-main' });
    await bench.until('pgrep -f "[b]in/pg_dump .*console_auth"');
    await bench.stop(await bench.entered(execution, 'run-phase', 'WaitForCommands'));
    const { status, error, cause } = await bench.ending(execution);
    await letGo();
    expect({ status, error, cause }).toEqual({
      status: 'FAILED',
      error: 'Stopped',
      cause: expect.stringContaining('by a test'),
    });
    expect(await bench.traces()).toEqual(noTraces);
    await expect
      .poll(() => mails(execution.split(':').at(-1) ?? '').map(({ subject }) => subject), { timeout: 30_000 })
      .toEqual(['Holdfast: backup of pe-main failed: Stopped']);
  });
});

describe('an undo that is aborted', () => {
  const states = statesOf('undo').filter((state) => state !== 'CleanUpDespiteFailure');

  it.each(states)('in %s is told, and the next run undoes what it left', async (state) => {
    const execution = await bench.start({ system: 'pe-main' });
    await bench.entered(execution, 'backup', 'RunPhases');
    await bench.stop(execution);
    const undoing = await bench.undoing(execution);
    await bench.entered(undoing, 'undo', state);
    await bench.stop(undoing);
    const { status } = await bench.ending(undoing);
    // Its lambda may still be at it, as on AWS.
    let next = await bench.backUp();
    while (next.error === 'SystemBusyError') next = await bench.backUp();
    expect([next.status, next.cause]).toEqual(['SUCCEEDED', '']);
    if (status === 'ABORTED')
      await expect.poll(() => mails(undoing.split(':').at(-1) ?? '').length, { timeout: 30_000 }).toBe(1);
    expect(await bench.traces()).toMatchObject({ uploads: [], lock: false, onNode: '', servicesDown: [] });
  });
});

describe('a verification that is aborted', () => {
  it('in ReadSlice has changed nothing, and the next one reads all', async () => {
    const { output } = await bench.backUp();
    const request = { system: 'pe-main', backup: output.backup };
    const execution = await bench.start(request, 'holdfast-verify');
    await bench.entered(execution, 'verify', 'ReadSlice');
    await bench.stop(execution);
    await bench.ending(execution);
    expect(await bench.traces()).toMatchObject({ uploads: [], lock: false, onNode: '', servicesDown: [] });
    expect(await bench.ending(await bench.start(request, 'holdfast-verify'))).toMatchObject({ status: 'SUCCEEDED' });
  });
});
