import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { Config } from '#domain/config';
import { type StateMachineName, stateMachineName, stateMachineNames, undoneMachines } from '#domain/naming';

/** The pages of the reference that are made from what they describe: `node docs/generate.ts` writes them. */

const note = '<!-- Made by `node docs/generate.ts`. Change what it is made from. -->';

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [
    `| ${head.join(' | ')} |`,
    `|${head.map(() => '---|').join('')}`,
    ...rows.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`),
  ].join('\n');

const code = (text: string): string => `\`${text}\``;

/** As much of JSON Schema as zod writes for the configuration. */
interface Schema {
  readonly type?: string;
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | false;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}
const Schema: z.ZodType<Schema> = z.lazy(() =>
  z.object({
    type: z.string().exactOptional(),
    const: z.string().exactOptional(),
    enum: z.array(z.string()).exactOptional(),
    description: z.string().exactOptional(),
    default: z.unknown().exactOptional(),
    minimum: z.number().exactOptional(),
    maximum: z.number().exactOptional(),
    maxItems: z.number().exactOptional(),
    required: z.array(z.string()).exactOptional(),
    items: Schema.exactOptional(),
    properties: z.record(z.string(), Schema).exactOptional(),
    additionalProperties: z.union([z.literal(false), Schema]).exactOptional(),
    anyOf: z.array(Schema).exactOptional(),
    oneOf: z.array(Schema).exactOptional(),
  }),
);

/** The forms that a value may have, one for most. */
const formsOf = (schema: Schema): readonly Schema[] => schema.anyOf ?? schema.oneOf ?? [schema];

const isObject = ({ properties }: Schema): boolean => properties !== undefined;

/** What a value is made of: the items of a list, the values of a map, or itself. */
const innermost = (schema: Schema): Schema => schema.items ?? (schema.additionalProperties || schema);

/** How the keys of a value with its own section are reached from its parent. */
const suffixOf = (schema: Schema): string => (schema.items ? '[]' : schema.additionalProperties ? '.NAME' : '');

const typeOf = (schema: Schema): string => {
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum) return schema.enum.map(code).join(', ');
  if (schema.items)
    return `list of ${isObject(formsOf(schema.items)[0] ?? {}) ? 'maps' : typeOf(schema.items)}${schema.maxItems === undefined ? '' : `, at most ${schema.maxItems}`}`;
  if (schema.additionalProperties) return 'map by name';
  if (isObject(formsOf(schema)[0] ?? {})) return 'map';
  switch (schema.type) {
    case 'integer':
      return `number, ${schema.minimum} to ${schema.maximum}`;
    case 'string':
      return 'text';
    default:
      return schema.type ?? '';
  }
};

const defaultOf = (schema: Schema, required: boolean): string =>
  required ? '**required**' : schema.default === undefined ? '' : code(JSON.stringify(schema.default));

const meaningOf = (schema: Schema): string =>
  [schema.description, innermost(schema) === schema ? undefined : innermost(schema).description]
    .filter((text) => text !== undefined)
    .join(' ');

/** Keys whose values have the same shape share one section. */
const groupsOf = (properties: Readonly<Record<string, Schema>>): readonly (readonly [readonly string[], Schema])[] => {
  const groups = new Map<string, readonly [string[], Schema]>();
  for (const [key, schema] of Object.entries(properties)) {
    if (!isObject(formsOf(innermost(schema))[0] ?? {})) continue;
    const { default: _, ...shape } = schema;
    const group = groups.get(JSON.stringify(shape)) ?? [[], schema];
    group[0].push(key);
    groups.set(JSON.stringify(shape), group);
  }
  return [...groups.values()];
};

/** What tells a kind of system from the others. */
const kindOf = ({ properties }: Schema): string | undefined => properties?.['kind']?.const;

