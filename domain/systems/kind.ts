import type { Selector } from '#domain/config';
import type { Inspection } from '#domain/inspection';
import type { Collected, Manifest, StoredUpload } from '#domain/manifest';
import type { RestoreRequest, UpgradeRequest } from '#domain/payloads';
import type { PhaseState } from '#domain/phase';
import type { Phase, PlannedNode } from '#domain/plan';

/** What differs by the kind of a system. Everything else, in the lambdas and the state machines, is the same for all. */

/** An object of the vault that a node fetches: this version, and no other content. */
export type Fetchable = Pick<StoredUpload, 'key' | 'versionId' | 'bytes' | 'sha256' | 'compression'>;

/** A node of a run and what was found on it. */
export interface Inspected<I extends Inspection = Inspection> {
  readonly node: PlannedNode;
  readonly inspection: I;
}

/** Everything that the plan of a backup depends on beside the configuration. */
export interface BackupOf {
  readonly system: string;
  readonly run: string;
  /** The ARN of the run's execution, which tells account and region. */
  readonly execution: string;
  readonly backup: string;
  readonly vaultBucket: string;
  readonly nodes: readonly Inspected[];
  /** The newest good backup: sizes and durations are expected to be like its own. */
  readonly previous: Manifest | undefined;
  /** A safety backup takes what there is: what is broken is told by `missingFrom`. */
  readonly safety: boolean;
}

/** The phases of a backup, in their order; a kind plans those that it needs. */
export const backupPhases = ['stop-services', 'create-archive', 'collect', 'start-services'] as const;
export type BackupPhase = (typeof backupPhases)[number];

/** A phase whose name somebody looks for later. */
export interface PhaseNamed<N extends string> extends Phase {
  readonly name: N;
}

/** Where a phase of a backup stands, among all of its run. */
export const backupState = (phases: readonly PhaseState[], name: BackupPhase): PhaseState | undefined =>
  phases.find(({ phase }) => phase === name);

/** What a run has found and collected. */
export interface Collection {
  readonly safety: boolean;
  readonly nodes: readonly Inspected[];
  readonly collected: readonly { readonly instanceId: string; readonly collected: Collected }[];
  readonly phases: readonly PhaseState[];
}

export interface InspectionOf {
  readonly run: string;
  readonly onProblem: 'fail' | 'report';
  readonly nodes: readonly PlannedNode[];
  /** What is against it is asked as well. */
  readonly upgrade: UpgradeRequest | undefined;
  /** One node of each of `samples`, as far as one answers. */
  readonly sampled: readonly PlannedNode[];
}

/** A configured system. */
export interface Kind {
  /** The nodes that a run works on; a restore finds some of them lost. */
  selectors(operation: 'restore' | 'other'): readonly Selector[];
  /** Of these an upgrade asks one node each, and no others: they may be thousands. */
  samples(upgrade: UpgradeRequest): readonly Selector[];
  /** The phase that asks the nodes what they hold. */
  inspect(of: InspectionOf): Phase;
  /** Throws a WrongRoleError or a CommandFailedError when a node does not hold what the configuration says. */
  planBackup(of: BackupOf): readonly PhaseNamed<BackupPhase>[];
  /** What a safety backup could not have, for people. */
  missingFrom(node: Inspected): readonly string[];
  /** What was found and not collected, for people; undefined when the backup is whole. */
  incomplete(of: Collection): string | undefined;
  /** What the manifest tells of the backup's consistency. */
  consistency(collected: readonly Collected[]): Manifest['consistency'];
  readonly extraPaths: readonly string[];
}

/** Everything that a restore depends on. */
export interface RestoreOf {
  readonly system: string;
  readonly run: string;
  readonly vaultBucket: string;
  readonly request: RestoreRequest;
  readonly nodes: readonly Inspected[];
  /** When the run began. */
  readonly startedAt: Date;
  /** The installer, when one is asked for. */
  readonly installer?: Fetchable;
  /** Answers that were handed in for it, by role. */
  readonly answers?: Readonly<Partial<Record<string, Fetchable>>>;
  /** Backups that were taken later than the one that is restored. */
  readonly newer?: readonly Manifest[];
}

/** What was compared after a restore, for people. */
export interface Proof {
  readonly compared: readonly string[];
  readonly different: readonly string[];
  /** What is restored and yet not as it was, or not known: people must know of it. */
  readonly told: readonly string[];
}

/** The restore of a backup to the nodes that were found. */
export interface Restoration {
  /** Every reason why it must not begin, for people; empty when it may. */
  check(): readonly string[];
  /** What a person should know before saying yes. */
  warn(): readonly string[];
  plan(): readonly Phase[];
  /** The nodes of which something is replaced; none where nothing is that could be lost. */
  readonly replaced: readonly PlannedNode[];
  /** Compares what is there now with the manifest. */
  prove(restored: readonly Inspected[], phase: (name: string) => PhaseState | undefined): Proof;
}

/** Everything that an upgrade depends on beside the configuration. */
export interface UpgradeOf {
  readonly system: string;
  readonly run: string;
  /** The ARN of the run's execution, which tells account and region. */
  readonly execution: string;
  readonly vaultBucket: string;
  readonly request: UpgradeRequest;
  readonly nodes: readonly Inspected[];
  /** Nodes that do not answer, for people. */
  readonly absent: readonly string[];
  /** The phase in which the nodes told what is against it. */
  readonly inspected: PhaseState;
  /** The installer in the vault, when it lies there. */
  readonly installer: Fetchable | undefined;
  /** What else the request names of the vault, by name. */
  readonly modules: ReadonlyMap<string, Fetchable>;
}

/** The upgrade of a system to the version that was asked for. */
export interface Upgrading {
  /** Every reason why it must not begin, for people; empty when it may. */
  check(): readonly string[];
  warn(): readonly string[];
  readonly isNothingToDo: boolean;
  /** The version that was found on each node, or of each model. */
  readonly found: readonly string[];
  /** The phases that are known now. */
  plan(): readonly Phase[];
  /** What is planned later, as far as it can be told before. */
  foresee(): readonly Phase[];
}
