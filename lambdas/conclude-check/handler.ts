import { jsonState } from '#aws/bucket';
import { entry } from '../entry.ts';
import { stateOf, vaultBucketName } from '../ports/buckets.ts';
import { configOf } from '../ports/config.ts';
import { concludeCheck } from './conclude-check.ts';

const services = {
  config: configOf('conclude-check'),
  state: jsonState(stateOf('conclude-check')),
  vaultBucket: vaultBucketName('conclude-check'),
  now: () => new Date(),
};

export const handler = entry('conclude-check', (ref) => concludeCheck(services, ref));
