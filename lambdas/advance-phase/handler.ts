import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client, ssmClient } from '#aws/clients';
import { ssmRunCommand } from '#aws/run-command';
import { AdvancePhaseInput } from '#domain/payloads';
import { entry } from '../entry.ts';
import { advancePhase } from './advance-phase.ts';
import { Env } from './env.ts';

const env = Env.parse(process.env);
const answers = s3Bucket(s3Client(), env.STATE_BUCKET);
const services = {
  ...{ answers, stateBucket: env.STATE_BUCKET, state: jsonState(answers) },
  runCommand: ssmRunCommand(ssmClient()),
  now: () => new Date(),
};

export const handler = entry(AdvancePhaseInput, (input) => advancePhase(services, input));
