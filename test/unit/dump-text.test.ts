import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, it } from 'vitest';

/** Tables of any name with rows of any content, written as pg_dump writes them, are counted under one spelling. */

const documents = fileURLToPath(new URL('../../documents', import.meta.url));

const rowsIn = (text: string): string =>
  execFileSync('bash', ['-c', `. '${documents}/library/dump.sh'; rows_in_dump`], { input: text, encoding: 'utf8' });

/** What breaks readers of dumps: each is part of names, values and comments. */
const fragment = fc.constantFrom(
  ...[
    'a',
    'B',
    '_1',
    ' ',
    '.',
    ',',
    '(',
    ')',
    ';',
    '"',
    "'",
    '--',
    '\\',
    '\\.',
    '%',
    '%0A',
    '$$',
    'ö',
    '\n',
    '\t',
    '\r',
  ],
  ...[
    'COPY public.t (i) FROM stdin;',
    ' FROM stdin;',
    '\\.\n',
    '\nCOPY t (i) FROM stdin;\n',
    'SET search_path = x, pg_catalog;\n',
  ],
);
const name = fc.array(fragment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
const plain = /^[a-z_][a-z0-9_$]*$/;
/** As PostgreSQL's fmtId. */
const identifier = (of: string): string => (plain.test(of) ? of : `"${of.replaceAll('"', '""')}"`);
/** As COPY writes a value. */
const value = name.map((of) =>
  of.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\t', '\\t').replaceAll('\r', '\\r'),
);
const spelled = (of: string): string =>
  plain.test(of)
    ? of
    : `"${of
        .replaceAll('"', '""')
        .replaceAll('%', '%25')
        .replaceAll('\t', '%09')
        .replaceAll('\n', '%0A')
        .replaceAll('\r', '%0D')}"`;

const table = fc.record({
  schema: name,
  table: name,
  columns: fc.array(name, { maxLength: 2 }),
  rows: fc.array(value, { maxLength: 3 }),
  comment: name,
});

it.each([
  ['up to 10.2', false],
  ['from 10.3 on', true],
])('rows are counted in whatever pg_restore prints, %s', (_, isQualified) => {
  fc.assert(
    fc.property(fc.array(table, { maxLength: 8 }), (tables) => {
      const text = tables.map((one) => {
        const columns = one.columns.length === 0 ? '' : `(${one.columns.map(identifier).join(', ')})`;
        const place = isQualified ? `${identifier(one.schema)}.${identifier(one.table)}` : identifier(one.table);
        return [
          ...(isQualified ? [] : [`SET search_path = ${identifier(one.schema)}, pg_catalog;`, '']),
          `COMMENT ON LARGE OBJECT 1 IS '${one.comment.replaceAll("'", "''")}';`,
          '',
          `COPY ${place} ${columns} FROM stdin;`,
          ...one.rows.map((row) => (one.columns.length === 0 ? '' : row)),
          '\\.',
          '',
          `SELECT pg_catalog.setval('${identifier(one.table).replaceAll("'", "''")}', 1, true);`,
          '',
        ].join('\n');
      });
      const counted = tables.map((one) => `${one.rows.length}\t${spelled(one.schema)}.${spelled(one.table)}\n`);
      expect(rowsIn(text.join('\n'))).toBe(counted.join(''));
    }),
    { seed: 20261129, numRuns: Number(process.env['DUMPS'] ?? 60) },
  );
});
