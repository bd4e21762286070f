import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { App } from 'aws-cdk-lib';
import * as z from 'zod';
import { holdfastApp } from '#infra/app';

/** The stacks as they would stand in an account: every reference followed, so that a test can name real ARNs. */

export type Json = z.core.util.JSONType;

const account = '111122223333';
const region = 'eu-central-1';
export const here = `${region}:${account}`;

/** A fixed moment: the longest gap of a schedule depends on when daylight saving time next ends. */
export const now = new Date('2026-11-20T00:00:00Z');

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

export const example = read('holdfast.example.yaml');

/** The feature flags that a deployment has: only the CLI reads them by itself. */
export const flags = z.object({ context: z.record(z.string(), z.json()) }).parse(JSON.parse(read('cdk.json'))).context;

const system = (schedules: string): string => `
    kind: puppet-enterprise
    nodes: [{ tag: { key: Name, value: master }, roles: [master, puppetdb, console] }]
    schedules: [${schedules}]`;

/** Every kind of schedule, a system with two of them, one with none, a lock and a key of one's own. */
export const ownKey = `arn:aws:kms:${here}:key/11111111-2222-3333-4444-555555555555`;
export const rich = `
systems:
  pe-main:${system('nightly, often')}
  pe-lab:${system('minutely')}
  pe-once:${system('move')}
  pe-manual:${system('')}
schedules:
  nightly: { cron: 30 1 * * *, timezone: Europe/Berlin }
  often: { rate: 20 minutes }
  minutely: { rate: 1 minute }
  move: { at: 2027-03-01T20:00:00, timezone: Europe/Berlin }
retention:
  monthly: { days: 400, transitions: [{ afterDays: 30, to: STANDARD_IA }, { afterDays: 90, to: DEEP_ARCHIVE }] }
vault:
  objectLock: { mode: governance, days: 30 }
  kmsKeyArn: ${ownKey}
notifications:
  ping: https://ping.example.com/{system}
  runbook: https://wiki.example.com/holdfast/runbook
`;

const Resource = z.looseObject({ Type: z.string(), Properties: z.record(z.string(), z.json()).default({}) });
const Template = z.object({
  Resources: z.record(z.string(), Resource),
  Outputs: z
    .record(z.string(), z.object({ Value: z.json(), Export: z.object({ Name: z.json() }).optional() }))
    .default({}),
});
type Template = z.infer<typeof Template>;

/** Where a resource's type has its name, and the ARN that AWS gives it. */
const known: Readonly<Record<string, readonly [nameProperty: string, arn: (name: string) => string]>> = {
  'AWS::S3::Bucket': ['BucketName', (name) => `arn:aws:s3:::${name}`],
  'AWS::KMS::Key': ['', (name) => `arn:aws:kms:${here}:key/${name}`],
  'AWS::Lambda::Function': ['FunctionName', (name) => `arn:aws:lambda:${here}:function:${name}`],
  'AWS::StepFunctions::StateMachine': ['StateMachineName', (name) => `arn:aws:states:${here}:stateMachine:${name}`],
  'AWS::SNS::Topic': ['TopicName', (name) => `arn:aws:sns:${here}:${name}`],
  'AWS::SQS::Queue': ['QueueName', (name) => `arn:aws:sqs:${here}:${name}`],
  'AWS::Logs::LogGroup': ['LogGroupName', (name) => `arn:aws:logs:${here}:log-group:${name}:*`],
  'AWS::CloudWatch::Alarm': ['AlarmName', (name) => `arn:aws:cloudwatch:${here}:alarm:${name}`],
  'AWS::Events::Rule': ['', (name) => `arn:aws:events:${here}:rule/${name}`],
  'AWS::Scheduler::ScheduleGroup': ['Name', (name) => `arn:aws:scheduler:${here}:schedule-group/${name}`],
  'AWS::IAM::Role': ['RoleName', (name) => `arn:aws:iam::${account}:role/${name}`],
};

/** These types' `Ref` is their ARN. */
const referredByArn = ['AWS::StepFunctions::StateMachine', 'AWS::SNS::Topic'];

const pseudo: Readonly<Record<string, string>> = {
  'AWS::Partition': 'aws',
  'AWS::Region': region,
  'AWS::AccountId': account,
  'AWS::URLSuffix': 'amazonaws.com',
};

const isObject = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const Text = z.string();

