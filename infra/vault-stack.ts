import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { AccountRootPrincipal, AnyPrincipal, Effect, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type LifecycleRule,
  ObjectLockRetention,
  ObjectOwnership,
  StorageClass,
} from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { ClassRule, Config } from '#domain/config';
import { manifestKey, stateBucketName, tagKeys, ticketKey, vaultBucketName } from '#domain/naming';
import { discarded, type ExpiringClass, expiringClasses } from '#domain/retention';
import { uploadOrphanedAfterDays } from '#domain/tidying';
import { coverageDays } from '#domain/verification';
import type { Verb } from '#lambdas/verbs';
import { PublicKey } from './ticket-key.ts';

/**
 * A manifest's age begins when it is written, its artifacts' up to 48 hours before. Artifacts live two days longer, so
 * that no manifest outlives what it names.
 */
const artifactDays = 2;

/** Days during which what was deleted, or has expired, can still be had back. */
const noncurrentDays = 30;

/**
 * Days during which any other version that is no longer the newest can be had back: one of a backup that is kept, on which somebody has
 * written. Whatever is kept is read back within `coverageDays`.
 */
const replacedDays = coverageDays + 30;

const storageClasses = {
  STANDARD_IA: StorageClass.INFREQUENT_ACCESS,
  GLACIER_IR: StorageClass.GLACIER_INSTANT_RETRIEVAL,
  GLACIER: StorageClass.GLACIER,
  DEEP_ARCHIVE: StorageClass.DEEP_ARCHIVE,
} as const;

const retentionRules = (name: ExpiringClass, { days, transitions }: ClassRule): LifecycleRule[] => [
  {
    id: `${name}-manifests`,
    prefix: 'catalog/',
    tagFilters: { [tagKeys.retention]: name },
    expiration: Duration.days(days),
    noncurrentVersionExpiration: Duration.days(noncurrentDays),
  },
  {
    id: `${name}-artifacts`,
    prefix: 'backups/',
    tagFilters: { [tagKeys.retention]: name },
    expiration: Duration.days(days + artifactDays),
    noncurrentVersionExpiration: Duration.days(noncurrentDays),
    transitions: transitions.map(({ afterDays, to }) => ({
      storageClass: storageClasses[to],
      transitionAfter: Duration.days(afterDays),
    })),
  },
];

/** Survives its stack, but not a first deployment that fails: the next one would find the name taken. */
const keptButNotAtBirth = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE;

/** What S3 would do with the key for whoever reads or writes objects. */
const usage = ['kms:Decrypt', 'kms:Encrypt', 'kms:ReEncryptFrom', 'kms:ReEncryptTo', 'kms:GenerateDataKey'];

const looking = ['kms:DescribeKey', 'kms:GetKeyPolicy', 'kms:GetKeyRotationStatus', 'kms:List*'];

/** What changes the key, or who may use it. */
const administration = [
  ...['kms:PutKeyPolicy', 'kms:ScheduleKeyDeletion', 'kms:CancelKeyDeletion', 'kms:EnableKey', 'kms:DisableKey'],
  ...['kms:EnableKeyRotation', 'kms:DisableKeyRotation', 'kms:UpdateKeyDescription', 'kms:RotateKeyOnDemand'],
  ...['kms:TagResource', 'kms:UntagResource', 'kms:CreateAlias', 'kms:UpdateAlias', 'kms:DeleteAlias'],
];

/** What the account's own policies may allow on a key, beside looking at it. */
const allowed = (sid: string, actions: string[], conditions: Record<string, unknown> = {}): PolicyStatement =>
  new PolicyStatement({ sid, actions, resources: ['*'], principals: [new AccountRootPrincipal()], conditions });

/** A key is changed by the deployment, by those that the configuration names, and by the account's root, and by nobody else. */
const keyPolicy = (
  { account, region, partition }: Stack,
  administrators: readonly string[],
  use: readonly PolicyStatement[],
): PolicyDocument =>
  new PolicyDocument({
    statements: [
      ...use,
      allowed('Look', looking),
      allowed('Administer', administration, {
        ArnLike: {
          'aws:PrincipalArn': [
            `arn:${partition}:iam::${account}:root`,
            `arn:${partition}:iam::${account}:role/cdk-*-cfn-exec-role-${account}-${region}`,
            ...administrators,
          ],
        },
      }),
    ],
  });

/**
 * The vault's key encrypts and decrypts objects of our buckets through S3: an administrator of KMS who may not read the objects can't read
 * them with the key either.
 */
const useOfVaultKey = ({ account, region, partition }: Stack): PolicyStatement => {
  const buckets = [vaultBucketName(account, region), stateBucketName(account, region)].map(
    (name) => `arn:${partition}:s3:::${name}`,
  );
  return allowed('ObjectsThroughS3', usage, {
    StringEquals: { 'kms:ViaService': `s3.${region}.amazonaws.com` },
    StringLike: { 'kms:EncryptionContext:aws:s3:arn': buckets.flatMap((arn) => [arn, `${arn}/*`]) },
  });
};

/** One lambda alone signs, whatever policies say of others. */
const signing = ({ account, partition }: Stack, action: string, verb: Verb): PolicyStatement =>
  allowed('Sign', [action], {
    ArnLike: {
      'aws:PrincipalArn': `arn:${partition}:iam::${account}:role/holdfast-control-Verb${verb.replaceAll('-', '')}*`,
    },
  });

