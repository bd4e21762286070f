import { pMapIterable } from 'p-map';
import { jsonState } from '#aws/bucket';
import { askedFor, collectedIn } from '#domain/answers';
import type { Config } from '#domain/config';
import { AlreadyExistsError, ArtifactMismatchError, UnknownSystemError, UnreadableResultError } from '#domain/errors';
import { holdOf } from '#domain/history';
import {
  type Artifact,
  type Collected,
  isRegular,
  Manifest,
  objectsOfBackup,
  type StoredUpload,
  type Upload,
  uploadsOf,
} from '#domain/manifest';
import { stateKeys, tagKeys, vaultKeys } from '#domain/naming';
import type { CommitBackupOutput, RunRef } from '#domain/payloads';
import { optionalFailures, type PhaseState } from '#domain/phase';
import type { Plan } from '#domain/plan';
import type { ObjectVersion, StoredVersion } from '#domain/ports';
import { classify, type ExpiringClass, type Kept, type RetentionTag, retentionTags } from '#domain/retention';
import { backupState, type Inspected, type Kind } from '#domain/systems/kind';
import { kindOf } from '#domain/systems/kinds';
import { expiryWarnings } from '#domain/systems/puppet-authority';
import { allBackups, type Backup, keptOf, readBackup, readManifest } from '#domain/vault/catalog';
import { changeRetention } from '#domain/vault/changes';
import { inspectedNodes, phaseOf, readPhase, readPlan, readRun } from '../runs.ts';
import type { StateBucketOf, VaultOf } from '../verbs.ts';

export interface Services {
  readonly config: Config;
  readonly state: StateBucketOf<'commit-backup'>;
  readonly vault: VaultOf<'commit-backup'>;
  readonly now: () => Date;
}

/** Older backups that one commit lets go: more than one only when earlier commits broke off, or holds were released. */
const letGoAtOnce = 10;

/** Tags read at once. */
const readersAtOnce = 20;

/** The version that S3 has of an upload. Throws an ArtifactMismatchError when that is not what the node reported. */
const storedAs = (versions: readonly StoredVersion[], { key, bytes }: Upload): Artifact['stored']['upload'] => {
  const found = versions.find((version) => version.key === key && version.isLatest);
  if (found?.bytes !== bytes)
    throw new ArtifactMismatchError(
      `${key}: the node stored ${bytes} bytes, the vault has ${found ? `${found.bytes} bytes` : 'no such object'}. Nothing was committed; start the backup again.`,
    );
  return { versionId: found.versionId };
};

const artifactOf = (versions: readonly StoredVersion[], node: string, collected: Collected): Artifact => {
  const [upload, contents] = uploadsOf(collected);
  return {
    node,
    collected,
    stored: {
      upload: storedAs(versions, upload),
      ...(contents && { contents: storedAs(versions, contents) }),
    },
  };
};

const secondsOf = ({ startedAt, commands }: PhaseState): number => {
  const ends = commands.flatMap((command) => (command.state === 'ended' ? [Date.parse(command.endedAt)] : []));
  return Math.max(0, Math.round((Math.max(...ends, Date.parse(startedAt)) - Date.parse(startedAt)) / 1000));
};

const retain = async (
  vault: VaultOf<'commit-backup'>,
  objects: readonly StoredUpload[],
  tag: RetentionTag,
): Promise<void> => {
  for (const object of objects) await vault.tag(object, { [tagKeys.retention]: tag });
};

/** Lets nobody delete a backup's objects before the end that the configuration has for its class. */
const lock = async (
  { config, vault }: Pick<Services, 'config' | 'vault'>,
  objects: readonly ObjectVersion[],
  retentionClass: ExpiringClass,
  from: Date,
): Promise<void> => {
  const { objectLock } = config.vault;
  const days = objectLock?.classes[retentionClass];
  if (!objectLock || days === undefined) return;
  const until = new Date(from.getTime() + days * 86_400_000);
  for (const object of objects) await vault.lock(object, objectLock.mode, until);
};

