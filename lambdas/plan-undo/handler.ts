import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client, ssmClient } from '#aws/clients';
import { ssmRunCommand } from '#aws/run-command';
import { UndoInput } from '#domain/payloads';
import { entry } from '../entry.ts';
import { Env } from './env.ts';
import { planUndo } from './plan-undo.ts';

const services = {
  state: jsonState(s3Bucket(s3Client(), Env.parse(process.env).STATE_BUCKET)),
  runCommand: ssmRunCommand(ssmClient()),
};

export const handler = entry(UndoInput, ({ run }) => planUndo(services, run));
