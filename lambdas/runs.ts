import type { BucketFor, StateFor } from '#domain/contracts/access';
import { CheckFailedError, InvalidInputError, UnreadableResultError } from '#domain/errors';
import type { Manifest } from '#domain/manifest';
import { stateKeys, vaultKeys } from '#domain/naming';
import { type RestoreRequest, RunRecord } from '#domain/payloads';
import { PhaseState } from '#domain/phase';
import { type Phase, type PinnedDocument, type PinnedPhase, Plan, type PlannedNode } from '#domain/plan';
import type { RunCommand } from '#domain/ports';
import { inspectionsIn } from '#domain/systems/documents';
import type { Fetchable, Inspected, Restoration, RestoreOf } from '#domain/systems/kind';
import { restorationOf } from '#domain/systems/kinds';
import { newerManifests, readManifest } from '#domain/vault/catalog';

/** What was written down of runs. */
type Notes = StateFor<{ 'runs/': readonly ['read'] }>;

type Catalog = BucketFor<{ 'catalog/': readonly ['read'] }>;

type Installers = BucketFor<{ 'installers/': readonly ['list-versions'] }>;

/** What was written down of a run when it began. Throws an InvalidInputError when there is no such run. */
export const readRun = async (state: Notes, run: string): Promise<RunRecord> => {
  const record = await state.read(stateKeys.run(run), RunRecord);
  if (!record) throw new InvalidInputError(`There is no run ${run}.`);
  return record;
};

/** Lines of a plan that travel in a payload; the rest is read from the state bucket. */
const stepsTold = 150;

/** Nodes of one command that are named in it. */
const nodesTold = 8;

/** One line per command for people: phase, command, document, nodes. */
export const stepsOf = (phases: readonly Phase[], nodes: readonly PlannedNode[]): string[] => {
  const lines = phases.flatMap(({ name, commands }) =>
    commands.map(({ id, document, instanceIds, tags }) => {
      const on = instanceIds.map(
        (instanceId) => nodes.find((node) => node.instanceId === instanceId)?.name ?? instanceId,
      );
      const where = tags
        ? `all with ${Object.entries(tags)
            .map((tag) => tag.join('='))
            .join(', ')}`
        : [...on.slice(0, nodesTold), ...(on.length > nodesTold ? [`${on.length - nodesTold} more`] : [])].join(', ');
      return `${name}: ${id}: ${document} on ${where}`;
    }),
  );
  return lines.length <= stepsTold
    ? lines
    : [...lines.slice(0, stepsTold), `and ${lines.length - stepsTold} more, see the plan`];
};

/** A run's plan. Throws an InvalidInputError when nothing was planned yet. */
export const readPlan = async (state: Notes, run: string): Promise<Plan> => {
  const plan = await state.read(stateKeys.plan(run), Plan);
  if (!plan) throw new InvalidInputError(`Run ${run} has no plan.`);
  return plan;
};

/** Writes a run's plan. */
export const writePlan = (state: Pick<StateFor<{ 'runs/': readonly ['write'] }>, 'write'>, plan: Plan): Promise<void> =>
  state.write(stateKeys.plan(plan.run), plan);

/** What looks documents up. */
export type Documents = Pick<RunCommand, 'document'>;

/** Phases with the documents that their commands name, as they are now: the run sends these, whatever is deployed meanwhile. */
export const pinned = async (documents: Documents, phases: readonly Phase[]): Promise<PinnedPhase[]> => {
  const names = new Set(phases.flatMap(({ commands }) => commands.map(({ document }) => document)));
  const found = new Map(
    await Promise.all(Array.from(names, async (name) => [name, await documents.document(name)] as const)),
  );
  return phases.map((phase) => ({
    ...phase,
    documents: Object.fromEntries([...found].filter(([name]) => phase.commands.some((one) => one.document === name))),
  }));
};

/** The same with the documents that were looked up when these phases were foreseen. Throws an InvalidInputError for one that was not. */
export const pinnedAsForeseen = ({ run, foreseen = [] }: Plan, phases: readonly Phase[]): PinnedPhase[] => {
  const found: Readonly<Record<string, PinnedDocument>> = Object.assign(
    {},
    ...foreseen.map(({ documents }) => documents),
  );
  return phases.map((phase) => ({
    ...phase,
    documents: Object.fromEntries(
      phase.commands.map(({ document }) => {
        const pin = found[document];
        if (!pin) throw new InvalidInputError(`The plan of ${run} does not contain ${document}.`);
        return [document, pin];
      }),
    ),
  }));
};

