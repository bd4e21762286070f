import { jsonState, s3Bucket } from '#aws/bucket';
import { s3Client } from '#aws/clients';
import { type ChooseBackupOutput, RunRef } from '#domain/payloads';
import { coldObjects } from '../choose-backup/choose-backup.ts';
import { entry } from '../entry.ts';
import { chosenManifest } from '../runs.ts';
import { Env } from './env.ts';

const env = Env.parse(process.env);
const s3 = s3Client();
const state = jsonState(s3Bucket(s3, env.STATE_BUCKET));
const vault = s3Bucket(s3, env.VAULT_BUCKET);

/** Long enough for a second attempt after a failed one. */
const readableDays = 7;

/** Asks cold storage for what it still holds, and tells how much that is. Asking again changes nothing. */
export const handler = entry(RunRef, async ({ run }): Promise<ChooseBackupOutput> => {
  const manifest = await chosenManifest(state, vault, run);
  const cold = await coldObjects(vault, manifest);
  for (const object of cold) await vault.thaw(object, readableDays);
  return { backup: manifest.backup, cold: cold.length };
});
