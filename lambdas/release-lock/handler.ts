import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { UndoInput } from '#domain/payloads';
import { entry } from '../entry.ts';
import { readRun } from '../runs.ts';
import { Env } from './env.ts';
import { releaseLock } from './release-lock.ts';

const state = s3Bucket(s3Client(), Env.parse(process.env).STATE_BUCKET);

export const handler = entry(UndoInput, async ({ run }) => {
  const { system } = await readRun(jsonState(state), run);
  await releaseLock(state, system, run);
  return { system, run };
});
