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

  it('of a child that was timed out or aborted names the child and says which', () => {
    expect(explainFailure(child({ Status: 'TIMED_OUT' }), 'backup')).toEqual({
      error: 'StepTimedOutError',
      cause: 'holdfast-run-phase x timed out.',
    });
    expect(explainFailure(child({ Status: 'ABORTED', Error: null, Cause: null }), 'backup')).toEqual({
      error: 'StepAbortedError',
      cause: 'holdfast-run-phase x was aborted: somebody stopped it. Start the operation again.',
    });
  });

  it('that somebody answered with nothing is a rejection', () => {
    expect(explainFailure({ Error: null, Cause: '' }, 'restore')).toEqual({
      error: 'ApprovalRejectedError',
      cause: 'The run was rejected without a reason. Nothing was changed.',
    });
    expect(explainFailure({ Error: null, Cause: 'not on a Friday' }, 'restore')).toEqual({
      error: 'ApprovalRejectedError',
      cause: 'not on a Friday',
    });
  });

  it('never has a name that says that nobody caught it', () => {
    for (const name of ['States.Runtime', 'States.DataLimitExceeded', 'States.Timeout', 'Lambda.Unknown']) {
      expect(explainFailure({ Error: name, Cause: 'why' }, 'backup').error).toMatch(/^Step(Failed|TimedOut)Error$/);
      expect(explainFailure(child({ Error: name, Cause: 'why' }), 'backup').cause).toMatch(/why/);
      // What Lambda says of one that died is a report of its own.
      const report = { Error: 'Lambda.Unknown', Cause: JSON.stringify({ errorType: name, errorMessage: 'why' }) };
      expect(explainFailure(report, 'backup')).toEqual({
        error: expect.stringMatching(/^Step(Failed|TimedOut)Error$/),
        cause: expect.stringMatching(/why/),
      });
    }
  });

  it('without a reason says where to look', () => {
    expect(explainFailure({ Error: 'States.Timeout', Cause: '' }, 'backup').cause).toMatch(
      /The execution shows which one/,
    );
    expect(explainFailure({ Error: 'X', Cause: 'not JSON {' }, 'backup')).toEqual({ error: 'X', cause: 'not JSON {' });
  });

  it('whose undoing failed as well tells both', () => {
    const { error, cause } = explainFailure(
      lambda,
      'backup',
      child({ Error: 'NodeUnreachableError', Cause: 'no answer' }),
    );
    expect(error).toBe('UndoFailedError');
    expect(cause).toBe('CommandFailedError: why And its undo failed: NodeUnreachableError: no answer');
  });
});
