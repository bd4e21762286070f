import type { HistoryEvent } from '@aws-sdk/client-sfn';
import type { StateMachine } from 'aws-local-stepfunctions';
import type { Execution, Outcome } from './execution.ts';
import { DRAIN, type Task } from './machine.ts';

export type NewEvent = Omit<HistoryEvent, 'id' | 'previousEventId' | 'timestamp'>;

type Events = ReturnType<StateMachine['run']>['eventLogs'];
/** What the interpreter reports while it runs. */
export type InterpreterEvent = Events extends AsyncGenerator<infer Event> ? Event : never;

const whole = { truncated: false };

/** Appends an event. `previousEventId` is the event before, also where AWS would name the one before in the same branch. */
export function record(execution: Execution, event: NewEvent, timestamp = new Date()): void {
  const id = execution.history.length + 1;
  execution.history.push({ ...event, id, previousEventId: id <= 2 ? 0 : id - 1, timestamp });
}

export const started = (input: string, roleArn: string): NewEvent => ({
  type: 'ExecutionStarted',
  executionStartedEventDetails: { input, inputDetails: whole, roleArn },
});

export function ended(outcome: Outcome): NewEvent {
  if (outcome.status === 'SUCCEEDED') {
    const details = { output: outcome.output, outputDetails: whole };
    return { type: 'ExecutionSucceeded', executionSucceededEventDetails: details };
  }
  const details = { error: outcome.error, cause: outcome.cause };
  switch (outcome.status) {
    case 'FAILED':
      return { type: 'ExecutionFailed', executionFailedEventDetails: details };
    case 'ABORTED':
      return { type: 'ExecutionAborted', executionAbortedEventDetails: details };
    case 'TIMED_OUT':
      return { type: 'ExecutionTimedOut', executionTimedOutEventDetails: details };
    default:
      return outcome satisfies never;
  }
}

/** The events of a task; AWS has a set of its own for a plain lambda. */
export function taskEvents({ resource: arn, integration, timeoutSeconds }: Task, region: string) {
  const [resourceType, ...rest] = arn.split(':').slice(5);
  const task = { resourceType, resource: rest.join(':') };
  const timeout = timeoutSeconds === undefined ? {} : { timeoutInSeconds: timeoutSeconds };
  const isFunction = integration === 'function';
  return {
    scheduled: (input: string): NewEvent[] =>
      isFunction
        ? [
            {
              type: 'LambdaFunctionScheduled',
              lambdaFunctionScheduledEventDetails: { resource: arn, input, inputDetails: whole, ...timeout },
            },
            { type: 'LambdaFunctionStarted' },
          ]
        : [
            { type: 'TaskScheduled', taskScheduledEventDetails: { ...task, region, parameters: input, ...timeout } },
            { type: 'TaskStarted', taskStartedEventDetails: task },
          ],
    submitted: (output: string): NewEvent => ({
      type: 'TaskSubmitted',
      taskSubmittedEventDetails: { ...task, output, outputDetails: whole },
    }),
    succeeded: (output: string): NewEvent =>
      isFunction
        ? { type: 'LambdaFunctionSucceeded', lambdaFunctionSucceededEventDetails: { output, outputDetails: whole } }
        : { type: 'TaskSucceeded', taskSucceededEventDetails: { ...task, output, outputDetails: whole } },
    failed: (error: string | undefined, cause: string | undefined): NewEvent => {
      const failure = { error, cause };
      if (error === 'States.Timeout' || error === 'States.HeartbeatTimeout') {
        return isFunction
          ? { type: 'LambdaFunctionTimedOut', lambdaFunctionTimedOutEventDetails: { error } }
          : { type: 'TaskTimedOut', taskTimedOutEventDetails: { ...task, error } };
      }
      return isFunction
        ? { type: 'LambdaFunctionFailed', lambdaFunctionFailedEventDetails: failure }
        : { type: 'TaskFailed', taskFailedEventDetails: { ...task, ...failure } };
    },
  };
}

/** The history's event for one of the interpreter's, where AWS has one; those of the execution as a whole are ours. */
export function translate(event: InterpreterEvent, tasks: readonly Task[], region: string): NewEvent | undefined {
  if ('state' in event && event.state.name === DRAIN) return undefined;
  switch (event.type) {
    case 'StateEntered': {
      const { name, type, input } = event.state;
      const details = { name, input: JSON.stringify(input), inputDetails: whole };
      return { type: `${type}StateEntered`, stateEnteredEventDetails: details };
    }
    case 'StateExited': {
      const { name, type, output } = event.state;
      if (type === 'Fail') return undefined;
      const details = { name, output: JSON.stringify(output), outputDetails: whole };
      return { type: `${type}StateExited`, stateExitedEventDetails: details };
    }
    case 'StateFailed': {
      const { name, type } = event.state;
      if (type === 'Map' || type === 'Parallel') return { type: `${type}StateFailed` };
      const task = tasks.find((candidate) => candidate.name === name);
      return (
        task &&
        taskEvents(task, region).failed(event.Error ?? undefined, event.Cause == null ? undefined : String(event.Cause))
      );
    }
    case 'MapIterationStarted':
      return { type: event.type, mapIterationStartedEventDetails: iteration(event) };
    case 'MapIterationSucceeded':
      return { type: event.type, mapIterationSucceededEventDetails: iteration(event) };
    case 'MapIterationFailed':
      return { type: event.type, mapIterationFailedEventDetails: iteration(event) };
    default:
      return undefined;
  }
}

const iteration = ({ parentState, index }: { parentState: { name: string }; index: number }) => ({
  name: parentState.name,
  index,
});

/** The same event without inputs and outputs, for a caller that asked for none. */
export function withoutData(event: HistoryEvent): HistoryEvent {
  const bare = Object.entries(event).map(([key, value]) => {
    if (!key.endsWith('EventDetails')) return [key, value];
    const { input, inputDetails, output, outputDetails, parameters, ...rest } = value;
    return [key, rest];
  });
  return Object.fromEntries(bare);
}
