import { jsonState } from '#aws/bucket';
import { entry } from '../entry.ts';
import { stateOf } from '../ports/buckets.ts';
import { readRun } from '../runs.ts';
import { releaseLock } from './release-lock.ts';

const state = stateOf('release-lock');

export const handler = entry('release-lock', async ({ run }) => {
  const { system } = await readRun(jsonState(state), run);
  await releaseLock(state, system, run);
  return { system, run };
});
