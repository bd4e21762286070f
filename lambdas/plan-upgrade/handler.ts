import { jsonState } from '#aws/bucket';
import { entry } from '../entry.ts';
import { stateOf, vaultBucketName, vaultOf } from '../ports/buckets.ts';
import { configOf } from '../ports/config.ts';
import { runCommandOf } from '../ports/run-command.ts';
import { planUpgrade } from './plan-upgrade.ts';

const services = {
  config: configOf('plan-upgrade'),
  state: jsonState(stateOf('plan-upgrade')),
  vault: vaultOf('plan-upgrade'),
  vaultBucket: vaultBucketName('plan-upgrade'),
  documents: runCommandOf('plan-upgrade'),
};

export const handler = entry('plan-upgrade', (ref) => planUpgrade(services, ref));
