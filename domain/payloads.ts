import * as z from 'zod';
import { coreRoles } from './config.ts';
import { ApprovalRejectedError } from './errors.ts';
import { Change } from './history.ts';
import {
  BackupId,
  Concurrency,
  InstanceId,
  PhaseName,
  RunId,
  Share,
  SystemId,
  systemKinds,
  systemMetricNames,
} from './naming.ts';

/**
 * What travels between states and lambdas: a run's name and no more. Plans, results and manifests lie in S3, so that a
 * payload never grows with the number of nodes.
 */

export const operations = ['backup', 'restore', 'upgrade', 'verify'] as const;

/** The operations that take the system's lock. A verification only reads, and runs beside them. */
export const lockingOperations = [
  'backup',
  'restore',
  'upgrade',
] as const satisfies readonly (typeof operations)[number][];

/** Who a run is. Made by acquire-lock, read by every later state. */
export const RunRef = z.object({ system: SystemId, operation: z.enum(operations), run: RunId });
export type RunRef = z.infer<typeof RunRef>;

/** What a person types into the console, or a schedule sends. Made by people and schedules, read by acquire-lock. */
export const BackupRequest = z.strictObject({
  system: SystemId,
  schedule: z.string().max(64).optional(),
  /** The slot: the moment for which the schedule fired, however late or often it is delivered. */
  scheduledTime: z.iso.datetime({ offset: true }).optional(),
  /** The run before whose changes this backup is taken: it holds the lock already. */
  lockedBy: RunId.optional(),
  /** What is broken is left out instead of failing: the last look at what a restore replaces. */
  safety: z.boolean().default(false),
  /** A node that does not answer is left out instead of failing: what still lives is backed up. */
  partial: z.boolean().default(false),
  /** A check: tells whether a backup could be made now, and changes nothing. */
  planOnly: z.boolean().default(false),
});
export type BackupRequest = z.infer<typeof BackupRequest>;

/** Parts of a Puppet Enterprise installation that can be restored by themselves; one database by `databases:NAME`. */
export const scopes = ['certs', 'config', 'code', 'databases', 'mcollective'] as const;

const Scope = z.union([
  z.enum(scopes),
  z.templateLiteral(['databases:', z.string().min(1).max(63)], {
    error: `expected one of: ${scopes.join(', ')}, databases:NAME`,
  }),
]);
export type Scope = z.infer<typeof Scope>;

/** Differences between a backup and its target that a restore refuses unless they are named. */
export const allowances = [
  'version',
  'hostname',
  'certname',
  'missing-nodes',
  /** Juju 1.x: a stopped state server counts as gone, because somebody has seen to it that it is never started again. */
  'stopped-server',
  /** Juju: the installed juju-restore knows a format of backups that it did not when this was written. */
  'format',
] as const;

/** What a restore of Juju may be told beside. */
const JujuRestoreOptions = z.strictObject({
  /** Of the new state server of 1.x, as `juju bootstrap` takes them. */
  constraints: z
    .string()
    .regex(
      /^[a-z][a-z-]{0,30}=[A-Za-z0-9._,-]{1,60}( [a-z][a-z-]{0,30}=[A-Za-z0-9._,-]{1,60}){0,10}$/,
      'expected constraints such as "mem=4G cpu-cores=2"',
    )
    .optional(),
  /** State servers to have afterwards, 1.x. */
  ensureAvailability: z.literal([3, 5, 7], { error: 'expected 3, 5 or 7' }).optional(),
  /** How long agents may take to report to the restored state, and how many of all machines must, in percent. */
  reconnectSeconds: z.int().min(10).max(36_000).default(900),
  reconnectPercent: z.int().min(1).max(100).default(100),
});

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected the SHA-256 of the archive in hexadecimal');

const AnswersName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,150}$/, 'expected the name of a file');

const ModuleName = z
  .string()
  .regex(
    /^[A-Za-z0-9]{1,60}-[a-z][a-z0-9_]{0,60}-\d[0-9A-Za-z.-]{0,40}\.tar\.gz$/,
    'expected the archive of a module by its name on the Forge, such as puppetlabs-stdlib-4.12.0.tar.gz',
  );

