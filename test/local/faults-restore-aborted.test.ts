import { afterAll, beforeAll, describe, it } from 'vitest';
import { type Bench, statesOf } from './harness.ts';
import { abortIn, startRestorable } from './restorable.ts';

let bench: Bench;
let backup: string;

beforeAll(async () => {
  ({ bench, backup } = await startRestorable());
});
afterAll(() => bench.close());

describe('a restore that is aborted', () => {
  // Those that this restore does not enter: nothing is dead, cold, without a confirmation, or of another kind.
  const passedOver = ['UndoDeadRun', 'WaitForApproval', 'ThawBackup', 'SafetyBackup', 'RestoreJuju'];
  const moments = [...statesOf('restore').filter((state) => !passedOver.includes(state)), 'SafetyBackup'].map(
    (state) => ['restore', state] as const,
  );
  const steps = statesOf('restore-puppet').map((state) => ['restore-puppet', state] as const);

  it.each([...moments, ...steps])('in %s: %s leaves nothing half done, and the system as it was', (machine, state) =>
    abortIn(bench, backup, machine, state),
  );
});
