import { stateKeys } from '#domain/naming';
import type { RunRef } from '#domain/payloads';
import { planRollout, wavesOf } from '#domain/systems/puppet-upgrade';
import { readUpgrade, type Services } from '../plan-upgrade/plan-upgrade.ts';
import { inspectedNodes, readPlan } from '../runs.ts';

/**
 * Plans what follows master, PuppetDB and console, now that these say which agent they bring. Throws a CheckFailedError when
 * one of them does not have the version.
 */
export const planRest = async (services: Services, ref: RunRef): Promise<{ readonly waves: readonly string[] }> => {
  const plan = await readPlan(services.state, ref.run);
  const of = await readUpgrade(services, ref, plan);
  const phases = planRollout(of, await inspectedNodes(services.state, plan, 'inspect-upgraded'));
  const planned = new Set(phases.map(({ name }) => name));
  await services.state.write(stateKeys.plan(ref.run), {
    ...plan,
    phases: [...plan.phases.filter(({ name }) => !planned.has(name)), ...phases],
  });
  return { waves: wavesOf(phases) };
};
