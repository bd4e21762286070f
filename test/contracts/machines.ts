import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { machineInputs, machineOutputs } from '#domain/contracts/machine';
import { functionPlaceholder, type StateMachineName, stateMachineNames, stateMachinePlaceholder } from '#domain/naming';
import { contractOf, type Verb, verbNames } from '#lambdas/verbs';
import {
  any,
  at,
  constant,
  count,
  faultsOf,
  having,
  isPartOf,
  membersOf,
  narrow,
  objectOf,
  put,
  type Shape,
  shapeOf,
  text,
  unionOf,
  whyMissing,
} from './shape.ts';

/**
 * Goes through a state machine as Step Functions does, with what is known of its data instead of data, and tells everything that the
 * contracts of verbs and machines do not bear out. Shapes of answers come from lambdas/verbs.ts.
 */

const Fields = z.record(z.string(), z.unknown());
const Path = z.string().nullable().optional();

const State = z.strictObject({
  Type: z.enum(['Task', 'Pass', 'Choice', 'Wait', 'Map', 'Succeed', 'Fail']),
  Comment: z.string().optional(),
  Resource: z.string().optional(),
  Parameters: Fields.optional(),
  Result: z.unknown().optional(),
  ResultSelector: Fields.optional(),
  ResultPath: Path,
  OutputPath: Path,
  TimeoutSeconds: z.number().optional(),
  TimeoutSecondsPath: z.string().optional(),
  Seconds: z.number().optional(),
  SecondsPath: z.string().optional(),
  ErrorPath: z.string().optional(),
  CausePath: z.string().optional(),
  Retry: z.unknown().optional(),
  Catch: z
    .array(
      z.strictObject({
        Comment: z.string().optional(),
        ErrorEquals: z.array(z.string()),
        ResultPath: Path,
        Next: z.string(),
      }),
    )
    .default([]),
  Choices: z
    .array(
      z.strictObject({
        Variable: z.string(),
        StringEquals: z.string().optional(),
        NumericEquals: z.number().optional(),
        BooleanEquals: z.boolean().optional(),
        Next: z.string(),
      }),
    )
    .default([]),
  Default: z.string().optional(),
  ItemsPath: z.string().optional(),
  ItemSelector: Fields.optional(),
  MaxConcurrency: z.number().optional(),
  ItemProcessor: z
    .strictObject({
      ProcessorConfig: z.unknown(),
      StartAt: z.string(),
      States: z.record(z.string(), z.unknown()),
    })
    .optional(),
  Next: z.string().optional(),
  End: z.boolean().optional(),
});
type State = z.infer<typeof State>;

const Machine = z.looseObject({ StartAt: z.string(), States: z.record(z.string(), z.unknown()) });

/** What Step Functions itself tells its states. */
const context = objectOf({
  Execution: objectOf({ Input: any, Name: text, Id: text, StartTime: text, RedriveCount: count, RoleArn: text }),
  State: objectOf({ Name: text, EnteredTime: text, RetryCount: count }),
  StateMachine: objectOf({ Id: text, Name: text }),
  Task: objectOf({ Token: text }),
});

const caught = objectOf({ Error: text, Cause: text });

/** What a machine adds to what it starts another one with: it makes the child's link in the console. */
const parentMark = 'AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID';

export type Definitions = Readonly<Record<StateMachineName, unknown>>;

/** Returns the machines as they lie in statemachines/. */
export const definitions = (): Definitions => {
  const read = (name: StateMachineName): unknown =>
    JSON.parse(readFileSync(new URL(`../../statemachines/${name}.asl.json`, import.meta.url), 'utf8'));
  return {
    backup: read('backup'),
    restore: read('restore'),
    'restore-puppet': read('restore-puppet'),
    'restore-juju': read('restore-juju'),
    upgrade: read('upgrade'),
    'upgrade-puppet': read('upgrade-puppet'),
    'upgrade-juju': read('upgrade-juju'),
    verify: read('verify'),
    hold: read('hold'),
    'run-phase': read('run-phase'),
    undo: read('undo'),
  };
};

interface Walked {
  readonly faults: readonly string[];
  /** What comes out at its ends that succeed. */
  readonly output: Shape;
}

