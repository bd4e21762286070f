import { jsonState } from '#aws/bucket';
import { documentName, stateKeys } from '#domain/naming';
import { UpgradeRequest } from '#domain/payloads';
import { type Command, forNodes, type Plan } from '#domain/plan';
import type { RunCommand } from '#domain/ports';
import { planCoreUpgrade, planRollout } from '#domain/systems/puppet-upgrade';
import { checkPuppetUpgrade } from '#domain/systems/puppet-upgrade-check';
import { advancePhase } from '../lambdas/advance-phase/advance-phase.ts';
import { stepsOf } from '../lambdas/runs.ts';
import { createTicketKey } from '../local/runtime/kms.ts';
import { manifestOf } from '../test/unit/cli-fixtures.ts';
import { memoryBucket } from '../test/unit/memory.ts';

/** What one phase costs by the number of its nodes. */
export interface PhaseCost {
  readonly nodes: number;
  readonly transitions: number;
  readonly sends: number;
  readonly payloadBytes: number;
  readonly planBytes: number;
  readonly milliseconds: number;
}

/** What the plan of an upgrade costs by the number of its nodes. */
export interface PlanCost {
  readonly nodes: number;
  readonly commands: number;
  readonly payloadBytes: number;
  readonly milliseconds: number;
}

/** Plans the upgrade of a system whose nodes are spokes but for its core. */
export const benchUpgradePlan = (nodes: number): PlanCost => {
  const inspection = manifestOf('pe-main', '20261120T020000Z').nodes[0]?.inspection;
  if (inspection?.product !== 'puppet-enterprise') throw new Error('the sample is no Puppet Enterprise');
  const nodeOf = (index: number, role: string) => ({
    node: { instanceId: instance(index), name: `node${index}.example.com`, roles: [role], optional: false },
    inspection: { ...inspection, version: role === 'activemq-spoke' ? '' : '2016.2.1', agentVersion: '1.5.3' },
    preflight: { problems: [], modules: [], interrupted: '' },
  });
  const all = Array.from({ length: nodes }, (_, index) =>
    nodeOf(index, ['master', 'puppetdb', 'console'][index] ?? 'activemq-spoke'),
  );
  const of = {
    ...{
      system: 'pe-main',
      run: 'bench',
      vaultBucket: 'vault',
      nodes: all,
      scripts: [],
      modules: new Map(),
      absent: [],
    },
    execution: 'arn:aws:states:eu-central-1:111122223333:execution:holdfast-upgrade:bench',
    installer: {
      key: 'installers/pe-main/pe.tar.gz',
      versionId: 'v1',
      bytes: 1,
      sha256: 'ab'.repeat(32),
      compression: 'gzip' as const,
    },
    config: { nodes: [], offline: false },
    request: UpgradeRequest.parse({
      system: 'pe-main',
      version: '2016.4.2',
      installer: { name: 'pe.tar.gz', sha256: 'ab'.repeat(32) },
    }),
  };
  const upgraded = all.map((one) => ({
    ...one,
    inspection: { ...one.inspection, version: '2016.4.2', agentVersion: '1.7.1' },
  }));
  const begun = performance.now();
  checkPuppetUpgrade(of);
  const phases = [...planCoreUpgrade(of), ...planRollout(of, upgraded.slice(0, 3))];
  const steps = stepsOf(
    phases,
    all.map(({ node }) => node),
  );
  return {
    nodes,
    commands: phases.flatMap(({ commands }) => commands).length,
    payloadBytes: JSON.stringify(steps).length,
    milliseconds: performance.now() - begun,
  };
};

const instance = (index: number): string => `i-${index.toString(16).padStart(17, '0')}`;

/** Drives one phase of this many nodes with Run Command in memory, whose commands take two looks to end. */
export const benchPhase = async (nodes: number): Promise<PhaseCost> => {
  const bucket = memoryBucket();
  const state = jsonState(bucket);
  const ids = Array.from({ length: nodes }, (_, index) => instance(index));
  const document = { version: '1', sha256: '0'.repeat(64) };
  const plan: Plan = {
    run: 'bench',
    system: 'pe-main',
    operation: 'backup',
    backup: '20261120T020000Z',
    nodes: ids.map((instanceId) => ({
      instanceId,
      name: `${instanceId}.example.com`,
      roles: ['agent'],
      optional: false,
    })),
    attempt: 0,
    absent: [],
    phases: [
      {
        name: 'inspect',
        commands: forNodes(
          { id: 'inspect', document: documentName('inspect-puppet'), parameters: {}, executionTimeoutSeconds: 60 },
          ids,
        ),
        documents: { [documentName('inspect-puppet')]: document },
      },
    ],
    undoing: document,
  };
  await state.write(stateKeys.plan('bench'), plan);
  const sent: { command: Command; looks: number }[] = [];
  const runCommand: RunCommand = {
    nodes: async () => ids.map((instanceId) => ({ instanceId, name: instanceId, online: true })),
    document: async () => document,
    send: async (command) => String(sent.push({ command, looks: 0 }) - 1),
    find: async () => undefined,
    invocations: async (id) => {
      const one = sent[Number(id)];
      if (!one) return [];
      one.looks += 1;
      const status = one.looks > 1 ? ('Success' as const) : ('InProgress' as const);
      return one.command.instanceIds.map((instanceId) => ({
        instanceId,
        status,
        detail: status,
        exitCode: 0,
        stdout: '{}',
        stderr: '',
      }));
    },
    progress: async () => undefined,
    failures: async () => [],
    cancel: async () => undefined,
  };
  const input = { system: 'pe-main', operation: 'backup' as const, run: 'bench', phase: 'inspect' };
  const begun = performance.now();
  let steps = 0;
  for (let status = 'running'; status !== 'done'; steps++)
    ({ status } = await advancePhase(
      {
        ...{ config: { systems: {} }, state, answers: bucket, stateBucket: 'bench' },
        runCommand,
        tickets: createTicketKey(),
        now: () => new Date(),
      },
      input,
    ));
  return {
    nodes,
    // AdvancePhase, IsPhaseDone, WaitForCommands for each step but the last, which ends with Done.
    transitions: steps * 3,
    sends: sent.length,
    payloadBytes: JSON.stringify(input).length,
    planBytes: (await bucket.read(stateKeys.plan('bench')))?.text.length ?? 0,
    milliseconds: performance.now() - begun,
  };
};
