import type { Config } from '#domain/config';
import { CheckFailedError, InvalidInputError, UnknownSystemError, UnreadableResultError } from '#domain/errors';
import { stateKeys, vaultKeys } from '#domain/naming';
import type { PlanUpgradeOutput, RunRef } from '#domain/payloads';
import { resultsOf } from '#domain/phase';
import type { Plan } from '#domain/plan';
import type { Bucket, State } from '#domain/ports';
import {
  checkPuppetUpgrade,
  isNothingToDo,
  Preflight,
  type PuppetUpgrade,
  planCoreUpgrade,
  planRollout,
  warnPuppetUpgrade,
} from '#domain/systems/puppet-upgrade';
import { inspectedNodes, readPhase, readPlan, readRun, stepsOf } from '../runs.ts';

export interface Services {
  readonly config: Config;
  readonly state: State;
  readonly vault: Bucket;
  readonly vaultBucket: string;
}

/** What the plan of an upgrade is made from. Throws a CheckFailedError when the installer is not in the vault. */
export const readUpgrade = async (services: Services, { system, run }: RunRef, plan: Plan): Promise<PuppetUpgrade> => {
  const { config, state, vault, vaultBucket } = services;
  const configured = config.systems[system];
  if (!configured) throw new UnknownSystemError(`holdfast.yaml has no system ${system}.`);
  const { upgrade: request } = await readRun(state, run);
  if (!request) throw new InvalidInputError(`Run ${run} is no upgrade.`);
  const inspected = await readPhase(state, run, 'inspect');
  if (!inspected) throw new UnreadableResultError(`Run ${run} has not inspected its nodes.`);
  const preflights = resultsOf(inspected, 'preflight', Preflight);
  const nodes = (await inspectedNodes(state, plan, 'inspect')).map((one) => {
    const preflight = preflights.find(({ instanceId }) => instanceId === one.node.instanceId)?.result;
    if (!preflight) throw new UnreadableResultError(`${one.node.name} gave no preflight.`);
    return { ...one, preflight };
  });
  const key = request.installer && 'name' in request.installer && vaultKeys.installer(system, request.installer.name);
  const installer = key ? await vault.head(key) : undefined;
  if (key && !installer)
    throw new CheckFailedError(`The vault has no installer ${key}. Copy it there, then start the upgrade again.`);
  return {
    system,
    run,
    vaultBucket,
    request,
    config: configured,
    nodes,
    absent: plan.absent,
    installerBytes: installer?.bytes,
  };
};

/**
 * Checks whether the system may be upgraded, and plans master, PuppetDB and console. Throws a CheckFailedError with every
 * reason against it at once; nothing was touched then.
 */
export const planUpgrade = async (services: Services, ref: RunRef): Promise<PlanUpgradeOutput> => {
  const plan = await readPlan(services.state, ref.run);
  const of = await readUpgrade(services, ref, plan);
  const faults = checkPuppetUpgrade(of);
  if (faults.length > 0)
    throw new CheckFailedError(
      `${ref.system} can not be upgraded to ${of.request.version}, and nothing was touched: ${faults.join('; ')}.`,
    );
  const phases = planCoreUpgrade(of);
  await services.state.write(stateKeys.plan(ref.run), { ...plan, phases: [...plan.phases.slice(0, 1), ...phases] });
  // What comes after is planned when these are upgraded; a person sees all of it before.
  const isPending = phases.some(({ name, commands }) => name === 'hold-agents' && commands.length > 0);
  const expected = of.nodes.map(({ node, inspection }) => ({
    node,
    inspection: {
      ...inspection,
      version: of.request.version,
      ...(isPending && { agentVersion: 'that of the upgraded master' }),
    },
  }));
  const all = [...phases, ...planRollout(of, expected)];
  const { planOnly, confirm, approvalSeconds, version } = of.request;
  return {
    kind: 'puppet-enterprise',
    next: isNothingToDo(of)
      ? 'nothing-to-do'
      : planOnly
        ? 'plan-only'
        : confirm === undefined
          ? 'approval'
          : 'confirmed',
    approvalSeconds,
    summary: {
      from: Object.fromEntries(
        of.nodes.map(({ node, inspection }) => [node.name, inspection.version || `agent ${inspection.agentVersion}`]),
      ),
      to: version,
      plan: stateKeys.plan(ref.run),
      warnings: [...warnPuppetUpgrade(of)],
      steps: stepsOf(all, plan.nodes),
    },
  };
};
