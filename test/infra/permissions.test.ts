import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { documentName, everyReader, readersTag } from '#domain/naming';
import { nodeStatements } from '#domain/node-policy';
import { documents } from '#domain/systems/documents';
import { isAllowed } from '#local/runtime/node-policy';
import { deployed, example, grants, here, ownKey, rich, Statement } from './deployed.ts';

const small = deployed(example);
const large = deployed(rich);
const stateArn = `arn:aws:s3:::holdfast-state-${here.split(':').toReversed().join('-')}`;
const vault = `arn:aws:s3:::holdfast-vault-${here.split(':').toReversed().join('-')}`;

/** One line per grant, so that a review sees what a change lets whom do. */
const table = grants(small)
  .flatMap(({ who, statements }) =>
    statements.flatMap(({ Effect, Action, Resource = [], Condition }) =>
      Resource.flatMap((resource) =>
        Action.map((action) =>
          [who, Effect === 'Deny' ? `not ${action}` : action, resource, Condition && JSON.stringify(Condition)]
            .filter(Boolean)
            .join('  '),
        ),
      ),
    ),
  )
  .toSorted();

it('everybody may do what was last reviewed', async () => {
  await expect(`${table.join('\n')}\n`).toMatchFileSnapshot('__snapshots__/permissions.txt');
});

describe.each([
  ['the example', small],
  ['every feature', large],
] as const)('with %s', (_, stacks) => {
  const statements = grants(stacks).flatMap(({ who, statements: list }) => list.map((one) => ({ who, ...one })));

  it('nobody is allowed an action by wildcard', () => {
    expect(statements.length).toBeGreaterThan(20);
    expect(statements.filter(({ Action }) => Action.some((action) => action.includes('*')))).toEqual([]);
  });

  it('nobody is given a policy of AWS, which grows without being asked', () => {
    for (const role of Object.values(stacks.all('AWS::IAM::Role'))) {
      expect(role).not.toHaveProperty('ManagedPolicyArns');
      expect(role).not.toHaveProperty('Policies');
    }
  });

  it('only actions that know no resource are allowed on all resources', () => {
    const everywhere = statements.filter(({ Resource }) => Resource?.includes('*')).flatMap(({ Action }) => Action);
    for (const action of everywhere)
      expect(action).toMatch(
        /^(xray:|logs:|states:(SendTask|ListStateMachines$)|ssm:(Describe|List|Get|CancelCommand$))/,
      );
  });

  it('commands are our documents alone, sent only to instances of configured systems', () => {
    const sending = statements.filter(({ Action }) => Action.includes('ssm:SendCommand'));
    expect(new Set(sending.map(({ who }) => who)).size).toBe(1);
    const ours = documents.map(({ name }) => `arn:aws:ssm:${here}:document/${name}`);
    const looking = statements.filter(({ Action }) => Action.includes('ssm:DescribeDocument'));
    expect(new Set(looking.flatMap(({ Resource }) => Resource))).toEqual(
      new Set([`arn:aws:ssm:${here}:document/${documentName('')}*`]),
    );
    const instances = `arn:aws:ec2:${here}:instance/*`;
    expect(sending.flatMap(({ Resource }) => Resource).toSorted()).toEqual([instances, ...ours].toSorted());
    const systems = Object.values(stacks.all('AWS::IAM::ManagedPolicy'))
      .map(({ ManagedPolicyName }) => String(ManagedPolicyName))
      .filter((name) => name.startsWith('holdfast-node-'))
      .map((name) => name.replace('holdfast-node-', ''));
    for (const { Resource, Condition } of sending)
      if (Resource?.includes(instances)) {
        expect(Resource).toEqual([instances]);
        expect(Condition).toEqual({
          StringEquals: { 'ssm:resourceTag/holdfast:system': systems },
        });
      }
  });
});

it('only the undo and the janitor delete in the vault, and there only what lies below backups/', () => {
  const deleting = grants(small).flatMap(({ who, statements }) =>
    statements
      .filter(({ Action }) => Action.some((action) => action.startsWith('s3:Delete')))
      .flatMap(({ Action, Resource = [] }) => Resource.map((resource) => ({ who, actions: Action, resource }))),
  );
  const inVault = deleting.filter(({ resource }) => resource.startsWith(vault));
  expect(inVault.map(({ who }) => who.replace(/Role.*/, ''))).toEqual(['Verbcleanup', 'Verbjanitor']);
  for (const { resource } of inVault) expect(resource).toBe(`${vault}/backups/*`);
  for (const { actions } of deleting) expect(actions).not.toContain('s3:DeleteObjectVersion');
});

