/** How a Task state does its work. */
export type Integration = 'function' | 'invoke' | 'invoke with token' | 'child';

const INVOKE = 'arn:aws:states:::lambda:invoke';
const CHILD = 'arn:aws:states:::states:startExecution.sync:2';
const CALLBACK = '.waitForTaskToken';

/** Which integration an ASL `Resource` names, if it is one that runs here. */
export function integrationOf(resource: string): Integration | undefined {
  if (resource.startsWith('arn:aws:lambda:')) return 'function';
  if (resource === INVOKE) return 'invoke';
  if (resource === INVOKE + CALLBACK) return 'invoke with token';
  if (resource === CHILD) return 'child';
  return undefined;
}