const InstallerName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,150}\.tar\.gz$/, 'expected the name of a .tar.gz');

/** What a person types into the console to start a restore. Made by people and the command line, read by acquire-lock. */
export const RestoreRequest = z
  .strictObject({
    system: SystemId,
    /** `latest` is the newest good one; a safety backup is only taken when named. */
    backup: z.union([z.literal('latest'), BackupId], { error: 'expected latest or a backup id' }).optional(),
    /** The newest good backup before this moment. */
    before: z.iso.datetime({ offset: true }).optional(),
    planOnly: z.boolean().default(false),
    /** The system's name typed again. Without it the run waits for an approval. */
    confirm: z.string().optional(),
    /** How long it waits for one. */
    approvalSeconds: z.int().min(1).max(604_800).default(3600),
    /** Everything, unless it says otherwise. */
    scope: z.array(Scope).min(1).optional(),
    /** keep: roles and tablespaces stay, and those missing come back. globals: they are dropped and recreated. */
    databases: z.enum(['keep', 'globals']).default('keep'),
    allow: z.array(z.enum(allowances)).default([]),
    safetyBackup: z.boolean().default(true),
    /** Purge the installation and install it again from this archive below `installers/<system>/` in the vault. */
    reinstall: z
      .strictObject({
        installer: InstallerName,
        sha256: Sha256,
        /**
         * Files below `installers/<system>/` that take the place of the backup's answers, by the role whose node is installed with them.
         * From 2016.2 on the master's pe.conf is that of PuppetDB and console, too.
         */
        answers: z.partialRecord(z.enum(coreRoles), z.strictObject({ name: AnswersName, sha256: Sha256 })).default({}),
      })
      .optional(),
    juju: JujuRestoreOptions.optional(),
    /** The instance that takes the place of the node that held a role. */
    onto: z.record(z.string(), InstanceId).default({}),
    /**
     * The nodes of the backup that get their files back: roles, names or instance ids, or `all`. A database comes back where
     * one of them held it, and where `scope` names it. Default: what `onto` replaces, else all.
     */
    nodes: z.array(z.string().min(1).max(253)).min(1).optional(),
  })
  .superRefine((request, context) => {
    const issue = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (request.backup !== undefined && request.before !== undefined)
      issue('before', 'expected either backup or before, not both');
    if (request.confirm !== undefined && request.confirm !== request.system)
      issue('confirm', `expected the system's name, ${request.system}, typed again; nothing was changed`);
    if (request.reinstall && request.scope) issue('scope', 'a reinstallation restores everything: leave scope out');
  });
export type RestoreRequest = z.infer<typeof RestoreRequest>;

/** True for a restore that names the nodes that get something back, or what takes their place: other nodes may be silent. */
export const isLimited = ({ nodes, onto }: Pick<RestoreRequest, 'nodes' | 'onto'>): boolean =>
  nodes ? !nodes.includes('all') : Object.keys(onto).length > 0;

/** The stages of an upgrade in their order: a run may go on from one of them. */
export const upgradeStages = [
  'master',
  'puppetdb',
  'console',
  'compile-masters',
  'hubs',
  'spokes',
  'canaries',
  'agents',
] as const;
export type UpgradeStage = (typeof upgradeStages)[number];

/** Where the installer's archive comes from. Without its checksum it is not run. */
export const Installer = z.union(
  [
    z.strictObject({
      /** Below `installers/<system>/` in the vault. */
      name: InstallerName,
      sha256: Sha256,
    }),
    z.strictObject({
      url: z.string().regex(/^https:\/\/[A-Za-z0-9][A-Za-z0-9/_.:+-]{0,500}$/, 'expected an https URL'),
      sha256: Sha256,
    }),
  ],
  { error: 'expected {name, sha256} of an archive in the vault, or {url, sha256}' },
);
export type Installer = z.infer<typeof Installer>;

