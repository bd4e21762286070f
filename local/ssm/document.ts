import { createHash } from 'node:crypto';
import { RE2JS } from 're2js';
import * as z from 'zod';
import { SsmError } from './errors.ts';

/** Bytes of a document and its parameter values together. */
const MAX_SIZE_BYTES = 64 * 1024;

const DEFAULT_EXECUTION_TIMEOUT_SECONDS = 3600;
const MIN_EXECUTION_TIMEOUT_SECONDS = 5;
const MAX_EXECUTION_TIMEOUT_SECONDS = 172_800;

const Text = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const Values = z.union([Text.transform((value) => [value]), z.array(Text)]);

/** In the dialect of the agent, which is written in Go: what its RE2 can't compile, it refuses, whatever the value is. */
const Pattern = z.string().transform((pattern) => {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    return new Error(error instanceof Error ? error.message : String(error));
  }
});

const ParameterDefinition = z.strictObject({
  type: z.enum(['String', 'StringList', 'Integer', 'Boolean']),
  description: z.string().optional(),
  displayType: z.string().optional(),
  default: Values.optional(),
  allowedValues: Values.optional(),
  allowedPattern: Pattern.optional(),
  minChars: z.coerce.number().optional(),
  maxChars: z.coerce.number().optional(),
});

/** Strict: what a document may say on AWS but the stand-in does not do must fail here and not be skipped. */
const Content = z.strictObject({
  schemaVersion: z.literal('2.2'),
  description: z.string().optional(),
  parameters: z.record(z.string(), ParameterDefinition).default({}),
  mainSteps: z.tuple([
    z.strictObject({
      action: z.literal('aws:runShellScript'),
      name: z.string(),
      precondition: z.unknown().optional(),
      inputs: z.strictObject({
        runCommand: z.array(z.string()),
        timeoutSeconds: Text.optional(),
      }),
    }),
  ]),
});

type Definition = z.infer<typeof ParameterDefinition>;
export type ParameterValues = Readonly<Record<string, readonly string[]>>;

export interface Document {
  readonly name: string;
  readonly version: string;
  /** Of the content. */
  readonly sha256: string;
  readonly content: string;
  readonly description: string;
  readonly parameters: Readonly<Record<string, Definition>>;
  readonly step: string;
  readonly runCommand: readonly string[];
  readonly timeoutSeconds: string;
}

/** Reads a command document of schema 2.2 with one `aws:runShellScript` step; anything else is an error. */
export const parseDocument = (name: string, content: string, version: number): Document => {
  const { description, parameters, mainSteps } = Content.parse(JSON.parse(content));
  const [{ name: step, inputs }] = mainSteps;
  return {
    name,
    version: String(version),
    sha256: createHash('sha256').update(content).digest('hex'),
    content,
    description: description ?? '',
    parameters,
    step,
    runCommand: inputs.runCommand,
    timeoutSeconds: inputs.timeoutSeconds ?? '',
  };
};

/** Why the agent runs nothing of a document, in the words of its log; undefined when it would. */
export const refusedByAgent = ({ parameters }: Document): string | undefined =>
  Object.values(parameters).flatMap(({ allowedPattern }) =>
    allowedPattern instanceof Error ? [allowedPattern.message] : [],
  )[0];

/** The values that a run of the document uses, defaults filled in. Throws `InvalidParameters` or `MaxDocumentSizeExceeded`. */
export const bindParameters = (document: Document, given: ParameterValues): ParameterValues => {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(document.parameters, name)) throw invalid(name, `is not a parameter of ${document.name}`);
  }
  const bound: Record<string, readonly string[]> = {};
  for (const [name, definition] of Object.entries(document.parameters)) {
    const values = given[name] ?? definition.default;
    if (values === undefined) throw invalid(name, 'is required');
    check(name, definition, values);
    bound[name] = values;
  }
  if (Buffer.byteLength(document.content) + Buffer.byteLength(JSON.stringify(given)) > MAX_SIZE_BYTES) {
    throw new SsmError('MaxDocumentSizeExceeded', 'The document and its parameters are larger than 64 KB.');
  }
  return bound;
};

const check = (name: string, definition: Definition, values: readonly string[]): void => {
  if (definition.type !== 'StringList' && values.length !== 1) throw invalid(name, 'takes exactly one value');
  for (const value of values) {
    if (definition.type === 'Integer' && !/^-?\d+$/.test(value)) throw invalid(name, 'is not an integer');
    if (definition.type === 'Boolean' && !/^(true|false)$/i.test(value)) throw invalid(name, 'is not a boolean');
    if (definition.allowedValues?.includes(value) === false) throw invalid(name, 'is not an allowed value');
    if (definition.allowedPattern instanceof RE2JS && !definition.allowedPattern.matcher(value).find())
      throw invalid(name, 'does not match its allowedPattern');
    if (value.length < (definition.minChars ?? 0)) throw invalid(name, 'is too short');
    if (value.length > (definition.maxChars ?? Number.POSITIVE_INFINITY)) throw invalid(name, 'is too long');
  }
};

const invalid = (name: string, reason: string) => new SsmError('InvalidParameters', `Parameter "${name}" ${reason}.`);

const PLACEHOLDER = /\{\{\s*(\w+)\s*\}\}/g;

/** Puts values in the place of `{{ Name }}` as plain text: nothing but its pattern keeps a value from being shell code. */
const substitute = (text: string, parameters: ParameterValues): string =>
  text.replace(PLACEHOLDER, (placeholder, name: string) => {
    const values = parameters[name];
    if (values === undefined) return placeholder;
    return values.length === 1 ? values.join() : JSON.stringify(values);
  });

/** The script that the agent writes. A line that is nothing but a list parameter becomes the lines of that list. */
export const renderScript = (document: Document, parameters: ParameterValues): string => {
  const lines = document.runCommand.flatMap((line) => {
    const name = /^\{\{\s*(\w+)\s*\}\}$/.exec(line)?.[1];
    return (name === undefined ? undefined : parameters[name]) ?? substitute(line, parameters);
  });
  return `${lines.join('\n')}\n`;
};

/** Seconds that the script may run. What is malformed or out of range becomes an hour without a word, as in the agent. */
export const executionTimeoutSeconds = (document: Document, parameters: ParameterValues): number => {
  const text = substitute(document.timeoutSeconds, parameters);
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Math.trunc(Number(text)) : 0;
  return seconds < MIN_EXECUTION_TIMEOUT_SECONDS || seconds > MAX_EXECUTION_TIMEOUT_SECONDS
    ? DEFAULT_EXECUTION_TIMEOUT_SECONDS
    : seconds;
};
