import { expect, it, onTestFinished } from 'vitest';
import { entered } from './executions.ts';
import {
  archiveOf,
  backedUp,
  clientOf,
  expectNothingLeft,
  failedRestore,
  restored,
  useJujuBench,
} from './juju-bench.ts';

const bench = useJujuBench('3.6', 3);
const controllers = ['0', '1', '2'];

/** For each controller the moment in which its agent was started last. */
const starts = async (names: readonly string[] = controllers): Promise<number[]> =>
  Promise.all(
    names.map(async (name) =>
      Number(await bench().shell(bench().machine(name), `stat -c %.Y /run/juju-lab/jujud-machine-${name}.supervisor`)),
    ),
  );

/** The agents of all controllers were started since then, that of the primary, machine 0, first. */
const expectRestarted = async (before: readonly number[]): Promise<void> => {
  const after = await starts();
  expect(after.map((moment, index) => moment > (before[index] ?? 0))).toEqual([true, true, true]);
  expect(Math.min(...after)).toBe(after[0]);
  await bench().juju.agentsStarted();
};

it('three controllers of Juju 3.6 are backed up by one of them, and restored on the primary with all agents stopped', async () => {
  await bench().succeed('juju deploy mysql');
  const manifest = await backedUp(bench());
  expect(archiveOf(manifest)).toMatchObject({ driver: 'file', metadata: { haNodes: 3 } });
  const told = clientOf(manifest)?.status?.controllers ?? [];
  expect(told.map(({ machine, healthy, primary }) => [machine, healthy, primary])).toEqual([
    ['0', true, true],
    ['1', true, false],
    ['2', true, false],
  ]);
  await bench().succeed('juju deploy wordpress');

  const before = await starts();
  expect(await restored(bench())).toContain('4 of 4 machines report to the restored state');
  expect(await bench().applications()).toEqual(['mysql']);
  await expectRestarted(before);
});

it('the agents of all three run again when juju-restore fails in the middle, the primary’s first', async () => {
  await backedUp(bench());
  const before = await starts();
  const fix = await bench().play(bench().machine('0'), 'mongorestore-fails');
  expect(await failedRestore(bench())).toMatch(/restore-controller .*JujuFailedError: juju-restore failed/);
  await expectRestarted(before);
  await fix();
  await restored(bench());
});

it('the agents of all three run again when the restore is aborted while they are started after a failure', async () => {
  await backedUp(bench());
  const before = await starts();
  const fix = await bench().play(bench().machine('0'), 'mongorestore-fails');
  await bench().abort('holdfast-restore', {}, (execution) =>
    entered(bench().lab.runtime, execution, 'restore-juju', 'StartSecondariesAfterFailure'),
  );
  await expectNothingLeft(bench());
  await expectRestarted(before);
  await fix();
  await restored(bench());
});

it('a member that is not well, or not among the nodes, ends it before anything is changed', async () => {
  await backedUp(bench());
  const before = await starts();
  const database = (verb: string) => bench().machine('2').exec(`systemctl ${verb} snap.juju-db.daemon`);
  await database('stop');
  onTestFinished(async () => void (await database('start')));
  expect(await bench().restore()).toMatchObject({
    error: 'CheckFailedError',
    cause: expect.stringMatching(/snap\.juju-db\.daemon does not run on juju-controller-machine-2/),
  });
  expect(await bench().upgrade({ version: '3.6.9' })).toMatchObject({
    status: 'FAILED',
    cause: expect.stringMatching(/ServiceDownError: snap\.juju-db\.daemon does not run/),
  });
  await database('start');
  await bench().juju.agentsStarted();

  await bench().juju.cloud.stop(bench().machine('0'));
  expect(await bench().restore()).toMatchObject({
    error: 'CheckFailedError',
    cause: expect.stringMatching(/machine 0 of the controllers is not among the nodes that answer/),
  });
  expect(await starts(['1', '2'])).toEqual(before.slice(1));
});
