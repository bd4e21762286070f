import { randomUUID } from 'node:crypto';
import { type Agent, startAgent } from './agent.ts';
import type { Clock } from './clock.ts';
import { bindParameters, type Document, executionTimeoutSeconds, type ParameterValues } from './document.ts';
import { SsmError } from './errors.ts';
import type { ManagedInstance } from './instance.ts';
import type { SendCommand, Target } from './requests.ts';
import type { Report } from './script.ts';

/** How long after the send an invocation may not be found by the first look at it. */
const INVISIBLE_MS = 200;

/** How often an agent that does not answer is tried again. */
const RETRY_MS = 1000;

/** How often an agent whose queue is full tries to take a command that it has got. It never gives up, whatever the service does meanwhile. */
const FULL_QUEUE_MS = 10_000;

const OPEN = ['Pending', 'Delayed', 'InProgress', 'Cancelling'] as const;
type InvocationStatus = (typeof OPEN)[number] | Report['status'];
type InvocationStatusDetails =
  | InvocationStatus
  | Report['statusDetails']
  | 'DeliveryTimedOut'
  | 'Undeliverable'
  | 'Terminated';

/** One command on one instance. */
export interface Invocation {
  readonly command: Command;
  readonly instanceId: string;
  status: InvocationStatus;
  statusDetails: InvocationStatusDetails;
  /** When the concurrency of its command let it go to the agent; milliseconds, as all times here. */
  sentAt: number | undefined;
  /** Whether its agent has got it, taken or not. */
  delivered: boolean;
  startedAt: number | undefined;
  endedAt: number | undefined;
  /** What the agent has to say; told to the service as soon as the agent is online. */
  report: Report | undefined;
  readonly timers: (() => void)[];
  looked: boolean;
}

export interface Command {
  readonly id: string;
  readonly document: Document;
  readonly request: SendCommand;
  readonly parameters: ParameterValues;
  readonly requestedAt: number;
  readonly expiresAt: number;
  readonly maxConcurrency: number;
  readonly maxErrors: number;
  readonly invocations: Invocation[];
  cancelled: boolean;
}

export const isOver = ({ status }: Invocation): boolean => !OPEN.some((open) => open === status);

/** Failures and execution time-outs count against MaxErrors; what could not be delivered does not. */
export const isError = ({ statusDetails }: Invocation): boolean =>
  statusDetails === 'Failed' || statusDetails === 'ExecutionTimedOut';

