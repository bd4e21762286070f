import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

/** One word per thing, in everything that people read. The words that are used are in docs/design.md, "Words". */

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What is not written, and what is written in its place. */
const banned: readonly (readonly [RegExp, string])[] = [
  [/\brescue\b/i, 'safety backup'],
  [/\bhold-?agents\b/i, 'stop-agents, guard-agents'],
  [/\bcan not\b/i, 'cannot'],
  [/\b(?:mend|mends|mended|mending)\b/i, 'fix'],
  [/\banew\b/i, 'again, or a verb with re-'],
  [/\bpass(?:es|ed|ing)? over\b/i, 'skip'],
  [/\b(?:the|an|its|that|every|each|this) undoing\b/i, 'undo'],
  [/\bend(?:s|ed)? well\b/i, 'succeed'],
  [/\blook what there is\b/i, 'list the backups'],
  [/\bdid not end within\b/i, 'timed out'],
  [/\blast words\b/i, 'last output'],
  [/\ball the same\b/i, 'anyway'],
  [/\bin its midst\b/i, 'while it runs, unfinished'],
  [/\blaid ready\b/i, 'prepared'],
  [/\b(?:has|have) come to(?: well)?[.:;]/i, 'the result'],
  [/\brefuses who\b/i, 'rejects requests when'],
  [/\bback to it leads\b/i, 'to go back, start a restore with'],
  [/\bnothing (?:was|is) touched\b/i, 'nothing was changed'],
  [/\btells? of every\b/i, 'shows for every'],
  [/\bit goes on from (?:here|there)\b/i, 'it continues from'],
];

/** Stand-ins of other programs, which speak as those do, and the list above. */
const foreign = /^(?:local\/lab\/.*\/root\/|local\/lab\/pe|test\/unit\/wording\.test\.ts|lambdas\/advance-phase\/)/;

/** What other programs say. */
const theirs: readonly string[] = ['can not open config file'];

const folders = [
  'aws',
  'bench',
  'cli',
  'docs',
  'documents',
  'domain',
  'infra',
  'lambdas',
  'local',
  'statemachines',
  'test',
];
const written = (): readonly string[] =>
  globSync(['*.{md,yaml}', `{${folders.join(',')}}/**/*.{ts,mjs,sh,bats,md,json,txt,yaml}`], { cwd: root }).filter(
    (file) => !foreign.test(file),
  );

it('each thing has one word, which is the field’s', () => {
  const files = written();
  expect(files.length).toBeGreaterThan(100);
  const found = files.flatMap((file) =>
    readFileSync(`${root}/${file}`, 'utf8')
      .split('\n')
      .flatMap((line, index) =>
        banned
          .filter(([word]) => word.test(line) && !theirs.some((words) => line.includes(words)))
          .map(([word, instead]) => `${file}:${index + 1}: ${word.exec(line)?.[0]}: write "${instead}"`),
      ),
  );
  expect(found).toEqual([]);
});

it('the glossary is in order, and names each thing once', () => {
  const section = /\n## Words\n([\s\S]*?)\n## /.exec(readFileSync(`${root}/docs/design.md`, 'utf8'))?.[1] ?? '';
  const words = Array.from(section.matchAll(/^\| ([a-z ]+) \| /gm), ([, word]) => word).filter(
    (word) => word !== 'word',
  );
  expect(words.length).toBeGreaterThan(25);
  expect(words).toEqual([...new Set(words)].toSorted());
});
