import { askedFor } from '#domain/answers';
import { archiveFiles } from '#domain/contracts/shared';
import { ArtifactMismatchError, UnreadableResultError } from '#domain/errors';
import type { RunRef, ShareSettingsOutput } from '#domain/payloads';
import { answersOf } from '#domain/phase';
import type { CoreUpgradePhase } from '#domain/systems/puppet-procedures';
import { settingsName } from '#domain/systems/puppet-upgrade';
import { fetching } from '#domain/systems/transfer';
import { openTo } from '#domain/vault/changes';
import { phaseOf, pinnedAsForeseen, readPhase, readPlan, readRun, writePlan } from '../runs.ts';
import type { StateOf, VaultOf } from '../verbs.ts';

export interface Services {
  readonly state: StateOf<'share-settings'>;
  readonly vault: VaultOf<'share-settings'>;
  readonly vaultBucket: string;
}

const collecting = 'collect-settings' satisfies CoreUpgradePhase;
const fetchingPhase = 'fetch-settings' satisfies CoreUpgradePhase;
const stages = ['upgrade-puppetdb', 'upgrade-console'] as const satisfies readonly CoreUpgradePhase[];

/**
 * Lets PuppetDB and console read the settings that the master has put into the vault, and plans their fetching. Nothing
 * when none were collected. Doing it again changes nothing.
 */
export const shareSettings = async (
  { state, vault, vaultBucket }: Services,
  { run }: RunRef,
): Promise<ShareSettingsOutput> => {
  const plan = await readPlan(state, run);
  if ((phaseOf(plan, collecting)?.commands.length ?? 0) === 0) return { shared: 0 };
  const collected = await readPhase(state, run, collecting);
  const [told] = answersOf(collected, archiveFiles);
  if (!told) throw new UnreadableResultError(`Run ${run} has collected no settings of the master.`);
  const { command, instanceId, answer } = told;
  askedFor(
    phaseOf(plan, collecting)?.commands.find(({ id }) => id === command),
    instanceId,
    answer,
  );
  const { key, bytes, sha256, compression } = answer.upload;
  const stored = (await vault.versions(key)).find((version) => version.key === key && version.isLatest);
  if (stored?.bytes !== bytes)
    throw new ArtifactMismatchError(
      `${key} is not what the master stored. Start the upgrade again: it continues from there.`,
    );
  const settings = { key, versionId: stored.versionId, bytes, sha256, compression };
  const upgraded = stages.flatMap(
    (name) => phaseOf(plan, name)?.commands.flatMap(({ instanceIds }) => instanceIds) ?? [],
  );
  const commands = plan.nodes
    .filter(({ instanceId }) => upgraded.includes(instanceId))
    .map((node) => fetching(vaultBucket, node)(settings, settingsName, 'settings'));
  const { execution } = await readRun(state, run);
  await openTo(
    vault,
    execution,
    settings,
    commands.flatMap(({ instanceIds }) => instanceIds),
  );
  const fetch = pinnedAsForeseen(plan, [{ name: fetchingPhase, commands }]);
  await writePlan(state, {
    ...plan,
    phases: plan.phases.map((phase) => fetch.find(({ name }) => name === phase.name) ?? phase),
  });
  return { shared: commands.length };
};
