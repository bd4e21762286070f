import { jsonState } from '#aws/bucket';
import { explainFailure, withWayBack } from '#domain/failure';
import { stateKeys } from '#domain/naming';
import { RunRecord, Safety } from '#domain/payloads';
import { entry } from '../entry.ts';
import { stateOf } from '../ports/buckets.ts';

const state = jsonState(stateOf('explain-failure'));

export const handler = entry('explain-failure', async ({ run, failure, undoFailure }) => {
  const safety = await state.read(stateKeys.safety(run), Safety);
  const record = await state.read(stateKeys.run(run), RunRecord);
  const of = record ?? { system: '', operation: 'backup' as const, kind: undefined };
  const explained = withWayBack(explainFailure(failure, of.operation, undoFailure), of, safety?.backup);
  await state.write(stateKeys.failure(run), explained);
  return explained;
});
