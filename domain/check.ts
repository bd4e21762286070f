import * as z from 'zod';
import { maxPathsChars } from './contracts/parameters.ts';
import { archiveFiles, checkNode } from './contracts/shared.ts';
import { CommandFailedError, WrongRoleError } from './errors.ts';
import type { Inspection } from './inspection.ts';
import { decodeList, encodeList, instanceArn, vaultKeys } from './naming.ts';
import { answersOf, optionalFailures, type PhaseState } from './phase.ts';
import { commandsOn, type Phase, type Plan, type PlannedNode, parameterOf } from './plan.ts';
import type { BackupOf, Inspected, Kind } from './systems/kind.ts';
import { expiryWarnings } from './systems/puppet-authority.ts';

/** Whether a backup could be made now: the preflight alone. Everything that is wrong is told at once. */

const CheckedNode = z.object({
  name: z.string(),
  instanceId: z.string(),
  roles: z.array(z.string()),
  /** The version of its SSM agent. */
  agent: z.string().nullable(),
  /** `Puppet Enterprise 3.2.0`. */
  product: z.string().nullable(),
  tools: z.object({ aws: z.string(), zstd: z.string().nullable(), tar: z.string() }).nullable(),
  /** Where the run has its small files. */
  freeBytes: z.number().nullable(),
  /** How far its clock is off at least, in seconds. */
  clockSeconds: z.number().nullable(),
  /** Whether the vault took an upload. */
  vault: z.boolean().nullable(),
  problems: z.array(z.string()),
  warnings: z.array(z.string()),
});

/** What a check has found. Made by conclude-check, read by the command line. */
export const CheckReport = z.object({
  system: z.string(),
  checkedAt: z.iso.datetime(),
  nodes: z.array(CheckedNode),
  /** Beside those of the nodes. */
  problems: z.array(z.string()),
  warnings: z.array(z.string()),
  /** What a backup would do now: one line per command. */
  steps: z.array(z.string()),
});
export type CheckReport = z.infer<typeof CheckReport>;

/** A run's small files, its lists of contents among them, take less. */
const workBytes = 64 * 1024 ** 2;

/** S3 rejects requests when the clock is more than 15 minutes off; certificates and logs suffer sooner. */
const clockToleranceSeconds = 60;

/** A phase that no failure ends: it is told what each node has to say. */
export const tolerant = ({ name, commands }: Phase): Phase => ({
  name,
  commands: commands.map((command) => ({ ...command, optional: true })),
});

/** The backup that would be made now; where there could be none, why, and as much of it as could be. */
export const foreseen = (
  kind: Pick<Kind, 'planBackup'>,
  of: BackupOf,
): { readonly phases: readonly Phase[]; readonly fault?: string } => {
  const attempt = (safety: boolean) => {
    try {
      return { phases: kind.planBackup({ ...of, safety }) };
    } catch (error) {
      if (error instanceof WrongRoleError || error instanceof CommandFailedError)
        return { phases: [], fault: error.message };
      throw error;
    }
  };
  const whole = attempt(false);
  return whole.fault === undefined ? whole : { phases: attempt(true).phases, fault: whole.fault };
};

/** Asks each node whether it could do its part of a backup. */
export const checkPhase = (
  {
    system,
    run,
    execution,
    vaultBucket,
    nodes,
  }: Pick<BackupOf, 'system' | 'run' | 'execution' | 'vaultBucket'> & {
    readonly nodes: readonly Pick<Inspected, 'node'>[];
  },
  backup: readonly Phase[],
): Phase => {
  const commands = backup.flatMap((phase) => phase.commands);
  const pathsOn = (node: PlannedNode): readonly (readonly string[])[] => {
    const lists = commands
      .filter(({ instanceIds }) => instanceIds.includes(node.instanceId))
      .flatMap((one) => parameterOf(one, archiveFiles, 'Paths') ?? [])
      .map(decodeList);
    const whole = lists.flat();
    // What an archive takes, a check takes: the documents' parameters are equally long.
    return encodeList(whole).length <= maxPathsChars ? [whole] : lists;
  };
  return tolerant({
    name: 'check',
    commands: nodes.flatMap(({ node }) =>
      pathsOn(node).map((Keys, index) =>
        commandsOn(node)(
          checkNode,
          {
            Bucket: vaultBucket,
            Key: `${vaultKeys.check(system, run)}${instanceArn(execution, node.instanceId)}/upload-${index}`,
            Keys,
          },
          { seconds: 300, ...(index > 0 && { what: String(index + 1) }) },
        ),
      ),
    ),
  });
};

/** How far a clock is off at least: it was read between the sending of its command and the look at its end. */
const clockOff = (clock: number, sentAt: string, endedAt: string): number =>
  Math.max(0, Math.floor(Date.parse(sentAt) / 1000) - clock, clock - Math.ceil(Date.parse(endedAt) / 1000));

const productOf = (inspection: Inspection): string => {
  switch (inspection.product) {
    case 'puppet-enterprise':
      return inspection.version === ''
        ? `Puppet agent ${inspection.agentVersion}`
        : `Puppet Enterprise ${inspection.version}`;
    case 'juju':
      return `Juju ${inspection.server?.version ?? inspection.client?.version ?? ''}`;
    default:
      return inspection satisfies never;
  }
};

