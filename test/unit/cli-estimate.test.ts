import { DescribeExecutionCommand, ListExecutionsCommand, SFNClient } from '@aws-sdk/client-sfn';
import { mockClient } from 'aws-sdk-client-mock';
import { describe, expect, it } from 'vitest';
import { stateKeys } from '#domain/naming';
import { estimate, type LastRun, lastRun } from '../../cli/last-run.ts';
import type { PhaseProgress } from '../../cli/phase-progress.ts';
import { startDeployment } from './cli-deployment.ts';
import { commit, manifestOf, memoryBucket } from './cli-fixtures.ts';

const phase = (name: string, state: PhaseProgress['state'], seconds: number): PhaseProgress => ({
  ...{ name, state, seconds, commands: [] },
});
const inspected = phase('inspect', 'done', 10);
const last: LastRun = { phaseSeconds: { inspect: 10, collect: 90 }, bytes: 1000 };
const uploaded = (bytes: number) => ({ bytes, stored: 0, underWay: 1 });

describe('how far a run is', () => {
  it('is told by the bytes that have arrived, and its end by the pace so far', () => {
    const collecting = phase('collect', 'running', 45);
    expect(estimate([inspected, collecting], uploaded(500), last)).toEqual({
      ...{ percent: 55, secondsLeft: 45, lastSeconds: 100 },
    });
  });

  it('takes longer when it is slower than the last time, and less when it is faster', () => {
    const left = (seconds: number) =>
      estimate([inspected, phase('collect', 'running', seconds)], uploaded(500), last)?.secondsLeft ?? Number.NaN;
    expect(left(90)).toBeGreaterThan(left(45));
    expect(left(20)).toBeLessThan(left(45));
  });

  it('is told by time where no bytes are seen', () => {
    const restoring = [inspected, phase('load', 'running', 20), phase('start', 'waiting', 0)];
    const before = { phaseSeconds: { inspect: 10, load: 80, start: 10 } };
    expect(estimate(restoring, undefined, before)).toEqual({ percent: 30, secondsLeft: 70, lastSeconds: 100 });
  });

  it('never claims to be at the end, however much more has arrived than the last time', () => {
    expect(estimate([inspected, phase('collect', 'running', 500)], uploaded(9000), last)).toMatchObject({
      ...{ percent: 95, secondsLeft: 23 },
    });
  });

  it.each([
    ['only the inspection is known', [phase('inspect', 'running', 3)], last],
    ['it failed', [inspected, phase('collect', 'failed', 3)], last],
    ['the last run knew none of its phases', [inspected, phase('collect', 'running', 3)], { phaseSeconds: {} }],
  ])('is not told when %s', (_, phases, before) => {
    expect(estimate(phases, uploaded(1), before)).toBeUndefined();
  });
});

describe('the last run of the same kind', () => {
  it('of a backup is in the newest good manifest', async () => {
    const { connection, close } = await startDeployment({});
    await commit(connection.vault, manifestOf('pe-main', '20261119T020000Z'));
    await commit(connection.vault, manifestOf('pe-main', '20261120T020000Z', { purpose: 'safety', phaseSeconds: {} }));
    await connection.vault.create('catalog/pe-main/20261121T020000Z.json', 'not JSON');
    expect(await lastRun(connection, { system: 'pe-main', operation: 'backup' })).toEqual({
      ...{ phaseSeconds: { inspect: 5, collect: 80 }, bytes: 1_052_672 },
    });
    expect(await lastRun(connection, { system: 'pe-new', operation: 'backup' })).toBeUndefined();
    expect(await lastRun(connection, { system: 'pe-main', operation: 'restore' })).toBeUndefined();
    await close();
  });

  it('of a restore is the last that succeeded of this system, by its phases', async () => {
    const summary = {
      ...{ backup: '20261120T020000Z', takenAt: '2026-11-20T02:00:00Z', plan: 'p', artifacts: 1, bytesStored: 1 },
      ...{ bytesRaw: 1, estimatedSeconds: 1, warnings: [], steps: [] },
    };
    const ended = { operation: 'restore', chosen: { backup: summary.backup }, plan: { summary } };
    const runs = [
      { name: 'planned', system: 'pe-main', output: ended },
      { name: 'other', system: 'pe-other', output: { ...ended, proof: { compared: [] } } },
      { name: 'wanted', system: 'pe-main', output: { ...ended, proof: { compared: [] } } },
      { name: 'older', system: 'pe-main', output: { ...ended, proof: { compared: [] } } },
    ];
    const machine = 'arn:aws:states:us-east-1:000000000000:stateMachine:holdfast-';
    const arnOf = (name: string) => `${machine.replace('stateMachine', 'execution')}restore:${name}`;
    const stepFunctions = mockClient(SFNClient);
    stepFunctions
      .on(ListExecutionsCommand, { stateMachineArn: `${machine}restore`, statusFilter: 'SUCCEEDED' })
      .resolves({ executions: runs.map(({ name }) => ({ ...anyExecution, name, executionArn: arnOf(name) })) });
    for (const { name, system, output } of runs)
      stepFunctions.on(DescribeExecutionCommand, { executionArn: arnOf(name) }).resolves({
        ...{ ...anyExecution, name, input: JSON.stringify({ system }), output: JSON.stringify(output) },
      });
    const state = memoryBucket();
    const times = { startedAt: '2026-11-20T02:00:00Z', sentAt: '2026-11-20T02:00:00Z' };
    const load = (endedAt: string) => ({
      ...{ phase: 'load', attempt: 0, startedAt: times.startedAt },
      commands: [
        {
          id: 'load',
          document: 'Holdfast-X',
          state: 'ended',
          commandId: 'c',
          sentAt: times.sentAt,
          endedAt,
          invocations: [],
        },
      ],
    });
    await state.write(stateKeys.phase('wanted', 'load'), JSON.stringify(load('2026-11-20T02:00:40Z')));
    await state.write(stateKeys.phase('older', 'load'), JSON.stringify(load('2026-11-20T02:00:10Z')));
    const connection = {
      ...{ stepFunctions: new SFNClient({ region: 'us-east-1' }), backupMachineArn: `${machine}backup` },
      ...{ state, vault: memoryBucket() },
    };
    expect(await lastRun(connection, { system: 'pe-main', operation: 'restore' })).toEqual({
      phaseSeconds: { load: 40 },
    });
    stepFunctions.restore();
  });
});

const anyExecution = {
  stateMachineArn: 'arn',
  status: 'SUCCEEDED',
  startDate: new Date('2026-11-20T02:00:00Z'),
  stopDate: new Date('2026-11-20T02:01:00Z'),
} as const;
