import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { RunRef } from '#domain/payloads';
import { deployedConfig } from '../config.ts';
import { entry } from '../entry.ts';
import { Env } from './env.ts';
import { planRest } from './plan-rollout.ts';

const env = Env.parse(process.env);
const s3 = s3Client();
const services = {
  config: deployedConfig(),
  state: jsonState(s3Bucket(s3, env.STATE_BUCKET)),
  vault: s3Bucket(s3, env.VAULT_BUCKET),
  vaultBucket: env.VAULT_BUCKET,
};

export const handler = entry(RunRef, (ref) => planRest(services, ref));
