import { tolerant } from '#domain/check';
import type { Config, Selector } from '#domain/config';
import { undo } from '#domain/contracts/shared';
import { NodeUnreachableError, UnknownSystemError } from '#domain/errors';
import { tagKeys } from '#domain/naming';
import { isLimited, type PlanOutput, type RunRecord, type RunRef } from '#domain/payloads';
import type { Plan, PlannedNode } from '#domain/plan';
import type { ManagedNode } from '#domain/ports';
import { kindOf } from '#domain/systems/kinds';
import { pinned, readPlan, readRun, writePlan } from '../runs.ts';
import type { RunCommandOf, StateOf } from '../verbs.ts';

export interface Services {
  readonly config: Config;
  readonly state: StateOf<'plan-inspection'>;
  readonly runCommand: RunCommandOf<'plan-inspection'>;
}

/** Nodes that a selector has found, and what is known of those that are not there. */
interface Selected {
  readonly nodes: readonly PlannedNode[];
  readonly absent: readonly string[];
  /** Why nodes that are needed are not there. */
  readonly unreachable: readonly string[];
}

/** The nodes that one selector means. */
const selectedNodes = async (
  runCommand: Services['runCommand'],
  systemId: string,
  selector: Selector,
  enough?: number,
): Promise<Selected> => {
  const { optional, roles, loadBalancer } = selector;
  const byTag = 'tag' in selector;
  const wanted = byTag ? `the tag ${selector.tag.key}=${selector.tag.value}` : selector.instance;
  // The system's own tag is asked of each: nobody restores onto a node of another system by a slip of a digit.
  const own = { [tagKeys.system]: systemId };
  const found: readonly ManagedNode[] = await runCommand.nodes(
    byTag
      ? { tags: { [selector.tag.key]: selector.tag.value, ...own }, enough }
      : { instanceIds: [selector.instance], tags: own },
  );
  const silent = found.filter(({ online }) => !online);
  const absent = [
    ...(found.length === 0 ? [`SSM knows no instance for ${wanted}`] : []),
    ...silent.map(({ instanceId, name }) => `${name} (${instanceId}) does not answer SSM`),
  ];
  const remedy =
    found.length === 0
      ? ` of ${systemId}. Is it running, is the SSM agent installed, and does its instance profile allow AmazonSSMManagedInstanceCore, and does it carry the tag ${tagKeys.system}=${systemId}?`
      : '. Look at the instance and its SSM agent (systemctl status amazon-ssm-agent), then start the operation again.';
  return {
    nodes: found
      .filter(({ online }) => online)
      .map(({ instanceId, name, agent }) => ({
        ...{ instanceId, name, roles: [...roles], optional },
        ...(agent !== undefined && { agent }),
        ...(loadBalancer !== undefined && { loadBalancer }),
      })),
    absent: optional ? absent.map((one) => `${roles.join(', ')}: ${one}`) : [],
    unreachable: optional ? [] : absent.map((one) => `${one}${remedy}`),
  };
};

/** The selectors of a restore onto other instances: each takes the place of the node that held its role. */
const movedOnto = (selectors: readonly Selector[], onto: Readonly<Record<string, string>>): readonly Selector[] =>
  selectors.map((selector) => {
    const instance = selector.roles.map((role) => onto[role]).find((id) => id !== undefined);
    return instance === undefined ? selector : { instance, roles: selector.roles, optional: selector.optional };
  });

/** One entry per instance, with the roles of every selector that found it, and a name that no other has. */
const merged = (nodes: readonly PlannedNode[]): PlannedNode[] => {
  const byId = new Map<string, PlannedNode>();
  for (const node of nodes) {
    const known = byId.get(node.instanceId);
    byId.set(node.instanceId, {
      ...node,
      roles: [...new Set([...(known?.roles ?? []), ...node.roles])],
      optional: node.optional && (known?.optional ?? true),
    });
  }
  const all = [...byId.values()];
  return all.map((node) =>
    all.some((other) => other !== node && other.name === node.name)
      ? { ...node, name: `${node.name} ${node.instanceId}` }
      : node,
  );
};

/** The nodes that a run works on: a safety backup those of which its restore replaces something, any other those of the configuration. */
const nodesOf = async (
  { state, runCommand }: Services,
  own: readonly Selector[],
  { system, restore, safety, lockedBy, partial = false, planOnly = false }: RunRecord,
): Promise<Pick<Plan, 'nodes' | 'absent' | 'unreachable'>> => {
  if (safety && lockedBy !== undefined) {
    const { nodes, replaced = [] } = await readPlan(state, lockedBy);
    return { nodes: nodes.filter(({ instanceId }) => replaced.includes(instanceId)), absent: [] };
  }
  const selectors = movedOnto(own, restore?.onto ?? {});
  const selected = await Promise.all(selectors.map((selector) => selectedNodes(runCommand, system, selector)));
  const unreachable = selected.flatMap((one) => one.unreachable);
  const nodes = merged(selected.flatMap((one) => one.nodes));
  // What takes a lost node's place must be there; the others of a restore that names nodes get nothing back.
  const replacing = selected.flatMap((one, index) => (selectors[index] === own[index] ? [] : one.unreachable));
  const goesOn = planOnly || partial || (restore !== undefined && isLimited(restore));
  const fatal = goesOn && nodes.length > 0 ? replacing[0] : unreachable[0];
  if (fatal !== undefined && !planOnly) throw new NodeUnreachableError(fatal);
  return { nodes, absent: selected.flatMap(({ absent }) => absent), ...(goesOn && { unreachable }) };
};

/**
 * Finds the system's nodes and plans their inspection. Throws an UnknownSystemError, or a NodeUnreachableError when one that
 * is needed does not answer, or none is found; a check, a backup of what still lives and a restore of
 * named nodes go on without it.
 */
export const planInspection = async (services: Services, ref: RunRef): Promise<PlanOutput> => {
  const { config, state, runCommand } = services;
  const system = config.systems[ref.system];
  if (!system) throw new UnknownSystemError(`holdfast.yaml has no system ${ref.system}.`);
  const record = await readRun(state, ref.run);
  const { backup, safety, restore, upgrade, attempt, planOnly = false } = record;
  const kind = kindOf(system);
  const found = await nodesOf(services, kind.selectors(restore ? 'restore' : 'other'), record);
  const samples = await Promise.all(
    (upgrade ? kind.samples(upgrade) : []).map((selector) => selectedNodes(runCommand, ref.system, selector, 1)),
  );
  const inspection = kind.inspect({
    run: ref.run,
    onProblem: restore || safety || planOnly ? 'report' : 'fail',
    nodes: found.nodes,
    upgrade,
    sampled: samples.flatMap(({ nodes: [first] }) => first ?? []),
  });
  const phase = planOnly ? tolerant(inspection) : inspection;
  const plan: Plan = {
    ...ref,
    backup,
    attempt,
    ...found,
    phases: await pinned(runCommand, [phase]),
    undoing: await runCommand.document(undo.name),
  };
  await writePlan(state, plan);
  return { phases: [phase.name] };
};
