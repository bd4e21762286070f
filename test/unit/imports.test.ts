import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

/** Who may import whom, types among it: a reader of a folder need know only what is below it. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const folders = [
  ...['domain', 'aws', 'lambdas', 'documents', 'statemachines', 'infra', 'cli', 'local'],
  ...['docs', 'bench', 'test'],
];

/** The folders that each may import beside itself. The local runtime's demonstration is told by the command line. */
const below: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  aws: ['domain'],
  documents: ['domain'],
  statemachines: ['domain'],
  lambdas: ['domain', 'aws'],
  infra: ['domain', 'lambdas', 'documents'],
  cli: ['domain', 'aws'],
  local: ['domain', 'aws', 'lambdas', 'documents'],
  docs: folders,
  bench: folders,
  test: folders,
};
const demonstration = 'local/demo.ts';

const specifiers = /^(?:import|export)\s(?:[^;'"]*?\sfrom\s+)?'([^']+)'/gm;

const pathOf = (from: string, specifier: string): readonly string[] => {
  if (specifier.startsWith('#')) return [`${specifier.slice(1)}.ts`];
  return specifier.startsWith('.') ? [normalize(join(dirname(from), specifier))] : [];
};

/** What each file imports of ours. */
const imports = new Map(
  globSync(`{${folders.join(',')}}/**/*.ts`, { cwd: root, exclude: ['**/node_modules/**'] }).map((file) => [
    file,
    Array.from(readFileSync(join(root, file), 'utf8').matchAll(specifiers), ([, specifier = '']) => specifier)
      .flatMap((specifier) => pathOf(file, specifier))
      .filter((path) => path.endsWith('.ts')),
  ]),
);

const folderOf = (path: string): string => path.split('/')[0] ?? '';

it('each folder imports only what is below it', () => {
  expect(imports.size).toBeGreaterThan(200);
  const upward = [...imports].flatMap(([file, paths]) =>
    paths
      .filter((path) => folderOf(path) !== folderOf(file) && !below[folderOf(file)]?.includes(folderOf(path)))
      .filter((path) => file !== demonstration || folderOf(path) !== 'cli')
      .map((path) => `${file} imports ${path}`),
  );
  expect(upward).toEqual([]);
});

/** Imports that lead back to where they began, each once. */
const circlesOf = (graph: ReadonlyMap<string, readonly string[]>): readonly string[] => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
    if (path.includes(file) || done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return circles;
};

it('no file imports itself by way of others', () => {
  const circle = new Map([
    ['a', ['b', 'c']],
    ['b', ['c']],
    ['c', ['a']],
  ]);
  expect(circlesOf(circle)).toEqual(['a -> b -> c -> a']);
  expect(circlesOf(imports)).toEqual([]);
});
