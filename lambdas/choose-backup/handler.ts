import { jsonState } from '#aws/bucket';
import { entry } from '../entry.ts';
import { stateOf, vaultOf } from '../ports/buckets.ts';
import { chooseBackup } from './choose-backup.ts';

const services = { state: jsonState(stateOf('choose-backup')), vault: vaultOf('choose-backup') };

export const handler = entry('choose-backup', (ref) => chooseBackup(services, ref));
