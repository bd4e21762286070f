import { UnreadableResultError } from '#domain/errors';
import { Collected } from '#domain/manifest';
import { stateKeys, tagKeys } from '#domain/naming';
import type { RunRef } from '#domain/payloads';
import { resultsOf } from '#domain/phase';
import type { Bucket, State } from '#domain/ports';
import { settingsName } from '#domain/systems/puppet-upgrade';
import { fetching } from '#domain/systems/transfer';
import { phaseOf, readPhase, readPlan } from '../runs.ts';

export interface Services {
  readonly state: State;
  readonly vault: Bucket;
  readonly vaultBucket: string;
}

/**
 * Lets PuppetDB and console read the settings that the master has put into the vault, and plans their fetching. Nothing
 * when none were collected. Doing it again changes nothing.
 */
export const shareSettings = async (
  { state, vault, vaultBucket }: Services,
  { system, run }: RunRef,
): Promise<{ readonly shared: number }> => {
  const plan = await readPlan(state, run);
  if ((phaseOf(plan, 'collect-settings')?.commands.length ?? 0) === 0) return { shared: 0 };
  const collected = await readPhase(state, run, 'collect-settings');
  const result = collected && resultsOf(collected, 'archive-files', Collected)[0]?.result;
  if (result?.kind !== 'files') throw new UnreadableResultError(`Run ${run} has collected no settings of the master.`);
  const { upload } = result;
  await vault.tag(upload.key, { ...(await vault.tags(upload.key)), [tagKeys.restore]: system });
  const upgraded = ['upgrade-puppetdb', 'upgrade-console'].flatMap(
    (name) => phaseOf(plan, name)?.commands.flatMap(({ instanceIds }) => instanceIds) ?? [],
  );
  const commands = plan.nodes
    .filter(({ instanceId }) => upgraded.includes(instanceId))
    .map((node) => fetching({ run, vaultBucket }, node)(upload, settingsName, 'settings'));
  await state.write(stateKeys.plan(run), {
    ...plan,
    phases: plan.phases.map((phase) => (phase.name === 'fetch-settings' ? { ...phase, commands } : phase)),
  });
  return { shared: commands.length };
};
