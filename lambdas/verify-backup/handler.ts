import { jsonState } from '#aws/bucket';
import { VerifyRequest } from '#domain/payloads';
import { entry, parse } from '../entry.ts';
import { stateOf, vaultOf } from '../ports/buckets.ts';
import { rangeBytes, verifyBackup } from './verify-backup.ts';

const services = {
  state: jsonState(stateOf('verify-backup')),
  vault: vaultOf('verify-backup'),
  now: () => new Date(),
  rangeBytes,
};

export const handler = entry('verify-backup', ({ request, ...run }) =>
  verifyBackup(services, run, parse(VerifyRequest, request)),
);
