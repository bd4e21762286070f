import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { Config } from '#domain/config';
import { parseConfig } from '#domain/config-file';
import { expiringClasses } from '#domain/retention';
import { coverageDays } from '#domain/verification';
import { VaultStack } from '#infra/vault-stack';
import { example, flags } from './deployed.ts';

const Rule = z.strictObject({
  Id: z.string(),
  Status: z.literal('Enabled'),
  Prefix: z.string().optional(),
  TagFilters: z.array(z.strictObject({ Key: z.string(), Value: z.string() })).default([]),
  ExpirationInDays: z.number().optional(),
  ExpiredObjectDeleteMarker: z.literal(true).optional(),
  NoncurrentVersionExpiration: z.strictObject({ NoncurrentDays: z.number() }).optional(),
  Transitions: z.array(z.strictObject({ StorageClass: z.string(), TransitionInDays: z.number() })).default([]),
  AbortIncompleteMultipartUpload: z.strictObject({ DaysAfterInitiation: z.number() }).optional(),
});
type Rule = z.infer<typeof Rule>;

const Bucket = z.object({
  Properties: z.looseObject({ LifecycleConfiguration: z.object({ Rules: z.array(Rule) }) }),
});

const outdir = mkdtempSync(join(tmpdir(), 'holdfast-vault-'));
afterAll(() => rmSync(outdir, { recursive: true, force: true }));

const stackOf = (config: Config): Template =>
  Template.fromStack(
    new VaultStack(new App({ context: { ...flags, 'aws:cdk:bundling-stacks': [] }, outdir }), 'holdfast-vault', {
      config,
    }),
  );

const rulesOf = (template: Template, versioned: boolean): readonly Rule[] => {
  const [bucket] = Object.values(
    template.findResources('AWS::S3::Bucket', {
      Properties: { VersioningConfiguration: versioned ? { Status: 'Enabled' } : Match.absent() },
    }),
  );
  return Bucket.parse(bucket).Properties.LifecycleConfiguration.Rules;
};

/** What S3 would do to the current version of an object: the earliest of all rules that apply counts. */
const fate = (rules: readonly Rule[], key: string, tags: Readonly<Record<string, string>>) => {
  const applying = rules.filter(
    ({ Prefix = '', TagFilters }) =>
      key.startsWith(Prefix) && TagFilters.every(({ Key, Value }) => tags[Key] === Value),
  );
  return {
    expires: Math.min(...applying.map(({ ExpirationInDays = Number.POSITIVE_INFINITY }) => ExpirationInDays)),
    moves: applying.flatMap(({ Transitions }) => Transitions),
  };
};

const forever = { expires: Number.POSITIVE_INFINITY, moves: [] };

const day = fc.integer({ min: 1, max: 3650 });
const classRule = fc.record({
  days: day,
  transitions: fc.uniqueArray(
    fc.record({ afterDays: day, to: fc.constantFrom('STANDARD_IA', 'GLACIER_IR', 'GLACIER', 'DEEP_ARCHIVE') }),
    { maxLength: 2, selector: ({ to }) => to },
  ),
});
const config = fc
  .record({
    retention: fc.record({
      keepLast: fc.integer({ min: 1, max: 50 }),
      daily: classRule,
      weekly: classRule,
      monthly: classRule,
      yearly: classRule,
      manual: classRule,
    }),
    vault: fc.record(
      { objectLock: fc.record({ mode: fc.constantFrom('governance', 'compliance'), days: day }) },
      { requiredKeys: [] },
    ),
  })
  .map(({ retention, vault }) => Config.parse({ ...parseConfig(example), retention, vault }));
const keys = [
  'backups/pe-main/20261120T020000Z/i-1/databases/console.dump.zst',
  'catalog/pe-main/20261120T020000Z.json',
];
const [artifact = '', manifest = ''] = keys;

