import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';

/** Archives as pg_dump -Fc -Z0 of each version writes them are read to their end on their way, their rows counted. */

const library = fileURLToPath(new URL('../../documents/library/dump.sh', import.meta.url));
const pgRestore = '/usr/lib/postgresql/15/bin/pg_restore';
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-archive-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

interface Table {
  readonly schema: string;
  readonly name: string;
  /** As COPY writes them, without the line feed. */
  readonly rows: readonly string[];
}

interface Layout {
  /** 12: PostgreSQL 9.0 to 10.2, 13: to 11, 14: to 15, 15: 16, 16: 17 and later. */
  readonly minor: number;
  /** Bytes a piece at most; nothing: a row a piece, as all versions do that don't buffer. */
  readonly piece?: number;
  readonly blobs?: readonly Buffer[];
}

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt8(value < 0 ? 1 : 0);
  bytes.writeUInt32LE(Math.abs(value), 1);
  return bytes;
};
const text = (value: string | undefined): Buffer =>
  value === undefined ? number(-1) : Buffer.concat([number(Buffer.byteLength(value)), Buffer.from(value)]);
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const entry = (
  { minor }: Layout,
  id: number,
  kind: string,
  name: string,
  schema: string | undefined,
  copy?: string,
): Buffer =>
  Buffer.concat([
    number(id),
    number(1),
    text('0'),
    text('0'),
    text(name),
    text(kind),
    number(3),
    text(''),
    text(''),
    text(copy),
    text(schema),
    text(''),
    ...(minor >= 14 ? [text('')] : []),
    ...(minor >= 16 ? [number(0)] : []),
    text('owner'),
    text('false'),
    text('1'),
    text(undefined),
    Buffer.from([1]),
    Buffer.alloc(8),
  ]);

const pieces = (parts: readonly Buffer[], limit: number | undefined): Buffer => {
  const cut: Buffer[] = [];
  if (limit === undefined) cut.push(...parts);
  else {
    const whole = Buffer.concat(parts);
    for (let at = 0; at < whole.length; at += limit) cut.push(whole.subarray(at, at + limit));
  }
  return Buffer.concat([...cut.flatMap((part) => [number(part.length), part]), number(0)]);
};

const archiveOf = (tables: readonly Table[], layout: Layout): Buffer => {
  const { minor, piece, blobs = [] } = layout;
  const hasBlobs = blobs.length > 0;
  return Buffer.concat([
    Buffer.from('PGDMP'),
    Buffer.from([1, minor, 0, 4, 8, 1]),
    minor >= 15 ? Buffer.from([0]) : number(0),
    ...[1, 30, 2, 29, 10, 126, 0].map(number),
    text('puppetdb'),
    text('9.2.4'),
    text('9.2.4'),
    number(tables.length + (hasBlobs ? 1 : 0)),
    ...(hasBlobs ? [entry(layout, 3000, 'BLOBS', 'BLOBS', undefined)] : []),
    ...tables.map(({ schema, name }, index) =>
      entry(
        layout,
        index + 1,
        'TABLE DATA',
        name,
        schema,
        `COPY ${minor > 12 ? `${quoted(schema)}.` : ''}${quoted(name)} (c) FROM stdin;\n`,
      ),
    ),
    ...(hasBlobs
      ? [
          Buffer.from([3]),
          number(3000),
          ...blobs.flatMap((blob, index) => [number(16400 + index), pieces([blob], piece ?? 16384)]),
          number(0),
        ]
      : []),
    ...tables.flatMap(({ rows }, index) => [
      Buffer.from([1]),
      number(index + 1),
      pieces([...rows.map((row) => Buffer.from(`${row}\n`)), Buffer.from('\\.\n\n\n')], piece),
    ]),
  ]);
};

const read = (archive: Buffer) => {
  const list = join(directory, 'list');
  const bytes = join(directory, 'bytes');
  const { status, stdout, stderr } = spawnSync('bash', ['-c', `. '${library}'; pass_archive "$0" "$1"`, list, bytes], {
    input: archive,
    maxBuffer: 2 ** 30,
  });
  return {
    status,
    passed: stdout.equals(archive),
    said: String(stderr),
    rows: readFileSync(list, 'utf8'),
    bytes: Number(readFileSync(bytes, 'utf8')),
  };
};

const spelled = (name: string): string =>
  /^[a-z_][a-z0-9_$]*$/.test(name)
    ? name
    : quoted(name).replaceAll('%', '%25').replaceAll('\t', '%09').replaceAll('\n', '%0A').replaceAll('\r', '%0D');
const rowsOf = (tables: readonly Table[]): string =>
  tables.map(({ schema, name, rows }) => `${rows.length}\t${spelled(schema)}.${spelled(name)}\n`).join('');

const layouts: readonly Layout[] = [
  ...[12, 13, 14, 15, 16].map((minor) => ({ minor })),
  { minor: 16, piece: 1 },
  { minor: 16, piece: 7 },
  { minor: 16, piece: 4096 },
  { minor: 14, blobs: [Buffer.alloc(40_000, 'x\n'), Buffer.alloc(0), Buffer.from('\\.\n\n\n')] },
];
const known: readonly Table[] = [
  { schema: 'public', name: 'empty', rows: [] },
  // The lengths of these rows hold the byte of a line feed.
  { schema: 'public', name: 'reports', rows: ['123456789', 'x'.repeat(265), '', 'a', '\\\\.', '\\N\tö'] },
  {
    schema: 'odd ."schema',
    name: 'a\n%\t"name',
    rows: Array.from({ length: 900 }, (_, row) => 'r'.repeat(row)),
  },
  // Longer than what is read at once.
  { schema: 'public', name: 'long', rows: ['l'.repeat(3 * 2 ** 20), 'short', 'l'.repeat(2 ** 20)] },
];

