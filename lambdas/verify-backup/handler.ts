import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { VerifyBackupInput, VerifyRequest } from '#domain/payloads';
import { entry, parse } from '../entry.ts';
import { Env } from './env.ts';
import { rangeBytes, verifyBackup } from './verify-backup.ts';

const env = Env.parse(process.env);
const s3 = s3Client();
const services = {
  state: jsonState(s3Bucket(s3, env.STATE_BUCKET)),
  vault: s3Bucket(s3, env.VAULT_BUCKET),
  now: () => new Date(),
  rangeBytes,
};

export const handler = entry(VerifyBackupInput, ({ request, ...run }) =>
  verifyBackup(services, run, parse(VerifyRequest, request)),
);
