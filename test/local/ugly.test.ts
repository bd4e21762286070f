import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Bench, monolithic, startBench } from './harness.ts';
import { shipSiteconf } from './odd-databases.ts';
import { clearTheWay, makeOdd, type Odd, someOddities } from './oddities.ts';
import { destroy, differences, filesOf, stateOf, tidy } from './ugly-node.ts';

/**
 * Nodes and servers put together at random of what people's hold: backed up, destroyed, restored, everything is as it was. What can't be
 * restored is refused by the plan, which changes nothing. One run with a fixed seed, unless HOLDFAST_SEED and HOLDFAST_RUNS say otherwise.
 */
const seed = Number(process.env['HOLDFAST_SEED'] ?? 20261129);
const numRuns = Number(process.env['HOLDFAST_RUNS'] ?? 1);

let bench: Bench;
const stopped = 'pe-httpd pe-puppet-dashboard-workers pe-puppetdb pe-puppet pe-mcollective pe-activemq';

beforeAll(async () => {
  bench = await startBench({ configuration: monolithic() });
  // They write at any time; what is compared here stands still.
  await bench.shell(
    `for s in ${stopped}; do service $s stop; done 2>&1; tar -cf /root/configuration.tar /etc/puppetlabs`,
  );
  await shipSiteconf(bench);
});
afterAll(() => bench.close());

const survives = async (odd: readonly Odd[]): Promise<void> => {
  for (const one of odd) await makeOdd(bench, one);
  const before = await stateOf(bench);
  const { status, cause, output } = await bench.backUp();
  expect([status, cause]).toEqual(['SUCCEEDED', '']);
  const { backup = '' } = output;
  expect(differences(before.files, await filesOf(bench))).toEqual([]);
  const putBack = await destroy(bench, backup);
  const obstacles = odd.flatMap(({ inTheWay }) => inTheWay ?? []);
  if (obstacles.length > 0) {
    const ruins = await stateOf(bench);
    const refused = await bench.restore({ confirm: 'pe-main', backup });
    expect([refused.status, refused.error]).toEqual(['FAILED', 'CheckFailedError']);
    for (const { said } of obstacles) expect(refused.cause).toMatch(said);
    const untouched = await stateOf(bench);
    expect(differences(ruins.files, untouched.files)).toEqual([]);
    expect(untouched.server).toBe(ruins.server);
    for (const one of odd) await clearTheWay(bench, one);
  }
  const restored = await bench.restore({ confirm: 'pe-main', backup });
  expect([restored.status, restored.cause]).toEqual(['SUCCEEDED', '']);
  const after = await stateOf(bench);
  expect(differences(before.files, after.files, putBack)).toEqual([]);
  expect(after.server).toBe(before.server);
};

it(
  'whatever is found on a node and in its server comes back as it was, or is refused before anything is changed',
  async () => {
    await fc.assert(
      fc.asyncProperty(someOddities(12, 16), async (odd) => {
        try {
          await survives(odd);
        } finally {
          await tidy(bench);
          await bench.forget();
        }
      }),
      { seed, numRuns, endOnFailure: true },
    );
  },
  200_000 + numRuns * 200_000,
);
