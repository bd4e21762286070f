import { entry } from '../entry.ts';
import { vaultOf } from '../ports/buckets.ts';
import { holdBackup } from './hold-backup.ts';

const vault = vaultOf('hold-backup');

export const handler = entry('hold-backup', ({ request, startedAt }) => holdBackup(vault, request, startedAt));
