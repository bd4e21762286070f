import { entry } from '../entry.ts';
import { vaultOf } from '../ports/buckets.ts';
import { configOf } from '../ports/config.ts';
import { holdBackup } from './hold-backup.ts';

const services = { config: configOf('hold-backup'), vault: vaultOf('hold-backup') };

export const handler = entry('hold-backup', ({ request, startedAt }) => holdBackup(services, request, startedAt));
