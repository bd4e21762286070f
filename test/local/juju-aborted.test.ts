import { beforeAll, describe, expect, it } from 'vitest';
import { entered } from './executions.ts';
import { statesOf } from './harness.ts';
import { backedUp, expectNothingLeft, restored, useJujuBench } from './juju-bench.ts';

const bench = useJujuBench('3.6', 1, {}, 'keep');
beforeAll(async () => {
  await bench().succeed('juju deploy mysql');
  await backedUp(bench());
});

describe('a restore of Juju that is aborted', () => {
  // Of a single controller there is nothing to do in the last one: see the tests of three.
  const states = statesOf('restore-juju').filter((state) => state !== 'StartSecondariesAfterFailure');

  it.each(states)('in %s leaves database and agents running, nothing else, and can be started again', async (state) => {
    const fix = state.endsWith('AfterFailure')
      ? await bench().play(bench().machine('0'), 'mongorestore-fails')
      : undefined;
    await bench().abort('holdfast-restore', {}, (execution) =>
      entered(bench().lab.runtime, execution, 'restore-juju', state),
    );
    await expectNothingLeft(bench());
    await fix?.();
    // What is half restored is fixed by another restore alone.
    if (state === 'RestoreController' || fix) await restored(bench());
    await bench().juju.agentsStarted();
    expect(await bench().applications()).toEqual(['mysql']);
  });
});

describe('an upgrade of Juju that is aborted', () => {
  const states = statesOf('upgrade-juju').map((state, index) => [state, `3.6.${index + 5}`] as const);

  it.each(states)(
    'in %s leaves database and agents running, nothing else, and goes on to %s',
    async (state, version) => {
      const input = { version, confirm: 'juju-main' };
      await bench().abort('holdfast-upgrade', input, (execution) =>
        entered(bench().lab.runtime, execution, 'upgrade-juju', state),
      );
      await expectNothingLeft(bench());
      expect(await bench().upgrade(input)).toMatchObject({ status: 'SUCCEEDED' });
    },
  );
});
