import { planMutations, scriptMutations } from './documents.ts';
import { grantMutations } from './grants.ts';
import { machineMutations } from './machines.ts';
import type { Mutation } from './mutation.ts';

/**
 * Seeds one fault of each kind at every place where TypeScript ends, one at a time, and tells which of them no check finds: `npm run
 * test:mutate`. Exit status: 0 when all are found.
 */

const kinds: Readonly<Record<string, () => readonly Mutation[]>> = {
  'scripts of documents': scriptMutations,
  'commands of plans': planMutations,
  machines: machineMutations,
  'rights of verbs': grantMutations,
};

let undetected = 0;
for (const [kind, mutationsOf] of Object.entries(kinds)) {
  const mutations = mutationsOf();
  const missed = mutations.filter(({ isDetected }) => !isDetected());
  console.log(`${kind}: ${mutations.length} faults, ${missed.length} undetected`);
  for (const { what } of missed) console.log(`  ${what}`);
  undetected += missed.length;
}
process.exitCode = undetected === 0 ? 0 : 1;
