import { s3Bucket } from '#aws/bucket';
import { s3Client, sfnClient } from '#aws/clients';
import { sfnExecutions } from '#aws/executions';
import { AcquireLockInput, BackupRequest, RestoreRequest, UpgradeRequest } from '#domain/payloads';
import { deployedConfig } from '../config.ts';
import { entry, parse } from '../entry.ts';
import { acquireLock, type Request } from './acquire-lock.ts';
import { Env } from './env.ts';

const env = Env.parse(process.env);
const s3 = s3Client();
const services = {
  config: deployedConfig(),
  state: s3Bucket(s3, env.STATE_BUCKET),
  vault: s3Bucket(s3, env.VAULT_BUCKET),
  executions: sfnExecutions(sfnClient()),
};

export const handler = entry(AcquireLockInput, ({ request, operation, ...run }) =>
  acquireLock(services, run, asked(operation, request)),
);

function asked(operation: AcquireLockInput['operation'], request: unknown): Request {
  switch (operation) {
    case 'backup':
      return { operation, request: parse(BackupRequest, withoutParent(request)) };
    case 'restore':
      return { operation, request: parse(RestoreRequest, request) };
    case 'upgrade':
      return { operation, request: parse(UpgradeRequest, request) };
    default:
      return operation satisfies never;
  }
}

/** A parent execution's own mark travels in its child's input. */
function withoutParent(request: unknown): unknown {
  if (typeof request !== 'object' || request === null) return request;
  const { AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: _, ...rest } = {
    AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: '',
    ...request,
  };
  return rest;
}
