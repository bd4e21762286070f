import { jsonState } from '#aws/bucket';
import { entry } from '../entry.ts';
import { stateOf, vaultBucketName, vaultOf } from '../ports/buckets.ts';
import { configOf } from '../ports/config.ts';
import { runCommandOf } from '../ports/run-command.ts';
import { planRestore } from './plan-restore.ts';

const services = {
  config: configOf('plan-restore'),
  state: jsonState(stateOf('plan-restore')),
  vault: vaultOf('plan-restore'),
  vaultBucket: vaultBucketName('plan-restore'),
  documents: runCommandOf('plan-restore'),
};

export const handler = entry('plan-restore', (ref) => planRestore(services, ref));