describe('of the lambdas', () => {
  const lambdas = grants(large).filter(({ who }) => who.startsWith('Verb'));
  const statements = lambdas.flatMap(({ who, statements: list }) =>
    list.map((one) => ({ who: who.replace(/Role.*/, ''), ...one })),
  );
  const Conditions = z.record(z.string(), z.record(z.string(), z.json())).default({});

  it('one alone can read what backups hold: the others get sizes and versions from listings', () => {
    const reading = statements.filter(
      ({ Action, Resource = [] }) =>
        Action.some((action) => action === 's3:GetObject' || action === 's3:GetObjectVersion') &&
        Resource.some((resource) => [`${vault}/backups/*`, `${vault}/*`, '*'].includes(resource)),
    );
    expect(reading.map(({ who }) => who)).toEqual(['Verbverifybackup']);
  });

  it('nobody bypasses a lock, one locks what it commits, and one holds', () => {
    const who = (action: string) => statements.filter(({ Action }) => Action.includes(action)).map((one) => one.who);
    const everywhere = [small, large]
      .flatMap(grants)
      .flatMap(({ statements: list }) => list.flatMap(({ Action }) => Action));
    expect(everywhere).not.toContain('s3:BypassGovernanceRetention');
    expect(new Set(who('s3:PutObjectRetention'))).toEqual(new Set(['Verbcommitbackup']));
    expect(new Set(who('s3:PutObjectLegalHold'))).toEqual(new Set(['Verbholdbackup']));
  });

  it('each reaches buckets of this account alone, whoever has taken a name', () => {
    const onS3 = statements.filter(({ Action }) => Action.some((action) => action.startsWith('s3:')));
    expect(onS3.length).toBeGreaterThan(20);
    for (const { Condition } of onS3)
      expect(Conditions.parse(Condition)['StringEquals']).toMatchObject({ 'aws:ResourceAccount': here.split(':')[1] });
  });

  it('each uses the key through S3 alone, for one of our buckets', () => {
    const onKey = statements.filter(
      ({ Action, Resource }) => Action.some((action) => action.startsWith('kms:')) && Resource?.includes(ownKey),
    );
    expect(onKey.length).toBeGreaterThan(5);
    for (const { Condition } of onKey)
      expect(Condition).toEqual({
        StringEquals: { 'kms:ViaService': `s3.${here.split(':')[0]}.amazonaws.com` },
        StringLike: { 'kms:EncryptionContext:aws:s3:arn': [expect.any(String), expect.any(String)] },
      });
  });
});

