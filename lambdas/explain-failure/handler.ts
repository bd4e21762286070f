import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { explainFailure, withWayBack } from '#domain/failure';
import { stateKeys } from '#domain/naming';
import { ExplainFailureInput, type Failure, RunRecord, Safety } from '#domain/payloads';
import { entry } from '../entry.ts';
import { Env } from './env.ts';

const state = jsonState(s3Bucket(s3Client(), Env.parse(process.env).STATE_BUCKET));

export const handler = entry(ExplainFailureInput, async ({ run, failure, undoFailure }): Promise<Failure> => {
  const safety = await state.read(stateKeys.safety(run), Safety);
  const record = await state.read(stateKeys.run(run), RunRecord);
  const of = record ?? { system: '', operation: 'backup' as const, kind: undefined };
  const explained = withWayBack(explainFailure(failure, of.operation, undoFailure), of, safety?.backup);
  await state.write(stateKeys.failure(run), explained);
  return explained;
});
