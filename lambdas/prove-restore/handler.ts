import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { RestoreMismatchError } from '#domain/errors';
import { RunRef } from '#domain/payloads';
import { entry } from '../entry.ts';
import { inspectedNodes, readPhase, readPlan, readRestore } from '../runs.ts';
import { Env } from './env.ts';

const env = Env.parse(process.env);
const s3 = s3Client();
const state = jsonState(s3Bucket(s3, env.STATE_BUCKET));
const services = { state, vault: s3Bucket(s3, env.VAULT_BUCKET), vaultBucket: env.VAULT_BUCKET };

/** Compares what was restored with the manifest. Throws a RestoreMismatchError that names every difference. */
export const handler = entry(RunRef, async ({ run }) => {
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
