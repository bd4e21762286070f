import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
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
import { stateBucketName, tagKeys, vaultBucketName } from '#domain/naming';
import { type ExpiringClass, expiringClasses } from '#domain/retention';
import { uploadOrphanedAfterDays } from '#domain/tidying';

/**
 * A manifest's age begins when it is written, its artifacts' up to 48 hours before. Artifacts live two days longer, so
 * that no manifest outlives what it names.
 */
const artifactDays = 2;

/** Days during which a version that was replaced or deleted can still be had back. */
const noncurrentDays = 30;

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
  },
  {
    id: `${name}-artifacts`,
    prefix: 'backups/',
    tagFilters: { [tagKeys.retention]: name },
    expiration: Duration.days(days + artifactDays),
    transitions: transitions.map(({ afterDays, to }) => ({
      storageClass: storageClasses[to],
      transitionAfter: Duration.days(afterDays),
    })),
  },
];

/** Survives its stack, but not a first deployment that fails: the next one would find the name taken. */
const keptButNotAtBirth = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE;

const objectLock = ({ objectLock: lock }: Config['vault']): ObjectLockRetention | undefined => {
  if (!lock) return undefined;
  const days = Duration.days(lock.days);
  return lock.mode === 'governance' ? ObjectLockRetention.governance(days) : ObjectLockRetention.compliance(days);
};

/** Where backups lie, and where runs keep their notes. Both survive the deletion of the stack. */
export class VaultStack extends Stack {
  readonly key: IKey;
  readonly vault: Bucket;
  readonly state: Bucket;

  constructor(scope: Construct, id: string, props: StackProps & { readonly config: Config }) {
    super(scope, id, props);
    const { retention, vault } = props.config;
    this.key =
      vault.kmsKeyArn === undefined
        ? new Key(this, 'Key', {
            description: 'Encrypts the backups of Holdfast',
            alias: 'holdfast',
            enableKeyRotation: true,
            removalPolicy: keptButNotAtBirth,
          })
        : Key.fromKeyArn(this, 'Key', vault.kmsKeyArn);
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
        { id: 'old-versions', noncurrentVersionExpiration: Duration.days(noncurrentDays) },
        { id: 'delete-markers', expiredObjectDeleteMarker: true },
      ],
    });
    this.state = new Bucket(this, 'State', {
      ...common,
      bucketName: stateBucketName(this.account, this.region),
      lifecycleRules: [{ id: 'old-runs', expiration: Duration.days(90) }, abortUploads],
    });
  }
}
