import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Contract, variableOf } from '#domain/contracts/document';
import { documents } from '#domain/systems/documents';
import { faultsOf, scriptOf } from '../contract-check.ts';
import { readScript } from '../script-reader.ts';
import type { Mutation } from './mutation.ts';

/** Faults between the contracts of documents, their scripts and the plans that send them. */

const root = new URL('../..', import.meta.url).pathname;

/** A change of a script that its check should find. */
const inScript = (contract: Contract, what: string, from: RegExp, to: string): Mutation => ({
  what: `${contract.script}: ${what}`,
  isDetected: () => {
    const { own, whole } = scriptOf(contract);
    const seeded = own.replace(from, to);
    if (seeded === own) return false;
    try {
      return faultsOf(contract, { own: seeded, whole: whole.replace(from, to) }).length > 0;
    } catch {
      return true;
    }
  },
});

/** Another variable, another field of the answer, no answer. */
export const scriptMutations = (): readonly Mutation[] =>
  documents.flatMap((contract) => {
    const answered = readScript(scriptOf(contract).own, ['answer']).calls.flatMap(({ fields }) => fields);
    return [
      ...Object.keys(contract.takes)
        .map(variableOf)
        .map((name) =>
          inScript(contract, `another variable than ${name}`, new RegExp(`\\b${name}\\b`, 'g'), `${name}_X`),
        ),
      ...[...new Set(answered.map(({ key }) => key))].map((key) =>
        inScript(contract, `another field than ${key}`, new RegExp(`([ \\n])${key}(:?=)`, 'g'), '$1seeded$2'),
      ),
      inScript(contract, 'no answer', /^( *(?:.*\) )?)answer\b/gm, '$1true'),
    ];
  });

/** The name of a document in TypeScript: `swapDatabases`. */
const nameOf = ({ verb }: Contract): string => verb.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Whether a line has a document as the first argument of a command. */
const isCall = (lines: readonly string[], index: number, name: string): boolean => {
  const line = lines[index] ?? '';
  return line.includes(`(${name}, `) || (line.trim() === `${name},` && /\($/.test(lines[index - 1] ?? ''));
};

/** What every command that a plan sends would be with another document or parameter: seeded all at once, for one run of the compiler. */
const inPlans = (what: string, change: (name: string) => string): readonly Mutation[] => {
  const copy = mkdtempSync(join(tmpdir(), 'holdfast-mutate-'));
  try {
    for (const file of execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0'))
      if (/\.(ts|json)$/.test(file)) cpSync(join(root, file), join(copy, file));
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    const seeded: { readonly at: string; readonly script: string }[] = [];
    for (const file of globSync('domain/**/*.ts', { cwd: copy })) {
      const lines = readFileSync(join(copy, file), 'utf8').split('\n');
      for (const contract of documents) {
        const name = nameOf(contract);
        const calls = lines.flatMap((_, index) => (isCall(lines, index, name) ? [index] : []));
        for (const index of calls) {
          lines[index] = (lines[index] ?? '').replace(new RegExp(`(?<=\\(|^ *)${name}(?=,)`), change(name));
          seeded.push({ at: `${file}(${index + 1}`, script: contract.script });
        }
      }
      writeFileSync(join(copy, file), lines.join('\n'));
    }
    const { stdout } = spawnSync('tsc', ['-p', '.'], { cwd: copy, encoding: 'utf8' });
    const told = new Set(Array.from(stdout.matchAll(/^([^(]+\(\d+),/gm), ([, at]) => at));
    return [
      ...seeded.map(({ at, script }) => ({ what: `${script}: ${what} at ${at})`, isDetected: () => told.has(at) })),
      ...documents
        .filter(({ script }) => seeded.every((one) => one.script !== script))
        .map(({ script }) => ({ what: `${script}: no plan sends it`, isDetected: () => false })),
    ];
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
};

/** Another document, and a parameter more than it takes. */
export const planMutations = (): readonly Mutation[] => [
  ...inPlans('another document', (name) => `${name}Seeded`),
  ...inPlans('another parameter', (name) => `{ ...${name}, takes: { ...${name}.takes, Seeded: ${name}.takes } }`),
];
