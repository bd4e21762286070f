import { s3Bucket } from '#aws/bucket';
import { s3Client, sfnClient } from '#aws/clients';
import { sfnExecutions } from '#aws/executions';
import { AcquireLockInput, BackupRequest } from '#domain/payloads';
import { deployedConfig } from '../config.ts';
import { entry, parse } from '../entry.ts';
import { acquireLock } from './acquire-lock.ts';
import { Env } from './env.ts';

const env = Env.parse(process.env);
const s3 = s3Client();
const services = {
  config: deployedConfig(),
  state: s3Bucket(s3, env.STATE_BUCKET),
  vault: s3Bucket(s3, env.VAULT_BUCKET),
  executions: sfnExecutions(sfnClient()),
};

export const handler = entry(AcquireLockInput, ({ request, ...run }) =>
  acquireLock(services, run, parse(BackupRequest, request)),
);
