import { s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { kmsSignatures } from '#aws/signatures';
import { within } from '#domain/contracts/access';
import { signaturesOf } from '#domain/contracts/verb';
import { manifestKey } from '#domain/naming';
import { withSignedManifests } from '#domain/vault/signature';
import { contractOf, type StateBucketOf, type VaultOf, type VerbWith } from '../verbs.ts';
import { environment } from './environment.ts';

const client = s3Client();

export const stateBucketName = (_verb: VerbWith<'state'>): string => environment('STATE_BUCKET');

export const vaultBucketName = (_verb: VerbWith<'vault'>): string => environment('VAULT_BUCKET');

/** Returns the state bucket with the rights of a verb's row. */
export const stateOf = <V extends VerbWith<'state'>>(verb: V): StateBucketOf<V> =>
  within(`The verb ${verb}`, contractOf(verb).state ?? {}, s3Bucket(client, stateBucketName(verb)));

/** Returns the vault with the rights of a verb's row: manifests that are not what was signed cannot be read. */
export const vaultOf = <V extends VerbWith<'vault'>>(verb: V): VaultOf<V> => {
  const row = contractOf(verb);
  const bucket = within(`The verb ${verb}`, row.vault ?? {}, s3Bucket(client, vaultBucketName(verb)));
  const { holds, sign } = kmsSignatures({}, manifestKey);
  return withSignedManifests({ holds, ...(signaturesOf(row).includes('sign') && { sign }) }, bucket);
};