/** What a person types into the console to start an upgrade. Made by people and the command line, read by acquire-lock. */
export const UpgradeRequest = z
  .strictObject({
    system: SystemId,
    /** The version to have afterwards. */
    version: z.string().regex(/^\d{1,4}(\.\d{1,4}){1,3}$/, 'expected a version such as 2016.4.2'),
    installer: Installer.optional(),
    planOnly: z.boolean().default(false),
    /** The system's name typed again. Without it the run waits for an approval. */
    confirm: z.string().optional(),
    approvalSeconds: z.int().min(1).max(604_800).default(3600),
    /** Stages before it are skipped. What has the version already is skipped in any case. */
    from: z.enum(upgradeStages).optional(),
    /** Modules that are installed where a compile master lacks them, from archives below `installers/<system>/` in the vault. */
    modules: z
      .array(z.strictObject({ name: ModuleName, sha256: Sha256 }))
      .max(20)
      .default([]),
    /** Compile masters at a time. */
    compileMasters: z.int().min(1).max(50).default(1),
    /** Agents at a time, and how many may fail before the rest is left alone. */
    agents: z
      .strictObject({ maxConcurrency: Concurrency, maxErrors: Share })
      .default({ maxConcurrency: '10%', maxErrors: '1%' }),
  })
  .superRefine((request, context) => {
    const issue = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (request.confirm !== undefined && request.confirm !== request.system)
      issue('confirm', `expected the system's name, ${request.system}, typed again; nothing was changed`);
  });
export type UpgradeRequest = z.infer<typeof UpgradeRequest>;

/** What a person or the monthly schedule asks for. Made by them, read by verify-backup. */
export const VerifyRequest = z.strictObject({
  system: SystemId,
  /** Without one those are read that are due. */
  backup: z.union([z.literal('latest'), BackupId], { error: 'expected latest or a backup id' }).optional(),
});
export type VerifyRequest = z.infer<typeof VerifyRequest>;

/** What a person asks for. Made by the command line, read by hold-backup. */
export const HoldRequest = z.strictObject({
  system: SystemId,
  backup: BackupId,
  change: z.enum(['held', 'released']),
  /** Who asks, as they say. */
  by: z.string().min(1).max(200),
  reason: z.string().max(500).optional(),
});
export type HoldRequest = z.infer<typeof HoldRequest>;

/** Made by the state machine, read by hold-backup. */
export const HoldBackupInput = z.strictObject({ request: HoldRequest, startedAt: z.iso.datetime({ offset: true }) });

/** The entry in the history of the backup. Made by hold-backup, read by the command line. */
export const HoldOutput = Change.extend({ system: SystemId, backup: BackupId });
export type HoldOutput = z.infer<typeof HoldOutput>;

/** Made by the state machine, read by verify-backup. */
export const VerifyBackupInput = z.strictObject({
  request: z.unknown(),
  run: RunId,
  execution: z.string(),
  startedAt: z.iso.datetime({ offset: true }),
});

/** Made by the daily schedule and by people, read by janitor. */
export const JanitorInput = z.strictObject({
  /** Every configured one, unless it says otherwise. */
  system: SystemId.optional(),
  /** Reports what would be done, and does nothing. */
  dryRun: z.boolean().default(false),
  /** Of a system's objects: when more would be touched, nothing is done. */
  share: z.number().min(0).max(1).default(0.1),
});
export type JanitorInput = z.infer<typeof JanitorInput>;

/** What the janitor did for a system, or would do. */
const Tidied = z.strictObject({
  system: z.string(),
  outcome: z.enum(['done', 'dry run', 'refused']),
  objects: z.int(),
  touched: z.int(),
  /** One line each. */
  chores: z.array(z.string()).readonly(),
  /** One line for each that was left, since somebody else was at it. */
  left: z.array(z.string()).readonly(),
  /** Committed objects on which something else lies now. */
  replaced: z.array(z.string()).readonly(),
  /** One line for each backup whose manifest or history can't be read. */
  unreadable: z.array(z.string()).readonly(),
});
export type Tidied = z.infer<typeof Tidied>;

/** Made by janitor, read by people. */
export const JanitorOutput = z.strictObject({ systems: z.array(Tidied).readonly() });

/** The metrics of each system. Made by measure-age, read by people. */
export const MeasureAgeOutput = z.record(z.string(), z.partialRecord(z.enum(systemMetricNames), z.number()));

