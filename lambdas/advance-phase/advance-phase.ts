import { randomUUID } from 'node:crypto';
import { sha256 } from '#aws/digest';
import { isApproved, needsApproval, readDecision } from '#domain/approval';
import type { Config } from '#domain/config';
import {
  ApprovalRejectedError,
  CommandCancelledError,
  InvalidInputError,
  NodeUnreachableError,
  UnreadableResultError,
} from '#domain/errors';
import { stateKeys, tagKeys } from '#domain/naming';
import type { AdvancePhaseInput, AdvancePhaseOutput, RunRef } from '#domain/payloads';
import {
  afterLoss,
  afterRollout,
  type CommandState,
  type Decision,
  decide,
  handedOver,
  type Invocation,
  isDone,
  isOver,
  isUnderWay,
  type PhaseState,
  refused,
  startPhase,
  unheardOf,
  waitSeconds,
  withCommand,
  withLost,
} from '#domain/phase';
import {
  type Command,
  commonParameters,
  instancesPerCommand,
  isUndoPhase,
  type Phase,
  type PinnedPhase,
  type Plan,
} from '#domain/plan';
import type { Tickets } from '#domain/ports';
import { foreignTo } from '#domain/systems/belonging';
import { withTicket } from '#domain/systems/tickets';
import { readPhase, readPlan, readRun } from '../runs.ts';
import type { RunCommandOf, StateBucketOf, StateOf } from '../verbs.ts';

export interface Services {
  readonly config: Pick<Config, 'systems'>;
  readonly state: StateOf<'advance-phase'>;
  /** The bucket of the state, where nodes put answers that are too long for Run Command, and people their decisions. */
  readonly answers: Pick<StateBucketOf<'advance-phase'>, 'read' | 'list'>;
  readonly stateBucket: string;
  readonly runCommand: RunCommandOf<'advance-phase'>;
  readonly tickets: Tickets;
  readonly now: () => Date;
}

/** SSM takes this many characters of a comment. */
const commentCharacters = 100;

/**
 * What finds a command again whose sender died between sending and writing that down: SSM keeps it as the comment. The run
 * comes first, for whoever looks at a node; of a phase's name the end tells it apart.
 */
export const commandToken = (run: string, phase: Phase, command: Command): string => {
  const token = `${run} ${phase.commands.indexOf(command)} `;
  return token + phase.name.slice(-(commentCharacters - token.length));
};

/** A phase of a run, as it was planned. */
interface Step {
  readonly ref: RunRef;
  readonly plan: Plan;
  readonly phase: PinnedPhase;
}

/** The nodes among these that are not the system's, or that SSM does not know. */
const strangers = async (
  runCommand: Pick<Services['runCommand'], 'nodes'>,
  system: string,
  commands: readonly Command[],
): Promise<Set<string>> => {
  const left = new Set(commands.flatMap(({ instanceIds }) => instanceIds));
  const ids = Array.from(left);
  for (let from = 0; from < ids.length; from += instancesPerCommand) {
    const instanceIds = ids.slice(from, from + instancesPerCommand);
    for (const { instanceId } of await runCommand.nodes({ instanceIds, tags: { [tagKeys.system]: system } }))
      left.delete(instanceId);
  }
  return left;
};

/** True for what changes nothing that a plan is for: looking, before there is a plan to decide on, and taking back. By document: a phase's name says nothing. */
const needsNoDecision = ({ commands }: Phase): boolean =>
  commands.every(({ document }) => /^Holdfast-(Inspect[A-Za-z]+|Undo)$/.test(document));

/**
 * Throws an ApprovalRejectedError for a phase of a restore or an upgrade that nobody has approved as it is, where the system demands an
 * approval, or the run has waited for one.
 */
