import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '#domain/config-file';
import { pages } from '../../docs/generate.ts';
import { manifestOf } from './cli-fixtures.ts';

/** The documentation: what is made from code is made from this code, links lead somewhere, examples are valid. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const files = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...globSync('docs/**/*.md', { cwd: root })].toSorted();

const withoutCode = (text: string): string => text.replace(/^ *```[\s\S]*?^ *```/gm, '');

/** A heading's anchor, as GitHub makes it. */
const anchorOf = (heading: string): string =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');

const anchors = new Map(
  files.map((file) => [
    file,
    Array.from(withoutCode(read(file)).matchAll(/^#{1,6} (.+)$/gm), ([, heading = '']) => anchorOf(heading)),
  ]),
);

/** Why a link leads nowhere; nothing when it leads somewhere. */
const brokenLinks = (file: string): readonly string[] =>
  Array.from(withoutCode(read(file)).matchAll(/\]\(([^)\s]+)\)/g), ([, link = '']) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .flatMap((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? file : normalize(join(dirname(file), path));
      if (!existsSync(join(root, target))) return [`${file}: ${link}: there is no ${target}`];
      return anchor === undefined || anchors.get(target)?.includes(anchor)
        ? []
        : [`${file}: ${link}: ${target} has no section of this name`];
    });

it.each(Object.entries(pages()))('docs/%s is what `node docs/generate.ts` makes of the code', (path, text) => {
  expect(read(`docs/${path}`)).toBe(text);
});

it('every link and anchor leads somewhere', () => {
  expect(files.length).toBeGreaterThan(10);
  expect(files.flatMap(brokenLinks)).toEqual([]);
});

it('no two sections of a page have the same anchor', () => {
  for (const [file, list] of anchors) expect([file, list]).toEqual([file, [...new Set(list)]]);
});

it('every configuration of a how-to is valid', () => {
  const configurations = files
    .filter((file) => file.startsWith('docs/how-to/'))
    .flatMap((file) =>
      Array.from(read(file).matchAll(/^```yaml\n(systems:[\s\S]*?)^```/gm), ([, text = '']) => ({ file, text })),
    );
  expect(configurations.length).toBeGreaterThan(3);
  for (const { file, text } of configurations)
    parseConfig(text.includes('\nschedules:') ? text : `${text}schedules: { nightly: { rate: 1 day } }\n`, file);
});

it('the reference of the manifest has each of its keys', () => {
  const page = read('docs/reference/manifest.md');
  const sample = manifestOf('pe-main', '20261120T020000Z');
  const [node] = sample.nodes;
  const keys = [sample, node ?? {}, node?.inspection ?? {}].flatMap(Object.keys);
  expect(keys.length).toBeGreaterThan(30);
  for (const key of keys) expect(page).toContain(`\`${key}\``);
});

describe("the page of the manual's steps", () => {
  const rows = Array.from(
    read('docs/reference/manuals.md').matchAll(/^\| step \|.*\n\|[-|]+\|\n((?:\|.*\n)+)/gm),
    ([, table = '']) =>
      table
        .trimEnd()
        .split('\n')
        .map((row) => row.split('|').map((cell) => cell.trim()))
        .map(([, step = '', manual = '', state = '', command = '', , shown = '']) => ({
          ...{ step, manual, state, command, shown },
        })),
  );
  const all = rows.flat();

  it('has each step of the three, with its state and its command', () => {
    expect(rows.map((table) => table.length)).toEqual([26, 8, 9]);
    expect(all.filter(({ manual, state, command }) => [manual, state, command].includes(''))).toEqual([]);
    const steps = all.map(({ step }) => step).join('\n');
    for (let step = 1; step <= 10; step += 1) expect(steps).toMatch(new RegExp(`^restore ${step}\\b`, 'm'));
    expect(steps).not.toMatch(/partly/);
  });

  it('names states that there are', () => {
    const machines = globSync('statemachines/*.asl.json', { cwd: root }).map(read).join('\n');
    const named = all.flatMap(({ state }) => Array.from(state.matchAll(/`(\w+)`/g), ([, name = '']) => name));
    expect(named.filter((name) => !machines.includes(`"${name}": {`))).toEqual([]);
  });

  it('names for each step tests that there are', () => {
    const missing = all.flatMap(({ step, shown }) => {
      const named = Array.from(
        shown.matchAll(/`(test\/[^`]+)`: ((?:"[^"]+"(?:, )?)+)/g),
        ([, file = '', titles = '']) => ({
          file,
          titles: Array.from(titles.matchAll(/"([^"]+)"/g), ([, title = '']) => title),
        }),
      );
      if (named.length === 0) return [`${step}: no test`];
      return named.flatMap(({ file, titles }) =>
        existsSync(join(root, file))
          ? titles
              .filter((title) => !titlesOf(read(file)).some((one) => one.includes(title)))
              .map((title) => `${file}: ${title}`)
          : [`${step}: there is no ${file}`],
      );
    });
    expect(missing).toEqual([]);
  });
});

/** What the tests of a file are called. */
const titlesOf = (text: string): readonly string[] =>
  Array.from(
    text.matchAll(/(?:^@test |\b(?:it|test)(?:\.each\([\s\S]*?\))?\(\s*)(["'`])((?:(?!\1)[^\\]|\\.)*)\1/gm),
    ([, , title = '']) => title.replaceAll(/\\(.)/g, '$1'),
  );
