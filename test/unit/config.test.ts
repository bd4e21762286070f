import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { Config } from '#domain/config';
import { InvalidConfigError, parseConfig } from '#domain/config-file';

const faults = (text: string): readonly string[] => {
  try {
    parseConfig(text);
  } catch (error) {
    if (error instanceof InvalidConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
};

const tenMistakes = `systems:
  pe-main:
    kind: puppet-enterprise
    nodes:
      - instance: i-123
        roles: [master, puppetdb, consol]
    consistency: hot
    extraPaths: [srv/x]
    schedules: [nightly, noon]
    colour: red
  Bad_Name:
    kind: puppet-enterprise
    nodes: [{ instance: i-0123456789abcdef0, roles: [master, puppetdb, console] }]
schedules:
  nightly:
    cron: "61 2 * * *"
    timezone: Europe/Berln
retention:
  keepLast: 0
notifications:
  email: [nobody]
`;

describe('holdfast.yaml', () => {
  it('with eleven mistakes tells all of them at once, each with its place', () => {
    expect(faults(tenMistakes)).toEqual([
      'holdfast.yaml:5:9: systems.pe-main.nodes.0.instance: expected an instance id such as i-0123456789abcdef0',
      expect.stringMatching(
        /^holdfast\.yaml:6:35: systems\.pe-main\.nodes\.0\.roles\.2: expected master or puppetdb or console/,
      ),
      'holdfast.yaml:7:5: systems.pe-main.consistency: expected live or quiesced',
      'holdfast.yaml:8:18: systems.pe-main.extraPaths.0: expected an absolute path without a slash at its end',
      'holdfast.yaml:9:26: systems.pe-main.schedules.1: expected a name from schedules (nightly), found noon',
      'holdfast.yaml:10:5: systems.pe-main.colour: expected no such key',
      'holdfast.yaml:11:3: systems.Bad_Name: expected 2 to 32 lower-case letters, digits and hyphens, a letter first',
      'holdfast.yaml:16:5: schedules.nightly.cron: expected a minute from 0 to 59, found 61',
      'holdfast.yaml:17:5: schedules.nightly.timezone: expected an IANA time zone such as Europe/Berlin',
      'holdfast.yaml:19:3: retention.keepLast: expected at least 1',
      'holdfast.yaml:21:11: notifications.email.0: expected an email address',
    ]);
  });

  it.each([
    ['', /:1:1: systems: expected this key/],
    ['systems: [', /expected YAML/],
    ['systems: {}', /systems: expected at least one system/],
    ['systems: { pe-main: { kind: puppet } }', /systems\.pe-main\.kind: expected puppet-enterprise/],
    [
      'systems: { pe-main: { kind: puppet-enterprise, nodes: [{ instance: i-0123456789abcdef0, roles: [master, console] }] } }',
      /expected a node with the role puppetdb/,
    ],
    [
      'systems: { pe-main: { kind: puppet-enterprise, nodes: [{ instance: i-0123456789abcdef0, roles: [master, puppetdb, console] }, { tag: { key: a, value: b }, roles: [compile-master], loadBalancer: lb.example.com }] } }',
      /nodes\.1\.loadBalancer: expected none: compile masters get their script from the master itself/,
    ],
  ])('%j is refused with a place and a reason', (text, expected) => {
    const found = faults(text);
    expect(found.join('\n')).toMatch(expected);
    for (const fault of found) expect(fault).toMatch(/^holdfast\.yaml:\d+:\d+: .+: expected/);
  });

  const nodes = '    nodes: [{ instance: i-0123456789abcdef0, roles: [master, puppetdb, console] }]\n';
  const other = nodes.replace('def0', 'def1');
  const system = (id: string, more: string): string => `  ${id}:\n    kind: puppet-enterprise\n${more}`;
  const one = `systems:\n${system('pe-main', nodes)}`;

  it.each([
    [
      'an instance in two systems',
      `${one}${system('pe-two', nodes)}`,
      /:7:15: .*: expected an instance of pe-two alone/,
    ],
    [
      'a schedule twice',
      `${one}    schedules: [a, a]\nschedules: { a: { rate: 1 hour } }`,
      /:5:20: .* each schedule once/,
    ],
    [
      'an address twice',
      `${one}notifications: { email: [a@example.com, a@example.com] }`,
      /expected each address once/,
    ],
    ['an offset for a zone', `${one}schedules: { a: { cron: 0 2 * * *, timezone: '+02:00' } }`, /an IANA time zone/],
    [
      'a zone in small letters',
      `${one}schedules: { a: { cron: 0 2 * * *, timezone: europe/berlin } }`,
      /an IANA time zone/,
    ],
    [
      'a day that is none',
      `${one}schedules: { a: { at: '2027-02-30T02:00:00' } }`,
      /expected a day that the calendar has/,
    ],
    [
      'aliases without end',
      `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nsystems: *c`,
      /expected fewer aliases/,
    ],
    [
      'what S3 would not move in time',
      `${one}retention: { monthly: { days: 400, transitions: [{ afterDays: 30, to: STANDARD_IA }, { afterDays: 45, to: GLACIER }] } }`,
      /transitions\.1\.afterDays: expected at least 60: S3 moves nothing on from STANDARD_IA within 30 days/,
    ],
    [
      'what S3 would not move back',
      `${one}retention: { monthly: { days: 400, transitions: [{ afterDays: 30, to: GLACIER }, { afterDays: 90, to: STANDARD_IA }] } }`,
      /transitions\.1\.to: expected a colder class than GLACIER, such as DEEP_ARCHIVE/,
    ],
  ])('refuses %s, where it stands', (_, text, expected) => {
    expect(faults(text).join('\n')).toMatch(expected);
  });

  it('may use merge keys, and a mistake that comes by one says so', () => {
    const merged = (own: string): string =>
      `${one.replace('pe-main:', 'pe-main: &main')}  pe-two:\n    <<: *main\n${own}`;
    expect(Object.keys(parseConfig(merged(other)).systems)).toEqual(['pe-main', 'pe-two']);
    expect(faults(merged(''))).toEqual([
      expect.stringMatching(/:5:3: systems\.pe-two\..* \(it comes by the merge key <<\)$/),
    ]);
  });

  it('may not keep what stands for a longer time for a shorter one', () => {
    const example = readFileSync(new URL('../../holdfast.example.yaml', import.meta.url), 'utf8');
    expect(faults(example.replace('daily: { days: 35 }', 'daily: { days: 100 }'))).toEqual([
      expect.stringMatching(/retention\.weekly\.days: expected at least the 100 days of daily/),
    ]);
  });
});

it('the example that ships is a configuration', () => {
  const example = readFileSync(new URL('../../holdfast.example.yaml', import.meta.url), 'utf8');
  expect(Object.keys(parseConfig(example).systems)).toEqual(['pe-main']);
});

it('the schema for editors is that of the parser', () => {
  const file = readFileSync(new URL('../../docs/reference/holdfast.schema.json', import.meta.url), 'utf8');
  expect(JSON.parse(file)).toEqual(JSON.parse(JSON.stringify(z.toJSONSchema(Config, { io: 'input' }))));
});