/** A phase of the plan by its name. */
export const phaseOf = ({ phases }: Plan, name: string): PinnedPhase | undefined =>
  phases.find((one) => one.name === name);

/** Where a phase stands, or undefined before its first step. */
export const readPhase = (state: Notes, run: string, phase: string): Promise<PhaseState | undefined> =>
  state.read(stateKeys.phase(run, phase), PhaseState);

/**
 * The run's nodes with what a phase that inspects them has found; an optional one that gave nothing is left out. Throws an
 * UnreadableResultError when another is missing.
 */
export const inspectedNodes = async (state: Notes, plan: Plan, phase: string): Promise<readonly Inspected[]> => {
  const inspected = await readPhase(state, plan.run, phase);
  if (!inspected) throw new UnreadableResultError(`Run ${plan.run} has not inspected its nodes.`);
  const found = inspectionsIn(inspected);
  const asked = new Set(
    phaseOf(plan, phase)?.commands.flatMap(({ instanceIds, optional }) => (optional ? [] : instanceIds)),
  );
  return plan.nodes.flatMap((node) => {
    const inspection = found.find(({ instanceId }) => instanceId === node.instanceId)?.answer;
    if (inspection) return [{ node, inspection }];
    if (node.optional || !asked.has(node.instanceId)) return [];
    throw new UnreadableResultError(`${node.name} (${node.instanceId}) gave no inspection.`);
  });
};

/** The manifest of the backup that a restore has chosen. Throws an InvalidInputError when there is none. */
export const chosenManifest = async (state: Notes, vault: Catalog, run: string): Promise<Manifest> => {
  const { system, backup } = await readRun(state, run);
  const manifest = await readManifest({ vault }, system, backup);
  if (!manifest) throw new InvalidInputError(`The backup ${backup} of ${system} has expired.`);
  return manifest;
};

/**
 * The newest version of an installer: a plan fetches this one, whatever is put there afterwards. Throws a CheckFailedError when there
 * is none.
 */
export const pinnedInstaller = async (
  vault: Installers,
  system: string,
  { name, sha256 }: { readonly name: string; readonly sha256: string },
): Promise<Fetchable> => {
  const key = vaultKeys.installer(system, name);
  const found = (await vault.versions(key)).find((version) => version.key === key && version.isLatest);
  if (!found) throw new CheckFailedError(`The vault has no ${key}. Copy it there, then start again.`);
  return { key, versionId: found.versionId, bytes: found.bytes, sha256, compression: 'gzip' };
};

/** What a restore's plan and its proof are made from. Throws a CheckFailedError when a node of the backup has no counterpart. */
export const readRestore = async (
  {
    state,
    vault,
    vaultBucket,
  }: { readonly state: Notes; readonly vault: Catalog & Installers; readonly vaultBucket: string },
  run: string,
): Promise<{
  readonly request: RestoreRequest;
  readonly manifest: Manifest;
  /** What a person should know of the choice of this backup. */
  readonly choiceWarnings: readonly string[];
  readonly restoration: Restoration;
}> => {
  const { system, restore: request, startedAt, choiceWarnings = [] } = await readRun(state, run);
  if (!request) throw new InvalidInputError(`Run ${run} is no restore.`);
  const manifest = await chosenManifest(state, vault, run);
  const nodes = await inspectedNodes(state, await readPlan(state, run), 'inspect');
  const newer = await newerManifests({ vault }, manifest);
  const of: RestoreOf = { system, run, vaultBucket, request, nodes, newer, startedAt: new Date(startedAt) };
  if (!request.reinstall) return { request, manifest, choiceWarnings, restoration: restorationOf(manifest, of) };
  const { installer: name, sha256 } = request.reinstall;
  const installer = await pinnedInstaller(vault, system, { name, sha256 });
  const answers = Object.fromEntries(
    await Promise.all(
      Object.entries(request.reinstall.answers).map(
        async ([role, one]) => [role, { ...(await pinnedInstaller(vault, system, one)), compression: 'none' }] as const,
      ),
    ),
  );
  return { request, manifest, choiceWarnings, restoration: restorationOf(manifest, { ...of, installer, answers }) };
};
