import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAmount, formatBytes, formatDuration, printable, printableJson, table } from '../../cli/format.ts';

describe('what is printed', () => {
  it.each([
    ['an escape sequence', '\u001b[2Jgone', '\\u{1b}[2Jgone'],
    ['a line break', 'one\ntwo', 'one\\u{a}two'],
    ['an eight-bit control sequence', '\u009b31m', '\\u{9b}31m'],
    ['a change of the writing direction', 'abc\u202edcba', 'abc\\u{202e}dcba'],
  ])('shows %s and does not obey it', (_, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('leaves names in any script as they are', () => {
    expect(printable('Puppet–Größe 人形 🎎')).toBe('Puppet–Größe 人形 🎎');
  });

  it('is the same value as JSON, without a character that commands a terminal', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (value) => {
        const json = printableJson(value);
        expect(JSON.parse(json)).toEqual(value);
        expect(json).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      }),
    );
    expect(JSON.parse(printableJson('\u{e0001}\u009b'))).toBe('\u{e0001}\u009b');
  });
});

describe('bytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KiB'],
    [1023, '1.00 KiB'],
    [1024, '1.00 KiB'],
    [10 * 1024, '10.0 KiB'],
    [1023.9 * 1024, '1.00 MiB'],
    [999 * 1024 ** 2, '999 MiB'],
    [1.5 * 1024 ** 3, '1.50 GiB'],
    [5000 * 1024 ** 5, '5000 PiB'],
  ])('%d reads %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it('never takes more than four digits below a pebibyte', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999 * 1024 ** 4 }), (bytes) => {
        expect(formatBytes(bytes)).toMatch(/^(\d{1,3}|\d\d\.\d|\d\.\d\d) (B|[KMGT]iB)$/);
      }),
    );
  });
});

describe('durations', () => {
  it.each([
    [0, '0s'],
    [0.4, '0s'],
    [59.6, '1m'],
    [125, '2m 5s'],
    [3600, '1h'],
    [3605, '1h'],
    [90_061, '1d 1h'],
    [-3, '0s'],
  ])('%d seconds read %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});

it('an amount agrees with its noun', () => {
  expect([0, 1, 1200].map((count) => formatAmount(count, 'artifact'))).toEqual([
    '0 artifacts',
    '1 artifact',
    '1,200 artifacts',
  ]);
});

it('a table aligns its columns, numbers to the right, and keeps a line break inside its cell', () => {
  expect(
    table(
      [{ heading: 'NAME' }, { heading: 'SIZE', align: 'right' }],
      [
        ['a\nb', '5'],
        ['longer name', '1234'],
      ],
    ),
  ).toEqual(['NAME         SIZE', 'a\\u{a}b         5', 'longer name  1234']);
});
