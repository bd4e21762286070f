import * as z from 'zod';
import type { Contract, Takes } from './contracts/document.ts';
import {
  CommandCancelledError,
  CommandFailedError,
  CommandLateError,
  CommandTimedOutError,
  NodeUnreachableError,
  RunUndoneError,
  TicketRefusedError,
  UnreadableResultError,
} from './errors.ts';
import { InstanceId } from './naming.ts';
import { type Command, commandsPerNode, deliverySeconds, isUndoPhase, type Phase, type Rollout } from './plan.ts';
import { nodeWords } from './words.ts';

/** How a phase goes on: what to send next, when to look again, and what its end means. Pure; advance-phase does the calls. */

/** What SSM says of a command on one node. */
export const invocationStatuses = [
  'Pending',
  'InProgress',
  'Delayed',
  'Success',
  'Cancelled',
  'TimedOut',
  'Failed',
  'Cancelling',
] as const;
export const InvocationStatus = z.enum(invocationStatuses);

/** A command on one node as SSM reports it. */
export const Invocation = z.object({
  instanceId: InstanceId,
  status: InvocationStatus,
  /** SSM's finer word, such as `Delivery Timed Out` or `Undeliverable`. */
  detail: z.string(),
  exitCode: z.int(),
  stdout: z.string(),
  stderr: z.string(),
});
export type Invocation = z.infer<typeof Invocation>;

/** What SSM counts of a command on many nodes. */
export const Progress = z.object({
  /** SSM's word for the whole command. */
  status: z.string(),
  nodes: z.int(),
  completed: z.int(),
  failed: z.int(),
  /** To which it could not be delivered. */
  unreached: z.int(),
});
export type Progress = z.infer<typeof Progress>;

/** Which command of the plan it is, and of which document. */
const which = { id: z.string(), document: z.string() };

/** One command's way: not yet sent, being sent (its id may be lost with the sender), sent, ended on every node. */
export const CommandState = z.discriminatedUnion('state', [
  z.object({ ...which, state: z.literal('waiting') }),
  z.object({ ...which, state: z.literal('sending'), since: z.iso.datetime() }),
  z.object({
    ...which,
    state: z.literal('sent'),
    commandId: z.string(),
    sentAt: z.iso.datetime(),
    /** How far SSM has taken it through many nodes. */
    progress: Progress.optional(),
  }),
  z.object({
    ...which,
    state: z.literal('ended'),
    commandId: z.string(),
    sentAt: z.iso.datetime(),
    endedAt: z.iso.datetime(),
    /** On each node; of a rollout only those that failed. */
    invocations: z.array(Invocation),
    progress: Progress.optional(),
  }),
]);
export type CommandState = z.infer<typeof CommandState>;

/** Where a phase stands: `runs/<run>/phases/<phase>.json`. Written by advance-phase; read by it, by planners and by the CLI. */
export const PhaseState = z.object({
  phase: z.string(),
  attempt: z.int().nonnegative(),
  startedAt: z.iso.datetime(),
  commands: z.array(CommandState),
});
export type PhaseState = z.infer<typeof PhaseState>;

/** A phase of which nothing was sent yet. */
export const startPhase = (phase: Phase, now: Date, attempt = 0): PhaseState => ({
  phase: phase.name,
  attempt,
  startedAt: now.toISOString(),
  commands: phase.commands.map(({ id, document }) => ({ id, document, state: 'waiting' })),
});

/** The commands that may be sent now: at most four of Holdfast's are under way on a node at once. */
export const sendable = (phase: Phase, state: PhaseState): readonly Command[] => {
  const busy = new Map<string, number>();
  const occupy = (command: Command): void => {
    for (const id of command.instanceIds) busy.set(id, (busy.get(id) ?? 0) + 1);
  };
  const stateOf = new Map(state.commands.map((command) => [command.id, command.state]));
  const inState = (...states: CommandState['state'][]): Command[] =>
    phase.commands.filter(({ id }) => states.some((wanted) => wanted === stateOf.get(id)));
  for (const command of inState('sending', 'sent')) occupy(command);
  return inState('waiting').filter((command) => {
    if (command.instanceIds.some((id) => (busy.get(id) ?? 0) >= commandsPerNode)) return false;
    occupy(command);
    return true;
  });
};

