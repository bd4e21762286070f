import { describe, expect, it } from 'vitest';
import { CommandFailedError, NodeUnreachableError } from '#domain/errors';
import {
  afterLoss,
  afterRollout,
  type CommandState,
  decide,
  type Invocation,
  isOver,
  type PhaseState,
  type Progress,
  refused,
  startPhase,
  unheardOf,
  withCommand,
  withLost,
} from '#domain/phase';
import { type Command, commandsPerNode, deliverySeconds, type Phase } from '#domain/plan';

const [first, second] = ['i-00000000000000001', 'i-00000000000000002'] as const;
const at = '2026-11-20T02:00:00.000Z';
const later = (seconds: number): Date => new Date(Date.parse(at) + 1000 * seconds);

const command = (id: string, more: Partial<Command> = {}): Command => ({
  ...{ id, document: 'Test-Step', instanceIds: [first, second], parameters: {}, executionTimeoutSeconds: 3600 },
  ...more,
});

const on = (instanceId: string, status: Invocation['status']): Invocation => ({
  ...{ instanceId, status, detail: status, exitCode: status === 'Failed' ? 1 : 0, stdout: '', stderr: '' },
});

const sent = { id: 'step', document: 'Test-Step', state: 'sent', commandId: 'c-1', sentAt: at } as const;

const ended = (id: string, ...invocations: Invocation[]): CommandState => ({
  ...{ ...sent, id, state: 'ended', endedAt: at, invocations },
});

const phaseOf = (name: string, ...commands: Command[]): { readonly phase: Phase; readonly state: PhaseState } => {
  const phase = { name, commands };
  return { phase, state: startPhase(phase, new Date(at)) };
};

describe('a command whose sender died', () => {
  const lost = { id: 'step', document: 'Test-Step', state: 'sending', since: at } as const;

  it('is sent since then when SSM has it', () => {
    expect(afterLoss(lost, 'c-1')).toEqual(sent);
  });

  it('waits again when SSM has not', () => {
    expect(afterLoss(lost, undefined)).toEqual({ id: 'step', document: 'Test-Step', state: 'waiting' });
  });
});

describe('a command on its nodes', () => {
  it.each([
    ['goes on while one of them is at work', [on(first, 'Success'), on(second, 'InProgress')], false],
    ['goes on while SSM has not recorded one of them', [on(first, 'Success')], false],
    ['is over when all have ended', [on(first, 'Success'), on(second, 'Success')], true],
    ['is over with the first that failed', [on(first, 'Failed'), on(second, 'InProgress')], true],
    ['is over with a failure while SSM has not recorded the other', [on(first, 'TimedOut')], true],
  ])('%s', (_, invocations, over) => {
    expect(isOver(command('step'), invocations)).toBe(over);
  });

  it('that is optional goes on when one has failed', () => {
    expect(isOver(command('step', { optional: true }), [on(first, 'Failed'), on(second, 'InProgress')])).toBe(false);
  });

  it('has failed on those that SSM has lost, and goes on elsewhere', () => {
    const both = [on(first, 'InProgress'), on(second, 'InProgress')];
    const [lost, other] = withLost(both, new Set([first]));
    expect(lost).toMatchObject({ status: 'Failed', detail: 'Terminated', stderr: expect.stringMatching(/no longer/) });
    expect(other).toEqual(both[1]);
  });

  it('is looked after where it has not ended', () => {
    expect(unheardOf(command('step'), sent, [on(first, 'Success'), on(second, 'Delayed')], later(1))).toEqual([second]);
  });

  it('that waits for reboots is given up only when it could not be delivered any more', () => {
    const patient = command('undo', { waitsForReboot: true });
    const patience = deliverySeconds(patient);
    const pending = [on(first, 'Pending')];
    expect(unheardOf(patient, sent, pending, later(patience - 1))).toEqual([]);
    expect(unheardOf(patient, sent, pending, later(patience))).toEqual([first]);
  });

  it('that was refused has ended on every node with the reason', () => {
    expect(refused(command('step'), new NodeUnreachableError('not under SSM'), at)).toMatchObject({
      ...{ state: 'ended', commandId: '', sentAt: at, endedAt: at },
      invocations: [first, second].map((instanceId) => ({
        ...{ instanceId, status: 'Failed', detail: 'Undeliverable', stderr: 'not under SSM' },
      })),
    });
  });
});

describe('a rollout', () => {
  const counted = (status: string, failed: number): Progress => ({
    ...{ status, nodes: 1000, completed: 1000, failed, unreached: 0 },
  });

  it('is as it was while SSM has not recorded it', () => {
    expect(afterRollout(sent, undefined, [], at)).toEqual(sent);
  });

  it('goes on while SSM is at it', () => {
    const progress = counted('InProgress', 3);
    expect(afterRollout(sent, progress, [], at)).toEqual({ ...sent, progress });
  });

  it('goes on when it has ended with failures that are not listed yet', () => {
    expect(afterRollout(sent, counted('Failed', 1), [], at)).toMatchObject({ state: 'sent' });
    expect(afterRollout(sent, counted('Failed', 1), [on(first, 'Failed')], at)).toMatchObject({ state: 'ended' });
  });

  it('has succeeded without any', () => {
    expect(afterRollout(sent, counted('Success', 0), [], at)).toMatchObject({ state: 'ended', invocations: [] });
  });
});

describe('a phase', () => {
  it('sends what its nodes take at once', () => {
    const commands = Array.from({ length: commandsPerNode + 1 }, (_, index) => command(`step ${index}`));
    const { phase, state } = phaseOf('collect', ...commands);
    expect(decide(phase, state, String)).toEqual({ kind: 'send', commands: commands.slice(0, commandsPerNode) });
  });

  it('sends nothing more after a failure', () => {
    const { phase, state } = phaseOf('collect', command('a'), command('b'));
    const failed = withCommand(state, ended('a', on(first, 'Failed')));
    expect(decide(phase, failed, String)).toEqual({ kind: 'fail', failure: expect.any(CommandFailedError) });
  });

  it('of an undo goes on in spite of one, and fails at its end', () => {
    const { phase, state } = phaseOf('undo-1', command('a'), command('b'));
    const failed = withCommand(state, ended('a', on(first, 'Failed')));
    expect(decide(phase, failed, String)).toMatchObject({ kind: 'send', commands: [{ id: 'b' }] });
    const over = withCommand(failed, ended('b', on(second, 'Success')));
    expect(decide(phase, over, String)).toMatchObject({ kind: 'fail' });
  });

  it('skips the failure of an optional command', () => {
    const { phase, state } = phaseOf('collect', command('a', { optional: true }), command('b'));
    const failed = withCommand(state, ended('a', on(first, 'Failed')));
    expect(decide(phase, failed, String)).toMatchObject({ kind: 'send', commands: [{ id: 'b' }] });
  });
});
