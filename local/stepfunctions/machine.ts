import { StateMachine, type StateMachineDefinition } from 'aws-local-stepfunctions';
import { MAX_TIMER_SECONDS } from './limits.ts';
import { type Integration, integrationOf } from './resources.ts';

type States = StateMachineDefinition['States'];
type State = States[string];
type TaskState = Extract<State, { Type: 'Task' }>;
type Template = Extract<NonNullable<TaskState['Parameters']>, { [key: string]: unknown }>;

/** A Task state, as the adapter around the interpreter needs it. */
export interface Task {
  readonly name: string;
  readonly resource: string;
  readonly integration: Integration;
  readonly timeoutSeconds: number | undefined;
  readonly heartbeatSeconds: number | undefined;
  /** Whether its parameters carry the value of TimeoutSecondsPath. */
  readonly timeoutInParameters: boolean;
  /** The outermost Map or Parallel state around it. */
  readonly within: string | undefined;
}

/** The state that every iteration and branch ends with. */
export const DRAIN = 'drain events';

export interface Machine {
  readonly name: string;
  readonly arn: string;
  readonly definition: string;
  readonly created: Date;
  readonly interpreter: StateMachine;
  /** One that begins with a state, for an execution that is redriven. */
  startingAt(state: string): StateMachine;
  readonly tasks: readonly Task[];
  /** The names of its Wait states. */
  readonly waits: readonly string[];
  /** What `$$.State` means in each state: a part of the context that every execution is run with. */
  readonly stateContexts: readonly object[];
}

/**
 * Reads a state machine and prepares it for the interpreter, whose ways differ from AWS's in a few points:
 *
 * - Its context has no `$$.State`, and inside of a Map or Parallel `$$.Execution` is that of the iteration. Both are
 *   renamed to `$$.States[n]` and `$$.Run`, which it passes on untouched.
 * - A task without a time-out would get 60 seconds; one beyond node's longest timer would time out at once.
 * - TimeoutSecondsPath is read after Parameters were applied, so the parameters carry the value.
 * - `"ResultPath": "$"` would make a key of that name.
 * - A Fail state without an error would invent one.
 * - The events of an iteration or branch trickle up to those of the machine, which may have gone on or ended meanwhile. So
 *   each of them ends with a hidden task, `DRAIN`, that lets one turn of the event loop pass.
 *
 * `$$.Map.Item` exists only in ItemSelector. Throws if the definition is not valid ASL, or needs what is not supported
 * here: an integration other than those of `resources.ts`, or HeartbeatSecondsPath.
 */
export function loadMachine(name: string, arn: string, definition: string): Machine {
  try {
    new StateMachine(JSON.parse(definition));
    const adapted: StateMachineDefinition = JSON.parse(definition.replaceAll(/\$\$\.Execution\b/g, () => '$$.Run'));
    const stateContexts: object[] = [];
    adaptStates(adapted.States, stateContexts);
    if (adapted.TimeoutSeconds !== undefined) {
      adapted.TimeoutSeconds = Math.min(adapted.TimeoutSeconds, MAX_TIMER_SECONDS);
    }
    const startingAt = (StartAt: string): StateMachine =>
      new StateMachine({ ...adapted, StartAt }, { validationOptions: { noValidate: true } });
    return {
      name,
      arn,
      definition,
      created: new Date(),
      interpreter: startingAt(adapted.StartAt),
      startingAt,
      tasks: [...tasksOf(adapted.States)],
      waits: [...waitsOf(adapted.States)],
      stateContexts,
    };
  } catch (error) {
    throw new Error(`state machine ${name}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

function adaptStates(states: States, contexts: object[]): void {
  for (const [name, state] of Object.entries(states)) {
    // The inner states first: what is left of `$$.State` in the text then belongs to this one.
    for (const inner of innerStates(state)) {
      adaptStates(inner, contexts);
      for (const last of Object.values(inner)) if ('End' in last) Object.assign(last, { End: false, Next: DRAIN });
      inner[DRAIN] = { Type: 'Task', Resource: '', End: true };
    }
    const index = contexts.push(stateContext(name)) - 1;
    const own = JSON.stringify(state).replaceAll('$$.State.', () => `$$.States[${index}].`);
    states[name] = adaptState(JSON.parse(own));
  }
}

const stateContext = (Name: string) => ({
  Name,
  // Paths are resolved when the state is entered.
  get EnteredTime() {
    return new Date().toISOString();
  },
});

function adaptState(state: State): State {
  if ('ResultPath' in state && state.ResultPath === '$') delete state.ResultPath;
  for (const catcher of ('Catch' in state && state.Catch) || [])
    if (catcher.ResultPath === '$') delete catcher.ResultPath;
  if (state.Type === 'Fail') {
    state.Error ??= '';
    state.Cause ??= '';
  }
  if (state.Type === 'Task') adaptTimeout(state);
  return state;
}

function adaptTimeout(state: TaskState): void {
  if (state.TimeoutSecondsPath === undefined) {
    state.TimeoutSeconds = Math.min(state.TimeoutSeconds ?? MAX_TIMER_SECONDS, MAX_TIMER_SECONDS);
  } else if (isTemplate(state.Parameters)) {
    state.Parameters = { ...state.Parameters, 'TimeoutSeconds.$': state.TimeoutSecondsPath };
    state.TimeoutSecondsPath = '$.TimeoutSeconds';
  }
}

const isTemplate = (parameters: TaskState['Parameters']): parameters is Template =>
  typeof parameters === 'object' && parameters !== null && !Array.isArray(parameters);

function* tasksOf(states: States, within?: string): Generator<Task> {
  for (const [name, state] of Object.entries(states)) {
    for (const inner of innerStates(state)) yield* tasksOf(inner, within ?? name);
    if (state.Type !== 'Task' || name === DRAIN) continue;
    if ('HeartbeatSecondsPath' in state) throw new Error(`${name}: HeartbeatSecondsPath is not supported`);
    const integration = integrationOf(state.Resource);
    if (!integration) throw new Error(`${name}: the resource ${state.Resource} is not supported`);
    yield {
      name,
      integration,
      within,
      resource: state.Resource,
      timeoutSeconds: state.TimeoutSeconds,
      heartbeatSeconds:
        'HeartbeatSeconds' in state && typeof state.HeartbeatSeconds === 'number' ? state.HeartbeatSeconds : undefined,
      timeoutInParameters: state.TimeoutSecondsPath !== undefined && isTemplate(state.Parameters),
    };
  }
}

function* waitsOf(states: States): Generator<string> {
  for (const [name, state] of Object.entries(states)) {
    for (const inner of innerStates(state)) yield* waitsOf(inner);
    if (state.Type === 'Wait') yield name;
  }
}

function innerStates(state: State): States[] {
  if (state.Type === 'Parallel') return state.Branches.map((branch) => branch.States);
  if (state.Type !== 'Map') return [];
  return [state.ItemProcessor, state.Iterator].flatMap((processor) => (processor ? [processor.States] : []));
}
