import { s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { within } from '#domain/contracts/access';
import { contractOf, type StateBucketOf, type VaultOf, type VerbWith } from '../verbs.ts';
import { environment } from './environment.ts';

const client = s3Client();

export const stateBucketName = (_verb: VerbWith<'state'>): string => environment('STATE_BUCKET');

export const vaultBucketName = (_verb: VerbWith<'vault'>): string => environment('VAULT_BUCKET');

/** Returns the state bucket with the rights of a verb's row. */
export const stateOf = <V extends VerbWith<'state'>>(verb: V): StateBucketOf<V> =>
  within(`The verb ${verb}`, contractOf(verb).state ?? {}, s3Bucket(client, stateBucketName(verb)));

/** Returns the vault with the rights of a verb's row. */
export const vaultOf = <V extends VerbWith<'vault'>>(verb: V): VaultOf<V> =>
  within(`The verb ${verb}`, contractOf(verb).vault ?? {}, s3Bucket(client, vaultBucketName(verb)));
