import { InvalidInputError } from '#domain/errors';
import type { PlanRolloutOutput, RunRef } from '#domain/payloads';
import { puppetNodes, puppetUpgradeOf } from '#domain/systems/puppet';
import { planRollout, wavesOf } from '#domain/systems/puppet-upgrade';
import { readUpgrade, type Services } from '../plan-upgrade/plan-upgrade.ts';
import { inspectedNodes, pinnedAsForeseen, readPlan, writePlan } from '../runs.ts';

/**
 * Plans what follows master, PuppetDB and console, now that these say which agent they bring. Throws a CheckFailedError when
 * one of them does not have the version.
 */
export const planRest = async (services: Omit<Services, 'documents'>, ref: RunRef): Promise<PlanRolloutOutput> => {
  const plan = await readPlan(services.state, ref.run);
  const { configured, of } = await readUpgrade(services, ref, plan);
  if (configured.kind !== 'puppet-enterprise')
    throw new InvalidInputError(`${ref.system} is no Puppet Enterprise: its upgrade has no rollout.`);
  const phases = planRollout(
    puppetUpgradeOf(configured, of),
    puppetNodes(await inspectedNodes(services.state, plan, 'inspect-upgraded')),
  );
  const planned = new Set(phases.map(({ name }) => name));
  await writePlan(services.state, {
    ...plan,
    phases: [...plan.phases.filter(({ name }) => !planned.has(name)), ...pinnedAsForeseen(plan, phases)],
  });
  return { waves: wavesOf(phases) };
};
