import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { contractOf, type Verb, verbNames } from '#lambdas/verbs';
import type { Mutation } from './mutation.ts';

/**
 * Each right of each verb taken away once: whatever uses it must not compile. One compilation takes a right from every verb, but never the
 * same one from two: a verb that does part of another's work would compile with what that one has left.
 */

const repository = fileURLToPath(new URL('../..', import.meta.url));
const sources = ['aws', 'bench', 'cli', 'documents', 'domain', 'infra', 'lambdas', 'local', 'statemachines', 'test'];

interface Right {
  readonly verb: Verb;
  readonly column: string;
  /** The prefix of a bucket. */
  readonly pattern?: string;
  readonly right: string;
}

const rightsOf = (verb: Verb): readonly Right[] => {
  const row = contractOf(verb);
  return [
    ...(['state', 'vault'] as const).flatMap((column) =>
      Object.entries(row[column] ?? {}).flatMap(([pattern, rights]) =>
        rights.map((right) => ({ verb, column, pattern, right })),
      ),
    ),
    ...(['runCommand', 'executions', 'tasks', 'schedules', 'notices'] as const).flatMap((column) =>
      (row[column] ?? []).map((right) => ({ verb, column, right })),
    ),
  ];
};

/** What it is, whoever has it. */
const nameOf = ({ column, pattern = '', right }: Right): string => `${column} ${pattern} ${right}`;

/** The table without a right: the row's list without one word. Throws an Error when it does not stand there. */
const without = (table: string, { verb, column, pattern, right }: Right): string => {
  const start = table.search(new RegExp(`^  '?${verb}'?: \\{`, 'm'));
  const end = table.indexOf('\n  },', start);
  const row = table.slice(start, end);
  const at = row.indexOf(`    ${column}:`);
  const from = pattern === undefined ? at : row.indexOf(`'${pattern}'`, at);
  const word = row.indexOf(`'${right}'`, row.indexOf('[', from));
  const close = row.indexOf(']', from);
  if (start < 0 || at < 0 || from < 0 || word < 0 || word > close)
    throw new Error(`${verb} has no ${column} ${pattern} ${right}`);
  const list = row
    .slice(row.indexOf('[', from), close)
    .replace(new RegExp(`'${right}'(, )?`), '')
    .replace(/, $/, '');
  return table.slice(0, start) + row.slice(0, row.indexOf('[', from)) + list + row.slice(close) + table.slice(end);
};

const compiled = (directory: string): string =>
  spawnSync(
    join(repository, 'node_modules/.bin/tsc'),
    ['-p', directory, '--incremental', '--tsBuildInfoFile', join(directory, 'info')],
    {
      encoding: 'utf8',
    },
  ).stdout;

/** Returns a mutation for each right; all are compiled when the first is looked at. */
export const grantMutations = (): readonly Mutation[] => {
  const all = verbNames.map(rightsOf);
  const found = new Map<Right, boolean>();
  const compile = (): void => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-mutate-'));
    try {
      for (const name of [...sources, 'tsconfig.json', 'package.json', 'vitest.config.ts'])
        cpSync(join(repository, name), join(directory, name), { recursive: true });
      symlinkSync(join(repository, 'node_modules'), join(directory, 'node_modules'));
      const table = readFileSync(join(repository, 'lambdas/verbs.ts'), 'utf8');
      const left = all.map((rights) => [...rights]);
      while (left.some((rights) => rights.length > 0)) {
        const taken = new Map<string, Right>();
        for (const rights of left) {
          const at = rights.findIndex((right) => !taken.has(nameOf(right)));
          for (const right of at < 0 ? [] : rights.splice(at, 1)) taken.set(nameOf(right), right);
        }
        writeFileSync(join(directory, 'lambdas/verbs.ts'), [...taken.values()].reduce(without, table));
        const errors = compiled(directory);
        for (const right of taken.values()) found.set(right, errors.includes(`lambdas/${right.verb}/`));
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  };
  return all.flat().map((right) => ({
    what: `${right.verb}: right: ${nameOf(right)}`,
    isDetected: () => {
      if (found.size === 0) compile();
      return found.get(right) === true;
    },
  }));
};
