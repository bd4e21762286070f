import { expect, it } from 'vitest';
import { nodeWords } from '#domain/words';

it.each([
  [
    'line feeds and what commands a terminal',
    'bad\nHoldfast: all is well\u001b[2J\u0007',
    'bad Holdfast: all is well [2J',
  ],
  ['what turns the direction of writing, or is not seen', 'a\u202eb\u200bc\u2066d', 'a b c d'],
  ['links', 'go to https://evil.example.com/x now', 'go to https: //evil.example.com/x now'],
  ['nothing of what is plain', 'pg_dump: café 100 % of s3 bucket/key', 'pg_dump: café 100 % of s3 bucket/key'],
])("of a node's words %s go", (_, said, told) => {
  expect(nodeWords(said)).toBe(told);
});

it("of a node's words no more is told than a person reads", () => {
  expect(nodeWords('x'.repeat(100_000))).toHaveLength(1501);
});
