import { jsonState } from '#aws/bucket';
import { RestoreMismatchError } from '#domain/errors';
import { entry } from '../entry.ts';
import { stateOf, vaultBucketName, vaultOf } from '../ports/buckets.ts';
import { inspectedNodes, readPhase, readPlan, readRestore } from '../runs.ts';

const state = jsonState(stateOf('prove-restore'));
const services = { state, vault: vaultOf('prove-restore'), vaultBucket: vaultBucketName('prove-restore') };

/** Compares what was restored with the manifest. Throws a RestoreMismatchError that names every difference. */
export const handler = entry('prove-restore', async ({ run }) => {
  const { manifest, restoration } = await readRestore(services, run);
  const plan = await readPlan(state, run);
  const phases = await Promise.all(plan.phases.map(({ name }) => readPhase(state, run, name)));
  const { compared, different, told } = restoration.prove(
    await inspectedNodes(state, plan, 'inspect-restored'),
    (name) => phases.find((one) => one?.phase === name),
  );
  if (different.length > 0)
    throw new RestoreMismatchError(`What was restored is not what ${manifest.backup} holds: ${different.join('; ')}.`);
  return { compared, told };
});
