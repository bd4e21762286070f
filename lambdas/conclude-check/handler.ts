import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { RunRef } from '#domain/payloads';
import { deployedConfig } from '../config.ts';
import { entry } from '../entry.ts';
import { concludeCheck } from './conclude-check.ts';
import { Env } from './env.ts';

const env = Env.parse(process.env);
const services = {
  config: deployedConfig(),
  state: jsonState(s3Bucket(s3Client(), env.STATE_BUCKET)),
  vaultBucket: env.VAULT_BUCKET,
  now: () => new Date(),
};

export const handler = entry(RunRef, (ref) => concludeCheck(services, ref));
