import { describe, expect, it } from 'vitest';
import type { PhaseState } from '#domain/phase';
import { type RunProgress, rateMeter } from '../../cli/follow-run.ts';
import { phaseProgress } from '../../cli/phase-progress.ts';
import { progressBlock, progressChanges, progressDisplay } from '../../cli/progress.ts';
import { recordedOutput } from './cli-fixtures.ts';

const invocation = (status: 'Success' | 'Failed') => ({
  instanceId: 'i-0123456789abcdef0',
  status,
  detail: status,
  exitCode: status === 'Success' ? 0 : 1,
  stdout: '',
  stderr: '',
});

const at = (second: number): Date => new Date(Date.UTC(2026, 10, 20, 2, 0, second));
const iso = (second: number): string => at(second).toISOString();

const ended = (id: string, from: number, to: number, status: 'Success' | 'Failed' = 'Success') => ({
  id,
  document: 'Holdfast-X',
  state: 'ended' as const,
  commandId: id,
  sentAt: iso(from),
  endedAt: iso(to),
  invocations: [invocation(status)],
});
const sent = (id: string, from: number) =>
  ({ id, document: 'Holdfast-X', state: 'sent', commandId: id, sentAt: iso(from) }) as const;
const phase = (...commands: PhaseState['commands']): PhaseState => ({
  phase: 'collect',
  attempt: 0,
  startedAt: iso(0),
  commands,
});

describe('a phase', () => {
  it('is running while a command is, and tells how long each takes', () => {
    const state = phase(ended('globals', 1, 3), sent('dump pe-puppetdb', 2), {
      id: 'archive',
      document: 'Holdfast-X',
      state: 'waiting',
    });
    expect(phaseProgress(state, at(12))).toEqual({
      name: 'collect',
      state: 'running',
      seconds: 12,
      commands: [
        { id: 'globals', state: 'succeeded', seconds: 2 },
        { id: 'dump pe-puppetdb', state: 'running', seconds: 10 },
        { id: 'archive', state: 'waiting' },
      ],
    });
  });

  it('stops counting when its last command has ended', () => {
    expect(phaseProgress(phase(ended('a', 1, 9), ended('b', 1, 4)), at(50))).toMatchObject({
      state: 'done',
      seconds: 9,
    });
  });

  it('has failed as soon as one command has', () => {
    expect(phaseProgress(phase(ended('a', 1, 9, 'Failed'), sent('b', 1)), at(50)).state).toBe('failed');
  });

  it('is stopped, and not running, once its run is given up', () => {
    expect(phaseProgress(phase(ended('a', 1, 9), sent('b', 1)), at(50), true)).toMatchObject({
      state: 'stopped',
      commands: [{ state: 'succeeded' }, { state: 'stopped' }],
    });
  });
});

describe('the rate', () => {
  it('is unknown at first, then that of the last half minute', () => {
    const measure = rateMeter();
    expect(measure(at(0), 0)).toBeUndefined();
    expect(measure(at(10), 1000)).toBe(100);
    expect(measure(at(30), 1000)).toBeCloseTo(1000 / 30);
    expect(measure(at(40), 1000)).toBe(0);
  });

  it('is never negative: an aborted upload takes its bytes away', () => {
    const measure = rateMeter();
    measure(at(0), 5000);
    expect(measure(at(2), 10)).toBe(0);
  });
});

const progressOf = (seconds: number, ...states: PhaseState[]): RunProgress => ({
  run: 'run-1',
  executionArn: 'arn',
  operation: 'backup',
  startedAt: iso(0),
  seconds,
  system: 'pe-main',
  backup: '20261120T020000Z',
  phases: states.map((state) => phaseProgress(state, at(seconds))),
  uploaded: { bytes: 3 * 1024 ** 2, bytesPerSecond: 1024 ** 2, stored: 2, underWay: 1 },
});

