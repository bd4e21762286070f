import { jsonState } from '#aws/bucket';
import { stateKeys } from '#domain/naming';
import { type Command, forNodes, type Plan } from '#domain/plan';
import type { RunCommand } from '#domain/ports';
import { advancePhase } from '../lambdas/advance-phase/advance-phase.ts';
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

const instance = (index: number): string => `i-${index.toString(16).padStart(17, '0')}`;

/** Drives one phase of this many nodes with Run Command in memory, whose commands take two looks to end. */
export const benchPhase = async (nodes: number): Promise<PhaseCost> => {
  const bucket = memoryBucket();
  const state = jsonState(bucket);
  const ids = Array.from({ length: nodes }, (_, index) => instance(index));
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
    absent: [],
    phases: [
      {
        name: 'inspect',
        commands: forNodes({ id: 'inspect', document: 'd', parameters: {}, executionTimeoutSeconds: 60 }, ids),
      },
    ],
  };
  await state.write(stateKeys.plan('bench'), plan);
  const sent: { command: Command; looks: number }[] = [];
  const runCommand: RunCommand = {
    nodes: async () => ids.map((instanceId) => ({ instanceId, name: instanceId, online: true })),
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
    ({ status } = await advancePhase({ state, runCommand, now: () => new Date() }, input));
  return {
    nodes,
    // AdvancePhase, IsPhaseDone, WaitForCommands for each step but the last, which ends with Done.
    transitions: steps * 3,
    sends: sent.length,
    payloadBytes: JSON.stringify(input).length,
    planBytes: bucket.objects.get(stateKeys.plan('bench'))?.text.length ?? 0,
    milliseconds: performance.now() - begun,
  };
};
