import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { explainFailure } from '#domain/failure';
import { stateKeys } from '#domain/naming';
import { ExplainFailureInput, type Failure } from '#domain/payloads';
import { entry } from '../entry.ts';
import { Env } from './env.ts';

const state = jsonState(s3Bucket(s3Client(), Env.parse(process.env).STATE_BUCKET));

export const handler = entry(ExplainFailureInput, async ({ run, failure, undoFailure }): Promise<Failure> => {
  const explained = explainFailure(failure, undoFailure);
  await state.write(stateKeys.failure(run), explained);
  return explained;
});
