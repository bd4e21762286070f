import type * as z from 'zod';
import type { StateMachineName } from '#domain/naming';
import {
  AdvancePhaseInput,
  BackupRequest,
  RestoreRequest,
  RunRef,
  UndoInput,
  UpgradeRequest,
  VerifyRequest,
} from '#domain/payloads';

/** What each state machine is started with: by people and schedules, or by another machine. */
export const machineInputs = {
  backup: BackupRequest,
  restore: RestoreRequest,
  'restore-puppet': RunRef,
  'restore-juju': RunRef,
  upgrade: UpgradeRequest,
  'upgrade-puppet': RunRef,
  'upgrade-juju': RunRef,
  verify: VerifyRequest,
  'run-phase': AdvancePhaseInput,
  undo: UndoInput,
} as const satisfies Readonly<Record<StateMachineName, z.ZodType>>;