describe('the display', () => {
  it('shows phases, the commands that run, bytes and rate as one block', () => {
    expect(progressBlock(progressOf(65, phase(ended('globals', 1, 3), sent('dump pe-puppetdb', 5))))).toEqual([
      'pe-main/20261120T020000Z, run run-1, 1m 5s',
      '  collect  running for 1m 5s, 1 of 2 commands ended',
      '    dump pe-puppetdb running for 1m',
      '  3.00 MiB in the vault, 1.00 MiB/s, 2 objects stored, 1 under way',
    ]);
  });

  it('shows what a verification has read back, of how much, how fast and for how long still', () => {
    const { uploaded: _, ...progress } = progressOf(60);
    const read = { bytes: 3 * 1024 ** 3, total: 4 * 1024 ** 3, bytesPerSecond: 64 * 1024 ** 2 };
    expect(progressBlock({ ...progress, operation: 'verify', read })).toContain(
      '  3.00 GiB of 4.00 GiB read back, 64.0 MiB/s, 75%, about 16s left',
    );
  });

  it('stays small however many commands run', () => {
    const many = phase(...Array.from({ length: 200 }, (_, index) => sent(`dump ${index}`, 1)));
    const block = progressBlock(progressOf(9, many));
    expect(block.length).toBeLessThan(15);
    expect(block.join('\n')).toContain('and 192 more');
  });

  it('has something to show before anything was planned', () => {
    const { run, executionArn, operation, startedAt } = progressOf(1);
    expect(progressBlock({ run, executionArn, operation, startedAt, seconds: 1, phases: [] })).toEqual([
      'starting, run run-1, 1s',
    ]);
  });

  it('tells each change once where it cannot draw', () => {
    const first = progressOf(2, phase(sent('dump', 1)));
    expect(progressChanges(undefined, first)).toEqual([
      '[2s] collect: running for 2s, 0 of 1 command ended',
      '[2s] collect: dump running for 1s',
    ]);
    const later = progressOf(9, phase(ended('dump', 1, 8)));
    expect(progressChanges(first, later)).toEqual([
      '[9s] collect: dump succeeded after 7s',
      '[9s] collect: done in 8s',
    ]);
    expect(progressChanges(later, progressOf(11, phase(ended('dump', 1, 8))))).toEqual([]);
  });

  it('uses no control sequence away from a terminal, and tells the bytes from time to time', () => {
    const { output, stdout, stderr } = recordedOutput();
    const display = progressDisplay(output, { options: {} });
    for (let second = 0; second <= 65; second++) display(progressOf(second, phase(sent('dump', 0))));
    expect(stdout()).toBe('');
    expect(stderr()).not.toContain('\u001b');
    expect(stderr().match(/in the vault/g)).toHaveLength(2);
  });

  it('draws over what it drew before, no line wider than the terminal', () => {
    const { output, stderr } = recordedOutput({ isTTY: true, columns: 30 });
    const display = progressDisplay(output, { options: {} });
    const long = phase(sent('dump of a database with a very long name indeed', 0));
    display(progressOf(1, long));
    display(progressOf(2, long));
    const [first = '', second = ''] = stderr().split('\u001b[4A\u001b[J');
    for (const block of [first, second]) {
      const lines = block.trimEnd().split('\n');
      expect(lines).toHaveLength(4);
      for (const line of lines) expect(line.length).toBeLessThan(30);
    }
  });

  it('shows how far a run is, and how long it still takes', () => {
    const estimate = { percent: 42, secondsLeft: 180, lastSeconds: 300 };
    expect(progressBlock({ ...progressOf(65), estimate }).at(-1)).toBe('  42%, about 3m left; the last one took 5m');
  });

  it('counts the nodes of a command that SSM takes through many', () => {
    const counts = { status: 'InProgress', nodes: 1200, completed: 800, failed: 3, unreached: 0 };
    const rollout = { ...sent('upgrade-agent', 1), progress: counts };
    expect(progressBlock(progressOf(11, phase(rollout)))[2]).toBe(
      '    upgrade-agent running for 10s, 800 of 1,200 nodes, 3 failed',
    );
  });

  it('does not call a phase failed for a command that may fail', () => {
    const failed = ended('inspect (optional)', 1, 2, 'Failed');
    expect(phaseProgress(phase(failed), at(3)).state).toBe('failed');
    expect(phaseProgress(phase(failed), at(3), false, (id) => id.endsWith('(optional)')).state).toBe('done');
  });

  it.each([true, false])('tells once who must do what, whole, on a terminal: %s', (isTTY) => {
    const { output, stderr } = recordedOutput({ isTTY, columns: 40 });
    const display = progressDisplay(output, { options: { endpointUrl: 'http://127.0.0.1:4599' } });
    const step = { state: 'WaitForApproval', approvalUntil: '2027-01-01T00:00:00.000Z' };
    for (const second of [1, 2, 3]) display({ ...progressOf(second), step });
    const told =
      'waiting for approval until 2027-01-01 00:00:00Z: holdfast approve run-1 --endpoint-url http://127.0.0.1:4599';
    expect(stderr().split(`${told}\n`)).toHaveLength(2);
  });

  it('clears its block before data is written', () => {
    const { output, stdout, stderr } = recordedOutput({ isTTY: true });
    output.draw(['one', 'two']);
    output.line('data');
    expect(stdout()).toBe('data\n');
    expect(stderr().endsWith('\u001b[2A\u001b[J')).toBe(true);
  });
});
