import * as z from 'zod';
import { type Contract, commonTakes, encoded, type Takes, type Values } from './contracts/document.ts';
import { undo } from './contracts/shared.ts';
import { Concurrency, InstanceId, PhaseName, RunId, Share, SystemId, stateKeys } from './naming.ts';
import { operations } from './payloads.ts';

/** A plan is data: the ordered phases of a run and their commands, computed before anything is changed. */

/** Commands of Holdfast that may be under way at once on one node: the SSM agent has five workers. */
export const commandsPerNode = 4;

/** Instance ids that one SendCommand takes. */
export const instancesPerCommand = 50;

/** How long SSM may take to deliver a command to an agent, in seconds. */
const deliveryTimeoutSeconds = 120;

/** How long it may take where the node may just be rebooted. */
const rebootSeconds = 600;

/**
 * How long after its delivery a command may begin on a node, in seconds: behind an hour of what others do with the agent's five
 * places, on a node whose clock is as far ahead as S3 takes it. The agent keeps its queue on disk, and what was given up would
 * otherwise begin days later.
 */
const queueSeconds = 3600 + 900;

/** How long SSM may take a command from wave to wave, in seconds: as long as a phase may take. Its last nodes begin that late. */
const rolloutSeconds = 172_800;

/** A node as a run knows it. `name` is for people. */
export const PlannedNode = z.object({
  instanceId: InstanceId,
  name: z.string(),
  roles: z.array(z.string()),
  /** A backup goes on without it. */
  optional: z.boolean(),
  /** The version of its SSM agent. */
  agent: z.string().optional(),
  /** Where its selector says that it gets its script of an upgrade. */
  loadBalancer: z.string().optional(),
});
export type PlannedNode = z.infer<typeof PlannedNode>;

/** How SSM itself takes a command through many nodes, and when it stops sending it. */
export const Rollout = z.object({
  maxConcurrency: Concurrency,
  /** One failure more than this ends the command; nodes that it has not reached are left alone. */
  maxErrors: Share,
});
export type Rollout = z.infer<typeof Rollout>;

/** One SSM document sent with the same parameters to up to 50 nodes, or to all that carry the tags. */
export const Command = z.object({
  /** Unique in its phase, and what a person sees: `dump-database pe-puppetdb`. */
  id: z.string(),
  document: z.string(),
  instanceIds: z.array(InstanceId).max(instancesPerCommand),
  /** In place of instance ids: however many they are, SSM finds them. */
  tags: z.record(z.string(), z.string()).optional(),
  parameters: z.record(z.string(), z.string()),
  executionTimeoutSeconds: z.int().min(30).max(172_800),
  /** It is for nodes that may just be rebooted, and waits for them. */
  waitsForReboot: z.boolean().optional(),
  /** Its failure is told by whoever reads the answers, and does not end the phase. */
  optional: z.boolean().optional(),
  /** Without it the command runs on all of its nodes at once, and each failure ends the phase. */
  rollout: Rollout.optional(),
});
export type Command = z.infer<typeof Command>;

/** How long SSM may take to deliver a command to its nodes, in seconds. */
export const deliverySeconds = ({ waitsForReboot }: Pick<Command, 'waitsForReboot'>): number =>
  waitsForReboot ? rebootSeconds : deliveryTimeoutSeconds;

/** Commands that may run side by side. */
export const Phase = z.object({ name: PhaseName, commands: z.array(Command) });
export type Phase = z.infer<typeof Phase>;

