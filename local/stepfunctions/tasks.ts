import * as z from 'zod';
import type { Callbacks } from './callbacks.ts';
import { ApiError, TaskError } from './errors.ts';
import type { Execution, StartRequest } from './execution.ts';
import type { Task } from './machine.ts';

/** One attempt of a Task state. */
export interface Attempt {
  readonly task: Task;
  readonly parameters: unknown;
  readonly token: string;
  /** Aborts when nobody waits for the result any more: the execution ended, the task timed out, a sibling failed. */
  readonly signal: AbortSignal;
  submitted(output: unknown): void;
}

/** What tasks are done with. */
export interface Services {
  invoke(functionArn: string, payload: unknown): Promise<unknown>;
  start(request: StartRequest): Execution;
  stop(execution: Execution, error: string | undefined, cause: string): void;
  readonly callbacks: Callbacks;
}

/** Does the work of a task. A lambda that is under way when the task is aborted runs on, as AWS's do. */
export function perform(attempt: Attempt, services: Services): Promise<unknown> {
  const { integration } = attempt.task;
  switch (integration) {
    case 'function':
      return callFunction(attempt.task.resource, attempt.parameters, services);
    case 'invoke':
      return invoke(attempt, services);
    case 'invoke with token':
      return invokeAndWait(attempt, services);
    case 'child':
      return runChild(attempt, services);
    default:
      return integration satisfies never;
  }
}

const InvokeParameters = z.strictObject({ FunctionName: z.string(), Payload: z.unknown().optional() });

const ChildParameters = z.strictObject({
  StateMachineArn: z.string(),
  Input: z.unknown().optional(),
  Name: z.string().optional(),
});

function parameters<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new TaskError('States.Runtime', `Parameters: ${z.prettifyError(parsed.error)}`);
}

async function callFunction(arn: string, payload: unknown, services: Pick<Services, 'invoke'>): Promise<unknown> {
  try {
    return (await services.invoke(arn, payload)) ?? null;
  } catch (error) {
    const { name, message, stack = '' } = error instanceof Error ? error : new Error(String(error));
    // What the Lambda service answers when a node handler throws.
    const cause = { errorType: name, errorMessage: message, trace: stack.split('\n') };
    throw new TaskError(name, JSON.stringify(cause));
  }
}

async function invoke(attempt: Attempt, services: Pick<Services, 'invoke'>) {
  const { FunctionName, Payload = {} } = parameters(InvokeParameters, attempt.parameters);
  const result = await callFunction(FunctionName, Payload, services);
  return { ExecutedVersion: '$LATEST', Payload: result, StatusCode: 200 };
}

function invokeAndWait(attempt: Attempt, { callbacks, ...services }: Services): Promise<unknown> {
  const answer = callbacks.wait(attempt.token, attempt.task.heartbeatSeconds, attempt.signal);
  // The answer counts, also while the lambda still runs; what the lambda returns does not.
  invoke(attempt, services).then(attempt.submitted, (error) => callbacks.giveUp(attempt.token, error));
  return answer;
}

async function runChild(attempt: Attempt, services: Services) {
  const { StateMachineArn, Input = {}, Name } = parameters(ChildParameters, attempt.parameters);
  const child = startChild({ stateMachineArn: StateMachineArn, input: JSON.stringify(Input), name: Name }, services);
  attempt.submitted({ ExecutionArn: child.arn, StartDate: child.startDate.getTime() });
  const stop = () => services.stop(child, undefined, 'The task that waited for this execution was aborted.');
  attempt.signal.addEventListener('abort', stop);
  const outcome = await child.ended;
  attempt.signal.removeEventListener('abort', stop);
  if (outcome.status === 'SUCCEEDED') {
    return { ...envelope(child), Input: JSON.parse(child.input), Output: JSON.parse(outcome.output) };
  }
  throw new TaskError('States.TaskFailed', JSON.stringify(envelope(child)));
}

function startChild(request: StartRequest, services: Services): Execution {
  try {
    return services.start(request);
  } catch (error) {
    if (error instanceof ApiError) throw new TaskError(`StepFunctions.${error.name}Exception`, error.message);
    throw error;
  }
}

/** A finished execution as DescribeExecution reports it, in the capitals, order and milliseconds of an integration. */
function envelope({ arn, machine, name, input, startDate, outcome, redriveCount }: Execution) {
  const failure = outcome && outcome.status !== 'SUCCEEDED' ? { Cause: outcome.cause, Error: outcome.error } : {};
  return {
    ...failure,
    ExecutionArn: arn,
    Input: input,
    InputDetails: { Included: true },
    Name: name,
    ...(outcome?.status === 'SUCCEEDED' && { Output: outcome.output, OutputDetails: { Included: true } }),
    RedriveCount: redriveCount,
    StartDate: startDate.getTime(),
    StateMachineArn: machine.arn,
    Status: outcome?.status,
    StopDate: outcome?.stopDate.getTime(),
  };
}
