import { type AcquireLockInput, BackupRequest, RestoreRequest, UpgradeRequest } from '#domain/payloads';
import { entry, parse } from '../entry.ts';
import { stateOf, vaultOf } from '../ports/buckets.ts';
import { configOf } from '../ports/config.ts';
import { executionsOf } from '../ports/step-functions.ts';
import { acquireLock, type Request } from './acquire-lock.ts';

const services = {
  config: configOf('acquire-lock'),
  state: stateOf('acquire-lock'),
  vault: vaultOf('acquire-lock'),
  executions: executionsOf('acquire-lock'),
};

export const handler = entry('acquire-lock', ({ request, operation, ...run }) =>
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
