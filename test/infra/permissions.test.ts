import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { scripts } from '#documents/compose';
import { documentName } from '#domain/naming';
import { deployed, example, grants, here, ownKey, rich } from './deployed.ts';

const small = deployed(example);
const large = deployed(rich);
const vault = `arn:aws:s3:::holdfast-vault-${here.split(':').toReversed().join('-')}`;
const state = vault.replace('-vault-', '-state-');

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
    const instances = `arn:aws:ec2:${here}:instance/*`;
    expect(sending.flatMap(({ Resource }) => Resource).toSorted()).toEqual(
      [instances, ...scripts.map((script) => `arn:aws:ssm:${here}:document/${documentName(script)}`)].toSorted(),
    );
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

it('only the undoing and the janitor delete in the vault, and there only what lies below backups/', () => {
  const deleting = grants(small).flatMap(({ who, statements }) =>
    statements
      .filter(({ Action }) => Action.some((action) => action.startsWith('s3:Delete')))
      .flatMap(({ Action, Resource = [] }) => Resource.map((resource) => ({ who, actions: Action, resource }))),
  );
  expect(deleting.filter(({ resource }) => resource.startsWith(vault))).toEqual([
    {
      who: expect.stringMatching(/^Verbcleanup/),
      actions: ['s3:AbortMultipartUpload', 's3:DeleteObject', 's3:GetObjectTagging', 's3:PutObjectTagging'],
      resource: `${vault}/backups/*`,
    },
    {
      who: expect.stringMatching(/^Verbjanitor/),
      actions: ['s3:AbortMultipartUpload', 's3:DeleteObject', 's3:GetObjectTagging', 's3:PutObjectTagging'],
      resource: `${vault}/backups/*`,
    },
  ]);
  for (const { actions } of deleting) expect(actions).not.toContain('s3:DeleteObjectVersion');
});

describe('the policy of a node', () => {
  const policies = grants(large).filter(({ who }) => who.startsWith('holdfast-node-'));

  it('is one per system', () => {
    expect(policies.map(({ who }) => who)).toEqual(
      ['pe-main', 'pe-lab', 'pe-once', 'pe-manual'].map((system) => `holdfast-node-${system}`),
    );
  });

  it.each(policies)(
    '$who: writes below its own prefixes, reads what a restore has tagged for it, and no more',
    (policy) => {
      const system = policy.who.replace('holdfast-node-', '');
      const own = `${vault}/backups/${system}/*`;
      expect(policy.statements.map(({ Sid: _, ...statement }) => statement)).toEqual([
        {
          Effect: 'Allow',
          Action: expect.toSatisfy(
            (actions: string[]) => actions.toSorted().join() === 's3:AbortMultipartUpload,s3:PutObject',
          ),
          Resource: [own],
        },
        {
          Effect: 'Allow',
          Action: ['s3:GetObject', 's3:GetObjectVersion'],
          Resource: [own],
          Condition: { StringEquals: { 's3:ExistingObjectTag/holdfast:restore': system } },
        },
        { Effect: 'Allow', Action: ['s3:PutObject'], Resource: [`${state}/answers/${system}/*`] },
        {
          Effect: 'Allow',
          Action: expect.toSatisfy(
            (actions: string[]) => actions.toSorted().join() === 'kms:Decrypt,kms:GenerateDataKey',
          ),
          Resource: [ownKey],
          Condition: { StringEquals: { 'kms:ViaService': `s3.${here.split(':')[0]}.amazonaws.com` } },
        },
      ]);
    },
  );
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
        expect(Action.filter((action) => /^(ssm|iam|lambda):|Delete|s3:GetObjectVersion/.test(action))).toEqual([]);
        if (Action.includes('s3:GetObject')) expect(Resource.filter((one) => /\/backups\//.test(one))).toEqual([]);
        if (Action.includes('s3:PutObject'))
          expect(Resource).toEqual([expect.stringMatching(/\/catalog\/\*\.history\.json$/)]);
      }
  });

  it('who starts can not approve by the same policy, and who looks can change nothing', () => {
    const actionsOf = (name: string) =>
      policies
        .filter(({ who }) => who === name)
        .flatMap(({ statements }) => statements.flatMap(({ Action }) => Action));
    expect(actionsOf('holdfast-operators').filter((action) => action.startsWith('states:SendTask'))).toEqual([]);
    expect(
      actionsOf('holdfast-viewers').filter((action) => !/:(List|Describe|Get)|^kms:Decrypt$/.test(action)),
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
    const [topicKey] = Object.keys(large.all('AWS::KMS::Key'));
    expect(new Set(keys)).toEqual(new Set([ownKey, `arn:aws:kms:${here}:key/${topicKey}`]));
    expect(Object.values(large.all('AWS::KMS::Key')).map(({ Description }) => Description)).toEqual([
      'Encrypts the notifications of Holdfast',
    ]);
  });
});