describe('whatever the configuration', () => {
  it('nothing that is to be kept, or that carries no class, ever expires or moves', () => {
    fc.assert(
      fc.property(config, (configured) => {
        const rules = rulesOf(stackOf(configured), true);
        for (const key of [...keys, 'elsewhere'])
          for (const tags of [
            {},
            { 'holdfast:retention': 'keep' },
            { 'holdfast:retention': 'unknown' },
            { x: 'daily' },
          ])
            expect(fate(rules, key, tags)).toEqual(forever);
      }),
      { numRuns: 10 },
    );
  });

  it('each class expires at its age, artifacts two days after manifests, and only artifacts move', () => {
    fc.assert(
      fc.property(config, fc.constantFrom(...expiringClasses), (configured, name) => {
        const rules = rulesOf(stackOf(configured), true);
        const { days, transitions } = configured.retention[name];
        const tags = { 'holdfast:retention': name };
        expect(fate(rules, manifest, tags)).toEqual({ expires: days, moves: [] });
        expect(fate(rules, artifact, tags)).toEqual({
          expires: days + 2,
          moves: transitions.map(({ afterDays, to }) => ({ TransitionInDays: afterDays, StorageClass: to })),
        });
        expect(fate(rules, 'elsewhere', tags)).toEqual(forever);
      }),
      { numRuns: 10 },
    );
  });
});

describe('the buckets', () => {
  const template = stackOf(parseConfig(example));

  it('keep what was deleted for 30 days in the vault, what was written over for longer than reading all back takes, and forget runs after 90', () => {
    const others = rulesOf(template, true).filter(({ TagFilters }) => TagFilters.length === 0);
    const rest = { Status: 'Enabled', TagFilters: [], Transitions: [] };
    const abort = { ...rest, Id: 'abort-uploads', AbortIncompleteMultipartUpload: { DaysAfterInitiation: 3 } };
    expect(others).toEqual([
      abort,
      { ...rest, Id: 'old-versions', NoncurrentVersionExpiration: { NoncurrentDays: coverageDays + 30 } },
      { ...rest, Id: 'delete-markers', ExpiredObjectDeleteMarker: true },
    ]);
    expect(rulesOf(template, false)).toEqual([{ ...rest, Id: 'old-runs', ExpirationInDays: 90 }, abort]);
  });

  it('are encrypted, private, owned by the account and outlive their stack, as their key does', () => {
    template.allResources('AWS::S3::Bucket', {
      DeletionPolicy: 'RetainExceptOnCreate',
      UpdateReplacePolicy: 'Retain',
      Properties: {
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [
            {
              BucketKeyEnabled: true,
              ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: Match.anyValue() },
            },
          ],
        },
        OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
      },
    });
    template.allResources('AWS::KMS::Key', { DeletionPolicy: 'RetainExceptOnCreate' });
    template.hasResourceProperties('AWS::KMS::Key', { EnableKeyRotation: true, KeySpec: Match.absent() });
    // KMS rotates no key that signs by itself.
    template.hasResourceProperties('AWS::KMS::Key', { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    template.resourceCountIs('AWS::S3::Bucket', 2);
    // RSA with PKCS #1 is what openssl checks on the oldest of nodes.
    template.hasResourceProperties('AWS::KMS::Key', { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    template.resourceCountIs('AWS::KMS::Key', 3);
  });

  it('lock no object unless they are told so', () => {
    template.allResourcesProperties('AWS::S3::Bucket', {
      ObjectLockEnabled: Match.absent(),
      ObjectLockConfiguration: Match.absent(),
    });
  });

  it.each(['governance', 'compliance'])(
    'lock the objects of the vault alone in %s mode when they are told so',
    (mode) => {
      const locked = stackOf(
        parseConfig(`${example}`.replace('# objectLock: { mode: governance', `objectLock: { mode: ${mode}`)),
      );
      expect(
        Object.values(locked.findResources('AWS::S3::Bucket', { Properties: { ObjectLockEnabled: true } })),
      ).toHaveLength(1);
      locked.hasResourceProperties('AWS::S3::Bucket', {
        VersioningConfiguration: { Status: 'Enabled' },
        ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: mode.toUpperCase(), Days: 30 } } },
      });
    },
  );
});
