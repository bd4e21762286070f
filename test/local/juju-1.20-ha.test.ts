import { expect, it } from 'vitest';
import { archiveOf, backedUp, clientOf, failedRestore, restored, useJujuBench } from './juju-bench.ts';

const bench = useJujuBench('1.20', 3);

it('three state servers of Juju 1.20 are backed up by machine 0, and restored only when all are lost', async () => {
  await bench().succeed('juju deploy mysql');
  const manifest = await backedUp(bench());
  expect(archiveOf(manifest)).toMatchObject({ node: bench().machine('0').instanceId, driver: 'plugin' });
  expect(clientOf(manifest)?.status?.controllers).toHaveLength(3);
  await bench().succeed('juju deploy wordpress');

  expect(await failedRestore(bench())).toMatch(
    /machine 0, still answers: .*machine 1, still answers: .*machine 2, still answers/,
  );
  await bench().juju.cloud.terminate(bench().machine('0'));
  await bench().juju.cloud.terminate(bench().machine('1'));
  expect(await failedRestore(bench())).toMatch(
    /machine 2, still answers: a restore is only for when every state server is gone/,
  );
  await bench().juju.cloud.stop(bench().machine('2'));
  expect(await failedRestore(bench())).toMatch(
    /NotFencedError: .* is stopped: started again it would be a second state server/,
  );
  await bench().juju.cloud.terminate(bench().machine('2'));

  const { output } = await bench().restore({ planOnly: true });
  expect(output.plan?.summary.warnings.join()).toMatch(/had 3 state servers .*ONLY go on when ALL of them are gone/);
  await restored(bench(), { juju: { ensureAvailability: 3 } });
  expect(await bench().applications()).toEqual(['mysql']);
  await bench().juju.agentsStarted();
  expect(Object.keys(JSON.parse(await bench().succeed('juju status --format json')).machines)).toHaveLength(4);
});