/** Goes through the states of a machine, or of a map within it. */
class Walk {
  readonly faults = new Set<string>();
  readonly #ends: Shape[] = [];
  readonly #seen = new Map<string, Shape[]>();
  /** Comparisons of choices, with what was compared in each form of the data. */
  readonly #compared = new Map<string, { isPossible: boolean; readonly forms: Set<string> }>();
  readonly #todo: { readonly name: string; readonly input: Shape }[] = [];
  readonly #machine: string;
  readonly #states: Readonly<Record<string, unknown>>;
  readonly #context: Shape;
  readonly #phases: ReadonlySet<string>;
  readonly #child: (name: StateMachineName) => Walked;

  constructor(
    machine: string,
    definition: unknown,
    surroundings: Shape,
    phases: ReadonlySet<string>,
    child: (name: StateMachineName) => Walked,
  ) {
    this.#machine = machine;
    this.#context = surroundings;
    this.#phases = phases;
    this.#child = child;
    const { StartAt, States } = Machine.parse(definition);
    this.#states = States;
    this.#start = StartAt;
  }

  readonly #start: string;

  run(input: Shape): Walked {
    this.#go(this.#start, 'StartAt', input);
    for (let next = this.#todo.shift(); next; next = this.#todo.shift()) this.#step(next.name, next.input);
    for (const name of Object.keys(this.#states))
      if (!this.#seen.has(name)) this.faults.add(`${this.#machine}: no state goes to ${name}`);
    for (const [comparison, { isPossible, forms }] of this.#compared)
      if (!isPossible) this.faults.add(`${this.#machine}: ${comparison} never holds: ${[...forms].join(', or ')}`);
    return { faults: [...this.faults], output: unionOf(this.#ends) };
  }

  #fault(state: string, message: string): void {
    this.faults.add(`${this.#machine}: ${state}: ${message}`);
  }

  /** Goes on with a state, if there is input for it, once for each form of its input: what is borne out by one is borne out by one that has more. */
  #go(name: string, from: string, input: Shape | undefined): void {
    if (!(name in this.#states)) {
      this.#fault(from, `there is no state ${name}`);
      return;
    }
    const seen = this.#seen.get(name) ?? [];
    this.#seen.set(name, seen);
    for (const form of input ? membersOf(input) : []) {
      if (seen.some((one) => isPartOf(one, form))) continue;
      seen.push(form);
      this.#todo.push({ name, input: form });
    }
  }

  /** What a path reads; `field` says where it stands. */
  #read(name: string, field: string, path: string, input: Shape, surroundings = this.#context): Shape {
    const [whole, names] = path.startsWith('$$.') ? [surroundings, path.slice(3)] : [input, path.replace(/^\$\.?/, '')];
    if (!/^\$\$?(\.[A-Za-z_]\w*)*$/.test(path)) {
      this.#fault(name, `${field}: ${path} is no path that this check knows`);
      return any;
    }
    const steps = names === '' ? [] : names.split('.');
    const found = at(whole, steps);
    if (found === undefined) this.#fault(name, `${field}: ${path}: ${whyMissing(whole, steps)}`);
    return found ?? any;
  }

  /** What a template of Parameters, ResultSelector or ItemSelector makes. */
  #fill(name: string, field: string, template: unknown, input: Shape, surroundings = this.#context): Shape {
    const fields = Fields.safeParse(template);
    if (!fields.success) return constant(template);
    return objectOf(
      Object.fromEntries(
        Object.entries(fields.data).map(([key, value]) =>
          key.endsWith('.$')
            ? [key.slice(0, -2), this.#read(name, `${field} ${key}`, z.string().parse(value), input, surroundings)]
            : [key, this.#fill(name, `${field} ${key}`, value, input, surroundings)],
        ),
      ),
    );
  }

  #step(name: string, input: Shape): void {
    const parsed = State.safeParse(this.#states[name]);
    if (!parsed.success) {
      this.#fault(name, z.prettifyError(parsed.error).replaceAll('\n', ' '));
      return;
    }
    const state = parsed.data;
    for (const { ResultPath, Next } of state.Catch)
      this.#go(Next, `${name} Catch`, this.#placed(input, ResultPath, caught));
    if (state.Type === 'Choice') this.#choose(name, state, input);
    else this.#work(name, state, input);
  }

  #work(name: string, state: State, input: Shape): void {
    const result = this.#result(name, state, input);
    if (result === undefined) return;
    const selected = state.ResultSelector ? this.#fill(name, 'ResultSelector', state.ResultSelector, result) : result;
    const placed = this.#placed(input, state.ResultPath, selected);
    const output =
      typeof state.OutputPath === 'string' ? this.#read(name, 'OutputPath', state.OutputPath, placed) : placed;
    if (state.Next !== undefined) this.#go(state.Next, `${name} Next`, output);
    else if (state.Type !== 'Fail') this.#ends.push(output);
  }

  #placed(input: Shape, path: string | null | undefined, result: Shape): Shape {
    if (path === null) return input;
    return put(input, path === undefined || path === '$' ? [] : path.slice(2).split('.'), result);
  }

  /** What a state's work gives; undefined for one that ends the run. */
  #result(name: string, state: State, input: Shape): Shape | undefined {
    for (const field of ['TimeoutSecondsPath', 'SecondsPath'] as const)
      if (state[field] !== undefined) this.#expect(name, field, this.#read(name, field, state[field], input), count);
    for (const field of ['ErrorPath', 'CausePath'] as const)
      if (state[field] !== undefined) this.#expect(name, field, this.#read(name, field, state[field], input), text);
    switch (state.Type) {
      case 'Task':
        return this.#task(name, state, input);
      case 'Map':
        return this.#map(name, state, input);
      case 'Pass':
        if (state.Result !== undefined) return constant(state.Result);
        return state.Parameters ? this.#fill(name, 'Parameters', state.Parameters, input) : input;
      case 'Fail':
        return undefined;
      default:
        return input;
    }
  }

  #expect(name: string, field: string, shape: Shape, expected: Shape): void {
    for (const fault of faultsOf(shape, { ...expected, from: field })) this.#fault(name, fault);
  }

  #task(name: string, state: State, input: Shape): Shape {
    const { FunctionName, StateMachineArn, ...given } = state.Parameters ?? {};
    const verb = verbNames.find((one) => FunctionName === `\${${functionPlaceholder(one)}}`);
    const child = stateMachineNames.find((one) => StateMachineArn === `\${${stateMachinePlaceholder(one)}}`);
    if (verb) return this.#call(name, state, verb, this.#fill(name, 'Parameters', given, input));
    if (child) return this.#startChild(name, state, child, this.#fill(name, 'Parameters', given, input));
    this.#fault(name, `it calls ${FunctionName ?? StateMachineArn}, which is no verb and no machine`);
    return any;
  }

  #call(name: string, { Resource, TimeoutSeconds }: State, verb: Verb, given: Shape): Shape {
    const row = contractOf(verb);
    const payload = at(given, ['Payload']) ?? objectOf({});
    for (const fault of faultsOf(payload, shapeOf(row.input, 'input', `the input of ${verb}`)))
      this.#fault(name, `Payload: ${fault}`);
    const longest = row.timeoutSeconds ?? 60;
    if (TimeoutSeconds !== undefined && TimeoutSeconds <= longest)
      this.#fault(
        name,
        `TimeoutSeconds: ${verb} may take ${longest} s, and the state gives up after ${TimeoutSeconds} s`,
      );
    // Somebody else answers, with whatever they like.
    if (Resource?.endsWith('.waitForTaskToken')) return any;
    const answer = shapeOf(row.output, 'output', `the answer of ${verb}`);
    // The run is that which was asked for.
    const operation = at(payload, ['operation']);
    const ofRun =
      operation?.kind === 'const' && at(answer, ['operation']) ? put(answer, ['operation'], operation) : answer;
    return objectOf({ Payload: ofRun, StatusCode: count });
  }

  #startChild(name: string, { ResultSelector = {} }: State, child: StateMachineName, given: Shape): Shape {
    const start = at(given, ['Input']);
    if (start?.kind !== 'object') {
      this.#fault(name, `it starts ${child} without an Input`);
      return any;
    }
    const { [parentMark]: mark, ...fields } = start.fields;
    if (!mark) this.#fault(name, `Input: ${parentMark} is missing`);
    for (const fault of faultsOf(objectOf(fields), shapeOf(machineInputs[child], 'input', `the input of ${child}`)))
      this.#fault(name, `Input: ${fault}`);
    const phase = fields['phase'];
    if (child === 'run-phase' && phase?.kind === 'const' && !this.#phases.has(String(phase.value)))
      this.#fault(name, `Input: no plan has a phase ${phase.value}`);
    // A child may end in several ways; which one it takes here is known to who wrote the path.
    const paths = Object.values(ResultSelector).flatMap((path) => (typeof path === 'string' ? [path] : []));
    const output = objectOf({ Output: this.#child(child).output });
    const ended = paths
      .filter((path) => path.startsWith('$.Output.'))
      .reduce((shape, path) => {
        const forms = unionOf(membersOf(at(shape, ['Output']) ?? any).map((one) => objectOf({ Output: one })));
        const able = having(forms, path.slice(2).split('.'));
        return membersOf(able).length === 0 ? shape : able;
      }, output);
    return put(ended, ['Status'], text);
  }

  #map(name: string, state: State, input: Shape): Shape {
    const { ItemsPath = '$', ItemSelector, ItemProcessor } = state;
    const items = this.#read(name, 'ItemsPath', ItemsPath, input);
    for (const one of membersOf(items)) {
      if (one.kind !== 'array') {
        if (one.kind !== 'any') this.#fault(name, `ItemsPath: ${ItemsPath} is a ${one.kind}, not a list`);
        continue;
      }
      if (one.isEmpty) continue;
      const surroundings = put(
        this.#context,
        ['Map'],
        objectOf({ Item: objectOf({ Value: one.items, Index: count }) }),
      );
      const item = ItemSelector ? this.#fill(name, 'ItemSelector', ItemSelector, input, surroundings) : one.items;
      const inner = new Walk(`${this.#machine}: ${name}`, ItemProcessor, this.#context, this.#phases, this.#child);
      for (const fault of inner.run(item).faults) this.faults.add(fault);
    }
    return { kind: 'array', items: any, isEmpty: false };
  }

  #choose(name: string, { Choices, Default }: State, input: Shape): void {
    let left: Shape | undefined = input;
    for (const { Variable, Next, ...comparison } of Choices) {
      const found = this.#read(name, 'Variable', Variable, input);
      const [[operator, value] = []] = Object.entries(comparison).filter(([, one]) => one !== undefined);
      const field = `${Variable} ${operator} ${JSON.stringify(value)}`;
      const seen = this.#compared.get(`${name}: ${field}`) ?? { isPossible: false, forms: new Set() };
      this.#compared.set(`${name}: ${field}`, seen);
      for (const one of membersOf(found)) {
        seen.isPossible ||= faultsOf(constant(value), one).length === 0;
        seen.forms.add(`${one.from ?? Variable} is ${one.kind === 'const' ? JSON.stringify(one.value) : one.kind}`);
      }
      const path = Variable.slice(2).split('.');
      const taken = left && narrow(left, path, value, true);
      this.#go(Next, `${name} ${field}`, taken);
      left = left && narrow(left, path, value, false);
    }
    if (Default !== undefined) this.#go(Default, `${name} Default`, left);
  }
}

/** Returns everything in a machine that the contracts do not bear out, one sentence each, with machine, state and field. */
export const machineFaults = (
  name: StateMachineName,
  machines: Definitions,
  phases: ReadonlySet<string>,
): readonly string[] => {
  const walked = new Map<StateMachineName, Walked>();
  const outputs: Readonly<Partial<Record<StateMachineName, z.ZodType>>> = machineOutputs;
  const walk = (machine: StateMachineName): Walked => {
    const found =
      walked.get(machine) ??
      new Walk(machine, machines[machine], context, phases, walk).run(
        shapeOf(machineInputs[machine], 'input', `the input of ${machine}`),
      );
    walked.set(machine, found);
    return found;
  };
  const { faults, output } = walk(name);
  const schema = outputs[name];
  const ended = schema ? faultsOf(output, shapeOf(schema, 'input', `the output of ${name}`)) : [];
  return [...faults, ...ended.map((fault) => `${name}: ends: ${fault}`)];
};
