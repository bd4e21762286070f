import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { driverOf, numbersOf } from '#domain/systems/juju';
import { jujuVersionFault } from '#domain/systems/juju-upgrade';

describe('the way in which a version of Juju is backed up', () => {
  it.each([
    ['1.15.0', undefined],
    ['1.16.6', 'plugin'],
    ['1.18.1', 'plugin'],
    ['1.21.3', 'plugin'],
    ['1.22.0', 'stored'],
    ['1.25.10.1', 'stored'],
    ['2.0-beta4', 'stored'],
    ['2.9.21', 'stored'],
    ['2.9.22', 'file'],
    ['3.6.4', 'file'],
    // Its own create-backup says that it makes none.
    ['4.0.1', 'file'],
    ['', undefined],
  ])('of %s is %s', (version, driver) => {
    expect(driverOf(version)).toBe(driver);
  });
});

it('a version without all its numbers counts as the lowest of them', () => {
  expect(numbersOf('3.6-rc1')).toEqual([3, 6, 0]);
});

describe('an upgrade of Juju', () => {
  it.each([
    ['1.18.1', '1.20.11'],
    ['2.9.40', '2.9.51'],
    ['3.6.4', '3.6.4'],
  ])('from %s to %s is possible', (from, to) => {
    expect(jujuVersionFault(from, to)).toBeUndefined();
  });

  it.each([
    ['3.6.4', '3.6.3', /never goes back/],
    ['3.5.1', '3.6.0', /in place/],
    ['2.9.51', '3.6.0', /in place/],
    ['1.25.13', '2.9.51', /in place/],
    ['3.6.4', '4.0.1', /in place/],
  ])('from %s to %s is refused', (from, to, reason) => {
    expect(jujuVersionFault(from, to)).toMatch(reason);
  });
});

it('every section of the runbook that a refused restore names is there', () => {
  const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const named = [...read('domain/systems/juju-restore-check.ts').matchAll(/['"](Juju: [^'"]+)['"]/g)].map(
    ([, name]) => name,
  );
  expect(named.length).toBeGreaterThan(2);
  for (const name of named) expect(read('docs/runbook.md')).toContain(`### ${name}\n`);
});