/** A failure for people: an error's name, and one sentence that says where, why and what to do. */
export const Failure = z.strictObject({ error: z.string(), cause: z.string() });
export type Failure = Readonly<z.infer<typeof Failure>>;

/** The result of a verification; its state machine ends with it. */
export const VerifySummary = z.object({
  operation: z.literal('verify'),
  system: z.string(),
  /** Bytes that were read back. */
  bytes: z.number(),
  sound: z.array(z.string()),
  damaged: z.array(z.string()),
  /** Cold storage holds them: they could not be read. */
  cold: z.array(z.string()),
  /** Their manifests can't be read: what was committed is not known. */
  unreadable: z.array(z.string()),
});
export type VerifySummary = z.infer<typeof VerifySummary>;

/** Made by verify-backup, read by the state machine's choice: read on, or end. */
export const VerifyBackupOutput = z.union([
  z.strictObject({ status: z.literal('reading') }),
  VerifySummary.extend({ status: z.literal('read') }).strict(),
  VerifySummary.extend({ status: z.literal('damaged'), ...Failure.shape }).strict(),
]);
export type VerifyBackupOutput = z.infer<typeof VerifyBackupOutput>;

/** How often an execution was redriven; an emulator may not know. */
const Redrives = z
  .int()
  .nonnegative()
  .nullish()
  .transform((count) => count ?? 0);

/** Made by the state machine, read by acquire-lock. */
export const AcquireLockInput = z.strictObject({
  request: z.unknown(),
  operation: z.enum(lockingOperations),
  run: RunId,
  execution: z.string(),
  startedAt: z.iso.datetime({ offset: true }),
  attempt: Redrives,
});
export type AcquireLockInput = z.infer<typeof AcquireLockInput>;

/** How an attempt to get the lock ended. Made by acquire-lock, read by the state machine's choice. */
const Asked = RunRef.extend({ backup: BackupId, attempt: z.int() }).strict();
export const AcquireLockOutput = z.union([
  Asked.extend({ outcome: z.literal('acquired') }),
  Asked.extend({ outcome: z.literal('duplicate') }),
  Asked.extend({ outcome: z.literal('acquired-from-dead'), deadRun: RunId }),
]);
export type AcquireLockOutput = z.infer<typeof AcquireLockOutput>;

/** Made by choose-backup and thaw-backup, read by the state machine's choices. */
export const ChooseBackupOutput = z.strictObject({
  backup: BackupId,
  /** Objects in cold storage that can't be read yet. */
  cold: z.int(),
});
export type ChooseBackupOutput = z.infer<typeof ChooseBackupOutput>;

/** Made by open-backup, read by the state machine: the schedules that were enabled before it paused them. */
export const OpenBackupOutput = z.strictObject({ paused: z.array(z.string()).readonly() });
export type OpenBackupOutput = z.infer<typeof OpenBackupOutput>;

/** The plan of a restore for people; the whole of it lies in the state bucket. */
export const RestoreSummary = z.object({
  backup: z.string(),
  takenAt: z.string(),
  /** Its key in the state bucket. */
  plan: z.string(),
  artifacts: z.number(),
  bytesStored: z.number(),
  bytesRaw: z.number(),
  /** From what the backup's own collecting took. */
  estimatedSeconds: z.number(),
  warnings: z.array(z.string()),
  /** One line per command, in order: phase, command, document, node. */
  steps: z.array(z.string()),
});
export type RestoreSummary = z.infer<typeof RestoreSummary>;

/** Made by plan-restore, read by the state machine: what it decides by, and what a person reads. */
export const PlanRestoreOutput = z.strictObject({
  kind: z.enum(systemKinds),
  next: z.enum(['plan-only', 'confirmed', 'approval']),
  approvalSeconds: z.int(),
  safetyBackup: z.boolean(),
  summary: RestoreSummary,
});
export type PlanRestoreOutput = z.infer<typeof PlanRestoreOutput>;

/** What was restored, in comparison with the manifest. Made by prove-restore, read by the state machine. */
export const ProveRestoreOutput = z.strictObject({
  compared: z.array(z.string()).readonly(),
  told: z.array(z.string()).readonly(),
});