const checkApproval = async (
  { state, answers, config }: Pick<Services, 'state' | 'answers' | 'config'>,
  { ref: { system, operation, run }, plan, phase }: Step,
): Promise<void> => {
  if ((operation !== 'restore' && operation !== 'upgrade') || needsNoDecision(phase)) return;
  if (!needsApproval(config, system) && (await readRun(state, run)).decision === undefined) return;
  if (!isApproved(await readDecision(answers, plan, sha256), phase, sha256))
    throw new ApprovalRejectedError(
      `The phase ${phase.name} of ${run} is not what was approved, so nothing of it was sent. Look who changed the plan, then start again.`,
    );
};

/** The phase of that name, if it may go on. */
const stepOf = (ref: RunRef, plan: Plan, name: string): Step => {
  const { run } = ref;
  const phase = plan.phases.find((candidate) => candidate.name === name);
  if (!phase) throw new InvalidInputError(`The plan of run ${run} has no phase ${name}.`);
  if (!isUndoPhase(name) && plan.phases.some((other) => isUndoPhase(other.name)))
    throw new CommandCancelledError(`Run ${run} is being undone: nothing of its phase ${name} is sent any more.`);
  const foreign = foreignTo(ref, plan, phase);
  if (foreign !== undefined)
    throw new InvalidInputError(
      `Nothing of the phase ${name} was sent: ${foreign}. Look who has written ${stateKeys.plan(run)}, then start the operation again.`,
    );
  return { ref, plan, phase };
};

const nodeNameIn =
  ({ nodes }: Plan) =>
  (id: string): string =>
    nodes.find(({ instanceId }) => instanceId === id)?.name ?? id;

/** Puts an answer that was handed over in its place. A node may name only the key that it was given, and no other content. */
const withAnswer = async (
  answers: Services['answers'],
  plan: Plan,
  commandId: string,
  invocation: Invocation,
): Promise<Invocation> => {
  const handed = handedOver(invocation);
  if (handed === undefined) return invocation;
  const { instanceId } = invocation;
  const key = stateKeys.answer(plan.system, plan.run, commandId, instanceId);
  const text = handed.key === key ? (await answers.read(key))?.text : undefined;
  if (text === undefined || sha256(text) !== handed.sha256)
    throw new UnreadableResultError(
      `${nodeNameIn(plan)(instanceId)} answered that its answer is ${handed.key}, which is not there, is not its own, or was changed. Start the operation again.`,
    );
  return { ...invocation, stdout: text };
};

/** Those of these nodes that SSM does not reach. */
const lostAmong = async (
  runCommand: Pick<Services['runCommand'], 'nodes'>,
  instanceIds: readonly string[],
): Promise<ReadonlySet<string>> => {
  if (instanceIds.length === 0) return new Set();
  const nodes = await runCommand.nodes({ instanceIds });
  return new Set(instanceIds.filter((id) => !nodes.some(({ instanceId, online }) => instanceId === id && online)));
};

/** Asks SSM how far a command is that was sent. */
const look = async (
  { runCommand, answers, now }: Services,
  plan: Plan,
  command: Command,
  sent: Extract<CommandState, { readonly state: 'sent' }>,
): Promise<CommandState> => {
  const { commandId } = sent;
  const endedAt = now().toISOString();
  if (command.rollout) {
    const progress = await runCommand.progress(commandId);
    const failures = progress === undefined || isUnderWay(progress) ? [] : await runCommand.failures(commandId);
    return afterRollout(sent, progress, failures, endedAt);
  }
  const said = await runCommand.invocations(commandId);
  const invocations = withLost(said, await lostAmong(runCommand, unheardOf(command, sent, said, now())));
  if (!isOver(command, invocations)) return sent;
  return {
    ...{ ...sent, state: 'ended', endedAt },
    invocations: await Promise.all(invocations.map((one) => withAnswer(answers, plan, commandId, one))),
  };
};

