import { s3Bucket } from '#aws/bucket';
import { s3Client, schedulerClient } from '#aws/clients';
import { eventSchedules } from '#aws/schedules';
import { scheduleGroup } from '#domain/naming';
import { UndoInput } from '#domain/payloads';
import { entry } from '../entry.ts';
import { cleanUp } from './clean-up.ts';
import { Env } from './env.ts';

const env = Env.parse(process.env);
const s3 = s3Client();
const services = {
  state: s3Bucket(s3, env.STATE_BUCKET),
  vault: s3Bucket(s3, env.VAULT_BUCKET),
  schedules: eventSchedules(schedulerClient(), scheduleGroup),
};

export const handler = entry(UndoInput, ({ run }) => cleanUp(services, run));
