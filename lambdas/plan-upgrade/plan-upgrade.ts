import { waitsForApproval } from '#domain/approval';
import type { Config, System } from '#domain/config';
import { CheckFailedError, InvalidInputError, UnknownSystemError, UnreadableResultError } from '#domain/errors';
import { stateKeys } from '#domain/naming';
import type { PlanUpgradeOutput, RunRef } from '#domain/payloads';
import type { Plan } from '#domain/plan';
import type { UpgradeOf } from '#domain/systems/kind';
import { upgradingOf } from '#domain/systems/kinds';
import {
  type Documents,
  inspectedNodes,
  pinned,
  pinnedInstaller,
  readPhase,
  readPlan,
  readRun,
  stepsOf,
  writePlan,
} from '../runs.ts';
import type { StateOf, VaultOf } from '../verbs.ts';

export interface Services {
  readonly config: Config;
  readonly state: StateOf<'plan-upgrade'>;
  readonly vault: VaultOf<'plan-upgrade'>;
  readonly vaultBucket: string;
  readonly documents: Documents;
}

/** What the plan of an upgrade is made from. Throws a CheckFailedError when the installer or a module is not in the vault. */
export const readUpgrade = async (
  services: Omit<Services, 'documents'>,
  { system, run }: RunRef,
  plan: Plan,
): Promise<{ readonly configured: System; readonly of: UpgradeOf }> => {
  const { config, state, vault, vaultBucket } = services;
  const configured = config.systems[system];
  if (!configured) throw new UnknownSystemError(`holdfast.yaml has no system ${system}.`);
  const { upgrade: request, execution } = await readRun(state, run);
  if (!request) throw new InvalidInputError(`Run ${run} is no upgrade.`);
  const inspected = await readPhase(state, run, 'inspect');
  if (!inspected) throw new UnreadableResultError(`Run ${run} has not inspected its nodes.`);
  const nodes = await inspectedNodes(state, plan, 'inspect');
  const installer =
    request.installer && 'name' in request.installer
      ? await pinnedInstaller(vault, system, request.installer)
      : undefined;
  // Puppet installs an archive as it is: it is not unpacked on its way.
  const modules = new Map(
    await Promise.all(
      request.modules.map(
        async (one) => [one.name, { ...(await pinnedInstaller(vault, system, one)), compression: 'none' }] as const,
      ),
    ),
  );
  const { absent } = plan;
  return {
    configured,
    of: { system, run, execution, vaultBucket, request, nodes, absent, inspected, installer, modules },
  };
};

/** How often each text is there. */
const countsOf = (texts: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const text of texts) counts[text] = (counts[text] ?? 0) + 1;
  return counts;
};

/**
 * Checks whether the system may be upgraded, and plans the part that is known. Throws a CheckFailedError with every reason
 * against it at once; nothing was changed then.
 */
export const planUpgrade = async (services: Services, ref: RunRef): Promise<PlanUpgradeOutput> => {
  const plan = await readPlan(services.state, ref.run);
  const { configured, of } = await readUpgrade(services, ref, plan);
  const { planOnly, approvalSeconds, version } = of.request;
  const upgrading = upgradingOf(configured, of);
  const faults = upgrading.check();
  if (faults.length > 0)
    throw new CheckFailedError(
      `${ref.system} cannot be upgraded to ${version}, and nothing was changed: ${faults.join('; ')}.`,
    );
  const phases = upgrading.plan();
  const later = upgrading.foresee();
  await writePlan(services.state, {
    ...plan,
    phases: [...plan.phases.slice(0, 1), ...(await pinned(services.documents, phases))],
    foreseen: await pinned(services.documents, later),
  });
  return {
    kind: configured.kind,
    next: upgrading.isNothingToDo
      ? 'nothing-to-do'
      : planOnly
        ? 'plan-only'
        : waitsForApproval(services.config, of.request)
          ? 'approval'
          : 'confirmed',
    approvalSeconds,
    summary: {
      from: countsOf(upgrading.found),
      to: version,
      plan: stateKeys.plan(ref.run),
      warnings: [...upgrading.warn()],
      steps: stepsOf([...phases, ...later], plan.nodes),
    },
  };
};
