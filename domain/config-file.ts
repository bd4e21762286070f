import { type Document, LineCounter, parseDocument } from 'yaml';
import type * as z from 'zod';
import { Config, type Fault, type Path, referenceFaults } from './config.ts';

/** From the text of a `holdfast.yaml` to a configuration, or to everything that is wrong with it. */

/** One mistake in a file. */
export interface ConfigFault {
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly expected: string;
}

/** `holdfast.yaml` can't be used; `faults` says everything that is wrong with it, in the order of the file. */
export class InvalidConfigError extends Error {
  override readonly name = 'InvalidConfigError';
  readonly faults: readonly ConfigFault[];

  constructor(file: string, faults: readonly ConfigFault[]) {
    super(
      faults
        .map(
          ({ line, column, path, expected }) =>
            `${file}:${line}:${column}: ${path === '' ? '(file)' : path}: ${expected}`,
        )
        .join('\n'),
    );
    this.faults = faults;
  }
}

/** The place of a value, or of the nearest thing around it that the file has. */
const position = (document: Document, lines: LineCounter, path: Path): { line: number; column: number } => {
  for (let length = path.length; length >= 0; length--) {
    const parent = document.getIn(path.slice(0, Math.max(0, length - 1)), true);
    const last = path[length - 1];
    const pair =
      isMap(parent) && length > 0
        ? parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(last))
        : undefined;
    const node = length === 0 ? document.contents : (pair?.key ?? document.getIn(path.slice(0, length), true));
    const offset = rangeStart(node);
    if (offset !== undefined) {
      const { line, col } = lines.linePos(offset);
      return { line, column: col };
    }
  }
  return { line: 1, column: 1 };
};

const isMap = (node: unknown): node is { items: readonly { key: unknown }[] } =>
  typeof node === 'object' &&
  node !== null &&
  'items' in node &&
  Array.isArray(node.items) &&
  node.items.every((item) => typeof item === 'object' && item !== null && 'key' in item);

const isScalar = (node: unknown): node is { value: unknown } =>
  typeof node === 'object' && node !== null && 'value' in node;

const rangeStart = (node: unknown): number | undefined =>
  typeof node === 'object' &&
  node !== null &&
  'range' in node &&
  Array.isArray(node.range) &&
  typeof node.range[0] === 'number'
    ? node.range[0]
    : undefined;

/** The faults of one zod issue. In a union the member that the writer meant is the one with the fewest faults. */
const faultsOf = (issue: z.core.$ZodIssue, prefix: Path = []): Fault[] => {
  const path = [...prefix, ...issue.path];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], expected: 'expected no such key' }));
    case 'invalid_union': {
      const meant = issue.errors
        .map((member) => member.flatMap((inner) => faultsOf(inner, path)))
        .filter((faults) => !faults.some(({ expected }) => expected === 'expected this key'))
        .toSorted((a, b) => a.length - b.length)[0];
      return meant ?? [{ path, expected: issue.message }];
    }
    case 'invalid_type':
      return [{ path, expected: issue.input === undefined ? 'expected this key' : `expected ${issue.expected}` }];
    case 'invalid_value':
      return [{ path, expected: `expected ${issue.values.map((value) => String(value)).join(' or ')}` }];
    case 'invalid_key':
      return [{ path, expected: issue.issues[0]?.message ?? issue.message }];
    case 'too_big':
      return [
        { path, expected: issue.message.startsWith('expected') ? issue.message : `expected at most ${issue.maximum}` },
      ];
    case 'too_small':
      return [
        { path, expected: issue.message.startsWith('expected') ? issue.message : `expected at least ${issue.minimum}` },
      ];
    default:
      return [{ path, expected: issue.message.startsWith('expected') ? issue.message : `expected ${issue.message}` }];
  }
};

/** What the document says; throws an InvalidConfigError when its aliases multiply without end. */
const dataOf = (document: Document, file: string): unknown => {
  try {
    return document.toJS();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const expected = `expected fewer aliases: ${error.message}`;
    throw new InvalidConfigError(file, [{ line: 1, column: 1, path: '', expected }]);
  }
};

/** True when a part of a path is there by a merge key, `<<`, which the parser names by a symbol. */
const isMerged = (document: Document, path: Path): boolean =>
  path.some((key, index) => {
    const parent = document.getIn(path.slice(0, index), true);
    const keys = isMap(parent) ? parent.items.map((item) => (isScalar(item.key) ? String(item.key.value) : '')) : [];
    return !keys.includes(String(key)) && keys.some((one) => one.includes('<<'));
  });

/**
 * The configuration in the text of a `holdfast.yaml`. Throws an InvalidConfigError that lists every mistake as
 * `file:LINE:COLUMN: path: what was expected`.
 */
export const parseConfig = (text: string, file = 'holdfast.yaml'): Config => {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  if (document.errors.length > 0)
    throw new InvalidConfigError(
      file,
      document.errors.map((error) => {
        const { line, col } = lines.linePos(error.pos[0]);
        return { line, column: col, path: '', expected: `expected YAML: ${error.message}` };
      }),
    );
  const value: unknown = dataOf(document, file) ?? {};
  const result = Config.safeParse(value, { reportInput: true });
  const found = [...(result.error?.issues ?? []).flatMap((issue) => faultsOf(issue)), ...referenceFaults(value)];
  if (result.success && found.length === 0) return result.data;
  const faults = found
    .map(({ path, expected }) => ({
      ...position(document, lines, path),
      path: path.map(String).join('.'),
      expected: isMerged(document, path) ? `${expected} (it comes by the merge key <<)` : expected,
    }))
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
  throw new InvalidConfigError(file, faults);
};
