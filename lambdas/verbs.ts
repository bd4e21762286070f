import * as z from 'zod';
import type { BucketFor, StateFor } from '#domain/contracts/access';
import type { VerbContract } from '#domain/contracts/verb';
import { RunEnded, StatusChange } from '#domain/events';
import {
  AcquireLockInput,
  AcquireLockOutput,
  AdvancePhaseInput,
  AdvancePhaseOutput,
  CheckSummary,
  ChooseBackupOutput,
  CleanUpOutput,
  CommitBackupOutput,
  Decided,
  ExplainFailureInput,
  FailRunInput,
  Failure,
  HoldBackupInput,
  HoldOutput,
  JanitorInput,
  JanitorOutput,
  MeasureAgeOutput,
  OpenBackupOutput,
  PlanBackupOutput,
  PlanOutput,
  PlanRestoreOutput,
  PlanRolloutOutput,
  PlanUndoOutput,
  PlanUpgradeOutput,
  ProveRestoreOutput,
  ReleaseLockOutput,
  RequestApprovalInput,
  RequestApprovalOutput,
  RunRef,
  ShareSettingsOutput,
  UndoInput,
  VerifyBackupInput,
  VerifyBackupOutput,
} from '#domain/payloads';
import type { DeadRuns, Executions, Notices, RunCommand, Schedules, Tasks } from '#domain/ports';

const minutes = 60;

