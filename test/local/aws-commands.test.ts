import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

/** What people are told to type into the AWS CLI: its services, verbs and options, as the CLI itself knows them. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(`${root}${file}`, 'utf8');
const block = /^ *```(?:sh|bash|)\n([\s\S]*?)^ *```/gm;

const typed = ['README.md', ...globSync('docs/**/*.md', { cwd: root })].flatMap((page) => {
  const text = read(page);
  const lines = Array.from(text.matchAll(block), ([, code = '']) =>
    code.replaceAll(/(\\|\|)\n\s*/g, '$1').replaceAll('\\', ' '),
  )
    .flatMap((code) => code.split('\n'))
    .filter((line) => /\baws [a-z0-9-]+ /.test(line));
  const named = text.replaceAll(block, '').matchAll(/`([^`\n]*\baws [a-z-][^`]*)`/g);
  return [...lines.map((line) => [page, line, true]), ...Array.from(named, ([, code = '']) => [page, code, false])];
});

const said = globSync('{cli,domain,documents,infra,lambdas}/**/*.{ts,sh}', { cwd: root }).flatMap((file) =>
  Array.from(read(file).matchAll(/[(`"'](aws [a-z0-9]+ [a-z-]+ [^)`\n]*)/g), ([, text = '']) => [
    file,
    text.replaceAll(/\$\{[^}]*\}/g, 'x').replaceAll(/["']/g, ''),
    false,
  ]),
);

it('every command for AWS in a page or a message is one of the AWS CLI', () => {
  const { number, wrong } = JSON.parse(
    execFileSync(`${root}.local/venv/bin/python3`, [`${root}test/local/aws-commands.py`], {
      input: JSON.stringify([...typed, ...said]),
      encoding: 'utf8',
    }),
  );
  expect(wrong).toEqual([]);
  expect(number).toBeGreaterThan(50);
});
