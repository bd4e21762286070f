import { jsonState, s3Bucket } from '#aws/bucket';
import { eventBridgeClient, s3Client, snsClient } from '#aws/clients';
import { awsNotices } from '#aws/notices';
import { StatusChange } from '#domain/events';
import { deployedConfig } from '../config.ts';
import { entry, logger } from '../entry.ts';
import { Env } from './env.ts';
import { tellEnd } from './tell-end.ts';

const env = Env.parse(process.env);
const s3 = s3Client();
const services = {
  notifications: deployedConfig().notifications,
  state: jsonState(s3Bucket(s3, env.STATE_BUCKET)),
  vault: s3Bucket(s3, env.VAULT_BUCKET),
  notices: awsNotices(eventBridgeClient(), snsClient(), env.TOPIC_ARN),
  warn: (message: string) => logger.warn(message),
};

export const handler = entry(StatusChange, (change) => tellEnd(services, change));
