import { entry } from '../entry.ts';
import { stateOf, vaultOf } from '../ports/buckets.ts';
import { configOf } from '../ports/config.ts';
import { commitBackup } from './commit-backup.ts';

const services = {
  config: configOf('commit-backup'),
  state: stateOf('commit-backup'),
  vault: vaultOf('commit-backup'),
  now: () => new Date(),
};

export const handler = entry('commit-backup', (ref) => commitBackup(services, ref));