/** The service's side of Run Command: which invocation starts when, and how each one ends. */
export const startRunCommand = (options: {
  readonly instances: () => readonly ManagedInstance[];
  readonly account: string;
  readonly clock: Clock;
}) => {
  const { instances, clock } = options;
  const commands = new Map<string, Command>();
  const open = new Set<Command>();
  const agents = new Map<string, Agent>();
  let awake = false;
  let cancelRetry: (() => void) | undefined;
  const atFullQueues = new Set<() => void>();

  const find = (instanceId: string) => instances().find((instance) => instance.instanceId === instanceId);

  const agentOf = (instanceId: string): Agent => {
    const agent = agents.get(instanceId) ?? startAgent(() => find(instanceId), clock, wake);
    agents.set(instanceId, agent);
    return agent;
  };

  const send = (request: SendCommand, document: Document): Command => {
    const parameters = bindParameters(document, request.Parameters);
    const targets = resolve(request);
    const requestedAt = clock.now();
    const command: Command = {
      id: randomUUID(),
      document,
      request,
      parameters,
      requestedAt,
      expiresAt: requestedAt + 1000 * (request.TimeoutSeconds + executionTimeoutSeconds(document, parameters)),
      maxConcurrency: Math.max(1, share(request.MaxConcurrency, targets.length)),
      maxErrors: share(request.MaxErrors, targets.length),
      invocations: [],
      cancelled: false,
    };
    for (const instanceId of targets) {
      const known = find(instanceId) !== undefined;
      command.invocations.push({
        command,
        instanceId,
        status: known ? 'Pending' : 'Failed',
        statusDetails: known ? 'Pending' : 'Undeliverable',
        sentAt: undefined,
        delivered: false,
        startedAt: undefined,
        endedAt: undefined,
        report: undefined,
        timers: [],
        looked: false,
      });
    }
    commands.set(command.id, command);
    open.add(command);
    wake();
    return command;
  };

  const resolve = ({ InstanceIds, Targets }: SendCommand): string[] => {
    if (InstanceIds.length === 0) return targeted(Targets, instances());
    if (new Set(InstanceIds).size < InstanceIds.length) {
      throw new SsmError('DuplicateInstanceId', 'An instance id was given more than once.');
    }
    const unknown = InstanceIds.filter((id) => find(id) === undefined);
    if (unknown.length > 0) {
      const ids = unknown.join(', ');
      throw new SsmError(
        'InvalidInstanceId',
        `Instances [[${ids}]] not in a valid state for account ${options.account}`,
      );
    }
    return InstanceIds;
  };

  /** What may change is looked at in one place, after whatever changed: nothing here depends on the order of events. */
  const wake = (): void => {
    if (awake) return;
    awake = true;
    queueMicrotask(() => {
      awake = false;
      for (const command of open) advance(command);
    });
  };

  const advance = (command: Command): void => {
    for (const invocation of command.invocations) {
      if (isOver(invocation)) continue;
      if (invocation.sentAt === undefined) {
        if (command.invocations.filter(isError).length > command.maxErrors)
          settle(invocation, 'Cancelled', 'Terminated');
        else if (command.invocations.filter(isUnderWay).length < command.maxConcurrency) dispatch(invocation);
      }
      if (isUnderWay(invocation)) converse(invocation);
    }
    if (command.invocations.every(isOver)) open.delete(command);
  };

  const dispatch = (invocation: Invocation): void => {
    const { request, requestedAt, expiresAt } = invocation.command;
    const timeOut = () => settle(invocation, 'TimedOut', 'DeliveryTimedOut');
    invocation.sentAt = clock.now();
    invocation.timers.push(
      clock.after(request.TimeoutSeconds * 1000, () => {
        if (isWaiting(invocation)) timeOut();
      }),
      // An agent that was lost after the start is given up when both of its time-outs are over.
      clock.after(expiresAt - requestedAt, timeOut),
    );
  };

  const converse = (invocation: Invocation): void => {
    const instance = find(invocation.instanceId);
    const { report } = invocation;
    if (instance === undefined || !instance.online) {
      retryLater();
      return;
    }
    const agent = agentOf(invocation.instanceId);
    agent.notice();
    if (report !== undefined) settle(invocation, report.status, report.statusDetails);
    else if (invocation.status === 'Cancelling') agent.cancel(invocation.command.id);
    else if (isWaiting(invocation) && !invocation.delivered) deliver(invocation, agent);
  };

  /** To the service a command is in progress as soon as its agent has taken it, whether it runs or waits. */
  const deliver = (invocation: Invocation, agent: Agent): void => {
    const { id, document, parameters } = invocation.command;
    invocation.delivered = true;
    const accepted = agent.accept({
      ...{ id, document, parameters },
      onStart: () => {
        invocation.startedAt = clock.now();
      },
      onReport: (report) => {
        invocation.report = report;
        invocation.endedAt = clock.now();
        wake();
      },
    });
    if (!accepted) {
      const cancelTimer = clock.after(FULL_QUEUE_MS, () => {
        atFullQueues.delete(cancelTimer);
        deliver(invocation, agent);
      });
      atFullQueues.add(cancelTimer);
    } else if (isWaiting(invocation)) {
      invocation.status = 'InProgress';
      invocation.statusDetails = 'InProgress';
    }
  };

  const retryLater = (): void => {
    cancelRetry ??= clock.after(RETRY_MS, () => {
      cancelRetry = undefined;
      for (const invocation of [...open].flatMap((command) => command.invocations)) {
        if (invocation.sentAt === undefined || !isWaiting(invocation) || find(invocation.instanceId)?.online) continue;
        invocation.status = 'Delayed';
        invocation.statusDetails = 'Delayed';
      }
      wake();
    });
  };

  const settle = (
    invocation: Invocation,
    status: Report['status'],
    statusDetails: Report['statusDetails'] | 'DeliveryTimedOut' | 'Terminated',
  ): void => {
    invocation.status = status;
    invocation.statusDetails = statusDetails;
    for (const cancelTimer of invocation.timers) cancelTimer();
    wake();
  };

  /** Asks for the end of a command on some of its instances, or on all when none is named. */
  const cancel = (command: Command, instanceIds: readonly string[]): void => {
    command.cancelled ||= instanceIds.length === 0;
    for (const invocation of command.invocations) {
      if (instanceIds.length > 0 && !instanceIds.includes(invocation.instanceId)) continue;
      if (isWaiting(invocation)) settle(invocation, 'Cancelled', 'Cancelled');
      if (invocation.status !== 'InProgress') continue;
      invocation.status = 'Cancelling';
      invocation.statusDetails = 'Cancelling';
    }
    wake();
  };

  /** As on AWS an invocation is found some time after it was sent: never by a first look that comes at once. */
  const isVisible = (invocation: Invocation): boolean => {
    const first = !invocation.looked;
    invocation.looked = true;
    return !first || clock.now() - invocation.command.requestedAt >= INVISIBLE_MS;
  };

  /** Kills what still runs. Resolves when every script is gone. */
  const close = async (): Promise<void> => {
    cancelRetry?.();
    for (const cancelTimer of atFullQueues) cancelTimer();
    open.clear();
    for (const invocation of [...commands.values()].flatMap((command) => command.invocations))
      for (const cancelTimer of invocation.timers) cancelTimer();
    await Promise.all([...agents.values()].map((agent) => agent.close()));
  };

  return { commands, send, cancel, isVisible, agentOf, close };
};

export type RunCommand = ReturnType<typeof startRunCommand>;

/** The ids of the instances that meet every criterion. Ids that nobody has are kept: they turn out to be undeliverable. */
const targeted = (targets: readonly Target[], instances: readonly ManagedInstance[]): string[] => {
  const meets = (instance: ManagedInstance, { Key, Values }: Target) => {
    if (Key === 'InstanceIds') return Values.includes(instance.instanceId);
    if (Key === 'tag-key') return Values.some((name) => Object.hasOwn(instance.tags, name));
    return Values.includes(instance.tags[Key.slice('tag:'.length)] ?? '');
  };
  const known = instances.filter((instance) => targets.every((target) => meets(instance, target)));
  const named = targets.flatMap(({ Key, Values }) => (Key === 'InstanceIds' ? Values : []));
  const unknown = named.filter((id) => !instances.some(({ instanceId }) => instanceId === id));
  return [...known.map(({ instanceId }) => instanceId), ...new Set(unknown)];
};

/** A number of targets, or a percentage of them rounded down. */
const share = (limit: string, targets: number): number =>
  limit.endsWith('%') ? Math.floor((Number(limit.slice(0, -1)) * targets) / 100) : Number(limit);

const isWaiting = ({ status }: Invocation): boolean => status === 'Pending' || status === 'Delayed';

const isUnderWay = (invocation: Invocation): boolean => invocation.sentAt !== undefined && !isOver(invocation);
