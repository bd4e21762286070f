import { jsonState } from '#aws/bucket';
import { entry } from '../entry.ts';
import { stateOf, vaultBucketName, vaultOf } from '../ports/buckets.ts';
import { shareSettings } from './share-settings.ts';

const services = {
  state: jsonState(stateOf('share-settings')),
  vault: vaultOf('share-settings'),
  vaultBucket: vaultBucketName('share-settings'),
};

export const handler = entry('share-settings', (ref) => shareSettings(services, ref));
