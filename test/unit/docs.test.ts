import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
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
