import { expect, it } from 'vitest';
import { adviceOn } from '#domain/advice';
import { errorNames } from '#domain/errors';
import { operations } from '#domain/payloads';

it('every error of every operation has an exit code and a next thing to try', () => {
  for (const operation of operations)
    for (const error of [...errorNames, 'ApprovalTimedOut', 'States.Runtime'])
      expect([error, adviceOn(error, { operation, system: 'pe-main' }).next]).toEqual([
        error,
        expect.stringMatching(/^[A-Z].{20,}/),
      ]);
});

it('the same error ends every operation with the same code', () => {
  const exits = (error: string): readonly string[] =>
    operations.map((operation) => adviceOn(error, { operation, system: 'pe-main' }).exit);
  expect(new Set(exits('SystemBusyError'))).toEqual(new Set(['busy']));
  expect(new Set(exits('UnknownBackupError'))).toEqual(new Set(['not-found']));
  expect(new Set(exits('ManifestUnreadableError'))).toEqual(new Set(['failed']));
  expect(new Set(exits('CommandFailedError'))).toEqual(new Set(['failed']));
});

it('what failed is started again by its command where it is known', () => {
  const advice = (again?: string): string =>
    adviceOn('CommandFailedError', { operation: 'backup', system: 'pe-main', ...(again !== undefined && { again }) })
      .next;
  expect(advice('holdfast backup pe-main')).toContain('try again: holdfast backup pe-main');
  expect(advice()).toContain('start the backup again');
  expect(advice()).toContain('backup-failed');
});
