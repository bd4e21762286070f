import { globSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Contract, commonTakes, variableOf } from '#domain/contracts/document';
import { replaceFiles } from '#domain/contracts/shared';
import { answersOf, type PhaseState } from '#domain/phase';
import { command } from '#domain/plan';
import { documents } from '#domain/systems/documents';
import { backupJuju } from '#domain/systems/juju-documents';
import { countRows, inspectPuppet, restoreGlobals } from '#domain/systems/puppet-documents';
import { faultsOf, scriptOf } from '../contract-check.ts';
import { readScript } from '../script-reader.ts';

/** The contracts of documents, and what holds plans and scripts to them. */

const directory = new URL('../../documents/', import.meta.url);

describe('a document', () => {
  it.each(documents.map((contract) => [contract.script, contract] as const))(
    '%s reads the variables and gives the answer of its contract',
    (_, contract) => {
      expect(faultsOf(contract)).toEqual([]);
    },
  );

  it('has one script, and each script one document', () => {
    const scripts = globSync('**/*.sh', { cwd: directory }).filter((file) => !file.startsWith('library/'));
    expect(documents.map(({ script }) => `${script}.sh`).toSorted()).toEqual(scripts.toSorted());
    expect(new Set(documents.map(({ name }) => name)).size).toBe(documents.length);
  });

  it('that only looks says so, and no other', () => {
    const looking = documents.filter(({ changesNode }) => !changesNode).map(({ verb }) => verb);
    expect(looking.filter((verb) => !/^(ask|inspect|check|preflight|count)-/.test(verb))).toEqual([]);
    expect(
      documents.filter(({ verb, changesNode }) => /^(ask|inspect|check|preflight|count)-/.test(verb) && changesNode),
    ).toEqual([]);
  });
});

/** A contract whose script says something else: in both, as it is written and as a node gets it. */
const seeded = (contract: Contract, from: string | RegExp, to: string): readonly string[] => {
  const { own, whole } = scriptOf(contract);
  expect(own).toMatch(from);
  return faultsOf(contract, { own: own.replace(from, to), whole: whole.replace(from, to) });
};

describe('a script that breaks its contract is told with the document and the field', () => {
  it.each<[string, Contract, string | RegExp, string, RegExp]>([
    ['another key', countRows, ' rows:=', ' row:=', /^\S*count-rows: answers "row", which its contract does not have$/],
    ['a key that is missing', countRows, / rows:="\$rows"/, '', /^\S*count-rows: does not answer "rows"$/],
    ['a number as text', countRows, ' rows:=', ' rows=', /^\S*count-rows: answers "rows" as text/],
    [
      'a text as JSON',
      countRows,
      / different="(\$different)"/,
      ' different:="$1"',
      /^\S*count-rows: answers "different" as JSON/,
    ],
    ['another word', backupJuju, 'kind=nothing', 'kind=none', /^\S*backup-juju: answers "none" as "kind"/],
    ['a nested key', inspectPuppet, 'mcollective:=', 'colllective:=', /^\S*inspect-puppet: answers "colllective"/],
    ['no answer', restoreGlobals, /^ {2}answer$/m, '  true', /^\S*restore-globals: never answers/],
    ['an answer that nobody asked for', restoreGlobals, /^ {2}answer$/m, '  answer kept:=3', /"kept"/],
    [
      'another variable',
      restoreGlobals,
      '"$NAME"',
      '"$NAMES"',
      /^\S*restore-globals: reads NAMES, which it does not take$/,
    ],
    ['no variable', restoreGlobals, '"$NAME"', '"x"', /^\S*restore-globals: never reads NAME, which it takes$/],
    ['a variable of its own', replaceFiles, '  begin\n', '  begin\n  ROOTS=x\n', /^\S*replace-files: sets ROOTS/],
    ['another usage', restoreGlobals, 'NAME= RUN=', 'FILE= RUN=', /does not name NAME in its usage/],
  ])('%s', (_, contract, from, to, told) => {
    expect(seeded(contract, from, to)).toEqual(expect.arrayContaining([expect.stringMatching(told)]));
  });

  it('a document whose script is not there', () => {
    expect(() => faultsOf({ ...restoreGlobals, script: 'restore-globalz' })).toThrow(/restore-globalz\.sh/);
  });
});

