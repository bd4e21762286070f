import * as z from 'zod';
import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { deployedSystems, measure } from '#domain/measurement';
import { stateKeys } from '#domain/naming';
import { deployedConfig } from '../config.ts';
import { entry } from '../entry.ts';
import { publishMetrics } from '../publish.ts';
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
  for (const system of Object.keys(config.systems)) {
    const values = measure(await readMeasured(vault, system), new Date());
    publishMetrics(system, values);
    measured[system] = values;
  }
  await state.write(stateKeys.deployed, deployedSystems(config, new Date()));
  return measured;
});
