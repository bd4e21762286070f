import { jsonState } from '#aws/bucket';
import { entry } from '../entry.ts';
import { stateOf, vaultBucketName, vaultOf } from '../ports/buckets.ts';
import { configOf } from '../ports/config.ts';
import { planRest } from './plan-rollout.ts';

const services = {
  config: configOf('plan-rollout'),
  state: jsonState(stateOf('plan-rollout')),
  vault: vaultOf('plan-rollout'),
  vaultBucket: vaultBucketName('plan-rollout'),
};

export const handler = entry('plan-rollout', (ref) => planRest(services, ref));
