import * as z from 'zod';
import { documentName, InstanceId, PhaseName, RunId, SystemId } from './naming.ts';
import { operations } from './payloads.ts';

/** A plan is data: the ordered phases of a run and their commands, computed before anything is touched. */

/** Commands of Holdfast that may be under way at once on one node: the SSM agent has five workers. */
export const commandsPerNode = 4;

/** Instance ids that one SendCommand takes. */
export const instancesPerCommand = 50;

/** How long SSM may take to deliver a command to an agent, in seconds. */
export const deliveryTimeoutSeconds = 120;

/** A node as a run knows it. `name` is for people. */
export const PlannedNode = z.object({ instanceId: InstanceId, name: z.string(), roles: z.array(z.string()) });
export type PlannedNode = z.infer<typeof PlannedNode>;

/** One SSM document sent to up to 50 nodes with the same parameters. */
export const Command = z.object({
  /** Unique in its phase, and what a person sees: `dump-database pe-puppetdb`. */
  id: z.string(),
  document: z.string(),
  instanceIds: z.array(InstanceId).min(1).max(instancesPerCommand),
  parameters: z.record(z.string(), z.string()),
  executionTimeoutSeconds: z.int().min(30).max(172_800),
});
export type Command = z.infer<typeof Command>;

/** Commands that may run side by side. */
export const Phase = z.object({ name: PhaseName, commands: z.array(Command) });
export type Phase = z.infer<typeof Phase>;

export const Plan = z.object({
  run: RunId,
  system: SystemId,
  operation: z.enum(operations),
  backup: z.string(),
  nodes: z.array(PlannedNode),
  phases: z.array(Phase),
});
export type Plan = z.infer<typeof Plan>;

/** The same command for many nodes, cut into pieces that SendCommand takes. */
export const forNodes = (command: Omit<Command, 'instanceIds'>, instanceIds: readonly string[]): Command[] => {
  const pieces = Math.ceil(instanceIds.length / instancesPerCommand);
  return Array.from({ length: pieces }, (_, piece) => ({
    ...command,
    id: pieces === 1 ? command.id : `${command.id} (${piece + 1} of ${pieces})`,
    instanceIds: instanceIds.slice(piece * instancesPerCommand, (piece + 1) * instancesPerCommand),
  }));
};

/** The phase that a run of any kind begins with: what do the nodes hold? */
export const inspectionPhase = (
  run: string,
  script: string,
  purpose: 'backup' | 'rescue',
  instanceIds: readonly string[],
): Phase => ({
  name: 'inspect',
  commands: forNodes(
    {
      id: script,
      document: documentName(script),
      executionTimeoutSeconds: 300,
      parameters: { RunId: run, Purpose: purpose },
    },
    instanceIds,
  ),
});

const undoPhase = /^undo-\d+$/;

/** True for a phase that removes a run's traces. Once a plan has one, no other phase may go on. */
export const isUndoPhase = (name: string): boolean => undoPhase.test(name);

/** A plan with one more phase that removes the run's traces from every node. An earlier one may have failed, so each has a name of its own. */
export const withUndoPhase = (plan: Plan): { readonly plan: Plan; readonly phase: string } => {
  const phase = `undo-${plan.phases.filter(({ name }) => isUndoPhase(name)).length + 1}`;
  // One command a node, so that a node that is gone does not keep the others from being undone.
  const commands = plan.nodes.map(({ instanceId, name }) => ({
    id: `undo (${name})`,
    document: documentName('undo'),
    executionTimeoutSeconds: 1200,
    parameters: { UndoRunId: plan.run },
    instanceIds: [instanceId],
  }));
  return { plan: { ...plan, phases: [...plan.phases, { name: phase, commands }] }, phase };
};
