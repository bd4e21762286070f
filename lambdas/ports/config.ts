import { readFileSync } from 'node:fs';
import { Config } from '#domain/config';
import type { VerbWith } from '../verbs.ts';

/** Returns the configuration that was deployed with the lambda: a file beside its bundle, unless the environment names another. */
export const configOf = (_verb: VerbWith<'config'>): Config =>
  Config.parse(
    JSON.parse(readFileSync(process.env['HOLDFAST_CONFIG'] ?? new URL('./holdfast.json', import.meta.url), 'utf8')),
  );
