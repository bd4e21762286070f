import { jsonState } from '#aws/bucket';
import { entry } from '../entry.ts';
import { stateOf, vaultBucketName, vaultOf } from '../ports/buckets.ts';
import { configOf } from '../ports/config.ts';
import { runCommandOf } from '../ports/run-command.ts';
import { planBackup } from './plan-backup.ts';

const services = {
  config: configOf('plan-backup'),
  state: jsonState(stateOf('plan-backup')),
  vault: vaultOf('plan-backup'),
  vaultBucket: vaultBucketName('plan-backup'),
  documents: runCommandOf('plan-backup'),
};

export const handler = entry('plan-backup', (ref) => planBackup(services, ref));
