import { randomUUID } from 'node:crypto';
import { ExecutionAbortedError, ExecutionTimeoutError } from 'aws-local-stepfunctions';
import { drain, TOKEN_PLACEHOLDER, taskHandler } from './attempt.ts';
import { type Callbacks, createCallbacks } from './callbacks.ts';
import { ApiError } from './errors.ts';
import type { Execution, Failure, Outcome, StartRequest, Verdict } from './execution.ts';
import { ended, type InterpreterEvent, record, started, translate } from './history.ts';
import { dataLimit, isTooLarge, MAX_HISTORY_EVENTS, MAX_PAYLOAD_BYTES } from './limits.ts';
import { DRAIN, type Machine, type Task } from './machine.ts';
import type { Services } from './tasks.ts';

/** The detail of EventBridge's "Step Functions Execution Status Change"; dates are milliseconds since 1970. */
export interface ExecutionStatusChange {
  readonly executionArn: string;
  readonly stateMachineArn: string;
  readonly name: string;
  readonly status: 'RUNNING' | Outcome['status'];
  readonly startDate: number;
  readonly stopDate: number | null;
  readonly input: string;
  readonly output: string | null;
  readonly error: string | null;
  readonly cause: string | null;
}

export interface Settings {
  readonly machines: readonly Machine[];
  readonly invoke: (functionArn: string, payload: unknown) => Promise<unknown>;
  readonly region: string;
  readonly account: string;
  readonly onStatusChange: (change: ExecutionStatusChange) => void;
  /** How long every Wait state takes, and each pause before a retry; absent, they take what they say. */
  readonly pollMilliseconds?: number | undefined;
}

export interface Executions {
  readonly callbacks: Callbacks;
  readonly machines: readonly Machine[];
  machine(arn: string): Machine;
  get(arn: string): Execution;
  /** Oldest first. */
  list(): readonly Execution[];
  start(request: StartRequest): Execution;
  /** Runs one that did not succeed on, from the state at which it ended and with that state's input. */
  redrive(arn: string): Execution;
  /** Aborts what runs, without a status change. */
  close(): void;
}

/** A name as AWS takes it: 1 to 80 characters without white space, brackets, wild cards, special and control characters. */
const NAME = /^[^\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}]{1,80}$/u;