/** What is written with a key of the writer's own could be read by nobody else. */
const refuseOtherEncryption = (vault: Bucket, key: IKey): void => {
  const refuse = (sid: string, conditions: Record<string, unknown>): void => {
    vault.addToResourcePolicy(
      new PolicyStatement({
        ...{ sid, effect: Effect.DENY, principals: [new AnyPrincipal()], conditions },
        ...{ actions: ['s3:PutObject'], resources: [vault.arnForObjects('*')] },
      }),
    );
  };
  refuse('NoKeyOfTheWriter', { Null: { 's3:x-amz-server-side-encryption-customer-algorithm': 'false' } });
  refuse('NoOtherEncryption', { StringNotEqualsIfExists: { 's3:x-amz-server-side-encryption': 'aws:kms' } });
  refuse('NoOtherKey', {
    StringNotEqualsIfExists: { 's3:x-amz-server-side-encryption-aws-kms-key-id': key.keyArn },
  });
};

const objectLock = ({ objectLock: lock }: Config['vault']): ObjectLockRetention | undefined => {
  if (!lock) return undefined;
  const days = Duration.days(lock.days);
  return lock.mode === 'governance' ? ObjectLockRetention.governance(days) : ObjectLockRetention.compliance(days);
};

/** The key that encrypts backups: the configured one, or one of ours. */
const encryptionKey = (stack: Stack, { kmsKeyArn, keyAdministrators }: Config['vault']): IKey =>
  kmsKeyArn === undefined
    ? new Key(stack, 'Key', {
        description: 'Encrypts the backups of Holdfast',
        alias: 'holdfast',
        enableKeyRotation: true,
        removalPolicy: keptButNotAtBirth,
        policy: keyPolicy(stack, keyAdministrators, [useOfVaultKey(stack)]),
      })
    : Key.fromKeyArn(stack, 'Key', kmsKeyArn);

/** Where backups lie, and where runs keep their notes. Both survive the deletion of the stack. */
export class VaultStack extends Stack {
  readonly key: IKey;
  /** Signs manifests. */
  readonly manifestKey: IKey;
  /** Signs the tickets of commands. */
  readonly ticketKey: IKey;
  /** What documents check tickets with, in base64. */
  readonly ticketPublicKey: string;
  readonly vault: Bucket;
  readonly state: Bucket;

  constructor(scope: Construct, id: string, props: StackProps & { readonly config: Config }) {
    super(scope, id, props);
    const { retention, vault } = props.config;
    this.key = encryptionKey(this, vault);
    this.manifestKey = new Key(this, 'ManifestKey', {
      description: 'Signs the manifests of Holdfast',
      alias: manifestKey,
      keySpec: KeySpec.HMAC_256,
      keyUsage: KeyUsage.GENERATE_VERIFY_MAC,
      removalPolicy: keptButNotAtBirth,
      // Whoever may read manifests may check them.
      policy: keyPolicy(this, vault.keyAdministrators, [
        allowed('Check', ['kms:VerifyMac']),
        signing(this, 'kms:GenerateMac', 'commit-backup'),
      ]),
    });
    this.ticketKey = new Key(this, 'TicketKey', {
      description: 'Signs the tickets of commands of Holdfast',
      alias: ticketKey,
      keySpec: KeySpec.RSA_2048,
      keyUsage: KeyUsage.SIGN_VERIFY,
      removalPolicy: keptButNotAtBirth,
      policy: keyPolicy(this, vault.keyAdministrators, [
        allowed('Tell', ['kms:GetPublicKey']),
        signing(this, 'kms:Sign', 'advance-phase'),
      ]),
    });
    this.ticketPublicKey = new PublicKey(this, 'TicketPublicKey', { key: this.ticketKey }).value;
    const common = {
      encryption: BucketEncryption.KMS,
      encryptionKey: this.key,
      bucketKeyEnabled: true,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: keptButNotAtBirth,
    };
    const abortUploads = {
      id: 'abort-uploads',
      abortIncompleteMultipartUploadAfter: Duration.days(uploadOrphanedAfterDays),
    };
    const lock = objectLock(vault);
    this.vault = new Bucket(this, 'Vault', {
      ...common,
      bucketName: vaultBucketName(this.account, this.region),
      versioned: true,
      ...(lock && { objectLockEnabled: true, objectLockDefaultRetention: lock }),
      lifecycleRules: [
        ...expiringClasses.flatMap((name) => retentionRules(name, retention[name])),
        abortUploads,
        {
          id: 'discarded',
          tagFilters: { [tagKeys.retention]: discarded },
          noncurrentVersionExpiration: Duration.days(noncurrentDays),
        },
        { id: 'old-versions', noncurrentVersionExpiration: Duration.days(replacedDays) },
        { id: 'delete-markers', expiredObjectDeleteMarker: true },
      ],
    });
    refuseOtherEncryption(this.vault, this.key);
    this.state = new Bucket(this, 'State', {
      ...common,
      bucketName: stateBucketName(this.account, this.region),
      lifecycleRules: [{ id: 'old-runs', expiration: Duration.days(90) }, abortUploads],
    });
  }
}
