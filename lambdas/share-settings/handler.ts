import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { RunRef } from '#domain/payloads';
import { entry } from '../entry.ts';
import { Env } from './env.ts';
import { shareSettings } from './share-settings.ts';

const env = Env.parse(process.env);
const s3 = s3Client();
const services = {
  state: jsonState(s3Bucket(s3, env.STATE_BUCKET)),
  vault: s3Bucket(s3, env.VAULT_BUCKET),
  vaultBucket: env.VAULT_BUCKET,
};

export const handler = entry(RunRef, (ref) => shareSettings(services, ref));
