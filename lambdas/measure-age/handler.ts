import * as z from 'zod';
import { s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { measure } from '#domain/measurement';
import { deployedConfig } from '../config.ts';
import { entry } from '../entry.ts';
import { publishMetrics } from '../publish.ts';
import { Env } from './env.ts';
import { readMeasured } from './measure-system.ts';

const vault = s3Bucket(s3Client(), Env.parse(process.env).VAULT_BUCKET);
const config = deployedConfig();

/** A path of its own: it reads what was committed and nothing of any run. A system without a backup publishes no age, which its alarm takes for overdue. */
export const handler = entry(z.unknown(), async () => {
  const measured: Record<string, ReturnType<typeof measure>> = {};
  for (const system of Object.keys(config.systems)) {
    const values = measure(await readMeasured(vault, system), new Date());
    publishMetrics(system, values);
    measured[system] = values;
  }
  return measured;
});
