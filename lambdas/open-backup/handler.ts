import { jsonState } from '#aws/bucket';
import { entry } from '../entry.ts';
import { stateOf, vaultOf } from '../ports/buckets.ts';
import { configOf } from '../ports/config.ts';
import { schedulesOf } from '../ports/schedules.ts';
import { openBackup } from './open-backup.ts';

const services = {
  config: configOf('open-backup'),
  state: jsonState(stateOf('open-backup')),
  vault: vaultOf('open-backup'),
  schedules: schedulesOf('open-backup'),
};

export const handler = entry('open-backup', (ref) => openBackup(services, ref));