it.each(
  layouts.map(
    (layout) =>
      [
        `format 1.${layout.minor}, ${layout.piece ?? 'a row'} a piece, ${layout.blobs?.length ?? 0} blobs`,
        layout,
      ] as const,
  ),
)('an archive is passed on, and its rows are counted: %s', (_, layout) => {
  // Pieces of a few bytes are made to try where they are cut, not to be many.
  const some = known.slice(0, (layout.piece ?? 4096) < 4096 ? -1 : undefined);
  const archive = archiveOf(some, layout);
  expect(read(archive)).toEqual({ status: 0, passed: true, said: '', rows: rowsOf(some), bytes: archive.length });
});

const value = fc
  .array(fc.constantFrom('a', '\\\\', '\\.', '\\n', '\t', 'ö', ' ', "'", '"', 'x'.repeat(10), 'y'.repeat(256)), {
    maxLength: 5,
  })
  .map((parts) => parts.join(''));
const name = fc
  .array(fc.constantFrom('a', 'B', '_', ' ', '.', '"', '%', '\n', '\r', '\t', 'ö', '\\'), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => parts.join(''));
const tables = fc.array(fc.record({ schema: name, name, rows: fc.array(value, { maxLength: 6 }) }), {
  minLength: 1,
  maxLength: 4,
});
const runs = { seed: 20261129, numRuns: Number(process.env['DUMPS'] ?? 40) };

it('one that is cut anywhere, or to which anything was added, is passed on and is not whole', () => {
  fc.assert(
    fc.property(
      tables,
      fc.constantFrom(...layouts),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (some, layout, where) => {
        const archive = archiveOf(some, layout);
        const cut = read(archive.subarray(0, Math.floor(where * (archive.length - 1))));
        expect([cut.status, cut.passed, cut.said]).toEqual([1, true, expect.stringMatching(/\w/)]);
        const more = read(Buffer.concat([archive, archive.subarray(-6)]));
        expect([more.status, more.passed]).toEqual([1, true]);
      },
    ),
    runs,
  );
});

it('one whose lengths are garbled is not whole, and one that is none or is compressed says so', () => {
  for (const layout of layouts.filter(({ piece }) => piece === undefined)) {
    const archive = archiveOf(known.slice(0, 2), layout);
    // The sign and the length of the last piece, of the one that ends the data, and the id of the last block.
    for (const at of [-5, -4, -15, -14]) {
      const garbled = Buffer.from(archive);
      const place = garbled.length + at;
      garbled.writeUInt8(garbled.readUInt8(place) ^ 1, place);
      expect(read(garbled)).toMatchObject({ status: 1, passed: true });
    }
  }
  expect(read(Buffer.from('-- PostgreSQL database dump\n'))).toMatchObject({
    status: 1,
    said: 'it is no archive of pg_dump\n',
  });
  expect(read(Buffer.alloc(0))).toMatchObject({ status: 1, bytes: 0 });
  const compressed = archiveOf(known, { minor: 14 });
  compressed.writeUInt8(6, 12);
  expect(read(compressed)).toMatchObject({ status: 1, said: 'it is compressed\n' });
  const later = archiveOf(known, { minor: 17 });
  expect(read(later)).toMatchObject({ status: 1, said: 'its format 1.17 is not known\n' });
});

it('twenty thousand tables are counted', () => {
  const many = Array.from({ length: 20_000 }, (_, index) => ({ schema: 'public', name: `t${index}`, rows: ['1'] }));
  expect(read(archiveOf(many, { minor: 12 })).rows).toBe(rowsOf(many));
});

it('without room for its list it ends with another status than for a broken archive', () => {
  const archive = archiveOf(known, { minor: 12 });
  const { status } = spawnSync('bash', ['-c', `. '${library}'; pass_archive /dev/full '${directory}/bytes'`], {
    input: archive,
    maxBuffer: 2 ** 30,
  });
  expect(status).toBe(2);
});

it.skipIf(!existsSync(pgRestore))("PostgreSQL's own program agrees, of what it can read", () => {
  fc.assert(
    fc.property(
      tables,
      fc.constantFrom(...layouts.filter(({ minor }) => minor <= 14)),
      fc.boolean(),
      (some, layout, isCut) => {
        const whole = archiveOf(some, layout);
        const archive = isCut ? whole.subarray(0, -7) : whole;
        const file = join(directory, 'archive');
        writeFileSync(file, archive);
        const judged = spawnSync(
          'bash',
          [
            '-c',
            `set -o pipefail; . '${library}'; LC_ALL=C ${pgRestore} --data-only -f /dev/stdout <'${file}' | rows_in_dump`,
          ],
          { encoding: 'utf8' },
        );
        const ours = read(archive);
        expect(judged.status === 0).toBe(ours.status === 0);
        if (ours.status === 0) expect(ours.rows).toBe(judged.stdout);
      },
    ),
    { ...runs, numRuns: 20 },
  );
});
