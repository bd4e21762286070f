import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CommanderError } from '@commander-js/extra-typings';
import { describe, expect, it } from 'vitest';
import { program } from '../../cli/main.ts';

/** What people are told to type: the command line takes it as it stands. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(`${root}${file}`, 'utf8');
const pages = ['README.md', ...globSync('docs/**/*.md', { cwd: root })];

class Parsed extends Error {}
program.hook('preAction', () => {
  throw new Parsed();
});

/** What the command line says against some words; undefined when it would do what they say. */
const refusal = async (words: readonly string[]): Promise<string | undefined> => {
  try {
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    if (error instanceof Parsed || (error instanceof CommanderError && error.exitCode === 0)) return undefined;
    if (error instanceof CommanderError) return error.message;
    throw error;
  }
  return 'it was taken for no verb';
};

/** The words of a line after `holdfast`, as a shell would split them; what follows a comment, a pipe or a bracket is not ours. */
const wordsOf = (line: string): string[] => {
  const [, rest = ''] = /(?:^|\s|\/|<\()holdfast(?:\.mjs)? (.*)$/.exec(line) ?? [];
  const own = rest.replace(/\s+#.*$/, '').replace(/ \|.*$|\).*$/, '');
  return Array.from(own.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g), ([, one, two, three]) => one ?? two ?? three ?? '');
};

const inBlocks = pages.flatMap((file) =>
  Array.from(read(file).matchAll(/^ *```(?:sh|bash|)\n([\s\S]*?)^ *```/gm), ([, block = '']) => block)
    .flatMap((block) => block.replaceAll(/\\\n\s*/g, '').split('\n'))
    .filter((line) => /^ *(npx |.*holdfast\.mjs |source <\()?holdfast|holdfast\.mjs /.test(line))
    .map((line) => [file, line.trim()] as const),
);

const local = read('local/keep-running.ts')
  .split('\n')
  .filter((line) => line.includes('holdfast.mjs '))
  .map((line) => line.replaceAll(/\$\{[^}]*\}/g, 'http://127.0.0.1:4599').trim());

it.each(local)('npm run local: %s', async (line) => {
  expect(await refusal(wordsOf(line))).toBeUndefined();
});

it('finds what the pages say', () => {
  expect(local.length).toBeGreaterThan(2);
  expect(inBlocks.length).toBeGreaterThan(20);
});

it.each(inBlocks)('%s: %s', async (_, line) => {
  // A page says for what a word in capitals stands.
  const words = wordsOf(line.replaceAll(/<|…/g, ''));
  expect([words, await refusal(words)]).toEqual([words, undefined]);
});

it('every option that is named beside a verb, in a page or a message, is one of that verb', () => {
  const files = [...pages, ...globSync('{cli,lambdas,domain,local}/**/*.ts', { cwd: root })];
  let found = 0;
  for (const file of files)
    for (const [text, verb, rest = ''] of read(file).matchAll(/\bholdfast (?:config )?([a-z]+)\b([^\n`'"]*)/g)) {
      const command = program.commands.flatMap((one) => [one, ...one.commands]).find((one) => one.name() === verb);
      for (const [option] of command ? rest.matchAll(/--[a-z][a-z0-9-]+/g) : []) {
        if (option === '--help') continue;
        found += 1;
        expect([file, text, command?.options.map(({ long }) => long)]).toEqual([
          file,
          text,
          expect.arrayContaining([option]),
        ]);
      }
    }
  expect(found).toBeGreaterThan(10);
});

describe('what says where to look', () => {
  const where = ['--endpoint-url', 'http://127.0.0.1:1', '--region', 'eu-central-1'];

  it.each([
    [[...where, '--json', 'backups', 'pe-main']],
    [['backups', ...where, '--json', 'pe-main']],
    [['backups', 'pe-main', ...where, '--json']],
    [[...where.slice(0, 2), 'backups', 'pe-main', ...where.slice(2), '--json']],
  ])('is taken before the verb and after it: %j', async (words) => {
    expect(await refusal(words)).toBeUndefined();
    expect(program.commands.find((one) => one.name() === 'backups')?.opts()).toMatchObject({
      endpointUrl: 'http://127.0.0.1:1',
      region: 'eu-central-1',
      json: true,
    });
  });

  it('is refused before a verb that asks nothing of AWS', async () => {
    expect(await refusal([...where, 'config', 'check'])).toMatch(/holdfast check takes no --/);
    expect(await refusal(['--json', 'config', 'check'])).toBeUndefined();
  });
});