/** Where the phase stands: first which of the commands were sent whose sender died, then how far all of them are. */
const observe = async (services: Services, { ref, plan, phase }: Step): Promise<PhaseState> => {
  const { state, runCommand, now } = services;
  const commands = new Map(phase.commands.map((command) => [command.id, command]));
  const stored = await readPhase(state, ref.run, phase.name);
  // What an earlier attempt of the run did is told anew: its nodes may have changed since.
  let current = stored?.attempt === plan.attempt ? stored : startPhase(phase, now(), plan.attempt);
  for (const lost of current.commands) {
    const command = commands.get(lost.id);
    if (lost.state !== 'sending' || !command) continue;
    const token = commandToken(ref.run, phase, command);
    current = withCommand(
      current,
      afterLoss(lost, await runCommand.find(command.document, token, new Date(lost.since))),
    );
  }
  for (const sent of current.commands) {
    const command = commands.get(sent.id);
    if (sent.state === 'sent' && command) current = withCommand(current, await look(services, plan, command, sent));
  }
  return current;
};

/** A node that SSM refuses is the command's failure, not the end of this step: the other commands are sent all the same. */
const send = async (
  { stateBucket, runCommand, tickets, now }: Services,
  { ref, plan, phase }: Step,
  command: Command,
  foreigners: ReadonlySet<string>,
): Promise<CommandState> => {
  const { id, document: name } = command;
  const sentAt = now().toISOString();
  const document = phase.documents[name];
  if (!document) throw new InvalidInputError(`${id} does not say which version of its document it was planned with.`);
  try {
    const [stranger] = command.instanceIds.filter((one) => foreigners.has(one));
    if (stranger !== undefined)
      throw new NodeUnreachableError(
        `${nodeNameIn(plan)(stranger)} (${stranger}) is no instance under SSM with the tag ${tagKeys.system}=${ref.system}, so nothing was sent to it. Look at the instance and its tags.`,
      );
    const parameters = { ...command.parameters, ...commonParameters(plan, command, stateBucket, now()) };
    const whole = await withTicket(tickets, { ...command, parameters }, randomUUID());
    const commandId = await runCommand.send(whole, document, commandToken(ref.run, phase, command));
    return { id, document: name, state: 'sent', commandId, sentAt };
  } catch (error) {
    if (error instanceof NodeUnreachableError) return refused(command, error, sentAt);
    throw error;
  }
};

/** Does what was decided, and writes down before each sending that it may have happened. */
const act = async (services: Services, step: Step, observed: PhaseState, decision: Decision): Promise<PhaseState> => {
  const { state, runCommand, now } = services;
  const { ref, phase } = step;
  const save = (changed: PhaseState): Promise<void> => state.write(stateKeys.phase(ref.run, phase.name), changed);
  if (decision.kind === 'fail') {
    await save(observed);
    throw decision.failure;
  }
  const { commands } = decision;
  if (commands.length > 0) await checkApproval(services, step);
  const foreigners = await strangers(runCommand, ref.system, commands);
  let current = observed;
  for (const { id, document } of commands)
    current = withCommand(current, { id, document, state: 'sending', since: now().toISOString() });
  await save(current);
  for (const command of commands) current = withCommand(current, await send(services, step, command, foreigners));
  if (commands.length > 0) await save(current);
  return current;
};

/**
 * Moves one phase of a run one step: looks at what was sent, sends what may be sent, and says when to look again. Any
 * number of repetitions sends each command once. Throws the error of the first command that failed.
 */
export const advancePhase = async (
  services: Services,
  { phase: name, ...ref }: AdvancePhaseInput,
): Promise<AdvancePhaseOutput> => {
  const plan = await readPlan(services.state, ref.run);
  const step = stepOf(ref, plan, name);
  const observed = await observe(services, step);
  const current = await act(services, step, observed, decide(step.phase, observed, nodeNameIn(plan)));
  return isDone(current)
    ? { status: 'done', waitSeconds: 0 }
    : { status: 'running', waitSeconds: waitSeconds(current, services.now()) };
};
