import { globSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { Manifest, parseManifest } from '#domain/manifest';
import { newestGood, readBackup } from '#domain/vault/catalog';
import { commit, manifestOf } from './cli-fixtures.ts';
import { memoryBucket } from './memory.ts';

/**
 * What versions of Holdfast may do to manifests without losing those that are stored: docs/reference/manifest.md, "Compatibility".
 * The files were written by a version of their format, and are never edited.
 */

const folder = new URL('../manifests/', import.meta.url);
const stored = globSync('format-*/*.json', { cwd: folder }).map((path) => ({
  path,
  format: Number(dirname(path).replace('format-', '')),
  value: z.json().parse(JSON.parse(readFileSync(new URL(path, folder), 'utf8'))),
}));

type Json = z.infer<ReturnType<typeof z.json>>;

const isObject = (value: Json): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The paths of all keys of a document, `nodes[].name`. */
const keysOf = (value: Json, path = ''): readonly string[] => {
  if (Array.isArray(value)) return value.flatMap((one) => keysOf(one, `${path}[]`));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, one]) => [`${path}.${key}`, ...keysOf(one, `${path}.${key}`)]);
};

/** The paths of all keys that a schema knows. Names that people choose, such as those of phases, are no keys of ours. */
const keysOfSchema = (schema: Json | undefined, path = ''): readonly string[] => {
  if (schema === undefined || !isObject(schema)) return [];
  const { properties = {}, items, anyOf = [], oneOf = [] } = schema;
  return [
    ...Object.entries(isObject(properties) ? properties : {}).flatMap(([key, one]) => [
      `${path}.${key}`,
      ...keysOfSchema(one, `${path}.${key}`),
    ]),
    ...keysOfSchema(items, `${path}[]`),
    ...[anyOf, oneOf].flat().flatMap((one) => keysOfSchema(one, path)),
  ];
};
const known = new Set(
  keysOfSchema(
    z.json().parse(JSON.parse(JSON.stringify(z.toJSONSchema(Manifest, { io: 'input', unrepresentable: 'any' })))),
  ),
);

/** Every object of a document with one more key. */
const withMore = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(withMore);
  if (!isObject(value)) return value;
  const own = Object.entries(value).map(([key, one]): [string, Json] => [key, withMore(one)]);
  return { ...Object.fromEntries(own), fieldOfALaterVersion: { of: 'no matter what' } };
};

describe.each(stored)('the stored manifest $path', ({ format, value }) => {
  it('is read by this version, with everything that it says', () => {
    const read = parseManifest(value);
    expect(read.format).toBe(format);
    expect(JSON.parse(JSON.stringify(read))).toEqual(value);
  });

  it('is read the same when a later version has added fields anywhere', () => {
    const { phaseSeconds, ...more } = z.record(z.string(), z.json()).parse(withMore(value));
    const { phaseSeconds: same, ...rest } = z.record(z.string(), z.json()).parse(value);
    expect(phaseSeconds).not.toEqual(same);
    expect(parseManifest({ ...more, phaseSeconds: same })).toEqual(parseManifest({ ...rest, phaseSeconds: same }));
  });

  it('says nothing that this version has no name for: what is taken away needs a new format', () => {
    const names = keysOf(value).filter((key) => !key.startsWith('.phaseSeconds.'));
    expect([...new Set(names)].filter((key) => !known.has(key))).toEqual([]);
  });

  it('is as unreadable in a newer format as in one that nobody knows, and the reason says what to do', async () => {
    const vault = memoryBucket();
    await commit(vault, manifestOf('pe-main', '20261119T020000Z'));
    for (const later of [format + 1, 'two', null]) {
      const text = JSON.stringify({
        ...z.record(z.string(), z.json()).parse(value),
        kind: 'a new kind',
        format: later,
      });
      await vault.write('catalog/pe-main/20261120T020000Z.json', text);
      expect(await readBackup({ vault }, 'pe-main', '20261120T020000Z')).toEqual({
        ...{ backup: '20261120T020000Z', readable: false, untrusted: false },
        reason: expect.stringMatching(/format: expected 1, or a newer version of Holdfast/),
      });
      // It is neither chosen nor in the way.
      expect((await newestGood({ vault }, 'pe-main')).good?.backup).toBe('20261119T020000Z');
    }
  });
});

it('the stored manifests have every key of the newest format: a new one brings its file, and is optional in those before', () => {
  expect(known.size).toBeGreaterThan(100);
  const all = new Set(stored.flatMap(({ value }) => keysOf(value)));
  expect([...known].filter((key) => !all.has(key))).toEqual([]);
  expect(new Set(stored.map(({ path }) => basename(path).replace(/-[\d.]+\.json$/, '')))).toEqual(
    new Set(['puppet-enterprise', 'juju']),
  );
});
