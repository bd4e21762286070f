import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { afterAll, describe, expect, it } from 'vitest';
import { scripts } from '#documents/compose';
import { parseConfig } from '#domain/config-file';
import { ageMetric, documentName, verbs } from '#domain/naming';
import { expiringClasses } from '#domain/retention';
import { longestGap } from '#domain/schedule';
import { holdfastApp } from '#infra/app';

// biome-ignore lint/suspicious/noExplicitAny: a template is JSON without types
type Json = { readonly [key: string]: any };

const text = readFileSync(new URL('../../holdfast.example.yaml', import.meta.url), 'utf8');
const now = new Date('2026-11-20T00:00:00Z');
const directory = mkdtempSync(join(tmpdir(), 'holdfast-infra-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const templatesOf = (configuration: string): Readonly<Record<'vault' | 'nodes' | 'control', Template>> => {
  const app = holdfastApp(configuration, 'holdfast.yaml', now, { 'aws:cdk:bundling-stacks': [] });
  const of = (name: string): Template => {
    const stack = app.node.findChild(`holdfast-${name}`);
    if (!(stack instanceof Stack)) throw new Error(`${name} is no stack`);
    return Template.fromStack(stack);
  };
  return { vault: of('vault'), nodes: of('nodes'), control: of('control') };
};

const { vault, nodes, control } = templatesOf(text);
const resources = (template: Template, type: string): Json[] =>
  Object.values(template.findResources(type)).map((resource) => resource['Properties'] ?? {});
const statements = (template: Template): Json[] =>
  ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy'].flatMap((type) =>
    resources(template, type).flatMap((policy) => policy['PolicyDocument'].Statement),
  );
// biome-ignore lint/suspicious/noExplicitAny: so is every part of it
const list = (value: unknown): any[] => (Array.isArray(value) ? value : [value]);

describe('the vault', () => {
  const buckets = Object.values(vault.findResources('AWS::S3::Bucket'));
  const [vaultBucket, stateBucket] = ['vault', 'state'].map((name) =>
    buckets.find(({ Properties }) => JSON.stringify(Properties.BucketName).includes(`holdfast-${name}-`)),
  );

  it('is encrypted, private, versioned and outlives its stack', () => {
    for (const bucket of [vaultBucket, stateBucket]) {
      expect(bucket).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
      expect(bucket?.['Properties']).toMatchObject({
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [
            { BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' } },
          ],
        },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
      });
    }
    expect(vaultBucket?.['Properties']).toMatchObject({ VersioningConfiguration: { Status: 'Enabled' } });
    expect(stateBucket?.['Properties']).not.toHaveProperty('VersioningConfiguration');
  });

  it('answers to TLS alone', () => {
    for (const { PolicyDocument } of resources(vault, 'AWS::S3::BucketPolicy'))
      expect(PolicyDocument.Statement).toContainEqual(
        expect.objectContaining({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
      );
  });

  it('lets each class expire at its age, its artifacts two days after its manifests, and nothing else', () => {
    const rules: Json[] = vaultBucket?.['Properties'].LifecycleConfiguration.Rules;
    const { retention } = parseConfig(text);
    for (const name of expiringClasses) {
      const tagged = rules.filter(({ TagFilters }) => TagFilters?.[0]?.Value === name);
      expect(tagged.map(({ Prefix, ExpirationInDays }) => [Prefix, ExpirationInDays])).toEqual([
        ['catalog/', retention[name].days],
        ['backups/', retention[name].days + 2],
      ]);
      for (const { Prefix, Transitions, TagFilters } of tagged) {
        expect(TagFilters).toEqual([{ Key: 'holdfast:retention', Value: name }]);
        if (Prefix === 'catalog/') expect(Transitions).toBeUndefined();
      }
    }
    const untagged = rules.filter(({ TagFilters }) => TagFilters === undefined);
    for (const rule of untagged) expect(rule).not.toHaveProperty('ExpirationInDays');
    for (const rule of untagged) expect(rule).not.toHaveProperty('Transitions');
    expect(untagged).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } }),
        expect.objectContaining({ NoncurrentVersionExpiration: { NoncurrentDays: 30 } }),
        expect.objectContaining({ ExpiredObjectDeleteMarker: true }),
      ]),
    );
    expect(stateBucket?.['Properties'].LifecycleConfiguration.Rules).toEqual(
      expect.arrayContaining([expect.objectContaining({ ExpirationInDays: 90 })]),
    );
  });

  it('locks objects and uses a key of yours only when told so', () => {
    vault.resourceCountIs('AWS::KMS::Key', 1);
    expect(vaultBucket?.['Properties']).not.toHaveProperty('ObjectLockEnabled');
    const arn = 'arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555';
    const other = templatesOf(
      text.replace(
        '  replication: off',
        `  replication: off\n  objectLock: { mode: compliance, days: 9 }\n  kmsKeyArn: ${arn}`,
      ),
    ).vault;
    other.resourceCountIs('AWS::KMS::Key', 0);
    other.hasResourceProperties('AWS::S3::Bucket', {
      ObjectLockEnabled: true,
      ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 9 } } },
    });
  });
});