/** The lambdas: what each takes and answers, what it may reach, and how long it may take. Everything else about them follows from this. */
export const verbs = {
  'acquire-lock': {
    does: 'Takes the lock of a system for a run.',
    input: AcquireLockInput,
    output: AcquireLockOutput,
    config: true,
    state: { 'runs/': ['write'], 'locks/': ['read', 'write'] },
    vault: { 'catalog/': ['read'] },
    executions: ['isRunning', 'hasStarted'],
  },
  'plan-inspection': {
    does: 'Finds the nodes of a system and plans their inspection.',
    input: RunRef,
    output: PlanOutput,
    config: true,
    state: { 'runs/': ['read', 'write'] },
    runCommand: ['nodes', 'document'],
  },
  'plan-backup': {
    does: 'Plans a backup from what the inspection found.',
    input: RunRef,
    output: PlanBackupOutput,
    config: true,
    state: { 'runs/': ['read', 'write'] },
    vault: { 'catalog/': ['read'] },
    runCommand: ['document'],
  },
  'choose-backup': {
    does: 'Chooses the backup to restore, and checks that the vault has all of it.',
    input: RunRef,
    output: ChooseBackupOutput,
    state: { 'runs/': ['read', 'write'] },
    vault: { 'catalog/': ['read'], 'backups/': ['list-versions'] },
    timeoutSeconds: 5 * minutes,
  },
  'plan-restore': {
    does: 'Checks whether the chosen backup can be restored, and plans it.',
    input: RunRef,
    output: PlanRestoreOutput,
    config: true,
    state: { 'runs/': ['read', 'write'] },
    vault: { 'catalog/': ['read'], 'installers/': ['list-versions'] },
    runCommand: ['document'],
  },
  'request-approval': {
    does: 'Notes what a decision about a run is to be made on, and sent to.',
    input: RequestApprovalInput,
    output: RequestApprovalOutput,
    state: { 'runs/': ['read', 'write'] },
  },
  'take-decision': {
    does: 'Takes what was decided on the plan of a run, and notes who has decided.',
    input: RunRef,
    output: Decided,
    state: { 'runs/': ['read', 'write'], 'decisions/': ['read'] },
  },
  'thaw-backup': {
    does: 'Asks cold storage for copies of what a restore will read.',
    input: RunRef,
    output: ChooseBackupOutput,
    state: { 'runs/': ['read'] },
    vault: { 'catalog/': ['read'], 'backups/': ['list-versions', 'thaw'] },
    timeoutSeconds: 15 * minutes,
  },
  'open-backup': {
    does: 'Pauses the schedules of a system, and lets its nodes read what their plan lets them fetch.',
    input: RunRef,
    output: OpenBackupOutput,
    config: true,
    state: { 'runs/': ['read', 'write'] },
    vault: { 'backups/': ['tag-versions'], 'installers/': ['tag-versions'] },
    schedules: ['isEnabled', 'pause'],
    timeoutSeconds: 5 * minutes,
  },
  'prove-restore': {
    does: 'Compares what was restored with the manifest.',
    input: RunRef,
    output: ProveRestoreOutput,
    state: { 'runs/': ['read'] },
    vault: { 'catalog/': ['read'], 'installers/': ['list-versions'] },
    timeoutSeconds: 5 * minutes,
  },
  'plan-upgrade': {
    does: 'Checks whether a system can be upgraded, and plans what is known of it.',
    input: RunRef,
    output: PlanUpgradeOutput,
    config: true,
    state: { 'runs/': ['read', 'write'] },
    vault: { 'installers/': ['list-versions'] },
    runCommand: ['document'],
  },
  'share-settings': {
    does: "Lets the other nodes fetch the upgraded master's settings.",
    input: RunRef,
    output: ShareSettingsOutput,
    state: { 'runs/': ['read', 'write'] },
    vault: { 'backups/': ['list-versions'], 'backups/*/upgrades/': ['tag-versions'] },
  },
  'plan-rollout': {
    does: 'Plans what follows the upgrade of master, PuppetDB and console.',
    input: RunRef,
    output: PlanRolloutOutput,
    config: true,
    state: { 'runs/': ['read', 'write'] },
    vault: { 'installers/': ['list-versions'] },
  },
  'advance-phase': {
    does: 'Takes one phase of a run a step further.',
    input: AdvancePhaseInput,
    output: AdvancePhaseOutput,
    config: true,
    state: { 'runs/': ['read', 'write'], 'answers/': ['read'], 'decisions/': ['read'] },
    runCommand: ['nodes', 'send', 'find', 'invocations', 'progress', 'failures'],
    timeoutSeconds: 5 * minutes,
  },
  'commit-backup': {
    does: 'Compares the vault with what the nodes reported, writes the manifest, and lets older backups go.',
    input: RunRef,
    output: CommitBackupOutput,
    config: true,
    state: { 'runs/': ['read', 'write'] },
    vault: {
      'catalog/': ['read', 'write', 'tag', 'lock'],
      'backups/': ['list-versions', 'tag-versions', 'abort-uploads', 'lock'],
    },
    signs: true,
    timeoutSeconds: 15 * minutes,
  },
  'conclude-check': {
    does: 'Puts together what keeps the nodes of a system from being backed up.',
    input: RunRef,
    output: CheckSummary,
    config: true,
    state: { 'runs/': ['read', 'write'] },
    vault: {},
  },
  'release-lock': {
    does: 'Releases the lock of a system.',
    input: UndoInput,
    output: ReleaseLockOutput,
    state: { 'runs/': ['read'], 'locks/': ['read', 'delete'] },
  },
  'explain-failure': {
    does: 'Turns the failure of a run into one sentence.',
    input: ExplainFailureInput,
    output: Failure,
    state: { 'runs/': ['read', 'write'] },
  },
  'fail-run': {
    does: 'Ends a run with its own error, or lets a redriven one begin again.',
    input: FailRunInput,
    output: z.null(),
    tasks: ['succeed', 'fail'],
  },
  'plan-undo': {
    does: 'Cancels the commands of a run, and plans what its nodes must do to be as before.',
    input: UndoInput,
    output: PlanUndoOutput,
    state: { 'runs/': ['read', 'write'] },
    runCommand: ['find', 'cancel', 'document'],
    timeoutSeconds: 5 * minutes,
  },
  'clean-up': {
    does: 'Removes what a run left in the vault, resumes schedules, and releases the lock.',
    input: UndoInput,
    output: CleanUpOutput,
    state: { 'runs/': ['read'], 'locks/': ['read', 'delete'] },
    vault: {
      'catalog/': ['read'],
      'backups/': ['list', 'tag-versions', 'discard', 'abort-uploads'],
      'installers/': ['tag-versions'],
    },
    schedules: ['resume'],
    timeoutSeconds: 10 * minutes,
  },
  'measure-age': {
    does: 'Publishes the metrics of each system.',
    input: z.unknown(),
    output: MeasureAgeOutput,
    config: true,
    state: { 'deployed/systems.json': ['write'] },
    vault: { 'catalog/': ['read'], 'backups/': ['list-uploads'] },
  },
  // The one lambda that reads what the backups hold. Reading 85 MB/s, which one connection to S3 gives, and hashing it takes a whole processor.
  'verify-backup': {
    does: 'Reads backups back, and compares every byte with what was committed.',
    input: VerifyBackupInput,
    output: VerifyBackupOutput,
    state: { 'runs/': ['read', 'write'] },
    vault: { 'catalog/': ['read', 'write', 'tag'], 'backups/': ['list-versions', 'read-versions'] },
    timeoutSeconds: 15 * minutes,
    memorySize: 1769,
  },
  'hold-backup': {
    does: 'Puts a hold on a backup, or takes it back.',
    input: HoldBackupInput,
    output: HoldOutput,
    config: true,
    vault: { 'catalog/': ['read', 'write', 'tag', 'hold'], 'backups/': ['tag-versions', 'hold'] },
    timeoutSeconds: 15 * minutes,
  },
  janitor: {
    does: 'Removes what nobody needs any more, and looks whether what was committed is still there.',
    input: JanitorInput,
    output: JanitorOutput,
    config: true,
    state: { 'locks/': ['read'] },
    vault: {
      'catalog/': ['read', 'write', 'tag'],
      'backups/': ['list-versions', 'tag-versions', 'discard', 'abort-uploads'],
    },
    executions: ['endedAt', 'undo'],
    timeoutSeconds: 15 * minutes,
  },
  'tell-end': {
    does: 'Tells people and programs of the end of a run.',
    input: StatusChange,
    output: RunEnded.nullable(),
    config: true,
    state: { 'runs/': ['read'] },
    vault: { 'catalog/': ['read'] },
    notices: ['publish', 'mail', 'ping'],
  },
} as const satisfies Readonly<Record<string, VerbContract>>;

