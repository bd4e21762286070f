/** How values look to people. Pure. */

/**
 * A text that can't command a terminal: control and format characters (escape sequences, line breaks, changes of the
 * writing direction) are shown as `\u{1b}`.
 */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);

/** JSON that says the same as the value and can't command a terminal either. */
export const printableJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replace(/[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from({ length: character.length }, (_, unit) => character.charCodeAt(unit))
      .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
      .join(''),
  );

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Bytes in the unit of 1024 that fits, with three digits that count: `1.21 GiB`. */
export const formatBytes = (bytes: number): string => {
  // 999.5 is where three digits round up to 1000, so the next unit begins there.
  const fits = byteUnits.findIndex((_, power) => bytes < 999.5 * 1024 ** power);
  const power = fits === -1 ? byteUnits.length - 1 : fits;
  const amount = bytes / 1024 ** power;
  const decimals = power === 0 || amount >= 99.95 ? 0 : amount >= 9.995 ? 1 : 2;
  return `${amount.toFixed(decimals)} ${byteUnits[power]}`;
};

/** Seconds in the two largest units that matter: `1d 3h`, `2m 5s`, `0s`. */
export const formatDuration = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [
    ['d', Math.floor(whole / 86_400)],
    ['h', Math.floor(whole / 3600) % 24],
    ['m', Math.floor(whole / 60) % 60],
    ['s', whole % 60],
  ] as const;
  const first = parts.findIndex(([, amount]) => amount > 0);
  if (first === -1) return '0s';
  return parts
    .slice(first, first + 2)
    .filter(([, amount]) => amount > 0)
    .map(([unit, amount]) => `${amount}${unit}`)
    .join(' ');
};

/** A moment to the second in UTC: `2026-11-20 02:00:00Z`. */
export const formatMoment = (moment: Date): string => `${moment.toISOString().slice(0, 19).replace('T', ' ')}Z`;

/** A number with its thousands apart: `1,234,567`. */
export const formatCount = (count: number): string => count.toLocaleString('en-US');

/** A number with its noun: `1 artifact`, `2 artifacts`. */
export const formatAmount = (count: number, noun: string, plural = `${noun}s`): string =>
  `${formatCount(count)} ${count === 1 ? noun : plural}`;

/** A column's heading; a `right` one has its values against its right edge, as numbers are read. */
export interface Column {
  readonly heading: string;
  readonly align?: 'right';
}

/** The lines of a table with a heading, two spaces between its columns. Cells are made printable, so that the widths are true. */
export const table = (columns: readonly Column[], rows: readonly (readonly string[])[]): readonly string[] => {
  const lines = [columns.map(({ heading }) => heading), ...rows].map((line) => line.map(printable));
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines.map((line) =>
    line
      .map((cell, index) => {
        const width = widths[index] ?? 0;
        return columns[index]?.align === 'right' ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
};

/** Lines `name  value` with the values below each other. */
export const pairs = (entries: readonly (readonly [string, string])[]): readonly string[] => {
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
};
