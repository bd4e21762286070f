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
  type CommandState,
  handedOver,
  hasEnded,
  type Invocation,
  isDone,
  isUnderWay,
  type PhaseState,
  phaseFailure,
  sendable,
  startPhase,
  waitSeconds,
} from '#domain/phase';
import {
  type Command,
  commonParameters,
  deliverySeconds,
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
  { system, operation, run }: RunRef,
  plan: Plan,
  phase: PinnedPhase,
): Promise<void> => {
  if ((operation !== 'restore' && operation !== 'upgrade') || needsNoDecision(phase)) return;
  if (!needsApproval(config, system) && (await readRun(state, run)).decision === undefined) return;
  if (!isApproved(await readDecision(answers, plan, sha256), phase, sha256))
    throw new ApprovalRejectedError(
      `The phase ${phase.name} of ${run} is not what was approved, so nothing of it was sent. Look who changed the plan, then start again.`,
    );
};

/**
 * Moves one phase of a run one step: looks at what was sent, sends what may be sent, and says when to look again. Any
 * number of repetitions sends each command once. Throws the error of the first command that failed.
 */
export const advancePhase = async (
  { state, config, answers, stateBucket, runCommand, tickets, now }: Services,
  { phase: name, ...ref }: AdvancePhaseInput,
): Promise<AdvancePhaseOutput> => {
  const { run, system } = ref;
  const plan = await readPlan(state, run);
  const phase = plan.phases.find((candidate) => candidate.name === name);
  if (!phase) throw new InvalidInputError(`The plan of run ${run} has no phase ${name}.`);
  if (!isUndoPhase(name) && plan.phases.some((other) => isUndoPhase(other.name)))
    throw new CommandCancelledError(`Run ${run} is being undone: nothing of its phase ${name} is sent any more.`);
  const foreign = foreignTo(ref, plan, phase);
  if (foreign !== undefined)
    throw new InvalidInputError(
      `Nothing of the phase ${name} was sent: ${foreign}. Look who has written ${stateKeys.plan(run)}, then start the operation again.`,
    );

  const nodeName = (id: string): string => plan.nodes.find(({ instanceId }) => instanceId === id)?.name ?? id;
  const commands = new Map(phase.commands.map((command) => [command.id, command]));
  const stored = await readPhase(state, run, name);
  // What an earlier attempt of the run did is told anew: its nodes may have changed since.
  let current: PhaseState = stored?.attempt === plan.attempt ? stored : startPhase(phase, now(), plan.attempt);
  const whichOf = ({ id, document }: Command) => ({ id, document });
  const put = (changed: CommandState): void => {
    current = { ...current, commands: current.commands.map((one) => (one.id === changed.id ? changed : one)) };
  };
  const save = (): Promise<void> => state.write(stateKeys.phase(run, name), current);

  // Sent or not? Whoever was to send it died before telling.
  for (const lost of current.commands) {
    const command = commands.get(lost.id);
    if (lost.state !== 'sending' || !command) continue;
    const commandId = await runCommand.find(command.document, commandToken(run, phase, command), new Date(lost.since));
    put(
      commandId === undefined
        ? { ...whichOf(command), state: 'waiting' }
        : { ...whichOf(command), state: 'sent', commandId, sentAt: lost.since },
    );
  }

  /** A node that SSM refuses is the command's failure, not the end of this step: the other commands are sent all the same. */
  const send = async (command: Command, foreigners: ReadonlySet<string>): Promise<CommandState> => {
    const sentAt = now().toISOString();
    const document = phase.documents[command.document];
    if (!document)
      throw new InvalidInputError(`${command.id} does not say which version of its document it was planned with.`);
    try {
      const [stranger] = command.instanceIds.filter((id) => foreigners.has(id));
      if (stranger !== undefined)
        throw new NodeUnreachableError(
          `${nodeName(stranger)} (${stranger}) is no instance under SSM with the tag ${tagKeys.system}=${system}, so nothing was sent to it. Look at the instance and its tags.`,
        );
      const parameters = { ...command.parameters, ...commonParameters(plan, command, stateBucket, now()) };
      const whole = await withTicket(tickets, { ...command, parameters }, randomUUID());
      const commandId = await runCommand.send(whole, document, commandToken(run, phase, command));
      return { ...whichOf(command), state: 'sent', commandId, sentAt };
    } catch (error) {
      if (!(error instanceof NodeUnreachableError)) throw error;
      const refused = {
        status: 'Failed',
        detail: 'Undeliverable',
        exitCode: -1,
        stdout: '',
        stderr: error.message,
      } as const;
      const invocations = command.instanceIds.map((instanceId) => ({ instanceId, ...refused }));
      return { ...whichOf(command), state: 'ended', commandId: '', sentAt, endedAt: sentAt, invocations };
    }
  };

  /** Puts an answer that was handed over in its place. A node may name only the key that it was given, and no other content. */
  const withAnswer = async (commandId: string, invocation: Invocation): Promise<Invocation> => {
    const handed = handedOver(invocation);
    if (handed === undefined) return invocation;
    const { instanceId } = invocation;
    const key = stateKeys.answer(plan.system, run, commandId, instanceId);
    const text = handed.key === key ? (await answers.read(key))?.text : undefined;
    if (text === undefined || sha256(text) !== handed.sha256)
      throw new UnreadableResultError(
        `${nodeName(instanceId)} answered that its answer is ${handed.key}, which is not there, is not its own, or was changed. Start the operation again.`,
      );
    return { ...invocation, stdout: text };
  };

  /**
   * SSM lets a command on a node that has died be in progress until its time is over, which may be days. A command that waits for
   * reboots is given up when it could not be delivered any more.
   */
  const withoutTheLost = async (
    command: Command,
    sentAt: string,
    invocations: readonly Invocation[],
  ): Promise<readonly Invocation[]> => {
    const instanceIds = invocations.filter((one) => !hasEnded(one)).map(({ instanceId }) => instanceId);
    const isPatient = command.waitsForReboot && now().getTime() < Date.parse(sentAt) + 1000 * deliverySeconds(command);
    if (instanceIds.length === 0 || isPatient) return invocations;
    const nodes = await runCommand.nodes({ instanceIds });
    return invocations.map((one) =>
      hasEnded(one) || nodes.some(({ instanceId, online }) => instanceId === one.instanceId && online)
        ? one
        : {
            ...one,
            status: 'Failed',
            detail: 'Terminated',
            stderr: 'The node no longer answers SSM. Look at the instance, then start the operation again.',
          },
    );
  };

  for (const sent of current.commands) {
    const command = commands.get(sent.id);
    if (sent.state !== 'sent' || !command) continue;
    const endedAt = now().toISOString();
    if (command.rollout) {
      const progress = await runCommand.progress(sent.commandId);
      if (progress === undefined) continue;
      const failures = isUnderWay(progress) ? [] : await runCommand.failures(sent.commandId);
      // SSM counts a failure before it lists it.
      const isTold = progress.failed === 0 || failures.length > 0;
      put(
        isUnderWay(progress) || !isTold
          ? { ...sent, progress }
          : { ...sent, state: 'ended', endedAt, progress, invocations: [...failures] },
      );
      continue;
    }
    const invocations = await withoutTheLost(command, sent.sentAt, await runCommand.invocations(sent.commandId));
    const ended = invocations.length >= command.instanceIds.length && invocations.every(hasEnded);
    // One node's failure is the phase's: the undoing cancels what the others are doing.
    if (ended || (!command.optional && invocations.some((one) => hasEnded(one) && one.status !== 'Success')))
      put({
        ...{ ...sent, state: 'ended', endedAt },
        invocations: await Promise.all(invocations.map((one) => withAnswer(sent.commandId, one))),
      });
  }

  const failure = phaseFailure(phase, current, nodeName);
  // The undoing goes on wherever it can; anything else ends with its first failure.
  if (failure && (!isUndoPhase(name) || isDone(current))) {
    await save();
    throw failure;
  }

  const toSend = sendable(phase, current);
  if (toSend.length > 0) await checkApproval({ state, answers, config }, ref, plan, phase);
  const foreigners = await strangers(runCommand, system, toSend);
  for (const command of toSend) put({ ...whichOf(command), state: 'sending', since: now().toISOString() });
  await save();
  for (const command of toSend) {
    put(await send(command, foreigners));
  }
  if (toSend.length > 0) await save();

  return isDone(current)
    ? { status: 'done', waitSeconds: 0 }
    : { status: 'running', waitSeconds: waitSeconds(current, now()) };
};
