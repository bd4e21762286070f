import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { IPolicyValidationContext, IPolicyValidationPlugin, PolicyValidationPluginReport } from 'aws-cdk-lib';
import * as z from 'zod';

/** What AWS refuses to deploy, however right each resource is by itself. CloudFormation would find out half-way, and roll back. */

type Json = z.core.util.JSONType;

const Template = z.object({
  Resources: z.record(
    z.string(),
    z.object({ Type: z.string(), Properties: z.record(z.string(), z.json()).default({}) }),
  ),
  Outputs: z.record(z.string(), z.json()).default({}),
  Parameters: z.record(z.string(), z.json()).default({}),
});

/** One limit that a template is over. */
export interface Excess {
  /** The logical id; absent when it is the template's own. */
  readonly resource?: string;
  readonly what: string;
  readonly found: number;
  readonly limit: number;
}

/** A reference whose value only CloudFormation knows, such as an ARN, is taken for one of so many characters. */
const referenceLength = 100;

/** The longest that there are of what an account's place is called. */
const places: Readonly<Record<string, string>> = {
  'AWS::Partition': 'aws-us-gov',
  'AWS::Region': 'ap-southeast-1',
  'AWS::AccountId': '111122223333',
  'AWS::URLSuffix': 'amazonaws.com.cn',
};

/** About what CloudFormation makes of a value: a text as it is, a reference as so many characters. */
const resolved = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(resolved);
  if (typeof value !== 'object' || value === null) return value;
  const [[name, argument] = [], ...others] = Object.entries(value);
  if (others.length > 0 || name === undefined || !/^(Ref|Fn::)/.test(name))
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, resolved(part)]));
  if (name === 'Ref') return places[String(argument)] ?? 'x'.repeat(referenceLength);
  if (name !== 'Fn::Join' || !Array.isArray(argument)) return 'x'.repeat(referenceLength);
  const [separator, parts] = argument;
  return (Array.isArray(parts) ? parts : []).map((part) => String(resolved(part))).join(String(separator));
};

/** Policies count without the blanks between their words. */
const policyLength = (document: Json | undefined): number => JSON.stringify(resolved(document ?? {})).length;

const Widget = z.object({
  type: z.string(),
  properties: z.object({ alarms: z.array(z.json()).optional(), metrics: z.array(z.json()).default([]) }),
});

const ofDashboard = (body: Json | undefined): Omit<Excess, 'resource'>[] => {
  const { widgets } = z.object({ widgets: z.array(Widget) }).parse(JSON.parse(String(resolved(body ?? ''))));
  const metrics = widgets.map(({ properties }) => properties.metrics.length);
  return [
    { what: 'widgets of a dashboard', found: widgets.length, limit: 500 },
    { what: 'metrics of a dashboard', found: metrics.reduce((sum, count) => sum + count, 0), limit: 2500 },
    ...metrics.map((found) => ({ what: 'metrics of a widget', found, limit: 500 })),
    ...widgets.flatMap(({ properties: { alarms } }) =>
      alarms ? [{ what: 'alarms of a widget', found: alarms.length || Number.POSITIVE_INFINITY, limit: 100 }] : [],
    ),
  ];
};

const ofResource = (type: string, properties: Readonly<Record<string, Json>>): Omit<Excess, 'resource'>[] => {
  const length = (name: string): number => JSON.stringify(resolved(properties[name] ?? '')).length;
  switch (type) {
    case 'AWS::IAM::ManagedPolicy':
      return [
        { what: 'characters of a managed policy', found: policyLength(properties['PolicyDocument']), limit: 6144 },
      ];
    case 'AWS::IAM::Policy':
      return [
        {
          what: 'characters of the policies of a role',
          found: policyLength(properties['PolicyDocument']),
          limit: 10_240,
        },
      ];
    case 'AWS::CloudWatch::Dashboard':
      return ofDashboard(properties['DashboardBody']);
    case 'AWS::Events::Rule':
      return [{ what: "characters of a rule's pattern", found: length('EventPattern'), limit: 2048 }];
    case 'AWS::SSM::Document':
      return [
        {
          what: 'bytes of a document',
          found: Buffer.byteLength(JSON.stringify(properties['Content'] ?? '')),
          limit: 65_536,
        },
      ];
    case 'AWS::StepFunctions::StateMachine':
      return [
        {
          what: 'characters of a state machine',
          found: String(resolved(properties['DefinitionString'] ?? '')).length,
          limit: 1_048_576,
        },
      ];
    case 'AWS::Lambda::Function':
      return [{ what: "bytes of a lambda's environment", found: length('Environment'), limit: 4096 }];
    case 'AWS::S3::Bucket':
      return [
        { what: 'lifecycle rules of a bucket', found: rulesOf(properties['LifecycleConfiguration']), limit: 1000 },
      ];
    default:
      return [];
  }
};

const rulesOf = (lifecycle: Json | undefined): number =>
  z.object({ Rules: z.array(z.json()) }).safeParse(lifecycle).data?.Rules.length ?? 0;

/** The limits that a template is over, in the order of the template. */
export const excesses = (text: string): readonly Excess[] => {
  const { Resources, Outputs, Parameters } = Template.parse(JSON.parse(text));
  const all: Excess[] = [
    { what: 'bytes of a template', found: Buffer.byteLength(text), limit: 1_048_576 },
    { what: 'resources of a stack', found: Object.keys(Resources).length, limit: 500 },
    { what: 'outputs of a stack', found: Object.keys(Outputs).length, limit: 200 },
    { what: 'parameters of a stack', found: Object.keys(Parameters).length, limit: 200 },
    ...Object.entries(Resources).flatMap(([resource, { Type, Properties }]) =>
      ofResource(Type, Properties).map((excess) => ({ resource, ...excess })),
    ),
  ];
  return all.filter(({ found, limit }) => found > limit);
};

/** Fails a synthesis whose templates AWS would refuse, and says by which limit. */
export class DeploymentLimits implements IPolicyValidationPlugin {
  readonly name = 'DeploymentLimits';

  validate({ templatePaths }: IPolicyValidationContext): PolicyValidationPluginReport {
    const violations = templatePaths.flatMap((templatePath) =>
      excesses(readFileSync(templatePath, 'utf8')).map(({ resource, what, found, limit }) => ({
        ruleName: what.replaceAll(' ', '-'),
        description: `${basename(templatePath)} has ${found} ${what}, and AWS takes ${limit}.`,
        fix: 'Deploy some of the systems from another account or region.',
        violatingResources: [
          { ...(resource !== undefined && { resourceLogicalId: resource }), locations: [], templatePath },
        ],
      })),
    );
    return { success: violations.length === 0, violations };
  }
}