/** The plan of an upgrade for people. */
export const UpgradeSummary = z.object({
  /** The versions that were found, each with the number of its nodes. */
  from: z.record(z.string(), z.number()),
  to: z.string(),
  /** Its key in the state bucket. */
  plan: z.string(),
  warnings: z.array(z.string()),
  /** One line per command, in order: stage, command, document, nodes. */
  steps: z.array(z.string()),
});
export type UpgradeSummary = z.infer<typeof UpgradeSummary>;

/** Made by plan-upgrade, read by the state machine. */
export const PlanUpgradeOutput = z.strictObject({
  kind: z.enum(systemKinds),
  next: z.enum(['nothing-to-do', 'plan-only', 'confirmed', 'approval']),
  approvalSeconds: z.int(),
  summary: UpgradeSummary,
});
export type PlanUpgradeOutput = z.infer<typeof PlanUpgradeOutput>;

/** Nodes that may fetch the master's settings. Made by share-settings, read by nobody but people. */
export const ShareSettingsOutput = z.strictObject({ shared: z.int() });
export type ShareSettingsOutput = z.infer<typeof ShareSettingsOutput>;

/** The phases that upgrade agents, in order. Made by plan-rollout, read by the state machine's map. */
export const PlanRolloutOutput = z.strictObject({ waves: z.array(PhaseName).readonly() });
export type PlanRolloutOutput = z.infer<typeof PlanRolloutOutput>;

/**
 * Made by request-approval, read by the command line: what a run waits for. The token only wakes the state machine: who has it and wrote no
 * decision lets nothing go on.
 */
export const Approval = z.object({ run: RunId, token: z.string(), deadline: z.iso.datetime(), digest: Sha256 });
export type Approval = z.infer<typeof Approval>;

/** What an approval is for: the digest of each phase that was planned, and one of them all together with the run and its attempt. */
export const PlanSeal = z.object({
  digest: Sha256,
  phases: z.record(PhaseName, Sha256),
  /** One for each node of each command that is foreseen. */
  foreseen: z.array(Sha256).default([]),
});
export type PlanSeal = z.infer<typeof PlanSeal>;

/** Made by who approves or rejects, read by take-decision and advance-phase. */
export const Decision = z.object({
  seal: PlanSeal,
  approve: z.boolean(),
  reason: z.string().max(500).optional(),
  at: z.iso.datetime(),
});
export type Decision = z.infer<typeof Decision>;

/** Who has decided on which plan, and when. Made by take-decision, read by people. */
export const Decided = z.strictObject({ by: z.string(), at: z.iso.datetime(), digest: Sha256 });
export type Decided = z.infer<typeof Decided>;

/** The schedules that were enabled before a restore paused them. Made by open-backup, read by clean-up. */
export const Paused = z.object({ schedules: z.array(z.string()) });

/** The backup that was taken before a restore or an upgrade. Made by commit-backup, read by explain-failure. */
export const Safety = z.object({ backup: BackupId });

/** Made by the state machine, read by request-approval. */
export const RequestApprovalInput = z.strictObject({ run: RunId, token: z.string() });

/** Until when somebody may approve. Made by request-approval, read by nobody: the state waits for a decision. */
export const RequestApprovalOutput = z.strictObject({ deadline: z.iso.datetime(), digest: Sha256 });

/** The phases to run, in order. Made by plan-inspection, read by nobody but people. */
export const PlanOutput = z.strictObject({ phases: z.array(PhaseName).readonly() });
export type PlanOutput = z.infer<typeof PlanOutput>;

/** Made by plan-backup, read by the state machine: what its map goes through, and whether a check is all that was asked for. */
export const PlanBackupOutput = PlanOutput.extend({ planOnly: z.boolean() });
export type PlanBackupOutput = z.infer<typeof PlanBackupOutput>;

/** Made by plan-undo, read by the state machine's map: one phase, or none when the run never planned anything. */
export const PlanUndoOutput = z.union([
  z.strictObject({ run: RunId, phases: z.array(PhaseName).max(0).readonly() }),
  RunRef.extend({ phases: z.array(PhaseName).min(1).readonly() }).strict(),
]);
export type PlanUndoOutput = z.infer<typeof PlanUndoOutput>;

