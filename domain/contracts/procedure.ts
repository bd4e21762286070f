import { functionPlaceholder, pascal, stateMachinePlaceholder } from '#domain/naming';
import { retriers } from '#domain/retries';

/**
 * The procedure of a restore or an upgrade: its steps in their order, from which both the phases of its plans and the state machine
 * follow that goes through them. `node statemachines/generate.ts` writes the machines.
 */

/** A phase of the plan. One that needs nothing has no commands and ends at once. */
export interface PhaseStep {
  readonly phase: string;
  /** The name of its state: that of the phase, unless it says otherwise. */
  readonly state?: string;
  /** What its state's comment says. */
  readonly does?: string;
  /** The step of the way out with which a failure of this one goes on. */
  readonly onFailure?: string;
}

/** Work of a lambda between phases. */
export interface VerbStep {
  readonly verb: string;
  readonly state: string;
  readonly does?: string;
  /** Fields of its answer that later states read, and where they find them. */
  readonly keeps?: { readonly as: string; readonly fields: readonly string[] };
  /** More than its lambda may take. */
  readonly timeoutSeconds: number;
}

/** Phases that become known while the machine runs. */
export interface EachStep {
  readonly each: string;
  readonly state: string;
  readonly does?: string;
}

export type Step = PhaseStep | VerbStep | EachStep;

export interface Procedure {
  readonly does: string;
  readonly timeoutSeconds: number;
  readonly steps: readonly Step[];
  /** The name of the last state, and what the machine ends with: fields that a verb's step has kept. */
  readonly end: { readonly state: string; readonly gives?: { readonly from: string } };
  /** What is done after a failure before the machine fails with it. */
  readonly wayOut?: { readonly state: string; readonly timeoutSeconds: number; readonly steps: readonly PhaseStep[] };
}

/** The names of a procedure's phases. */
export type PhaseOf<P extends Pick<Procedure, 'steps'>> = Extract<P['steps'][number], PhaseStep>['phase'];

const isPhase = <S extends Step>(step: S): step is Extract<S, PhaseStep> => 'phase' in step;

/** Returns the phases of a procedure in their order. */
export const phasesOf = <const P extends Pick<Procedure, 'steps'>>({ steps }: P): readonly PhaseOf<P>[] =>
  steps.filter(isPhase<P['steps'][number]>).map(({ phase }) => phase);

type State = Readonly<Record<string, unknown>>;

/** Step Functions stops a phase itself only when its commands' own time-outs have not: two days and an hour. */
const phaseSeconds = 176_400;

const run = { 'system.$': '$.system', 'operation.$': '$.operation', 'run.$': '$.run' } as const;

const comment = (does: string | undefined): State => (does === undefined ? {} : { Comment: does });

const runPhase = (phase: State, timeoutSeconds: number): State => ({
  Resource: 'arn:aws:states:::states:startExecution.sync:2',
  Parameters: {
    StateMachineArn: `\${${stateMachinePlaceholder('run-phase')}}`,
    Input: { ...run, ...phase, 'AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$': '$$.Execution.Id' },
  },
  ResultPath: null,
  TimeoutSeconds: timeoutSeconds,
  Retry: retriers['states:startExecution.sync:2'],
});

const nameOf = (step: Step): string => ('phase' in step ? (step.state ?? pascal(step.phase)) : step.state);

const caught = (ResultPath: string, Next: string): State => ({
  Catch: [{ ErrorEquals: ['States.ALL'], ResultPath, Next }],
});

const stateOf = (step: Step, Next: string): State => {
  if ('phase' in step)
    return {
      Type: 'Task',
      ...comment(step.does),
      ...runPhase({ phase: step.phase }, phaseSeconds),
      ...(step.onFailure !== undefined && caught('$.failure', step.onFailure)),
      Next,
    };
  if ('verb' in step)
    return {
      Type: 'Task',
      ...comment(step.does),
      Resource: 'arn:aws:states:::lambda:invoke',
      Parameters: { FunctionName: `\${${functionPlaceholder(step.verb)}}`, Payload: run },
      ...(step.keeps && {
        ResultSelector: Object.fromEntries(step.keeps.fields.map((field) => [`${field}.$`, `$.Payload.${field}`])),
      }),
      ResultPath: step.keeps ? `$.${step.keeps.as}` : null,
      TimeoutSeconds: step.timeoutSeconds,
      Retry: retriers['lambda:invoke'],
      Next,
    };
  return {
    Type: 'Map',
    ...comment(step.does),
    ItemsPath: step.each,
    ItemSelector: { ...run, 'phase.$': '$$.Map.Item.Value' },
    MaxConcurrency: 1,
    ItemProcessor: {
      ProcessorConfig: { Mode: 'INLINE' },
      StartAt: 'RunPhase',
      States: { RunPhase: { Type: 'Task', ...runPhase({ 'phase.$': '$.phase' }, phaseSeconds), End: true } },
    },
    ResultPath: null,
    Next,
  };
};

const wayOutOf = ({ wayOut }: Procedure): Readonly<Record<string, State>> => {
  if (!wayOut) return {};
  const { state: failed, timeoutSeconds, steps } = wayOut;
  const names = [...steps.map(nameOf), failed];
  const states = steps.map((step, index): State => {
    const { phase, does } = step;
    const next = { ...caught('$.startFailure', failed), Next: names[index + 1] };
    return { Type: 'Task', ...comment(does), ...runPhase({ phase }, timeoutSeconds), ...next };
  });
  return {
    ...Object.fromEntries(states.map((state, index) => [names[index], state])),
    [failed]: { Type: 'Fail', ErrorPath: '$.failure.Error', CausePath: '$.failure.Cause' },
  };
};

/** Returns the state machine that goes through a procedure. */
export const machineOf = (procedure: Procedure): State => {
  const { does, timeoutSeconds, steps, end } = procedure;
  const names = [...steps.map(nameOf), end.state];
  return {
    Comment: does,
    QueryLanguage: 'JSONPath',
    StartAt: names[0],
    TimeoutSeconds: timeoutSeconds,
    States: {
      ...Object.fromEntries(steps.map((step, index) => [names[index], stateOf(step, names[index + 1] ?? '')])),
      [end.state]: { Type: 'Succeed', ...(end.gives && { OutputPath: `$.${end.gives.from}` }) },
      ...wayOutOf(procedure),
    },
  };
};
