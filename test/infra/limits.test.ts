import { App, CfnResource, Stack, Validations } from 'aws-cdk-lib';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '#domain/config-file';
import { DeploymentLimits, excesses } from '#infra/limits';
import { deployed } from './deployed.ts';

/** So many systems, each with three schedules, and with names as long as they may be. */
const systems = (count: number): string => {
  const ids = Array.from({ length: count }, (_, n) => `${'a-system-with-a-long-name-'.padEnd(28, 'x')}${1000 + n}`);
  return `systems:\n${ids
    .map(
      (id, n) => `  ${id}:
    kind: puppet-enterprise
    nodes: [{ instance: i-${`${n}`.padStart(17, '0')}, roles: [master, puppetdb, console] }]
    schedules: [nightly, weekly, often]\n`,
    )
    .join('')}schedules:
  nightly: { cron: 0 2 * * *, timezone: Europe/Berlin }
  weekly: { cron: 0 4 * * 0 }
  often: { rate: 6 hours }
`;
};

/** As many as holdfast.yaml may have, and 60 are among them. */
const most = 81;

describe('as many systems as a configuration may have, with three schedules each', () => {
  const { templates, all } = deployed(systems(most));

  it('are below every limit of AWS', () => {
    expect(most).toBeGreaterThan(60);
    for (const [name, template] of Object.entries(templates))
      expect([name, excesses(JSON.stringify(template))]).toEqual([name, []]);
  });

  it('and one more are refused by the configuration, with the number of alarms and what to do', () => {
    expect(() => parseConfig(systems(most))).not.toThrow();
    const alarms = Object.keys(all('AWS::CloudWatch::Alarm')).length + 6;
    expect(() => parseConfig(systems(most + 1))).toThrow(
      new RegExp(
        String.raw`holdfast\.yaml:\d+:\d+: systems: expected fewer systems: .* ${alarms} alarms.* Deploy .* another account or region`,
      ),
    );
  });
});

it('systems and schedules whose names run into each other are kept apart', () => {
  const text = systems(2)
    .replaceAll(/a-system\S+1000/g, 'pe')
    .replaceAll(/a-system\S+1001/g, 'pe-main')
    .replace('schedules: [nightly, weekly, often]', 'schedules: [main-nightly]')
    .replace('schedules:\n  nightly:', 'schedules:\n  main-nightly: { rate: 1 day }\n  nightly:');
  const names = Object.values(deployed(text).all('AWS::Scheduler::Schedule')).map(({ Name }) => Name);
  expect(names).toEqual(expect.arrayContaining(['pe.main-nightly', 'pe-main.nightly']));
  expect(new Set(names).size).toBe(names.length);
});

describe('a template', () => {
  const template = (resources: object): string => JSON.stringify({ Resources: resources });
  const many = (count: number, one: object) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`R${n}`, one]));
  const widget = (count: number) => ({
    Type: 'AWS::CloudWatch::Dashboard',
    Properties: {
      DashboardBody: {
        'Fn::Join': [
          '',
          ['{"widgets":[{"type":"alarm","properties":{"alarms":[', Array(count).fill('"a"').join(','), ']}}]}'],
        ],
      },
    },
  });
  const policy = (type: string, arns: number) => ({
    Type: `AWS::IAM::${type}`,
    Properties: { PolicyDocument: { Statement: Array.from({ length: arns }, () => ({ 'Fn::GetAtt': ['X', 'Arn'] })) } },
  });

  it.each([
    ['501 resources', many(501, { Type: 'A::B::C' }), 'resources of a stack'],
    ['an alarm widget of 101', { D: widget(101) }, 'alarms of a widget'],
    ['an alarm widget of none', { D: widget(0) }, 'alarms of a widget'],
    ['a managed policy of 60 ARNs', { P: policy('ManagedPolicy', 60) }, 'characters of a managed policy'],
    ['a role with 100 ARNs', { P: policy('Policy', 100) }, 'characters of the policies of a role'],
    [
      'a document of 64 KB',
      { D: { Type: 'AWS::SSM::Document', Properties: { Content: 'x'.repeat(65_536) } } },
      'bytes of a document',
    ],
  ])('with %s is refused', (_, resources, what) => {
    expect(excesses(template(resources)).map((excess) => excess.what)).toEqual([what]);
  });

  it('that AWS would refuse fails the synthesis, which says why', () => {
    const app = new App();
    Validations.of(app).addPlugins(new DeploymentLimits());
    const stack = new Stack(app, 'much');
    const [type, alarms] = ['AWS::CloudWatch::Dashboard', Array(101).fill('a')];
    const DashboardBody = JSON.stringify({ widgets: [{ type: 'alarm', properties: { alarms } }] });
    new CfnResource(stack, 'Dashboard', { type, properties: { DashboardBody } });
    expect(() => app.synth()).toThrow(/much\.template\.json has 101 alarms of a widget, and AWS takes 100/);
  });

  it('just at its limits is not', () => {
    const resources = { ...many(498, { Type: 'A::B::C' }), D: widget(100), P: policy('ManagedPolicy', 58) };
    expect(excesses(template(resources))).toEqual([]);
  });
});
