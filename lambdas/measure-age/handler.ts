import { jsonState } from '#aws/bucket';
import { deployedSystems, measure } from '#domain/measurement';
import { stateKeys } from '#domain/naming';
import { authorityDaysLeft } from '#domain/systems/puppet-authority';
import { entry } from '../entry.ts';
import { stateOf, vaultOf } from '../ports/buckets.ts';
import { configOf } from '../ports/config.ts';
import { publishFleetMetric, publishMetrics } from '../publish.ts';
import { readMeasured } from './measure-system.ts';

const vault = vaultOf('measure-age');
const state = jsonState(stateOf('measure-age'));
const config = configOf('measure-age');

/**
 * A path of its own: it reads what was committed and nothing of any run. A system without a backup publishes no age, which
 * its alarm takes for overdue. At last it notes what is deployed, for whoever has no configuration at hand.
 */
export const handler = entry('measure-age', async () => {
  const measured: Record<string, ReturnType<typeof measure>> = {};
  const daysLeft: number[] = [];
  for (const system of Object.keys(config.systems)) {
    const found = await readMeasured(vault, system);
    const values = measure(found, new Date());
    const [newest] = found.newest;
    const days = newest && authorityDaysLeft(newest, new Date());
    if (days !== undefined) daysLeft.push(days);
    publishMetrics(system, values);
    measured[system] = values;
  }
  if (daysLeft.length > 0) publishFleetMetric('authorityDaysLeft', Math.min(...daysLeft));
  await state.write(stateKeys.deployed, deployedSystems(config, new Date()));
  return measured;
});