/** What was removed, and what a person has to remove from nodes. Made by clean-up, read by the state machine. */
export const CleanUpOutput = z.strictObject({
  abortedUploads: z.int(),
  deletedObjects: z.int(),
  left: z.array(z.string()).readonly(),
});
export type CleanUpOutput = z.infer<typeof CleanUpOutput>;

/** The manifest's key. Made by commit-backup, read by the state machine. */
export const CommitBackupOutput = z.strictObject({ manifest: z.string() });
export type CommitBackupOutput = z.infer<typeof CommitBackupOutput>;

/** Made by release-lock, read by nobody but people. */
export const ReleaseLockOutput = z.strictObject({ system: SystemId, run: RunId });

/** The result of a check; the whole of it lies in the state bucket. */
export const CheckSummary = z.object({ nodes: z.int(), problems: z.int(), warnings: z.int() });
export type CheckSummary = z.infer<typeof CheckSummary>;

/** One step of one phase. Made by run-phase, read by advance-phase. */
export const AdvancePhaseInput = RunRef.extend({ phase: PhaseName }).strict();
export type AdvancePhaseInput = z.infer<typeof AdvancePhaseInput>;

/** Made by advance-phase, read by run-phase: look again after `waitSeconds`, or go on. */
export const AdvancePhaseOutput = z.strictObject({ status: z.enum(['running', 'done']), waitSeconds: z.int() });
export type AdvancePhaseOutput = z.infer<typeof AdvancePhaseOutput>;

const Cause = z
  .string()
  .nullish()
  .transform((cause) => cause ?? '');

/** Any state's error as Step Functions puts it into `Catch`. Both are null when somebody answered for a task and said nothing. */
export const CaughtFailure = z.object({ Error: z.string().nullable(), Cause });
export type CaughtFailure = z.infer<typeof CaughtFailure>;

/** Made by the way out of a state machine, read by explain-failure. */
export const ExplainFailureInput = z.strictObject({
  run: RunId,
  failure: CaughtFailure,
  undoFailure: CaughtFailure.optional(),
});

/** Made by the last state of a failed run, read by fail-run. */
export const FailRunInput = z.strictObject({
  token: z.string(),
  error: z
    .string()
    .nullable()
    .transform((error) => error ?? new ApprovalRejectedError().name),
  cause: Cause,
  /** Of the attempt that failed, and of now: more of them mean that somebody has redriven the execution. */
  attempt: Redrives,
  redrives: Redrives,
});

export type FailRunInput = z.infer<typeof FailRunInput>;

/** What is known of a run before anything else happens: written by acquire-lock, read by the undo. */
export const RunRecord = RunRef.extend({
  backup: BackupId,
  execution: z.string(),
  startedAt: z.iso.datetime({ offset: true }),
  scheduled: z.boolean(),
  /** Of the system. */
  kind: z.string().optional(),
  /** How often the execution was redriven when this attempt began. */
  attempt: z.int().nonnegative(),
  /** The run under whose lock a backup works. */
  lockedBy: RunId.optional(),
  safety: z.boolean(),
  /** A backup of what still lives. */
  partial: z.boolean().optional(),
  /** Of a backup that is only checked for. */
  planOnly: z.boolean().optional(),
  /** What a restore was asked for. Its `backup` is the chosen one as soon as it has chosen. */
  restore: RestoreRequest.optional(),
  /** What a person should know of the choice of that backup. */
  choiceWarnings: z.array(z.string()).optional(),
  upgrade: UpgradeRequest.optional(),
  /** Of a plan that waited for an approval. */
  decision: Decided.extend({ approve: z.boolean(), reason: z.string().optional() }).optional(),
});
export type RunRecord = z.infer<typeof RunRecord>;

/** The content of a system's lock: who holds it, and why. */
export const Lock = RunRef.extend({
  backup: BackupId,
  execution: z.string(),
  acquiredAt: z.iso.datetime({ offset: true }),
});
export type Lock = z.infer<typeof Lock>;

/** Read by plan-undo, clean-up: the run whose traces are to be removed. */
export const UndoInput = z.object({ run: RunId });
