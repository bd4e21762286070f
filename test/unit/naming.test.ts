import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { composeDocuments } from '#documents/compose';
import {
  backupId,
  backupMoment,
  encodeText,
  keySafe,
  parseArn,
  parseManifestKey,
  RunId,
  ScheduleName,
  SystemId,
  scheduleName,
  stateKeys,
  vaultKeys,
  verifyScheduleName,
} from '#domain/naming';

describe('names', () => {
  it("a backup's id and its moment are each other's inverse, and sort alike", () => {
    const moments = fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(moments, moments, (a, b) => {
        expect(backupMoment(backupId(a)).getTime()).toBe(Math.floor(a.getTime() / 1000) * 1000);
        if (backupId(a) < backupId(b)) expect(a.getTime()).toBeLessThan(b.getTime());
      }),
    );
    expect(() => backupMoment('20261399T000000Z')).toThrow(RangeError);
    expect(() => backupMoment('latest')).toThrow(RangeError);
  });

  it('no two names meet in one key, and no key leaves its folder', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        if (a.toWellFormed() !== b.toWellFormed()) expect(keySafe(a)).not.toBe(keySafe(b));
        expect(keySafe(a)).toMatch(/^[A-Za-z0-9_.=-]*$/);
      }),
    );
  });

  it('any name of an execution gives a run that a key, a path and a document can hold, always the same', () => {
    const legal = fc.string({ unit: 'binary', minLength: 1, maxLength: 80 }).filter((text) => {
      const forbidden = /[\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}]/u;
      return text.length <= 80 && text.isWellFormed() && !forbidden.test(text);
    });
    const name = fc.oneof(
      legal,
      fc.constantFrom('restore.friday', '..', 'käse', "it's(1)", 'x'.repeat(79).concat('.')),
    );
    fc.assert(
      fc.property(name, name, (a, b) => {
        const run = RunId.parse(a);
        expect(run).toMatch(/^[A-Za-z0-9_-]{1,80}$/);
        expect(RunId.parse(run)).toBe(run);
        expect(stateKeys.plan(a)).toBe(stateKeys.plan(run));
        if (a !== b) expect(RunId.parse(b)).not.toBe(run);
      }),
    );
    expect(RunId.parse('nightly_1-a')).toBe('nightly_1-a');
    for (const refused of ['', 'a/b', 'a b', 'a:b', '*', 'x'.repeat(81)]) expect(() => RunId.parse(refused)).toThrow();
  });

  it('no two schedules meet in one name, and Scheduler takes each', () => {
    const system = fc.stringMatching(/^[a-z][a-z0-9-]{0,30}[a-z0-9]$/);
    const schedule = fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/);
    const pair = fc.oneof(
      fc.tuple(system, schedule),
      fc.constantFrom(['pe', 'main-nightly'], ['pe-main', 'nightly'] as const),
    );
    fc.assert(
      fc.property(pair, pair, (a, b) => {
        const [one, other] = [scheduleName(a[0], a[1]), scheduleName(b[0], b[1])];
        expect(one === other).toBe(a[0] === b[0] && a[1] === b[1]);
        expect(one).toMatch(/^[0-9a-zA-Z._-]{1,64}$/);
        expect(one).not.toBe(verifyScheduleName(b[0]));
      }),
    );
    expect(() => SystemId.parse('a'.repeat(33))).toThrow();
    expect(() => ScheduleName.parse('a'.repeat(32))).toThrow();
    expect(verifyScheduleName('a'.repeat(32)).length).toBeLessThanOrEqual(64);
  });

  it('any text reaches a document as letters, digits, hyphens and underscores', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const encoded = encodeText(text);
        expect(encoded).toMatch(/^[A-Za-z0-9_-]*$/);
        expect(Buffer.from(encoded, 'base64url').toString()).toBe(text.toWellFormed());
      }),
    );
  });

  it("a manifest's key is read back", () => {
    expect(parseManifestKey(vaultKeys.manifest('pe-main', '20261120T020000Z'))).toEqual({
      system: 'pe-main',
      backup: '20261120T020000Z',
    });
    expect(parseManifestKey('catalog/pe-main/notes.txt')).toBeUndefined();
    expect(parseArn('arn:aws:states:eu-central-1:111122223333:stateMachine:x')).toEqual({
      partition: 'aws',
      region: 'eu-central-1',
      account: '111122223333',
    });
  });
});

describe('the documents', () => {
  const contents = Object.entries(composeDocuments('key')).map(([name, content]) => ({
    name,
    ...JSON.parse(JSON.stringify(content)),
  }));

  it.each(contents)('$name lets no parameter mean anything to a shell', ({ parameters }) => {
    for (const { allowedPattern } of Object.values<{ allowedPattern: string }>(parameters)) {
      const pattern = new RegExp(allowedPattern);
      expect(allowedPattern).toMatch(/^\^.*\$$/);
      fc.assert(
        fc.property(
          fc.string(),
          fc.constantFrom(...'\'"`$;&|<>(){}[]*?!#~\\\n\t%^,@:'.split('')),
          fc.string(),
          (a, bad, b) => {
            expect(pattern.test(`${a}${bad}${b}`)).toBe(false);
          },
        ),
      );
    }
  });

  it.each(contents)(
    '$name is below 64 KB, names every library, and uses each parameter once, in single quotes',
    (document) => {
      const text = JSON.stringify(document);
      // Long lists travel in parameters, which count as well.
      const lists = Object.values<{ allowedPattern: string }>(document.parameters).reduce(
        (sum, { allowedPattern }) => sum + Number(/,(\d{5,})\}/.exec(allowedPattern)?.[1] ?? 0),
        0,
      );
      expect(Buffer.byteLength(text) + lists / 2).toBeLessThan(64_000);
      const lines: string[] = document.mainSteps[0].inputs.runCommand;
      expect(lines.filter((line) => line.startsWith('. "$(dirname'))).toEqual([]);
      const signed = lines.findIndex((line) => line.startsWith("STATEMENT='"));
      const before = signed < 0 ? lines : lines.slice(0, signed);
      for (const name of Object.keys(document.parameters)) {
        const uses = before.filter((line) => line.includes(`{{ ${name} }}`));
        expect(uses).toEqual(
          name === 'ExecutionTimeout' ? [] : [expect.stringMatching(/^[A-Z][A-Z0-9_]*='\{\{ \w+ \}\}'$/)],
        );
      }
    },
  );
});