/** Gives the backups that are no longer among the newest their own class, unless a person holds them. */
export const letOlderGo = async (
  vault: VaultOf<'commit-backup'>,
  system: string,
  all: readonly Kept[],
  keepLast: number,
  now: Date,
): Promise<void> => {
  const older = retentionTags(all, keepLast).filter(({ tag }) => tag !== 'keep');
  const tagged = pMapIterable(
    older,
    async ({ backup, tag }) => ({
      backup,
      tag,
      present: (await vault.tags({ key: vaultKeys.manifest(system, backup) }))[tagKeys.retention],
    }),
    { concurrency: readersAtOnce },
  );
  let gone = 0;
  for await (const { backup, tag, present } of tagged) {
    if (gone === letGoAtOnce) break;
    if (present !== 'keep') continue;
    const found = await readBackup({ vault }, system, backup);
    if (!found?.readable || holdOf(found.history)) continue;
    gone += 1;
    try {
      await changeRetention(vault, found.manifest, { at: now.toISOString(), change: 'let go', tag, by: 'holdfast' });
    } catch (error) {
      // A person changes it at this very moment: the next commit looks again.
      if (!(error instanceof AlreadyExistsError)) throw error;
    }
  }
};

const phasesOf = async (state: StateBucketOf<'commit-backup'>, { run, phases }: Plan): Promise<readonly PhaseState[]> =>
  (await Promise.all(phases.map(({ name }) => readPhase(jsonState(state), run, name)))).filter(
    (phase) => phase !== undefined,
  );

/** Everything that a run has found and collected, and what its nodes could not give, for people. */
const gathered = async (state: StateBucketOf<'commit-backup'>, run: string, kind: Kind) => {
  const record = await readRun(jsonState(state), run);
  const plan = await readPlan(jsonState(state), run);
  const phases = await phasesOf(state, plan);
  const collect = backupState(phases, 'collect');
  if (!collect) throw new UnreadableResultError(`Run ${run} has collected nothing.`);
  const inspected = await inspectedNodes(jsonState(state), plan, 'inspect');
  const nameOf = (id: string): string => inspected.find(({ node }) => node.instanceId === id)?.node.name ?? id;
  const failed = phases.flatMap((ended) => {
    const phase = phaseOf(plan, ended.phase);
    return phase ? optionalFailures(phase, ended, nameOf).map(({ message }) => message) : [];
  });
  const missing = [
    ...plan.absent,
    ...(plan.unreachable ?? []),
    ...failed,
    ...(record.safety
      ? inspected.flatMap((one) => kind.missingFrom(one).map((what) => `${one.node.name}: ${what}`))
      : []),
  ];
  const asked = phaseOf(plan, collect.phase)?.commands ?? [];
  const collected = collectedIn(collect).map(({ command, instanceId, answer }) => {
    askedFor(
      asked.find(({ id }) => id === command),
      instanceId,
      answer,
    );
    return { instanceId, collected: answer };
  });
  const lacking = kind.incomplete({ safety: record.safety, nodes: inspected, collected, phases });
  if (lacking !== undefined) throw new ArtifactMismatchError(lacking);
  return { record, plan, phases, inspected, missing, collected };
};

/** What people are told of a backup that is good nevertheless. */
const warningsOf = (
  inspected: readonly Inspected[],
  artifacts: readonly Artifact[],
  catalog: readonly Backup[],
  now: Date,
): readonly string[] => [
  ...inspected.flatMap(({ node, inspection }) =>
    [...inspection.warnings, ...expiryWarnings(inspection, now)].map((warning) => `${node.name}: ${warning}`),
  ),
  ...artifacts.flatMap(({ collected }) =>
    collected.kind === 'files' ? collected.warnings.map((warning) => `${collected.group}: ${warning}`) : [],
  ),
  ...catalog.flatMap((one) => (one.readable ? [] : [`the backup ${one.backup} cannot be read: ${one.reason}`])),
];