/** SSM's own words for a command on many nodes that goes on. */
export const isUnderWay = ({ status }: Pick<Progress, 'status'>): boolean =>
  status === 'Pending' || status === 'InProgress' || status === 'Cancelling';

/** SSM's own words for a command that will change no more. */
export const hasEnded = ({ status }: Pick<Invocation, 'status'>): boolean =>
  status === 'Success' || status === 'Cancelled' || status === 'TimedOut' || status === 'Failed';

/** How documents report failure: one line of JSON on stdout. */
const ReportedError = z.object({ error: z.string().regex(/^[A-Za-z]{1,60}$/), message: z.string() });

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const HandedOver = z.strictObject({
  answer: z.strictObject({ key: z.string(), bytes: z.int().positive(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
});

/** Where the answer lies that was too long for Run Command; undefined when it is the answer itself. */
export const handedOver = ({ status, stdout }: Invocation): z.infer<typeof HandedOver>['answer'] | undefined =>
  status === 'Success' ? HandedOver.safeParse(parsed(stdout)).data?.answer : undefined;

const lastLines = (text: string, count = 3): string =>
  nodeWords(text.trim().split('\n').slice(-count).join(' | ').slice(-600));

/** Whether a script was ended by SIGKILL: a shell in between tells it as 137, the agent itself as a signal. */
const wasKilled = ({ exitCode, stderr }: Invocation): boolean =>
  exitCode === 137 || (exitCode === -1 && /signal: killed/.test(stderr));

/** Where a person finds what the agent told nobody. */
const agentLog = (commandId: string): string =>
  `the agent said nothing. Look for ${commandId} in /var/log/amazon/ssm/amazon-ssm-agent.log and errors.log on the node`;

/** The one error that stands for an invocation that did not succeed; it names command, node and the node's own reason. */
export const failureOf = (
  command: Command,
  invocation: Invocation,
  nodeName: (id: string) => string,
  commandId: string,
): Error | undefined => {
  const where = `${command.id} on ${nodeName(invocation.instanceId)}`;
  const lastWords = lastLines(invocation.stderr);
  switch (invocation.status) {
    case 'Success':
    case 'Pending':
    case 'InProgress':
    case 'Delayed':
    case 'Cancelling':
      return undefined;
    case 'Cancelled':
      return new CommandCancelledError(`${where} was cancelled. If that was not intended, start the operation again.`);
    case 'TimedOut':
      return /deliver/i.test(invocation.detail)
        ? new NodeUnreachableError(
            `${where}: SSM could not deliver the command within ${deliverySeconds(command)} s. Look at the node's SSM agent and its other commands: with five running and five queued it takes no more.`,
          )
        : new CommandTimedOutError(
            `${where} timed out after ${command.executionTimeoutSeconds} s, or was killed by the node's kernel. Last output: ${lastWords || 'none'}`,
          );
    case 'Failed': {
      if (/undeliverable|terminated|access ?denied/i.test(invocation.detail))
        return new NodeUnreachableError(
          `${where}: SSM says ${invocation.detail}. ${invocation.stderr || "Look at the node's SSM agent."}`,
        );
      const reported = ReportedError.safeParse(parsed(invocation.stdout));
      if (!reported.success)
        return wasKilled(invocation)
          ? new CommandTimedOutError(
              `${where} was killed, most likely by the node's kernel for lack of memory: look at dmesg on the node. Last output: ${lastWords}`,
            )
          : new CommandFailedError(
              `${where} ended with exit code ${invocation.exitCode}: ${lastWords || lastLines(invocation.stdout) || agentLog(commandId)}`,
            );
      const { error } = reported.data;
      const message = nodeWords(reported.data.message);
      switch (error) {
        case 'CommandLateError':
          return new CommandLateError(`${where}: ${message}`);
        case 'RunUndoneError':
          return new RunUndoneError(`${where}: ${message}`);
        case 'TicketRefusedError':
          return new TicketRefusedError(`${where}: ${message}`);
        default:
          return new CommandFailedError(`${where}: ${error}: ${message}`);
      }
    }
    default:
      return invocation.status satisfies never;
  }
};

/** Nodes that a share stands for: of a percentage as many as are whole. */
const shareOf = (share: string, nodes: number): number =>
  share.endsWith('%') ? Math.floor((Number(share.slice(0, -1)) * nodes) / 100) : Number(share);

/**
 * A rollout fails when more nodes failed than may, or when somebody cancelled it. Nodes that SSM could not reach do not
 * count: among thousands some are always off.
 */
const rolloutFailure = (
  command: Command,
  { maxErrors }: Rollout,
  { invocations, progress, commandId }: Extract<CommandState, { state: 'ended' }>,
  nodeName: (id: string) => string,
): Error | undefined => {
  const { status, nodes, failed } = progress ?? {
    status: 'Failed',
    nodes: invocations.length,
    failed: invocations.length,
  };
  if (status === 'Cancelled')
    return new CommandCancelledError(
      `${command.id} was cancelled. If that was not intended, start the operation again.`,
    );
  if (failed <= shareOf(maxErrors, nodes)) return undefined;
  const left = invocations.filter(({ detail }) => /terminated/i.test(detail)).length;
  const reasons = invocations.flatMap((one) =>
    /terminated/i.test(one.detail) ? [] : (failureOf(command, one, nodeName, commandId)?.message ?? []),
  );
  return new CommandFailedError(
    `${command.id}: ${failed} of ${nodes} nodes failed${left > 0 ? `, ${left} were left as they are` : ''}. ${reasons.slice(0, 3).join(' ')}`,
  );
};

/** The first failure of a phase, in the plan's order, or undefined while there is none. */
export const phaseFailure = (phase: Phase, state: PhaseState, nodeName: (id: string) => string): Error | undefined => {
  const commands = new Map(phase.commands.map((command) => [command.id, command]));
  for (const commandState of state.commands) {
    const command = commands.get(commandState.id);
    if (commandState.state !== 'ended' || command === undefined || command.optional) continue;
    if (command.rollout) {
      const failure = rolloutFailure(command, command.rollout, commandState, nodeName);
      if (failure !== undefined) return failure;
      continue;
    }
    for (const invocation of commandState.invocations) {
      const failure = failureOf(command, invocation, nodeName, commandState.commandId);
      if (failure !== undefined) return failure;
    }
  }
  return undefined;
};

/** Why optional commands failed, for people. */
export const optionalFailures = (
  phase: Phase,
  state: PhaseState,
  nodeName: (id: string) => string,
): readonly { readonly instanceId: string; readonly message: string }[] =>
  phase.commands.flatMap((command) => {
    const ended = state.commands.find(({ id }) => id === command.id);
    if (!command.optional || ended?.state !== 'ended') return [];
    return ended.invocations.flatMap((one) => {
      const message = failureOf(command, one, nodeName, ended.commandId)?.message;
      return message === undefined ? [] : [{ instanceId: one.instanceId, message }];
    });
  });

/** True when every command has ended on every node. */
export const isDone = (state: PhaseState): boolean => state.commands.every((command) => command.state === 'ended');

type Of<S extends CommandState['state']> = Extract<CommandState, { readonly state: S }>;

const whichOf = ({ id, document }: Pick<Command, 'id' | 'document'>) => ({ id, document });

/** A phase in which one command has come further. */
export const withCommand = (state: PhaseState, changed: CommandState): PhaseState => ({
  ...state,
  commands: state.commands.map((one) => (one.id === changed.id ? changed : one)),
});

/** A command whose sender died before telling whether it was sent: by SSM's id it was, without one it was not. */
export const afterLoss = (lost: Of<'sending'>, commandId: string | undefined): CommandState =>
  commandId === undefined
    ? { ...whichOf(lost), state: 'waiting' }
    : { ...whichOf(lost), state: 'sent', commandId, sentAt: lost.since };

/** A rollout by what SSM counts of it and the failures that it lists; it counts a failure before it lists it. */
export const afterRollout = (
  sent: Of<'sent'>,
  progress: Progress | undefined,
  failures: readonly Invocation[],
  endedAt: string,
): CommandState => {
  if (progress === undefined) return sent;
  const isTold = progress.failed === 0 || failures.length > 0;
  return isUnderWay(progress) || !isTold
    ? { ...sent, progress }
    : { ...sent, state: 'ended', endedAt, progress, invocations: [...failures] };
};

/**
 * Nodes of which is asked whether SSM still reaches them: it lets a command on a node that has died be in progress until its time is
 * over, which may be days. A command that waits for reboots is given up when it could not be delivered any more.
 */
export const unheardOf = (
  command: Command,
  { sentAt }: Pick<Of<'sent'>, 'sentAt'>,
  invocations: readonly Invocation[],
  now: Date,
): readonly string[] => {
  const isPatient = command.waitsForReboot && now.getTime() < Date.parse(sentAt) + 1000 * deliverySeconds(command);
  return isPatient ? [] : invocations.filter((one) => !hasEnded(one)).map(({ instanceId }) => instanceId);
};

/** Invocations of which those on nodes that are lost have failed. */
export const withLost = (invocations: readonly Invocation[], lost: ReadonlySet<string>): readonly Invocation[] =>
  invocations.map((one) =>
    lost.has(one.instanceId)
      ? {
          ...one,
          status: 'Failed',
          detail: 'Terminated',
          stderr: 'The node no longer answers SSM. Look at the instance, then start the operation again.',
        }
      : one,
  );

/** True when a command is over: on all of its nodes, or, as one node's failure is the phase's, on one where it failed. */
export const isOver = (command: Command, invocations: readonly Invocation[]): boolean =>
  (invocations.length >= command.instanceIds.length && invocations.every(hasEnded)) ||
  // The undo cancels what the others are doing.
  (!command.optional && invocations.some((one) => hasEnded(one) && one.status !== 'Success'));

/** A command that was not sent, since SSM or we refused one of its nodes. */
export const refused = (command: Command, { message }: NodeUnreachableError, at: string): CommandState => ({
  ...{ ...whichOf(command), state: 'ended', commandId: '', sentAt: at, endedAt: at },
  invocations: command.instanceIds.map((instanceId) => ({
    ...{ instanceId, status: 'Failed', detail: 'Undeliverable', exitCode: -1, stdout: '', stderr: message },
  })),
});

/** What is to be done about a phase, by all that is known of it. */
export type Decision =
  | { readonly kind: 'fail'; readonly failure: Error }
  | { readonly kind: 'send'; readonly commands: readonly Command[] };

/** Decides what is done next: an undo goes on wherever it can, anything else ends with its first failure. */
export const decide = (phase: Phase, state: PhaseState, nodeName: (id: string) => string): Decision => {
  const failure = phaseFailure(phase, state, nodeName);
  return failure && (!isUndoPhase(phase.name) || isDone(state))
    ? { kind: 'fail', failure }
    : { kind: 'send', commands: sendable(phase, state) };
};

/**
 * Seconds until the next look: a quarter of the time that the phase has taken so far, from 1 to 60, and after four hours a
 * two-hundred-and-fortieth of it, to 300. A phase of ten seconds costs about eight looks, one of 49 hours about a thousand with nine events
 * each: an execution may have 25,000, and looks that are repeated need room.
 */
export const waitSeconds = (state: PhaseState, now: Date): number => {
  const seconds = (now.getTime() - Date.parse(state.startedAt)) / 1000;
  return Math.round(Math.max(1, Math.min(60, seconds / 4), Math.min(300, seconds / 240)));
};

/** What a node answered to a command that succeeded. */
export interface NodeAnswer<A> {
  readonly command: string;
  readonly instanceId: string;
  readonly answer: A;
}

/**
 * What a phase's commands of one document answered; those that failed, as optional ones may, are left out. Throws an
 * UnreadableResultError when one is not what its contract promises.
 */
export const answersOf = <A>(
  state: PhaseState | undefined,
  { name, answers }: Contract<Takes, A>,
): readonly NodeAnswer<A>[] =>
  (state?.commands ?? []).flatMap((command) =>
    command.state !== 'ended' || command.document !== name
      ? []
      : command.invocations
          .filter(({ status }) => status === 'Success')
          .map(({ instanceId, stdout }) => {
            const answer = answers.safeParse(parsed(stdout));
            if (!answer.success)
              throw new UnreadableResultError(
                `${command.id} on ${instanceId} gave an answer that does not match its document: ${nodeWords(z.prettifyError(answer.error))}`,
              );
            return { command: command.id, instanceId, answer: answer.data };
          }),
  );