/** Where a run's small files lie: inspections tell of it first. */
const workSpace = ({ space }: Inspection) => space[0];

/** What the check of one node has told: of its clock, of its way to the vault, and of what it can't read. */
interface Told {
  readonly answered: boolean;
  readonly clockSeconds: number | null;
  /** Why the vault took no upload. */
  readonly refusal: string | undefined;
  readonly unreadable: readonly string[];
}

const toldBy = (node: PlannedNode, state: PhaseState | undefined): Told => {
  const command = state?.commands.find(
    (one) =>
      one.state === 'ended' &&
      one.invocations.some(({ instanceId, status }) => instanceId === node.instanceId && status === 'Success'),
  );
  const answers = answersOf(state, checkNode).flatMap(({ instanceId, answer: told }) =>
    instanceId === node.instanceId ? [told] : [],
  );
  const [answer] = answers;
  return {
    answered: answer !== undefined,
    clockSeconds: answer && command?.state === 'ended' ? clockOff(answer.clock, command.sentAt, command.endedAt) : null,
    refusal: answers.map(({ vault }) => vault).find((said) => said !== ''),
    unreadable: [...new Set(answers.flatMap(({ unreadable }) => unreadable))],
  };
};

/** What was found on one node. */
const checkedNode = (
  system: string,
  node: PlannedNode,
  inspection: Inspection | undefined,
  state: PhaseState | undefined,
  failed: readonly string[],
  now: Date,
): CheckReport['nodes'][number] => {
  const { answered, clockSeconds, refusal, unreadable } = toldBy(node, state);
  const space = inspection && workSpace(inspection);
  const problems = [
    ...failed,
    ...(inspection?.problems ?? []),
    ...(space && space.freeBytes < workBytes
      ? [
          `${space.mount} has ${Math.floor(space.freeBytes / 1024 ** 2)} MiB free; a run needs ${workBytes / 1024 ** 2} MiB. Free some space.`,
        ]
      : []),
    ...(clockSeconds !== null && clockSeconds > clockToleranceSeconds
      ? [
          `its clock is off by ${clockSeconds} s or more. S3 rejects requests when the clock is more than 15 minutes off. Set it with chrony or ntpd.`,
        ]
      : []),
    ...(refusal !== undefined
      ? [
          `the vault took no upload: ${refusal} Make sure that its instance profile has the policy holdfast-node-${system} and that it can reach S3 (route, endpoint, proxy).`,
        ]
      : []),
    ...unreadable.map((key) => `${key}. Mount or fix it.`),
  ];
  const warnings = inspection ? [...inspection.warnings, ...expiryWarnings(inspection, now)] : [];
  return {
    ...{ name: node.name, instanceId: node.instanceId, roles: node.roles, agent: node.agent ?? null, clockSeconds },
    product: inspection ? productOf(inspection) : null,
    tools: inspection?.tools ?? null,
    freeBytes: space?.freeBytes ?? null,
    vault: answered ? refusal === undefined : null,
    // A backup goes on without an optional node.
    ...(node.optional ? { problems: [], warnings: [...problems, ...warnings] } : { problems, warnings }),
  };
};

/** What a check has found, from what its nodes have answered. */
export const checkReport = (of: {
  readonly plan: Plan;
  readonly inspected: readonly Inspected[];
  readonly phases: readonly PhaseState[];
  readonly fault: string | undefined;
  readonly steps: readonly string[];
  readonly now: Date;
}): CheckReport => {
  const { plan, phases } = of;
  const failures = plan.phases.flatMap((phase) => {
    const state = phases.find((one) => one.phase === phase.name);
    const nameOf = (id: string): string => plan.nodes.find(({ instanceId }) => instanceId === id)?.name ?? id;
    return state ? optionalFailures(phase, state, nameOf) : [];
  });
  const checked = phases.find(({ phase }) => phase === 'check');
  return {
    system: plan.system,
    checkedAt: of.now.toISOString(),
    nodes: plan.nodes.map((node) =>
      checkedNode(
        plan.system,
        node,
        of.inspected.find((one) => one.node.instanceId === node.instanceId)?.inspection,
        checked,
        failures.filter(({ instanceId }) => instanceId === node.instanceId).map(({ message }) => message),
        of.now,
      ),
    ),
    problems: [
      ...(plan.unreachable ?? []),
      // What is broken on a node is the reason for what the plan misses.
      ...(of.fault === undefined || of.inspected.some(({ inspection }) => inspection.problems.length > 0)
        ? []
        : [of.fault]),
    ],
    warnings: plan.absent,
    steps: [...of.steps],
  };
};

/** All that is wrong, the node before what is its own. */
export const problemsOf = ({ nodes, problems }: CheckReport): readonly string[] => [
  ...problems,
  ...nodes.flatMap(({ name, problems: own }) => own.map((problem) => `${name}: ${problem}`)),
];

/** What does not keep a backup from being made. */
export const warningsOf = ({ nodes, warnings }: CheckReport): readonly string[] => [
  ...warnings,
  ...nodes.flatMap(({ name, warnings: own }) => own.map((warning) => `${name}: ${warning}`)),
];
