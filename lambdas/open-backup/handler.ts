import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client, schedulerClient } from '#aws/clients';
import { eventSchedules } from '#aws/schedules';
import { scheduleGroup } from '#domain/naming';
import { RunRef } from '#domain/payloads';
import { deployedConfig } from '../config.ts';
import { entry } from '../entry.ts';
import { Env } from './env.ts';
import { openBackup } from './open-backup.ts';

const env = Env.parse(process.env);
const s3 = s3Client();
const services = {
  config: deployedConfig(),
  state: jsonState(s3Bucket(s3, env.STATE_BUCKET)),
  vault: s3Bucket(s3, env.VAULT_BUCKET),
  schedules: eventSchedules(schedulerClient(), scheduleGroup),
};

export const handler = entry(RunRef, (ref) => openBackup(services, ref));