type Verbs = typeof verbs;

/** What a lambda does; its function is named `holdfast-<verb>`. */
export type Verb = keyof Verbs;

/** What a verb's lambda is given, after parsing. */
export type InputOf<V extends Verb> = z.output<Verbs[V]['input']>;

/** What it answers. */
export type OutputOf<V extends Verb> = z.input<Verbs[V]['output']>;

/** What each verb's input is parsed with. */
export const inputs: { readonly [V in Verb]: { readonly input: z.ZodType<InputOf<V>> } } = verbs;

/** The verbs whose rows have a column. */
export type VerbWith<Column extends keyof VerbContract> = {
  [V in Verb]: Column extends keyof Verbs[V] ? V : never;
}[Verb];

/** What a verb's row has in a column. */
export type Granted<V extends Verb, Column extends keyof VerbContract> = Column extends keyof Verbs[V]
  ? Verbs[V][Column]
  : never;

const isVerb = (name: string): name is Verb => Object.hasOwn(verbs, name);

export const verbNames: readonly Verb[] = Object.keys(verbs).filter(isVerb);

/** The state bucket, the same as JSON, and the vault, as a verb's row lets it use them. */
export type StateBucketOf<V extends VerbWith<'state'>> = BucketFor<Granted<V, 'state'>>;
export type StateOf<V extends VerbWith<'state'>> = StateFor<Granted<V, 'state'>>;
export type VaultOf<V extends VerbWith<'vault'>> = BucketFor<Granted<V, 'vault'>>;

/** What a verb's row names of a port. */
export type RunCommandOf<V extends VerbWith<'runCommand'>> = Pick<RunCommand, Granted<V, 'runCommand'>[number]>;
export type ExecutionsOf<V extends VerbWith<'executions'>> = Pick<
  Executions & DeadRuns,
  Granted<V, 'executions'>[number]
>;
export type TasksOf<V extends VerbWith<'tasks'>> = Pick<Tasks, Granted<V, 'tasks'>[number]>;
export type SchedulesOf<V extends VerbWith<'schedules'>> = Pick<Schedules, Granted<V, 'schedules'>[number]>;
export type NoticesOf<V extends VerbWith<'notices'>> = Pick<Notices, Granted<V, 'notices'>[number]>;

/** Returns the row of a verb without what tells it apart from the others'. */
export const contractOf = (verb: Verb): VerbContract => verbs[verb];
