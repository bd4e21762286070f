import * as z from 'zod';
import type { StateMachineName } from '#domain/naming';
import {
  AdvancePhaseInput,
  BackupRequest,
  CheckSummary,
  HoldRequest,
  RestoreRequest,
  RestoreSummary,
  RunRef,
  UndoInput,
  UpgradeRequest,
  UpgradeSummary,
  VerifyRequest,
  VerifySummary,
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
  hold: HoldRequest,
  'run-phase': AdvancePhaseInput,
  undo: UndoInput,
} as const satisfies Readonly<Record<StateMachineName, z.ZodType>>;

/** What acquire-lock has answered goes through the whole machine. */
const Acquired = {
  system: z.string().optional(),
  run: z.string().optional(),
  attempt: z.number().optional(),
  deadRun: z.string().optional(),
  /** The schedules that were enabled before. */
  paused: z.object({ schedules: z.array(z.string()) }).optional(),
};

const Decided = {
  kind: z.string().optional(),
  next: z.string().optional(),
  approvalSeconds: z.number().optional(),
  safetyBackup: z.boolean().optional(),
};

/** What the machines that people start end with when they succeed: read by people, by the command line, and by tell-end. */
export const machineOutputs = {
  backup: z.object({
    ...Acquired,
    operation: z.literal('backup'),
    system: z.string(),
    backup: z.string(),
    outcome: z.string(),
    plan: z.object({ phases: z.array(z.string()), planOnly: z.boolean() }).optional(),
    /** Of a check, which makes no backup. */
    check: CheckSummary.optional(),
    committed: z.object({ manifest: z.string() }).optional(),
  }),
  restore: z.object({
    ...Acquired,
    operation: z.literal('restore'),
    backup: z.string().optional(),
    outcome: z.string().optional(),
    chosen: z.object({ backup: z.string(), cold: z.number().optional() }),
    plan: z.object({ ...Decided, summary: RestoreSummary }),
    safety: z.object({ backup: z.string() }).optional(),
    /** Absent when only a plan was asked for. */
    proof: z.object({ compared: z.array(z.string()), told: z.array(z.string()).default([]) }).optional(),
    /** What a proven restore could not remove from nodes. */
    closed: z.object({ left: z.array(z.string()) }).optional(),
  }),
  upgrade: z.object({
    ...Acquired,
    operation: z.literal('upgrade'),
    backup: z.string().optional(),
    outcome: z.string().optional(),
    plan: z.object({ ...Decided, next: z.string(), summary: UpgradeSummary }),
    /** The backup that was taken before; absent when nothing was upgraded. */
    before: z.object({ backup: z.string(), manifest: z.string().optional() }).optional(),
  }),
  verify: VerifySummary.extend({ status: z.string().optional() }),
} as const satisfies Partial<Record<StateMachineName, z.ZodType>>;

/** What a run that people or schedules start, and that succeeded, ended with. */
export const Ended = z.discriminatedUnion('operation', [
  machineOutputs.backup,
  machineOutputs.restore,
  machineOutputs.upgrade,
  machineOutputs.verify,
]);
export type Ended = z.infer<typeof Ended>;

/** The result of a run, in a word. `planned` touched nothing. */
export const results = [
  'committed',
  'duplicate',
  'restored',
  'upgraded',
  'planned',
  'nothing to do',
  'verified',
] as const;

/** Returns the result of a run that succeeded. */
export const resultOf = (ended: Ended): (typeof results)[number] => {
  switch (ended.operation) {
    case 'backup':
      if (ended.check) return 'planned';
      return ended.outcome === 'duplicate' ? 'duplicate' : 'committed';
    case 'restore':
      return ended.proof ? 'restored' : 'planned';
    case 'upgrade':
      if (ended.before) return 'upgraded';
      return ended.plan.next === 'plan-only' ? 'planned' : 'nothing to do';
    case 'verify':
      return 'verified';
    default:
      return ended satisfies never;
  }
};

/** Returns the backup that a run has made, restored, or taken before it; undefined where there is none. */
export const backupOf = (ended: Ended): string | undefined => {
  switch (ended.operation) {
    case 'backup':
      return ended.check ? undefined : ended.backup;
    case 'restore':
      return ended.chosen.backup;
    case 'upgrade':
      return ended.before?.backup;
    case 'verify':
      return undefined;
    default:
      return ended satisfies never;
  }
};
