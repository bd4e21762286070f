import { eventBridgeClient, snsClient } from '#aws/clients';
import { awsNotices } from '#aws/notices';
import type { NoticesOf, VerbWith } from '../verbs.ts';
import { environment } from './environment.ts';

export const noticesOf = <V extends VerbWith<'notices'>>(_verb: V): NoticesOf<V> =>
  awsNotices(eventBridgeClient(), snsClient(), environment('TOPIC_ARN'));