/** A document at one moment: its version, and what that holds. */
export const PinnedDocument = z.strictObject({
  version: z.string().regex(/^[1-9]\d*$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type PinnedDocument = z.infer<typeof PinnedDocument>;

/** A phase with the documents that its commands were planned for, by name: what a later deployment changes is not sent in their place. */
export const PinnedPhase = Phase.extend({ documents: z.record(z.string(), PinnedDocument) });
export type PinnedPhase = z.infer<typeof PinnedPhase>;

export const Plan = z.object({
  run: RunId,
  system: SystemId,
  operation: z.enum(operations),
  backup: z.string(),
  /** Of the run: phases of an earlier attempt count no more. */
  attempt: z.int().nonnegative(),
  nodes: z.array(PlannedNode),
  /** Optional nodes that did not answer when the run began, for people. */
  absent: z.array(z.string()),
  /** Where a run goes on without nodes that are needed: why each of them did not answer. */
  unreachable: z.array(z.string()).optional(),
  /** Of a restore: the nodes of which it replaces something, and which its safety backup is taken of. */
  replaced: z.array(InstanceId).optional(),
  phases: z.array(PinnedPhase),
  /** What an upgrade plans once its nodes have told what only they know: approved as it is foreseen, sent as it is planned then. */
  foreseen: z.array(PinnedPhase).optional(),
  /** The document that undoes what these phases do. */
  undoing: PinnedDocument,
});
export type Plan = z.infer<typeof Plan>;

/** The parameters that every document takes, for a command that is sent now. */
export const commonParameters = (
  { attempt, system, run }: Pick<Plan, 'attempt' | 'system' | 'run'>,
  command: Pick<Command, 'rollout' | 'waitsForReboot'>,
  stateBucket: string,
  now: Date,
): Readonly<Record<string, string>> =>
  encoded('Holdfast', commonTakes, {
    Run: run,
    StartBefore:
      Math.floor(now.getTime() / 1000) +
      deliverySeconds(command) +
      queueSeconds +
      (command.rollout ? rolloutSeconds : 0),
    Attempt: attempt,
    Answers: `${stateBucket}/${stateKeys.answers(system, run)}`,
  });

/** Beside them: where the agent finds how long a command may take. */
export const timeoutParameter = ({ executionTimeoutSeconds }: Pick<Command, 'executionTimeoutSeconds'>) => ({
  ExecutionTimeout: String(executionTimeoutSeconds),
});

/** A command that has no nodes yet. */
export type CommandTemplate = Omit<Command, 'instanceIds'>;

/** An inspection may take this long, in seconds. */
export const inspectionSeconds = 300;

/** A step may take this long. */
export const stepSeconds = 1800;

interface CommandOptions {
  /** Reports apart commands of one phase: `dump-database pe-puppetdb`. */
  readonly what?: string | undefined;
  readonly seconds?: number;
}

/** Says what a document is to do. Throws a CommandFailedError for a value that SSM would refuse when it is too late. */
export const command = <P extends Takes>(
  contract: Contract<P>,
  values: NoInfer<Values<P>>,
  { what, seconds = stepSeconds }: CommandOptions = {},
): CommandTemplate => ({
  id: what === undefined ? contract.verb : `${contract.verb} ${what}`,
  document: contract.name,
  parameters: encoded(contract.verb, contract.takes, values),
  executionTimeoutSeconds: seconds,
});

/** Commands for one node; a person sees its name with each. */
export const commandsOn =
  ({ instanceId, name }: Pick<PlannedNode, 'instanceId' | 'name'>) =>
  <P extends Takes>(contract: Contract<P>, values: NoInfer<Values<P>>, options?: CommandOptions): Command => {
    const template = command(contract, values, options);
    return { ...template, id: `${template.id} (${name})`, instanceIds: [instanceId] };
  };

/** A parameter of a command as it was encoded; undefined when the command is of another document. */
export const parameterOf = <P extends Takes>(
  { document, parameters }: Pick<Command, 'document' | 'parameters'>,
  contract: Contract<P>,
  name: keyof P & string,
): string | undefined => (document === contract.name ? parameters[name] : undefined);

/** The same command for many nodes, cut into pieces that SendCommand takes. */
export const forNodes = (template: CommandTemplate, instanceIds: readonly string[]): Command[] => {
  const pieces = Math.ceil(instanceIds.length / instancesPerCommand);
  return Array.from({ length: pieces }, (_, piece) => ({
    ...template,
    id: pieces === 1 ? template.id : `${template.id} (${piece + 1} of ${pieces})`,
    instanceIds: instanceIds.slice(piece * instancesPerCommand, (piece + 1) * instancesPerCommand),
  }));
};

/** The same command for many nodes; its failure on an optional one does not end the phase. */
export const forPlannedNodes = (
  template: CommandTemplate,
  nodes: readonly Pick<PlannedNode, 'instanceId' | 'optional'>[],
): Command[] => {
  const idsOf = (optional: boolean): string[] =>
    nodes.filter((node) => node.optional === optional).map(({ instanceId }) => instanceId);
  return [
    ...forNodes(template, idsOf(false)),
    ...forNodes({ ...template, id: `${template.id} (optional)`, optional: true }, idsOf(true)),
  ];
};

const undoPhase = /^undo-\d+$/;

/** True for a phase that removes a run's traces. Once a plan has one, no other phase may go on. */
export const isUndoPhase = (name: string): boolean => undoPhase.test(name);

/**
 * A plan with one more phase that removes the run's traces from every node, and from those that the tags of its `begun` phases
 * find. An earlier one may have failed, so each has a name of its own.
 */
export const withUndoPhase = (
  plan: Plan,
  begun: readonly Phase[] = [],
): { readonly plan: Plan; readonly phase: string } => {
  const phase = `undo-${plan.phases.filter(({ name }) => isUndoPhase(name)).length + 1}`;
  const seconds = 1200;
  // One command a node, so that a node that is gone does not keep the others from being undone.
  const commands = plan.nodes.map(
    (node): Command => ({
      ...commandsOn(node)(undo, {}, { seconds }),
      waitsForReboot: true,
    }),
  );
  const waves = new Map(
    begun.flatMap((one) => one.commands.flatMap(({ tags }) => (tags ? [[JSON.stringify(tags), tags] as const] : []))),
  );
  // Some of thousands are always off: that keeps nothing from being undone.
  const tagged = Array.from(
    waves.values(),
    (tags): Command => ({
      ...command(undo, {}, { what: `(${Object.values(tags).join(' ')})`, seconds }),
      ...{ tags, instanceIds: [], optional: true, rollout: { maxConcurrency: '10%', maxErrors: '100%' } },
    }),
  );
  const undoing = { name: phase, commands: [...commands, ...tagged], documents: { [undo.name]: plan.undoing } };
  return { plan: { ...plan, phases: [...plan.phases, undoing] }, phase };
};