describe('each action of the lambdas', () => {
  /** The line that calls it. What a right of a verb takes is in infra/grants.ts; that a verb uses its right, in npm run test:mutate. */
  const calls: Readonly<Record<string, readonly [file: string, code: string]>> = {
    's3:GetObject': ['aws/bucket.ts', 'new GetObjectCommand({ Bucket: bucket, Key })'],
    's3:GetObjectVersion': ['aws/bucket.ts', 'new GetObjectCommand({ ...named(bucket, object), Range:'],
    's3:PutObject': ['aws/bucket.ts', 'new PutObjectCommand('],
    's3:DeleteObject': ['aws/bucket.ts', 'new DeleteObjectCommand('],
    's3:GetObjectTagging': ['aws/bucket.ts', 'new GetObjectTaggingCommand('],
    's3:GetObjectVersionTagging': ['aws/bucket.ts', 'new GetObjectTaggingCommand('],
    's3:PutObjectTagging': ['aws/bucket.ts', 'new PutObjectTaggingCommand('],
    's3:PutObjectVersionTagging': ['aws/bucket.ts', 'new PutObjectTaggingCommand('],
    's3:PutObjectRetention': ['aws/bucket.ts', 'new PutObjectRetentionCommand('],
    's3:PutObjectLegalHold': ['aws/bucket.ts', 'new PutObjectLegalHoldCommand('],
    's3:RestoreObject': ['aws/bucket.ts', 'new RestoreObjectCommand('],
    's3:AbortMultipartUpload': ['aws/bucket.ts', 'new AbortMultipartUploadCommand('],
    's3:ListBucket': ['aws/bucket.ts', 'paginateListObjectsV2('],
    's3:ListBucketVersions': ['aws/bucket.ts', 'new ListObjectVersionsCommand('],
    's3:ListBucketMultipartUploads': ['aws/bucket.ts', 'new ListMultipartUploadsCommand('],
    // S3 itself calls it for whoever reads or writes.
    'kms:Decrypt': ['aws/bucket.ts', 'new GetObjectCommand('],
    'kms:GenerateDataKey': ['aws/bucket.ts', 'new PutObjectCommand('],
    'kms:GenerateMac': ['aws/signatures.ts', 'new GenerateMacCommand('],
    'kms:VerifyMac': ['aws/signatures.ts', 'new VerifyMacCommand('],
    'kms:Sign': ['aws/signatures.ts', 'new SignCommand('],
    'ssm:SendCommand': ['aws/run-command.ts', 'new SendCommandCommand('],
    'ssm:DescribeDocument': ['aws/run-command.ts', 'new DescribeDocumentCommand('],
    'ssm:DescribeInstanceInformation': ['aws/run-command.ts', 'paginateDescribeInstanceInformation('],
    'ssm:ListCommands': ['aws/run-command.ts', 'new ListCommandsCommand('],
    'ssm:ListCommandInvocations': ['aws/run-command.ts', 'new ListCommandInvocationsCommand('],
    'ssm:GetCommandInvocation': ['aws/run-command.ts', 'new GetCommandInvocationCommand('],
    'ssm:CancelCommand': ['aws/run-command.ts', 'new CancelCommandCommand('],
    'states:DescribeExecution': ['aws/executions.ts', 'new DescribeExecutionCommand('],
    'states:GetExecutionHistory': ['aws/executions.ts', 'paginateGetExecutionHistory('],
    'states:StartExecution': ['aws/executions.ts', 'new StartExecutionCommand('],
    'states:SendTaskSuccess': ['aws/executions.ts', 'new SendTaskSuccessCommand('],
    'states:SendTaskFailure': ['aws/executions.ts', 'new SendTaskFailureCommand('],
    'scheduler:GetSchedule': ['aws/schedules.ts', 'new GetScheduleCommand('],
    'scheduler:UpdateSchedule': ['aws/schedules.ts', 'new UpdateScheduleCommand('],
    // Whoever updates a schedule hands over its role again.
    'iam:PassRole': ['aws/schedules.ts', 'new UpdateScheduleCommand('],
    'events:PutEvents': ['aws/notices.ts', 'new PutEventsCommand('],
    'sns:Publish': ['aws/notices.ts', 'new PublishCommand('],
    // What Lambda itself does for a function: its log, its traces, and the events that it could not deliver.
    'logs:CreateLogStream': ['infra/verb.ts', 'logGroup.grantWrite(role)'],
    'logs:PutLogEvents': ['infra/verb.ts', 'logGroup.grantWrite(role)'],
    'xray:PutTelemetryRecords': ['infra/verb.ts', 'Tracing.ACTIVE'],
    'xray:PutTraceSegments': ['infra/verb.ts', 'Tracing.ACTIVE'],
    'sqs:SendMessage': ['infra/control-stack.ts', 'SqsDestination('],
    'sqs:GetQueueAttributes': ['infra/control-stack.ts', 'SqsDestination('],
    'sqs:GetQueueUrl': ['infra/control-stack.ts', 'SqsDestination('],
  };

  it('is called by a line of ours, and none is granted that no line calls', () => {
    const granted = grants(large)
      .filter(({ who }) => who.startsWith('Verb'))
      .flatMap(({ statements }) => statements.flatMap(({ Action }) => Action));
    expect(Object.keys(calls).toSorted()).toEqual([...new Set(granted)].toSorted());
  });

  it.each(Object.entries(calls))('%s: %j', (_, [file, code]) => {
    expect(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')).toContain(code);
  });
});

describe('the policy of a node', () => {
  const policies = grants(large).filter(({ who }) => who.startsWith('holdfast-node-'));
  const account = here.split(':')[1] ?? '';
  const arnOf = (instance: string): string => `arn:aws:ec2:${here}:instance/${instance}`;
  const [mine, other] = [arnOf('i-0123456789abcdef0'), arnOf('i-0123456789abcdef1')];

  it('is one per system', () => {
    expect(policies.map(({ who }) => who)).toEqual(
      ['pe-main', 'pe-lab', 'pe-once', 'pe-manual'].map((system) => `holdfast-node-${system}`),
    );
  });

  it.each(policies)('$who: has no statement but those that the lab judges by', ({ who, statements }) => {
    const region = here.split(':')[0] ?? '';
    const expected = nodeStatements(
      { vaultArn: vault, stateArn, keyArn: ownKey, account, region },
      who.replace('holdfast-node-', ''),
    );
    expect(statements).toEqual(
      expected.map(({ sid, actions, resources, conditions }) => ({
        ...{ Sid: sid, Effect: 'Allow', Action: [...actions], Resource: [...resources], Condition: conditions },
      })),
    );
  });

  describe('has for each action the line that needs it, docs/reference/iam.md', () => {
    const page = readFileSync(new URL('../../docs/reference/iam.md', import.meta.url), 'utf8');
    const section = page.slice(page.indexOf('## Nodes'), page.indexOf('## Lambdas'));
    const rows = Array.from(
      section.matchAll(
        /^\| `([a-z0-9]+:\w+)` \| (?:`([^`]+)`|the vault's key)[^|]*\|.*\| `([a-z/-]+\.sh)`: `([^`]+)` \|$/gm,
      ),
      ([, action = '', on = 'key', file = '', code = '']) => ({ action, on, file, code }),
    );

    it('and no line without an action', () => {
      const place = { vaultArn: '', stateArn: '', keyArn: 'key', account, region: '' };
      // A policy variable of IAM.
      const self = ['$', '{ec2:SourceInstanceARN}'].join('');
      const wanted = nodeStatements(place, 'SYSTEM').flatMap(({ actions, resources }) =>
        actions.flatMap((action) =>
          resources.map((resource) => `${action} ${resource.replace(/^\//, '').replace(self, 'ARN')}`),
        ),
      );
      expect(rows.map(({ action, on }) => `${action} ${on}`).toSorted()).toEqual(wanted.toSorted());
    });

    it.each(rows)('$action on $on: $file', ({ file, code }) => {
      expect(readFileSync(new URL(`../../documents/${file}`, import.meta.url), 'utf8')).toContain(code);
    });
  });

  const backup = `${vault}/backups/pe-main/20261120T020000Z`;
  const may = (action: string, resource: string, opened?: string, bucketOf = account): boolean =>
    isAllowed(nodeStatements({ vaultArn: vault, stateArn, keyArn: ownKey, account, region: '' }, 'pe-main'), {
      action,
      resource,
      context: {
        'ec2:SourceInstanceARN': mine,
        'aws:ResourceAccount': bucketOf,
        ...(opened !== undefined && { 's3:ExistingObjectTag/holdfast:restore': opened }),
      },
    });

  it('lets it write its own keys', () => {
    expect(may('s3:PutObject', `${backup}/${mine}/databases/console.dump.zst`)).toBe(true);
    expect(may('s3:AbortMultipartUpload', `${vault}/backups/pe-main/checks/run/${mine}/upload`)).toBe(true);
  });

  it.each([
    ['keys of another node of its system', `${backup}/${other}/files/configuration.tar.zst`],
    ['keys of another system', `${vault}/backups/pe-lab/20261120T020000Z/${mine}/x`],
    ['installers', `${vault}/installers/pe-main/pe.tar.gz`],
    ['manifests', `${vault}/catalog/pe-main/20261120T020000Z.json`],
    ['what no node owns', `${vault}/backups/pe-main/upgrades/run/settings.tar.zst`],
    ['plans', 'arn:aws:s3:::holdfast-state-111122223333-eu-central-1/runs/run/plan.json'],
  ])('does not let it write %s', (_, resource) => {
    expect(may('s3:PutObject', resource)).toBe(false);
  });

  it('does not let it write to a bucket of another account', () => {
    expect(may('s3:PutObject', `${backup}/${mine}/x`, undefined, '999999999999')).toBe(false);
  });

  it('lets it read a version that was opened to it, and nothing that was opened to another', () => {
    const key = `${backup}/${other}/files/configuration.tar.zst`;
    expect(may('s3:GetObjectVersion', key, readersTag([other, mine]))).toBe(true);
    expect(may('s3:GetObjectVersion', key, readersTag([other]))).toBe(false);
    expect(may('s3:GetObjectVersion', key)).toBe(false);
    expect(may('s3:GetObject', key, readersTag([mine]))).toBe(false);
    expect(may('s3:GetObjectVersion', `${vault}/installers/pe-main/x.tar.gz`, readersTag([mine]))).toBe(true);
    expect(may('s3:GetObjectVersion', `${vault}/installers/pe-main/x.tar.gz`, readersTag([other]))).toBe(false);
    expect(may('s3:GetObjectVersion', `${vault}/installers/pe-main/x.tar.gz`, everyReader)).toBe(true);
    expect(may('s3:GetObjectVersion', `${vault}/installers/pe-main/x.tar.gz`)).toBe(false);
    expect(may('s3:GetObjectVersion', `${vault}/installers/pe-other/x.tar.gz`, everyReader)).toBe(false);
    expect(may('s3:GetObjectVersion', key, everyReader)).toBe(false);
  });

  it.each([
    's3:DeleteObject',
    's3:DeleteObjectVersion',
    's3:PutObjectTagging',
    's3:ListBucket',
    's3:ListBucketVersions',
  ])('does not let it %s', (action) => {
    expect(may(action, `${backup}/${mine}/x`, readersTag([mine]))).toBe(false);
    expect(may(action, vault)).toBe(false);
  });
});

const Documents = z.object({
  Resources: z.record(z.string(), z.object({ Properties: z.record(z.string(), z.json()).default({}) })),
});

/** The policy of the key that does something. */
const keyPolicy = (does: string) => {
  const Key = z.object({ Description: z.string(), KeyPolicy: z.object({ Statement: z.array(Statement) }) });
  return Object.values(small.all('AWS::KMS::Key'))
    .map((properties) => Key.parse(properties))
    .find(({ Description }) => Description.includes(does))?.KeyPolicy.Statement;
};

it('one lambda alone signs manifests, whatever other policies say, and whoever reads them may check', () => {
  const signing = grants(large).filter(({ statements }) =>
    statements.some(({ Action }) => Action.includes('kms:GenerateMac')),
  );
  expect(signing.map(({ who }) => who.replace(/Role.*/, ''))).toEqual(['Verbcommitbackup']);
  const statement = keyPolicy('manifests')?.filter(({ Action }) => Action.includes('kms:GenerateMac'));
  expect(statement).toMatchObject([
    {
      Action: ['kms:GenerateMac'],
      Condition: {
        ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::111122223333:role/holdfast-control-Verbcommitbackup*' },
      },
    },
  ]);
  const reading = grants(large).filter(({ who, statements }) =>
    statements.some(
      ({ Action, Resource = [] }) =>
        Action.includes('s3:GetObject') && Resource.includes(`${vault}/catalog/*`) && !who.startsWith('Bucket'),
    ),
  );
  expect(reading.length).toBeGreaterThan(5);
  for (const { who, statements } of reading)
    expect([who, statements.some(({ Action }) => Action.includes('kms:VerifyMac'))]).toEqual([who, true]);
});

it('one lambda alone signs tickets, whatever other policies say: the one that may send commands', () => {
  const who = (action: string): readonly string[] =>
    grants(large)
      .filter(({ statements }) => statements.some(({ Action }) => Action.includes(action)))
      .map(({ who: role }) => role.replace(/Role.*/, ''));
  expect(who('kms:Sign')).toEqual(['Verbadvancephase']);
  expect(who('ssm:SendCommand')).toEqual(who('kms:Sign'));
  const policy = keyPolicy('tickets');
  const use = policy?.filter(({ Sid = '' }) => !['Look', 'Administer'].includes(Sid));
  expect(use).toMatchObject([
    { Action: ['kms:GetPublicKey'] },
    {
      Action: ['kms:Sign'],
      Condition: {
        ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::111122223333:role/holdfast-control-Verbadvancephase*' },
      },
    },
  ]);
});

it('the public key of tickets is asked for by a lambda that can do nothing else', () => {
  const telling = grants(large).filter(({ statements }) =>
    statements.some(({ Action }) => Action.includes('kms:GetPublicKey')),
  );
  expect(telling.map(({ who }) => who.replace(/Role.*/, ''))).toEqual(['TicketPublicKey']);
  expect(telling.flatMap(({ statements }) => statements.flatMap(({ Action }) => Action)).toSorted()).toEqual([
    ...['kms:GetPublicKey', 'logs:CreateLogStream', 'logs:PutLogEvents'],
  ]);
});

it('every document that changes its node has the public key inside, and no other has', () => {
  const Content = z.object({ mainSteps: z.tuple([z.object({ inputs: z.object({ runCommand: z.array(z.json()) }) })]) });
  const exported = JSON.stringify(small.templates['holdfast-vault']);
  for (const { name, changesNode } of documents) {
    const resource = Object.values(small.templates)
      .map((template) => Documents.parse(template).Resources[name.replace('-', '')])
      .find((found) => found !== undefined);
    const [{ inputs }] = Content.parse(resource?.Properties['Content']).mainSteps;
    const keys = inputs.runCommand.filter((line) => /TICKET_KEY='/.test(JSON.stringify(line)));
    expect([name, keys]).toEqual([
      name,
      changesNode
        ? [{ 'Fn::Join': ['', ["TICKET_KEY='", { 'Fn::ImportValue': expect.stringContaining('PublicKey') }, "'"]] }]
        : [],
    ]);
    for (const key of keys) expect(exported).toContain(/"(holdfast-vault:[^"]*)"/.exec(JSON.stringify(key))?.[1]);
  }
});

describe("the vault's own key", () => {
  const policy = keyPolicy('backups');

  it('opens to nobody but through S3, for our buckets: who administers keys reads no backup with it', () => {
    const opening = policy?.filter(({ Action }) =>
      Action.some((one) => /^kms:(Decrypt|\*|ReEncrypt|Create)/.test(one) && one !== 'kms:CreateAlias'),
    );
    expect(opening).toMatchObject([
      {
        Condition: {
          StringEquals: { 'kms:ViaService': 's3.eu-central-1.amazonaws.com' },
          StringLike: { 'kms:EncryptionContext:aws:s3:arn': expect.arrayContaining([vault]) },
        },
      },
    ]);
  });

  it("is changed and deleted by the deployment's role and the account's root alone", () => {
    const changing = policy?.filter(({ Action }) => Action.some((one) => /^kms:(Put|Schedule|Disable|\*)/.test(one)));
    expect(changing).toMatchObject([
      {
        Condition: {
          ArnLike: {
            'aws:PrincipalArn': [
              'arn:aws:iam::111122223333:root',
              'arn:aws:iam::111122223333:role/cdk-*-cfn-exec-role-111122223333-eu-central-1',
            ],
          },
        },
      },
    ]);
  });
});

it('the vault refuses what is encrypted with a key of the writer, or with none of ours', () => {
  const Properties = z.object({ Bucket: z.string(), PolicyDocument: z.object({ Statement: z.array(Statement) }) });
  const denied = Object.values(large.all('AWS::S3::BucketPolicy'))
    .map((properties) => Properties.parse(properties))
    .filter(({ Bucket }) => Bucket.includes('vault'))
    .flatMap(({ PolicyDocument }) => PolicyDocument.Statement)
    .filter(({ Effect, Action }) => Effect === 'Deny' && Action.includes('s3:PutObject'))
    .map(({ Condition, Resource }) => ({ Condition, Resource }));
  const Resource = [`${vault}/*`];
  expect(denied).toEqual([
    { Resource, Condition: { Null: { 's3:x-amz-server-side-encryption-customer-algorithm': 'false' } } },
    { Resource, Condition: { StringNotEqualsIfExists: { 's3:x-amz-server-side-encryption': 'aws:kms' } } },
    {
      Resource,
      Condition: { StringNotEqualsIfExists: { 's3:x-amz-server-side-encryption-aws-kms-key-id': ownKey } },
    },
  ]);
});

describe('people', () => {
  const page = readFileSync(new URL('../../docs/reference/iam.md', import.meta.url), 'utf8');
  const policies = grants(small).filter(({ who }) => /^holdfast-(?!node-)/.test(who));

  it('are granted by managed policies what the table in docs/reference/iam.md says, and no more', () => {
    const rows = page.split('\n').filter((line) => /^\| `holdfast-(?!node-)/.test(line));
    const told = rows.map((row) => {
      const [who = '', ...actions] = Array.from(
        row.matchAll(/`([a-z0-9-]+(?::[A-Za-z]+)?)`/g),
        ([, word = '']) => word,
      );
      return [who, actions.filter((word) => word.includes(':')).toSorted()];
    });
    expect(told).toEqual(
      policies.map(({ who, statements }) => [who, statements.flatMap(({ Action }) => Action).toSorted()]),
    );
  });

  it('reach nothing but what is of Holdfast, and never a node or a backup itself', () => {
    for (const { statements } of policies)
      for (const { Action, Resource = [] } of statements) {
        expect(Action.filter((action) => /^(ssm|iam|lambda):|Delete|s3:GetObjectVersion$/.test(action))).toEqual([]);
        if (Action.includes('s3:GetObject')) expect(Resource.filter((one) => /\/backups\//.test(one))).toEqual([]);
      }
  });

  it('write nothing in the vault, and in the state bucket only what they decide, in their own name', () => {
    const writing = policies.flatMap(({ who, statements }) =>
      statements
        .filter(({ Action }) => Action.some((action) => /^s3:(Put|Delete|Replicate|Restore|Abort)/.test(action)))
        .map(({ Action, Resource }) => [who, Action, Resource]),
    );
    // A policy variable of IAM.
    const caller = ['$', '{aws:userid}'].join('');
    expect(writing).toEqual([['holdfast-approvers', ['s3:PutObject'], [`${stateArn}/decisions/*/${caller}.json`]]]);
  });

  it('reach buckets of this account alone, and use the key through S3 alone', () => {
    const statements = policies.flatMap(({ statements: list }) => list);
    const of = (service: string) => statements.filter(({ Action }) => Action.some((one) => one.startsWith(service)));
    expect(of('s3:').length).toBeGreaterThan(3);
    for (const { Condition } of of('s3:'))
      expect(Condition).toEqual({ StringEquals: { 'aws:ResourceAccount': here.split(':')[1] } });
    for (const { Condition } of of('kms:').filter(({ Action }) => !Action.includes('kms:VerifyMac')))
      expect(Condition).toMatchObject({
        StringEquals: { 'kms:ViaService': `s3.${here.split(':')[0]}.amazonaws.com` },
        StringLike: { 'kms:EncryptionContext:aws:s3:arn': expect.arrayContaining([stateArn]) },
      });
  });

  it('who starts cannot approve by the same policy, and who looks can change nothing', () => {
    const actionsOf = (name: string) =>
      policies
        .filter(({ who }) => who === name)
        .flatMap(({ statements }) => statements.flatMap(({ Action }) => Action));
    expect(actionsOf('holdfast-operators').filter((action) => action.startsWith('states:SendTask'))).toEqual([]);
    expect(
      actionsOf('holdfast-viewers').filter((action) => !/:(List|Describe|Get)|^kms:(Decrypt|VerifyMac)$/.test(action)),
    ).toEqual([]);
  });
});

describe('a key of your own', () => {
  it('is what both buckets are encrypted with and what everybody may use, and none is made for the vault', () => {
    for (const bucket of Object.values(large.all('AWS::S3::Bucket')))
      expect(bucket).toMatchObject({
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [
            { BucketKeyEnabled: true, ServerSideEncryptionByDefault: { KMSMasterKeyID: ownKey } },
          ],
        },
      });
    const keys = grants(large)
      .flatMap(({ statements }) => statements)
      .filter(({ Action }) => Action.some((action) => action.startsWith('kms:')))
      .flatMap(({ Resource }) => Resource);
    const made = large.all('AWS::KMS::Key');
    const arns = Object.keys(made).map((id) => `arn:aws:kms:${here}:key/${id}`);
    expect(new Set(keys)).toEqual(new Set([ownKey, ...arns]));
    expect(new Set(Object.values(made).map(({ Description }) => Description))).toEqual(
      new Set([
        ...['Encrypts the notifications of Holdfast', 'Signs the manifests of Holdfast'],
        'Signs the tickets of commands of Holdfast',
      ]),
    );
  });
});
