import * as z from 'zod';
import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { deployedSystems, measure } from '#domain/measurement';
import { stateKeys } from '#domain/naming';
import { authorityDaysLeft } from '#domain/systems/puppet-authority';
import { deployedConfig } from '../config.ts';
import { entry } from '../entry.ts';
import { publishAuthorityDays, publishMetrics } from '../publish.ts';
import { Env } from './env.ts';
import { readMeasured } from './measure-system.ts';

const env = Env.parse(process.env);
const s3 = s3Client();
const vault = s3Bucket(s3, env.VAULT_BUCKET);
const state = jsonState(s3Bucket(s3, env.STATE_BUCKET));
const config = deployedConfig();

/**
 * A path of its own: it reads what was committed and nothing of any run. A system without a backup publishes no age, which
 * its alarm takes for overdue. At last it notes what is deployed, for whoever has no configuration at hand.
 */
export const handler = entry(z.unknown(), async () => {
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
  if (daysLeft.length > 0) publishAuthorityDays(Math.min(...daysLeft));
  await state.write(stateKeys.deployed, deployedSystems(config, new Date()));
  return measured;
});