describe('a node', () => {
  it('may write below its own prefix, read what a restore has tagged, and nothing else', () => {
    const policies = resources(nodes, 'AWS::IAM::ManagedPolicy');
    expect(policies.map(({ ManagedPolicyName }) => ManagedPolicyName)).toEqual(['holdfast-node-pe-main']);
    const said = policies[0]?.['PolicyDocument'].Statement;
    expect(said.flatMap(({ Action }: Json) => Action)).toEqual([
      's3:PutObject',
      's3:GetObject',
      's3:GetObjectVersion',
      'kms:GenerateDataKey',
      'kms:Decrypt',
    ]);
    for (const { Action, Resource, Condition } of said) {
      if (list(Action)[0].startsWith('s3:')) expect(JSON.stringify(Resource)).toContain('/backups/pe-main/*');
      if (list(Action).includes('s3:GetObject'))
        expect(Condition).toEqual({ StringEquals: { 's3:ExistingObjectTag/holdfast:restore': 'pe-main' } });
      if (list(Action).includes('kms:Decrypt')) expect(Condition.StringEquals).toHaveProperty('kms:ViaService');
    }
  });

  it('runs the documents of this project, each below 64 KB', () => {
    const documents = resources(nodes, 'AWS::SSM::Document');
    expect(documents.map(({ Name }) => Name).toSorted()).toEqual(scripts.map(documentName).toSorted());
    for (const { DocumentType, Content } of documents) {
      expect(DocumentType).toBe('Command');
      expect(JSON.stringify(Content).length).toBeLessThan(64_000);
    }
  });
});

describe('the lambdas', () => {
  it('send nothing but our documents, and only to instances of configured systems', () => {
    const sending = statements(control).filter(({ Action }) => list(Action).includes('ssm:SendCommand'));
    expect(sending).toHaveLength(2);
    expect(sending.flatMap(({ Resource }) => list(Resource)).filter((resource) => resource === '*')).toEqual([]);
    expect(JSON.stringify(sending)).not.toContain('AWS-RunShellScript');
    const [documents, instances] = sending;
    expect(
      list(documents?.['Resource'])
        .map((arn) => JSON.stringify(arn))
        .every((arn) => arn.includes(':document/Holdfast-')),
    ).toBe(true);
    expect(instances?.['Condition']).toEqual({ StringEquals: { 'ssm:resourceTag/holdfast:system': ['pe-main'] } });
  });

  it('are allowed no action by wildcard', () => {
    for (const { Action } of [...statements(control), ...statements(nodes)])
      for (const action of list(Action)) expect(action).not.toContain('*');
  });

  it('only the undoing deletes in the vault, and only below backups/', () => {
    const deleting = statements(control).filter(({ Action }) =>
      list(Action).some((action) => action.startsWith('s3:Delete')),
    );
    for (const { Resource } of deleting) expect(JSON.stringify(Resource)).toMatch(/\/(backups|locks)\/\*/);
    expect(deleting.filter(({ Resource }) => JSON.stringify(Resource).includes('/backups/*'))).toHaveLength(1);
  });

  it('are one per verb, each with a log group that forgets', () => {
    control.resourceCountIs('AWS::Lambda::Function', verbs.length);
    for (const { RetentionInDays } of resources(control, 'AWS::Logs::LogGroup'))
      expect(RetentionInDays).toBeGreaterThan(0);
  });
});

describe('the state machines', () => {
  it('have a substitution for each placeholder and a use for each substitution', () => {
    for (const { DefinitionString, DefinitionSubstitutions } of resources(
      control,
      'AWS::StepFunctions::StateMachine',
    )) {
      const used = new Set([...String(DefinitionString).matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name));
      expect([...used].toSorted()).toEqual(Object.keys(DefinitionSubstitutions).toSorted());
    }
  });

  it('of a backup is undone when it was aborted or timed out', () => {
    const rule = resources(control, 'AWS::Events::Rule').find(({ Targets }) => Targets[0].RoleArn !== undefined);
    expect(rule?.['EventPattern']).toMatchObject({ detail: { status: ['ABORTED', 'TIMED_OUT'] } });
    expect(rule?.['Targets'][0].InputTransformer).toEqual({
      InputPathsMap: { 'detail-name': '$.detail.name' },
      InputTemplate: '{"run":<detail-name>}',
    });
  });
});