/** The tables of a value, and below them those of what it holds. */
const sections = (names: readonly string[], schema: Schema, kind?: string): readonly string[] => {
  const forms = formsOf(schema);
  const own = forms.flatMap((form) => [
    ...(form === forms[0] ? [] : ['Or:']),
    ...(forms.length > 1 && form.description !== undefined ? [form.description] : []),
    table(
      ['key', 'value', 'default', 'meaning'],
      Object.entries(form.properties ?? {}).map(([key, property]) => [
        code(key),
        typeOf(property),
        defaultOf(property, form.required?.includes(key) ?? false),
        meaningOf(property),
      ]),
    ),
  ]);
  const below = forms.flatMap((form) =>
    groupsOf(form.properties ?? {}).flatMap(([keys, property]) =>
      sections(
        keys.flatMap((key) => names.map((name) => `${name === '' ? '' : `${name}.`}${key}${suffixOf(property)}`)),
        innermost(property),
        kindOf(form) ?? kind,
      ),
    ),
  );
  const [first = '', ...others] = names;
  const heading = `${[first, ...others.slice(-1)].map(code).join(' to ')}${kind === undefined ? '' : ` of ${code(kind)}`}`;
  return [...(first === '' ? [] : [`## ${heading}`]), ...(forms.length > 1 ? ['Either:'] : []), ...own, ...below];
};

const configuration = (): string =>
  `${[
    note,
    '# Configuration',
    'Everything that `holdfast.yaml` may hold. [holdfast.example.yaml](../../holdfast.example.yaml) shows it in use;\n' +
      '[holdfast.schema.json](holdfast.schema.json) teaches it to an editor. A key that is not here is an error. `holdfast config check`\n' +
      'tells every mistake at once, with line and column, and when each schedule fires next. `npx cdk deploy --all` makes it real.',
    table(
      ['what must hold between its parts', 'why'],
      [
        [
          'each of `master`, `puppetdb`, `console` is a role of some node of Puppet Enterprise',
          'without it there is no installation',
        ],
        ['an instance stands once in a system', 'its roles belong together'],
        ['a node with one of these three roles is not `optional`', 'a backup without it is none'],
        ['only nodes that are agents alone are `canary`', 'all others have stages of their own'],
        ['the `schedules` of a system are keys of `schedules`', 'a schedule may start several systems'],
        [
          '`daily`, `weekly`, `monthly`, `yearly`: none has fewer days than the one before',
          'the first backup of a period is kept longest',
        ],
        [
          'transitions have rising `afterDays`, fewer than the `days` of their class',
          'S3 takes them in no other order',
        ],
        ['`STANDARD_IA` after 30 days at least', 'S3 moves nothing younger there'],
      ],
    ),
    ...sections([''], Schema.parse(z.toJSONSchema(Config, { io: 'input' }))),
  ].join('\n\n')}\n`;

/** As much of the States language as a picture shows. */
const Choice = z.looseObject({ Variable: z.string(), Next: z.string() });
const State = z.object({
  Type: z.string(),
  Comment: z.string().default(''),
  Next: z.string().optional(),
  Default: z.string().optional(),
  Choices: z.array(Choice).default([]),
  Catch: z.array(z.object({ ErrorEquals: z.array(z.string()), Next: z.string() })).default([]),
  Parameters: z
    .object({
      StateMachineArn: z.string().optional(),
      FunctionName: z.string().optional(),
      Input: z.object({ phase: z.string().optional() }).optional(),
    })
    .optional(),
  ItemProcessor: z
    .object({
      States: z.record(
        z.string(),
        z.lazy((): z.ZodType => z.looseObject({})),
      ),
    })
    .optional(),
});
type State = z.infer<typeof State>;
const Machine = z.object({ Comment: z.string(), StartAt: z.string(), States: z.record(z.string(), State) });

const kebab = (placeholder: string): string =>
  placeholder
    .replace(/^\$\{|(StateMachine|Function)Arn\}$/g, '')
    .replace(/(?<=.)[A-Z]/g, (letter) => `-${letter}`)
    .toLowerCase();

