import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client, ssmClient } from '#aws/clients';
import { ssmRunCommand } from '#aws/run-command';
import { RunRef } from '#domain/payloads';
import { deployedConfig } from '../config.ts';
import { entry } from '../entry.ts';
import { Env } from './env.ts';
import { planInspection } from './plan-inspection.ts';

const env = Env.parse(process.env);
const services = {
  config: deployedConfig(),
  state: jsonState(s3Bucket(s3Client(), env.STATE_BUCKET)),
  runCommand: ssmRunCommand(ssmClient()),
};

export const handler = entry(RunRef, (ref) => planInspection(services, ref));