describe('a schedule', () => {
  it('has its expression, time zone, slot, few retries, an end to lateness and a dead-letter queue', () => {
    control.hasResourceProperties('AWS::Scheduler::Schedule', {
      ScheduleExpression: 'cron(30 1 * * ? *)',
      ScheduleExpressionTimezone: 'Europe/Berlin',
      Target: { Input: '{"system":"pe-main","schedule":"nightly","scheduledTime":"<aws.scheduler.scheduled-time>"}' },
    });
    for (const { Target } of resources(control, 'AWS::Scheduler::Schedule')) {
      expect(Target.DeadLetterConfig).toBeDefined();
      expect(Target.RetryPolicy.MaximumRetryAttempts).toBeLessThanOrEqual(5);
      expect(Target.RetryPolicy.MaximumEventAgeInSeconds).toBeLessThanOrEqual(3600);
    }
  });
});

describe('the alarms', () => {
  const alarms = resources(control, 'AWS::CloudWatch::Alarm');

  it('tell when a backup is overdue or nothing is known of it', () => {
    const gap = longestGap({ cron: '30 1 * * *', timezone: 'Europe/Berlin' }, now) / 1000;
    const overdue = alarms.find(({ AlarmName }) => AlarmName === 'holdfast-pe-main-backup-overdue');
    expect(overdue).toMatchObject({
      Threshold: gap * 1.5,
      TreatMissingData: 'breaching',
      Namespace: ageMetric.namespace,
      MetricName: ageMetric.name,
      ComparisonOperator: 'GreaterThanThreshold',
    });
    expect(Object.fromEntries(overdue?.['Dimensions'].map(({ Name, Value }: Json) => [Name, Value]))).toEqual(
      ageMetric.dimensions('pe-main'),
    );
  });

  it('all wake somebody, and each has its section in the runbook, as each section has its alarm', () => {
    const runbook = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8');
    const sections = [...runbook.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
    const named = alarms.map(({ AlarmName }) => AlarmName.replace(/^holdfast-(pe-main-)?/, ''));
    expect(named.toSorted()).toEqual(sections.toSorted());
    for (const { AlarmActions, AlarmDescription } of alarms) {
      expect(AlarmActions).toHaveLength(1);
      expect(AlarmDescription).toMatch(/See docs\/runbook\.md, ([a-z-]+)\.$/);
    }
  });
});

describe('the app', () => {
  it('synthesizes with bundles, the configuration beside those that read it, and without a finding', () => {
    const root = new URL('../..', import.meta.url).pathname;
    const output = join(directory, 'cdk.out');
    const { status, stderr } = spawnSync('node', ['infra/app.ts'], {
      cwd: root,
      env: { ...process.env, HOLDFAST_FILE: 'holdfast.example.yaml', CDK_OUTDIR: output },
      encoding: 'utf8',
    });
    expect([status, status === 0 ? '' : stderr.slice(-2000)]).toEqual([0, '']);
    const report = readFileSync(join(output, 'validation-report.json'), 'utf8');
    for (const plugin of JSON.parse(report).pluginReports) expect(plugin.violations ?? []).toEqual([]);
    const template = JSON.parse(readFileSync(join(output, 'holdfast-control.template.json'), 'utf8'));
    for (const resource of Object.values<Json>(template.Resources)) {
      if (resource['Type'] !== 'AWS::Lambda::Function') continue;
      const asset = join(output, `asset.${String(resource['Properties'].Code.S3Key).replace('.zip', '')}`);
      const reads = readFileSync(join(asset, 'index.mjs'), 'utf8').includes('HOLDFAST_CONFIG');
      expect([resource['Properties'].FunctionName, existsSync(join(asset, 'holdfast.json'))]).toEqual([
        resource['Properties'].FunctionName,
        reads,
      ]);
    }
  }, 120_000);

  it('ends with the faults of a bad configuration and exit code 1', () => {
    const { status, stderr } = spawnSync('node', ['infra/app.ts'], {
      cwd: new URL('../..', import.meta.url).pathname,
      env: { ...process.env, HOLDFAST_FILE: 'package.json', CDK_OUTDIR: join(directory, 'bad') },
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^package\.json:\d+:\d+: systems: expected this key$/m);
  });

  it.each(['vault', 'nodes', 'control'] as const)('%s is as it was last reviewed', (name) => {
    const template = { vault, nodes, control }[name].toJSON();
    const reviewed = JSON.stringify(
      template,
      (key, value) => {
        if (key === 'S3Key' || key === 'aws:asset:path') return '(asset)';
        // The documents' and machines' files are reviewed where they are written.
        if (key === 'Content' || key === 'DefinitionString') return '(file)';
        return value;
      },
      2,
    );
    expect(reviewed).toMatchSnapshot();
  });
});
