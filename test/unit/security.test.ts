import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, it } from 'vitest';

/** docs/security.md: who is told there to be unable to do something can look up the test that says so. */

const root = new URL('../../', import.meta.url);
const page = readFileSync(new URL('docs/security.md', root), 'utf8');
const files = new Map(
  globSync('test/{unit,infra,local,documents}/*.{test.ts,bats}', { cwd: root }).map((path) => [
    basename(path),
    readFileSync(new URL(path, root), 'utf8'),
  ]),
);
const table = page.slice(page.indexOf('## Attackers'), page.indexOf('## With and without Object Lock'));
const rows = table
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .slice(1)
  .map((line) => line.split(' | '));
const tests = (text: string) =>
  Array.from(text.matchAll(/`([\w.-]+\.(?:test\.ts|bats))`(?:: \*([^*]+)\*)?/g), ([, file = '', words]) => ({
    file,
    words,
  }));

it.each(rows)('%s: what they cannot do names a test', (_who, _can, cannot = '') => {
  expect(tests(cannot)).not.toEqual([]);
});

it('every test that the page names is there', () => {
  const named = tests(page);
  expect(named.length).toBeGreaterThan(30);
  expect(
    named.filter(({ file, words = '' }) => !words.split('…').every((part) => files.get(file)?.includes(part.trim()))),
  ).toEqual([]);
});
