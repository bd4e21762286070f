import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { composedScript } from '#documents/compose';
import { type Contract, commonTakes, ticketTakes, variableOf } from '#domain/contracts/document';
import { type Field, readScript } from './script-reader.ts';

/** Whether a script does what its contract says, without running it. */

/** A script as somebody wrote it, and with its libraries as a node gets it. */
export interface Script {
  readonly own: string;
  readonly whole: string;
}

/** Reads the script of a contract. Throws an Error when there is none. */
export const scriptOf = (contract: Contract): Script => ({
  own: readFileSync(new URL(`../documents/${contract.script}.sh`, import.meta.url), 'utf8'),
  whole: composedScript(contract),
});

/** What bash, the SSM agent and the system give every script, and what a document that demands a ticket has before its script. */
const given = new Set([
  ...[
    'BASH_COMMAND',
    'BASH_REMATCH',
    'BASH_SOURCE',
    'BASH_SUBSHELL',
    'LANG',
    'LINENO',
    'PATH',
    'PIPESTATUS',
    'SECONDS',
  ],
  ...['AWS_SSM_INSTANCE_ID', 'SSM_COMMAND_ID'],
  ...['STATEMENT', 'TICKET_KEY'],
]);

/** What PostgreSQL makes itself: objects of these keys are in no script. */
const madeByPostgres = [
  ['acl', 'bytes', 'collate'],
  ['database', 'objects', 'role'],
  ['directory', 'location', 'name'],
  ['names', 'role'],
];

type Shape = Readonly<Record<string, z.core.$ZodType>>;

/** Every object in a schema, itself first. */
const shapesOf = (schema: z.core.$ZodType): readonly Shape[] => {
  if (schema instanceof z.ZodObject)
    return [schema.shape, ...Object.values<z.core.$ZodType>(schema.shape).flatMap(shapesOf)];
  if (schema instanceof z.ZodArray) return shapesOf(schema.element);
  if (schema instanceof z.ZodNullable) return shapesOf(schema.unwrap());
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(shapesOf);
  return [];
};

const answersOf = ({ answers }: Contract): readonly Shape[] => {
  if (answers instanceof z.ZodObject) return [answers.shape];
  if (answers instanceof z.ZodUnion)
    return answers.options.map((option) => (option instanceof z.ZodObject ? option.shape : {}));
  throw new Error('its answer is no object');
};

const isText = ({ _zod: { def } }: z.core.$ZodType): boolean =>
  def.type === 'string' || def.type === 'enum' || def.type === 'literal';

/** What differs between the fields of a call and an object of the contract. `asText`: whether texts must be given as such. */
const differences = (fields: readonly Field[], shape: Shape, asText: boolean): readonly string[] => {
  const given = new Map(fields.map((field) => [field.key, field]));
  return [
    ...fields.flatMap(({ key }) => (key in shape ? [] : [`answers "${key}", which its contract does not have`])),
    ...(given.size === fields.length ? [] : ['answers a field twice']),
    ...Object.entries(shape).flatMap(([key, schema]) => {
      const field = given.get(key);
      if (!field) return [`does not answer "${key}"`];
      if (field.isText && !isText(schema)) return [`answers "${key}" as text: write ${key}:=`];
      if (!field.isText && isText(schema) && asText) return [`answers "${key}" as JSON: write ${key}=`];
      return field.isText && field.literal !== undefined && !z.safeParse(schema, field.literal).success
        ? [`answers ${JSON.stringify(field.literal)} as "${key}", which its contract does not allow`]
        : [];
    }),
  ];
};

/** The least differences that a call has to any of some objects. */
const closest = (fields: readonly Field[], shapes: readonly Shape[], asText: boolean): readonly string[] =>
  shapes.map((shape) => differences(fields, shape, asText)).toSorted((a, b) => a.length - b.length)[0] ?? [];

const answerFaults = (contract: Contract, { own, whole }: Script): readonly string[] => {
  const shapes = answersOf(contract);
  const calls = readScript(own, ['answer']).calls.map(({ fields }) => fields);
  const unanswered = shapes.filter((shape) => calls.every((fields) => differences(fields, shape, true).length > 0));
  const wrong = calls.flatMap((fields) => closest(fields, shapes, true));
  if (wrong.length > 0 || unanswered.length > 0 || calls.length === 0)
    return wrong.length > 0
      ? wrong
      : [`never answers ${JSON.stringify(unanswered.map((shape) => Object.keys(shape)))}`];
  // Beside its own objects the library's two: where an answer lies that is too long for Run Command, and that.
  const handedOver = { answer: z.unknown() };
  const place = { key: z.string(), bytes: z.int(), sha256: z.string() };
  const nested = shapesOf(contract.answers).filter((shape) => !shapes.includes(shape));
  const objects = readScript(whole, ['json']).calls.map(({ fields }) => fields);
  const unmade = nested.filter(
    (shape) =>
      objects.every((fields) => differences(fields, shape, false).length > 0) &&
      !madeByPostgres.some((keys) => keys.every((key) => key in shape)),
  );
  return [
    ...objects.flatMap((fields) => closest(fields, [...nested, handedOver, place], false)),
    ...unmade.map((shape) => `never makes the object of ${Object.keys(shape).join(', ')}`),
  ];
};

const variableFaults = ({ takes, changesNode }: Contract, { own, whole }: Script): readonly string[] => {
  const { reads, sets } = readScript(whole);
  const ours = Object.keys(takes).map(variableOf);
  const all = [...Object.keys({ ...commonTakes, ...(changesNode && ticketTakes) }).map(variableOf), ...ours];
  const usage = /^#\/ Usage: (.*) \S+\.sh$/m.exec(own)?.[1]?.split(' ') ?? [];
  const documented = [...ours, 'RUN'];
  return [
    ...all.filter((variable) => !reads.has(variable)).map((variable) => `never reads ${variable}, which it takes`),
    ...all.filter((variable) => sets.has(variable)).map((variable) => `sets ${variable}, which it is given`),
    ...[...reads]
      .filter((variable) => !sets.has(variable) && !given.has(variable) && !all.includes(variable))
      .map((variable) => `reads ${variable}, which it does not take`),
    ...documented
      .filter((variable) => !usage.includes(`${variable}=`))
      .map((variable) => `does not name ${variable} in its usage`),
    ...usage
      .filter((word) => !documented.includes(word.replace(/=$/, '')))
      .map((word) => `names ${word} in its usage, which it does not take`),
  ];
};

/** What a script does otherwise than its contract says, each with the document and the field; empty when it keeps it. */
export const faultsOf = (contract: Contract, script: Script = scriptOf(contract)): readonly string[] =>
  [...variableFaults(contract, script), ...answerFaults(contract, script)].map(
    (fault) => `${contract.script}: ${fault}`,
  );