/** Writes a manifest, the last object of its backup. It may be there already, from this run; another's is an AlreadyExistsError. */
const writeManifest = async (
  vault: VaultOf<'commit-backup'>,
  manifest: Manifest,
  tag: RetentionTag,
): Promise<string> => {
  const { system, backup, run } = manifest;
  const key = vaultKeys.manifest(system, backup);
  try {
    await vault.create(key, JSON.stringify(manifest, undefined, 2), { [tagKeys.retention]: tag });
  } catch (error) {
    if (!(error instanceof AlreadyExistsError)) throw error;
    const there = await readManifest({ vault }, system, backup);
    if (there?.run !== run)
      throw new AlreadyExistsError(
        `${key} was committed by another run, ${there?.run}. This run's artifacts are not used.`,
      );
  }
  return key;
};

/**
 * Commits a backup: compares the vault with what the nodes reported, tags everything `keep`, writes the manifest as the
 * last object, and lets older backups go. Doing it again changes nothing. Throws an UnaskedAnswerError when a node names what it
 * was not asked for, an ArtifactMismatchError when something is missing or differs, and commits nothing then.
 */
export const commitBackup = async (
  { config, state, vault, now }: Services,
  { system, run }: RunRef,
): Promise<CommitBackupOutput> => {
  const configured = config.systems[system];
  if (!configured) throw new UnknownSystemError(`holdfast.yaml has no system ${system}.`);
  const kind = kindOf(configured);
  const { record, plan, phases, inspected, missing, collected } = await gathered(state, run, kind);
  const { backup, safety, lockedBy } = record;
  const versions = await vault.versions(vaultKeys.backup(system, backup));
  const artifacts = collected.map((one) => artifactOf(versions, one.instanceId, one.collected));
  const catalog = await allBackups({ vault }, system);
  const before = catalog.flatMap(keptOf);
  const sound = before.filter(({ damaged }) => !damaged);
  const committedAt = now();
  const manifest = Manifest.parse({
    format: 1,
    system,
    kind: configured.kind,
    backup,
    run,
    operation: record.operation,
    state: missing.length === 0 ? 'complete' : 'partial',
    missing,
    purpose: safety ? 'safety' : plan.unreachable?.length ? 'partial' : 'regular',
    retentionClass: classify(backup, record.scheduled, sound),
    scheduled: record.scheduled,
    consistency: kind.consistency(collected.map((one) => one.collected)),
    extraPaths: kind.extraPaths,
    startedAt: record.startedAt,
    committedAt: committedAt.toISOString(),
    phaseSeconds: Object.fromEntries(phases.map((phase) => [phase.phase, secondsOf(phase)])),
    nodes: inspected.map(({ node, inspection }) => ({ ...node, inspection })),
    artifacts,
    warnings: warningsOf(inspected, artifacts, catalog, committedAt),
  });
  // What a safety backup holds is broken, or about to be replaced: it must not push a good one out of the newest.
  const tag = isRegular(manifest) ? 'keep' : manifest.retentionClass;
  await retain(vault, objectsOfBackup(manifest), tag);
  await lock({ config, vault }, objectsOfBackup(manifest), manifest.retentionClass, committedAt);
  const key = await writeManifest(vault, manifest, tag);
  await lock({ config, vault }, [{ key }], manifest.retentionClass, committedAt);
  // What earlier attempts of a command left half uploaded.
  await vault.abortUploads(vaultKeys.backup(system, backup));
  if (lockedBy !== undefined) await jsonState(state).write(stateKeys.safety(lockedBy), { backup });
  const others = before.filter((one) => one.backup !== backup);
  const committed = keptOf({ backup, readable: true, manifest, history: [] });
  await letOlderGo(vault, system, [...others, ...committed], config.retention.keepLast, now());
  return { manifest: key };
};