describe('a plan that breaks a contract', () => {
  const state: PhaseState = { phase: 'x', attempt: 0, startedAt: '2026-11-20T02:00:00Z', commands: [] };

  it('does not compile', () => {
    expect(command(restoreGlobals, { Name: 'globals.sql' }).parameters).toEqual({ Name: 'globals.sql' });
    // @ts-expect-error: a document that there is not
    expect(() => command('restore-globals', { Name: 'globals.sql' })).toThrow();
    // @ts-expect-error: another parameter
    expect(() => command(restoreGlobals, { File: 'globals.sql' })).toThrow();
    // @ts-expect-error: one more
    expect(command(restoreGlobals, { Name: 'globals.sql', Roots: [] }).parameters).not.toHaveProperty('Roots');
    // @ts-expect-error: a value of another type
    expect(() => command(countRows, { Name: 'list', Database: ['console'] })).toThrow();
    // @ts-expect-error: another key of an answer
    expect(answersOf(state, countRows).map(({ answer }) => answer.row)).toEqual([]);
  });

  it('with a value that SSM would refuse is refused before anything is sent', () => {
    expect(() => command(restoreGlobals, { Name: '../etc/passwd' })).toThrow(
      /restore-globals .*\.\.\/etc\/passwd.* as Name/,
    );
    const many = Array.from({ length: 5000 }, (_, index) => `/srv/${index}`);
    expect(() => command(replaceFiles, { Name: 'x', Roots: many, MissingRoots: [], Excludes: [] })).toThrow(
      /replace-files .* as Roots.*40000 characters/,
    );
  });
});

describe('the reader of scripts', () => {
  /** A dollar sign stands as ~, so that nobody takes it for a template. */
  const read = (text: string) => [...readScript(text.replaceAll('~', '$')).reads].toSorted();

  it('finds a variable wherever bash expands one, and nowhere else', () => {
    expect(read('echo ~A "~{B:-~C}" "~(echo "~D" | grep "~{#E}")" ~((F + 1)) <(cat "~G")')).toEqual([...'ABCDEFG']);
    expect(read('cat <<END\n~A\nEND\ncat <<\'END\'\n~B\nEND\n[ "~C" = x ] # ~D\n')).toEqual(['A', 'C']);
    expect(read("awk '{ print ~A }' \\~B ~'\\'~C' x#~D")).toEqual(['D']);
    expect(read('case ~A in b) echo "~(case ~B in c) echo ~C ;; esac)" ;; esac; a=(~D "~{E[@]}")')).toEqual([
      ...'ABCDE',
    ]);
    expect(read('if ((A > 16#FF)); then x=~{!B_*}; fi; for ((i = C; i < 0; i++)); do :; done')).toEqual(['A', 'C']);
  });

  it('knows what is set from what is read', () => {
    const { sets, reads } = readScript(
      'local A=1; B=2 run; export C; IFS= read -r D; printf -v E x; F+=(1); echo G=$H',
    );
    expect([...sets].toSorted()).toEqual(['A', 'B', 'C', 'D', 'E', 'F', 'IFS']);
    expect([...reads]).toEqual(['H']);
  });

  it('refuses what it does not understand', () => {
    for (const text of ['echo `date`', 'echo "$(echo', 'echo )', "echo 'a", 'cat <<END\nx'])
      expect(() => readScript(text)).toThrow();
    expect(() => readScript('answer "$all"', ['answer'])).toThrow(/no field/);
  });
});

it('a parameter is found in the variable of its name', () => {
  expect(Object.keys({ ...commonTakes, KnownSerial: 1, Sha256: 1 }).map(variableOf)).toEqual([
    ...['RUN', 'START_BEFORE', 'ATTEMPT', 'ANSWERS', 'KNOWN_SERIAL', 'SHA256'],
  ]);
});