/** What a state calls: a lambda, or a machine with the phase that it runs. */
const callOf = (state: State): string => {
  const inner = Object.values(state.ItemProcessor?.States ?? {}).map((one) => callOf(State.parse(one)));
  if (inner.length > 0) return `for each: ${inner.join(', ')}`;
  const { StateMachineArn, FunctionName, Input } = state.Parameters ?? {};
  if (StateMachineArn !== undefined)
    return `machine ${kebab(StateMachineArn)}${Input?.phase === undefined ? '' : `, phase ${Input.phase}`}`;
  return FunctionName === undefined ? '' : `lambda ${kebab(FunctionName)}`;
};

const shapeOf = (name: string, state: State): string => {
  switch (state.Type) {
    case 'Choice':
      return `${name}{${name}}`;
    case 'Succeed':
    case 'Fail':
      return `${name}([${name}])`;
    case 'Map':
      return `${name}[["${name}, one by one"]]`;
    default:
      return state.Parameters?.StateMachineArn === undefined ? `${name}[${name}]` : `${name}[[${name}]]`;
  }
};

const conditionOf = ({ Variable, Next: _, ...test }: z.infer<typeof Choice>): string =>
  `${Variable.replace(/^\$\./, '')} = ${Object.values(test).join(', ')}`;

/** A state machine as a flowchart; a failure that most states share is one arrow. */
const picture = ({ StartAt, States }: z.infer<typeof Machine>): string => {
  const states = Object.entries(States);
  const catches = states.flatMap(([name, { Catch }]) =>
    Catch.map(({ ErrorEquals, Next }) => ({ name, error: ErrorEquals.join(', '), Next })),
  );
  const shared = [...new Set(catches.map(({ Next }) => Next))].filter(
    (target) => catches.filter(({ Next }) => Next === target).length > 2,
  );
  const arrow = (from: string, to: string, label = ''): string =>
    `    ${from} -->${label === '' ? '' : `|"${label}"|`} ${to}`;
  return [
    '```mermaid',
    'flowchart TD',
    `    start(( )) --> ${StartAt}`,
    ...states.map(([name, state]) => `    ${shapeOf(name, state)}`),
    ...states.flatMap(([name, { Next, Default, Choices }]) => [
      ...Choices.map((choice) => arrow(name, choice.Next, conditionOf(choice))),
      ...(Default === undefined ? [] : [arrow(name, Default, 'else')]),
      ...(Next === undefined ? [] : [arrow(name, Next)]),
    ]),
    ...catches
      .filter(({ Next }) => !shared.includes(Next))
      .map(({ name, error, Next }) => `    ${name} -.->|"${error}"| ${Next}`),
    ...shared.map((target, index) => `    any${index}{{any failure}} -.-> ${target}`),
    '```',
  ].join('\n');
};

const machineSection = (name: StateMachineName): readonly string[] => {
  const file = new URL(`../statemachines/${name}.asl.json`, import.meta.url);
  const machine = Machine.parse(JSON.parse(readFileSync(file, 'utf8')));
  return [
    `## ${stateMachineName(name)}`,
    machine.Comment,
    picture(machine),
    table(
      ['state', 'calls', 'meaning'],
      Object.entries(machine.States)
        .filter(([, state]) => callOf(state) !== '' || state.Comment !== '')
        .map(([state, definition]) => [code(state), callOf(definition), definition.Comment]),
    ),
  ];
};

const stateMachines = (): string =>
  `${[
    note,
    '# State machines',
    'Drawn from the files in [statemachines/](../../statemachines). A rectangle with double sides starts another machine and waits for\n' +
      'its end; a dotted arrow is the way of a failure. People and schedules start\n' +
      `${undoneMachines.map((name) => code(stateMachineName(name))).join(', ')}; when one of these is aborted or times out, a rule starts\n` +
      '`holdfast-undo`, which people may start too.',
    ...stateMachineNames.flatMap(machineSection),
  ].join('\n\n')}\n`;

/** The text of every generated page, by its path below docs/. */
export const pages = (): Readonly<Record<string, string>> => ({
  'reference/configuration.md': configuration(),
  'reference/state-machines.md': stateMachines(),
});

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [path, text] of Object.entries(pages())) writeFileSync(new URL(path, import.meta.url), text);
