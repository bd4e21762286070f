import { describe, expect, it } from 'vitest';
import { explainFailure } from '#domain/failure';

const lambda = {
  Error: 'CommandFailedError',
  Cause: JSON.stringify({ errorType: 'CommandFailedError', errorMessage: 'why', trace: [] }),
};
const child = (of: object) => ({
  Error: 'States.TaskFailed',
  Cause: JSON.stringify({
    Status: 'FAILED',
    ExecutionArn: 'arn:aws:states:us-east-1:1:execution:holdfast-run-phase:x',
    ...of,
  }),
});

describe('a failure', () => {
  it("is a lambda's own error, however deep below child executions", () => {
    const expected = { error: 'CommandFailedError', cause: 'why' };
    expect(explainFailure(lambda, 'backup')).toEqual(expected);
    expect(explainFailure(child(lambda), 'backup')).toEqual(expected);
    expect(explainFailure(child(child(lambda)), 'backup')).toEqual(expected);
  });

  it('of a child that was timed out names the child', () => {
    expect(explainFailure(child({ Status: 'TIMED_OUT' }), 'backup')).toEqual({
      error: 'States.Timeout',
      cause: 'holdfast-run-phase x ended as TIMED_OUT.',
    });
  });

  it('without a reason says where to look', () => {
    expect(explainFailure({ Error: 'States.Timeout', Cause: '' }, 'backup').cause).toMatch(/Look at the execution/);
    expect(explainFailure({ Error: 'X', Cause: 'not JSON {' }, 'backup')).toEqual({ error: 'X', cause: 'not JSON {' });
  });

  it('whose undoing failed as well tells both', () => {
    const { error, cause } = explainFailure(
      lambda,
      'backup',
      child({ Error: 'NodeUnreachableError', Cause: 'no answer' }),
    );
    expect(error).toBe('UndoFailedError');
    expect(cause).toBe('CommandFailedError: why And its undoing failed: NodeUnreachableError: no answer');
  });
});