export function createExecutions(settings: Settings): Executions {
  const { machines, region, account, pollMilliseconds } = settings;
  const executions = new Map<string, Execution>();
  const callbacks = createCallbacks();
  let closed = false;

  function machine(arn: string): Machine {
    const found = machines.find((candidate) => candidate.arn === arn);
    if (!found) throw new ApiError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${arn}'`);
    return found;
  }

  function start({ stateMachineArn, input = '{}', name = randomUUID() }: StartRequest): Execution {
    const owner = machine(stateMachineArn);
    if (!NAME.test(name)) throw new ApiError('InvalidName', `Invalid Name: '${name}'`);
    assertInput(input);
    const arn = `arn:aws:states:${region}:${account}:execution:${owner.name}:${name}`;
    const existing = executions.get(arn);
    if (existing && !existing.outcome && existing.input === input) return existing;
    if (existing) throw new ApiError('ExecutionAlreadyExists', `Execution Already Exists: '${arn}'`);
    const execution = run(owner, arn, name, input);
    executions.set(arn, execution);
    return execution;
  }

  function redrive(arn: string): Execution {
    const earlier = executions.get(arn);
    if (!earlier) throw new ApiError('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);
    const ended = earlier.history.findLast(
      ({ stateEnteredEventDetails: entered }) =>
        entered?.name !== undefined && entered.name in JSON.parse(earlier.machine.definition).States,
    )?.stateEnteredEventDetails;
    if (earlier.outcome === undefined || earlier.outcome.status === 'SUCCEEDED' || !ended?.name)
      throw new ApiError('ExecutionNotRedrivable', `Execution is not redrivable: '${arn}'`);
    const execution = run(earlier.machine, arn, earlier.name, earlier.input, {
      earlier,
      state: ended.name,
      input: ended.input ?? '{}',
    });
    executions.set(arn, execution);
    return execution;
  }

  function run(
    owner: Machine,
    arn: string,
    name: string,
    input: string,
    resumed?: { readonly earlier: Execution; readonly state: string; readonly input: string },
  ): Execution {
    const everything = new AbortController();
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    let verdict: Verdict | undefined;
    const execution: Execution = {
      ...{ arn, name, input, machine: owner, ended: promise },
      startDate: resumed?.earlier.startDate ?? new Date(),
      redriveCount: resumed ? resumed.earlier.redriveCount + 1 : 0,
      history: resumed?.earlier.history ?? [],
      end(failure) {
        verdict ??= failure;
        abort();
      },
    };
    const roleArn = `arn:aws:iam::${account}:role/${owner.name}`;
    if (resumed)
      record(execution, {
        type: 'ExecutionRedriven',
        executionRedrivenEventDetails: { redriveCount: execution.redriveCount },
      });
    else record(execution, started(input, roleArn), execution.startDate);
    announce(execution);

    const scopes = new Map<string, AbortController>();
    const signalOf = ({ within }: Task): AbortSignal => {
      if (within === undefined) return everything.signal;
      const scope = scopes.get(within) ?? new AbortController();
      scopes.set(within, scope);
      return AbortSignal.any([everything.signal, scope.signal]);
    };
    const handlers = owner.tasks.map((task) => [
      task.name,
      taskHandler(execution, task, () => signalOf(task), services, region),
    ]);
    const interpreter = resumed ? owner.startingAt(resumed.state) : owner.interpreter;
    const { abort, eventLogs, result } = interpreter.run(JSON.parse(resumed?.input ?? input), {
      overrides: {
        taskResourceLocalHandlers: { ...Object.fromEntries(handlers), [DRAIN]: drain },
        ...(pollMilliseconds !== undefined && {
          waitTimeOverrides: Object.fromEntries(owner.waits.map((name) => [name, pollMilliseconds])),
          retryIntervalOverrides: Object.fromEntries(owner.tasks.map(({ name }) => [name, pollMilliseconds])),
        }),
      },
      context: {
        Run: {
          Id: arn,
          Name: name,
          Input: JSON.parse(input),
          RoleArn: roleArn,
          StartTime: execution.startDate.toISOString(),
          RedriveCount: execution.redriveCount,
        },
        StateMachine: { Id: owner.arn, Name: owner.name },
        States: owner.stateContexts,
        Task: { Token: TOKEN_PLACEHOLDER },
      },
    });

    const watch = async () => {
      const end = result.then(
        (output): Verdict => ({ status: 'SUCCEEDED', output: JSON.stringify(output) }),
        (error): Verdict => failureOf(error),
      );
      for await (const event of eventLogs) follow(event);
      const outcome = { ...(verdict ?? (await end)), stopDate: new Date() };
      execution.outcome = outcome;
      everything.abort();
      record(execution, ended(outcome), outcome.stopDate);
      resolve(outcome);
      announce(execution);
    };
    const follow = (event: InterpreterEvent) => {
      const entry = translate(event, owner.tasks, region);
      if (entry) record(execution, entry, new Date(event.timestamp));
      if (event.type === 'StateFailed') {
        // The siblings of a failed iteration or branch are over, also when the failure is caught.
        scopes.get(event.state.name)?.abort();
        scopes.delete(event.state.name);
      }
      if (event.type === 'StateExited' && isTooLarge(JSON.stringify(event.state.output))) {
        execution.end({ status: 'FAILED', ...dataLimit(`output of state ${event.state.name}`) });
      }
      if (execution.history.length >= MAX_HISTORY_EVENTS) {
        const cause = `The execution reached the maximum of ${MAX_HISTORY_EVENTS} history events.`;
        execution.end({ status: 'FAILED', error: 'States.Runtime', cause });
      }
    };
    void watch();
    return execution;
  }

  const services: Services = {
    invoke: settings.invoke,
    start,
    stop: (execution, error, cause) => execution.end({ status: 'ABORTED', error, cause }),
    callbacks,
  };

  function announce(execution: Execution): void {
    if (closed) return;
    const { arn, machine, name, startDate, input, outcome } = execution;
    settings.onStatusChange({
      executionArn: arn,
      stateMachineArn: machine.arn,
      name,
      status: outcome?.status ?? 'RUNNING',
      startDate: startDate.getTime(),
      stopDate: outcome?.stopDate.getTime() ?? null,
      input,
      output: outcome?.status === 'SUCCEEDED' ? outcome.output : null,
      error: (outcome?.status !== 'SUCCEEDED' && outcome?.error) || null,
      cause: (outcome?.status !== 'SUCCEEDED' && outcome?.cause) || null,
    });
  }

  return {
    machines,
    callbacks,
    machine,
    start,
    redrive,
    list: () => [...executions.values()],
    get(arn) {
      const found = executions.get(arn);
      if (!found) throw new ApiError('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);
      return found;
    },
    close() {
      closed = true;
      for (const execution of executions.values()) {
        if (!execution.outcome)
          execution.end({ status: 'ABORTED', error: undefined, cause: 'The service was closed.' });
      }
    },
  };
}

function assertInput(input: string): void {
  if (isTooLarge(input)) throw new ApiError('ValidationException', `The input exceeds ${MAX_PAYLOAD_BYTES} bytes.`);
  try {
    JSON.parse(input);
  } catch {
    throw new ApiError('InvalidExecutionInput', 'The input is not JSON.');
  }
}

/** What the interpreter ended with: it wraps the error that ended an execution in one of its own. */
function failureOf(error: unknown): Failure {
  if (error instanceof ExecutionTimeoutError) return { status: 'TIMED_OUT', error: undefined, cause: undefined };
  if (error instanceof ExecutionAbortedError) return { status: 'ABORTED', error: undefined, cause: undefined };
  const original = error instanceof Error && error.cause instanceof Error ? error.cause : new Error(String(error));
  const cause = original.message === original.name ? undefined : original.message;
  return { status: 'FAILED', error: original.name || undefined, cause: cause || undefined };
}
