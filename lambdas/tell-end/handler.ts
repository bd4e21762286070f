import { jsonState } from '#aws/bucket';
import { entry, logger } from '../entry.ts';
import { stateOf, vaultOf } from '../ports/buckets.ts';
import { configOf } from '../ports/config.ts';
import { noticesOf } from '../ports/notices.ts';
import { tellEnd } from './tell-end.ts';

const services = {
  notifications: configOf('tell-end').notifications,
  state: jsonState(stateOf('tell-end')),
  vault: vaultOf('tell-end'),
  notices: noticesOf('tell-end'),
  warn: (message: string) => logger.warn(message),
};

export const handler = entry('tell-end', async (change) => (await tellEnd(services, change)) ?? null);