/** What CloudFormation would make of a value. An intrinsic function that it does not know is an error. */
const evaluator = (templates: readonly Template[]) => {
  const evaluate = (value: Json, template: Template): Json => {
    const inner = (part: Json | undefined): Json => evaluate(part ?? null, template);
    if (Array.isArray(value)) return value.map(inner);
    if (!isObject(value)) return value;
    const [[intrinsic, argument] = [], ...others] = Object.entries(value);
    if (others.length > 0 || intrinsic === undefined || !/^(Ref|Fn::)/.test(intrinsic))
      return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, inner(part)]));
    const parts = Array.isArray(argument) ? argument : [];
    switch (intrinsic) {
      case 'Ref':
        return reference(Text.parse(argument), template);
      case 'Fn::GetAtt':
        return attribute(Text.parse(parts[0]), Text.parse(parts[1]), template);
      case 'Fn::Join':
        return z.array(Text).parse(inner(parts[1])).join(Text.parse(parts[0]));
      case 'Fn::Split':
        return Text.parse(inner(parts[1])).split(Text.parse(parts[0]));
      case 'Fn::Select':
        return z.array(Text).parse(inner(parts[1]))[Number(parts[0])] ?? null;
      case 'Fn::Sub':
        return Text.parse(argument).replace(/\$\{([\w:]+)\}/g, (_, name: string) => reference(name, template));
      case 'Fn::ImportValue':
        return imported(Text.parse(inner(argument)));
      default:
        throw new Error(`${intrinsic} is not known here`);
    }
  };
  const nameOf = (id: string, template: Template): string => {
    const { Type, Properties } = Resource.parse(template.Resources[id]);
    const name = Properties[known[Type]?.[0] ?? ''];
    return name === undefined ? id : Text.parse(evaluate(name, template));
  };
  const arnOf = (id: string, template: Template): string => {
    const arn = known[Resource.parse(template.Resources[id]).Type]?.[1];
    if (!arn) throw new Error(`no ARN is known of ${id}`);
    return arn(nameOf(id, template));
  };
  const reference = (id: string, template: Template): string => {
    const found = pseudo[id];
    if (found !== undefined) return found;
    const byArn = referredByArn.includes(Resource.parse(template.Resources[id]).Type);
    return byArn ? arnOf(id, template) : nameOf(id, template);
  };
  const attribute = (id: string, name: string, template: Template): string => {
    if (name === 'Arn') return arnOf(id, template);
    if (name.endsWith('Name')) return nameOf(id, template);
    throw new Error(`the attribute ${name} of ${id} is not known here`);
  };
  const imported = (name: string): Json => {
    for (const template of templates)
      for (const { Value, Export } of Object.values(template.Outputs))
        if (Export?.Name === name) return evaluate(Value, template);
    throw new Error(`nobody exports ${name}`);
  };
  return evaluate;
};

export interface Deployed {
  readonly app: App;
  readonly templates: Readonly<Record<string, Json>>;
  /** What the validation says of them. */
  readonly report: Json;
  /** The evaluated properties of all resources of a type, by logical id. */
  readonly all: (type: string) => Readonly<Record<string, { readonly [key: string]: Json }>>;
}

/** What was deployed before: it takes seconds, and nobody changes it. */
const before = new Map<string, Deployed>();

/** The stacks of a configuration, without bundles. */
export const deployed = (text: string): Deployed => {
  const found = before.get(text) ?? synthesized(text);
  before.set(text, found);
  return found;
};

const synthesized = (text: string): Deployed => {
  const app = holdfastApp(text, 'holdfast.yaml', now, { ...flags, 'aws:cdk:bundling-stacks': [] });
  const assembly = app.synth();
  const raw = Object.fromEntries(assembly.stacks.map((stack) => [stack.stackName, z.json().parse(stack.template)]));
  const report = z.json().parse(JSON.parse(readFileSync(join(assembly.directory, 'validation-report.json'), 'utf8')));
  rmSync(assembly.directory, { recursive: true });
  const templates = Object.values(raw).map((template) => Template.parse(template));
  const evaluate = evaluator(templates);
  return {
    app,
    templates: raw,
    report,
    all: (type) =>
      Object.fromEntries(
        templates.flatMap((template) =>
          Object.entries(template.Resources)
            .filter(([, { Type }]) => Type === type)
            .map(([id, { Properties }]) => {
              const value = evaluate(Properties, template);
              if (!isObject(value)) throw new Error(`${id} has no properties`);
              return [id, value];
            }),
        ),
      ),
  };
};

const oneOrMore = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());

/** A statement of a policy, one or many made many. */
export const Statement = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Principal: z.json().optional(),
  Action: oneOrMore,
  Resource: oneOrMore.optional(),
  Condition: z.json().optional(),
});
export type Statement = z.infer<typeof Statement>;

const Policy = z.looseObject({
  PolicyDocument: z.object({ Statement: z.array(Statement) }),
  Roles: z.array(z.string()).default([]),
  ManagedPolicyName: z.string().optional(),
});

/** What each role may do, by the role's logical id, and what each managed policy grants, by its name. */
export const grants = (of: Deployed): readonly { readonly who: string; readonly statements: readonly Statement[] }[] =>
  ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy']
    .flatMap((type) => Object.values(of.all(type)))
    .map((properties) => Policy.parse(properties))
    .flatMap(({ PolicyDocument, Roles, ManagedPolicyName }) =>
      [...Roles, ...(ManagedPolicyName === undefined ? [] : [ManagedPolicyName])].map((who) => ({
        who,
        statements: PolicyDocument.Statement,
      })),
    );
