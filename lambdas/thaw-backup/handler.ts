import { jsonState } from '#aws/bucket';
import { coldObjects } from '../choose-backup/choose-backup.ts';
import { entry } from '../entry.ts';
import { stateOf, vaultOf } from '../ports/buckets.ts';
import { chosenManifest } from '../runs.ts';

const state = jsonState(stateOf('thaw-backup'));
const vault = vaultOf('thaw-backup');

/** Long enough for a second attempt after a failed one. */
const readableDays = 7;

/** Asks cold storage for what it still holds, and tells how much that is. Asking again changes nothing. */
export const handler = entry('thaw-backup', async ({ run }) => {
  const manifest = await chosenManifest(state, vault, run);
  const cold = await coldObjects(vault, manifest);
  for (const object of cold) await vault.thaw(object, readableDays);
  return { backup: manifest.backup, cold: cold.length };
});
