import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { jsonState } from '#aws/bucket';
import { undo } from '#domain/contracts/shared';
import { CommandFailedError, CommandLateError, NodeUnreachableError, RunUndoneError } from '#domain/errors';
import { stateKeys } from '#domain/naming';
import {
  answersOf,
  failureOf,
  type Invocation,
  optionalFailures,
  PhaseState,
  type Progress,
  sendable,
  startPhase,
} from '#domain/phase';
import { type Command, forNodes, type Phase, type PinnedDocument, type Plan, withUndoPhase } from '#domain/plan';
import type { RunCommand } from '#domain/ports';
import { documentsOf } from '#domain/systems/belonging';
import { documents as every } from '#domain/systems/documents';
import { dumpDatabase } from '#domain/systems/puppet-documents';
import { createTicketKey } from '#local/runtime/kms';
import { advancePhase, commandToken } from '../../lambdas/advance-phase/advance-phase.ts';
import { memoryBucket } from './memory.ts';

const instance = (index: number): string => `i-${index.toString(16).padStart(17, '0')}`;

const instanceOf = (index: number) => ({ instanceId: instance(index), name: instance(index) });

const command = (id: string, node = instance(1)): Command => ({
  id,
  document: dumpDatabase.name,
  instanceIds: [node],
  parameters: {},
  executionTimeoutSeconds: 3600,
});

const document: PinnedDocument = { version: '7', sha256: 'd'.repeat(64) };

const documents = { 'Holdfast-DumpDatabase': document };

const planOf = (phase: Phase): Plan => ({
  run: 'run-1',
  system: 'pe-main',
  operation: 'backup',
  backup: '20261120T020000Z',
  nodes: [{ instanceId: instance(1), name: 'master', roles: ['master'], optional: false }],
  attempt: 0,
  absent: [],
  phases: [{ ...phase, documents }],
  undoing: { version: '3', sha256: 'e'.repeat(64) },
});

const tickets = createTicketKey();

const common = { config: { systems: {} }, answers: memoryBucket(), stateBucket: 'holdfast-state', tickets };

const own = { 'holdfast:system': 'pe-main' };

const input = { system: 'pe-main', operation: 'backup', run: 'run-1' } as const;

/** Run Command in memory. `crash` decides before and after each send whether the lambda dies there. */
const fakeRunCommand = (
  outcome: (command: Command) => Partial<Invocation> = () => ({}),
  crash: () => boolean = () => false,
) => {
  const sent: {
    readonly id: string;
    readonly token: string;
    readonly command: Command;
    readonly document: PinnedDocument;
  }[] = [];
  const dieIf = (): void => {
    if (crash()) throw new Error('the lambda died');
  };
  const runCommand: RunCommand = {
    nodes: async (filter) =>
      'instanceIds' in filter
        ? filter.instanceIds.map((instanceId) => ({ instanceId, name: instanceId, online: true }))
        : [],
    document: async () => document,
    send: async (of, version, token) => {
      dieIf();
      sent.push({ id: `c-${sent.length}`, token, command: of, document: version });
      dieIf();
      return `c-${sent.length - 1}`;
    },
    find: async (_, token) => sent.find((one) => one.token === token)?.id,
    invocations: async (id) => {
      const found = sent.find((one) => one.id === id);
      return (found?.command.instanceIds ?? []).map((instanceId) => ({
        ...{ instanceId, status: 'Success', detail: 'Success', exitCode: 0, stdout: '{}', stderr: '' },
        ...(found && outcome(found.command)),
      })) as Invocation[];
    },
    progress: async () => undefined,
    failures: async () => [],
    cancel: async () => undefined,
  };
  return { sent, runCommand };
};

const started = async (phase: Phase, change: (plan: Plan) => Plan = (plan) => plan) => {
  const state = jsonState(memoryBucket());
  await state.write(stateKeys.plan('run-1'), change(planOf(phase)));
  return state;
};

describe('a phase', () => {
  it('has at most four commands under way on a node, and sends every one in the end', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 40 }), (nodes) => {
        const phase = { name: 'collect', commands: nodes.map((node, index) => command(`c${index}`, instance(node))) };
        let state = startPhase(phase, new Date(0));
        for (let round = 0; state.commands.some(({ state: one }) => one !== 'ended'); round++) {
          expect(round).toBeLessThanOrEqual(nodes.length);
          const now = sendable(phase, state);
          for (const node of new Set(nodes))
            expect(now.filter(({ instanceIds }) => instanceIds.includes(instance(node))).length).toBeLessThanOrEqual(4);
          expect(now.length).toBeGreaterThan(0);
          const ids = new Set(now.map(({ id }) => id));
          const moment = new Date(0).toISOString();
          state = {
            ...state,
            commands: state.commands.map((one) =>
              ids.has(one.id)
                ? { ...one, state: 'ended', commandId: 'x', sentAt: moment, endedAt: moment, invocations: [] }
                : one,
            ),
          };
        }
      }),
    );
  });

  it('sends each command once, wherever and however often its lambda dies', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { maxLength: 30 }),
        fc.integer({ min: 1, max: 9 }),
        async (deaths, count) => {
          const phase = {
            name: 'collect',
            commands: Array.from({ length: count }, (_, index) => command(`c${index}`)),
          };
          const state = await started(phase);
          const queue = [...deaths];
          const { sent, runCommand } = fakeRunCommand(undefined, () => queue.shift() ?? false);
          for (let steps = 0; steps < 100; steps++) {
            const answer = await advancePhase(
              { ...common, state, runCommand, now: () => new Date() },
              { ...input, phase: 'collect' },
            ).catch(() => undefined);
            if (answer?.status === 'done') break;
          }
          expect(sent.map(({ command: { id } }) => id).toSorted()).toEqual(
            phase.commands.map(({ id }) => id).toSorted(),
          );
        },
      ),
    );
  });

  it('ends with the error of the first command that failed, which names command, node and reason', async () => {
    const phase = { name: 'collect', commands: [command('dump-database console'), command('dump-globals')] };
    const state = await started(phase);
    const { runCommand } = fakeRunCommand(({ id }) =>
      id === 'dump-globals'
        ? { status: 'Failed', exitCode: 1, stdout: '{"error":"PostgresDownError","message":"start it"}' }
        : {},
    );
    const advance = () =>
      advancePhase({ ...common, state, runCommand, now: () => new Date() }, { ...input, phase: 'collect' });
    expect(await advance()).toEqual({ status: 'running', waitSeconds: 1 });
    await expect(advance()).rejects.toThrow(
      new CommandFailedError('dump-globals on master: PostgresDownError: start it'),
    );
  });

  it('sends each command with the time after which it must not begin any more, and the attempt of its run', async () => {
    const phase = { name: 'collect', commands: [command('a')] };
    const state = await started(phase, (plan) => ({ ...plan, attempt: 2 }));
    const { sent, runCommand } = fakeRunCommand();
    const now = new Date('2026-11-20T02:00:00Z');
    await advancePhase({ ...common, state, runCommand, now: () => now }, { ...input, phase: 'collect' });
    expect(sent[0]?.command.parameters).toMatchObject({
      // Two minutes for the delivery, an hour in the queue, and a quarter of an hour that a clock may be ahead.
      StartBefore: String(Date.parse('2026-11-20T03:17:00Z') / 1000),
      Attempt: '2',
      Answers: 'holdfast-state/answers/pe-main/run-1',
    });
  });

  it('sends each command with the version of its document that it was planned with', async () => {
    const phase = { name: 'collect', commands: [command('a')] };
    const state = await started(phase);
    const { sent, runCommand } = fakeRunCommand();
    await advancePhase({ ...common, state, runCommand, now: () => new Date() }, { ...input, phase: 'collect' });
    expect(sent[0]?.document).toEqual(document);
  });

  it.each<[string, RegExp, Partial<Command>, Partial<Plan>]>([
    [
      'a document of another operation',
      /Holdfast-PurgePuppet, which belongs to no backup/,
      { document: 'Holdfast-PurgePuppet' },
      {},
    ],
    ['a document of AWS', /AWS-RunShellScript, which belongs to no backup/, { document: 'AWS-RunShellScript' }, {}],
    ['the undo', /Holdfast-Undo, which belongs to no backup/, { document: 'Holdfast-Undo' }, {}],
    ['nodes by a tag that others carry', /beside those of pe-main/, { instanceIds: [], tags: { Wave: 'rest' } }, {}],
    ['nodes by the tag of another system', /beside/, { instanceIds: [], tags: { 'holdfast:system': 'pe-other' } }, {}],
    ['a plan of another operation', /of the restore run-1/, {}, { operation: 'restore' }],
    ['a plan of another system', /of pe-other, not of/, {}, { system: 'pe-other' }],
    ['a plan of another run', /of the backup run-2/, {}, { run: 'run-2' }],
  ])('that names %s sends nothing', async (_, reason, ofCommand, ofPlan) => {
    const phase = { name: 'collect', commands: [command('a'), { ...command('b'), ...ofCommand }] };
    const state = await started(phase, (plan) => ({ ...plan, ...ofPlan }));
    const { sent, runCommand } = fakeRunCommand();
    const advanced = advancePhase(
      { ...common, state, runCommand, now: () => new Date() },
      { ...input, phase: 'collect' },
    );
    await expect(advanced).rejects.toThrow(reason);
    await expect(advanced).rejects.toMatchObject({ name: 'InvalidInputError' });
    expect(sent).toEqual([]);
  });

  it('sends nothing to a node that is not of its system', async () => {
    const phase = { name: 'collect', commands: [command('a', instance(1)), command('b', instance(2))] };
    const state = await started(phase);
    const { sent, runCommand } = fakeRunCommand();
    const tagged: RunCommand = {
      ...runCommand,
      nodes: async ({ instanceIds = [], tags }) =>
        tags?.['holdfast:system'] === 'pe-main'
          ? runCommand.nodes({ instanceIds: instanceIds.filter((id) => id !== instance(2)) })
          : [],
    };
    const advance = () =>
      advancePhase({ ...common, state, runCommand: tagged, now: () => new Date() }, { ...input, phase: 'collect' });
    await advance();
    expect(sent.map(({ command: { id } }) => id)).toEqual(['a']);
    await expect(advance()).rejects.toThrow(/is no instance under SSM with the tag holdfast:system=pe-main/);
  });

  it('gives the last wave of a rollout as long as a phase may take', async () => {
    const rollout = { maxConcurrency: '10%', maxErrors: '1%' };
    const phase = {
      name: 'agents',
      commands: [{ ...command('a'), rollout, tags: { ...own, Wave: 'rest' }, instanceIds: [] }],
    };
    const state = await started(phase);
    const { runCommand, sent } = fakeRunCommand();
    const now = new Date('2026-11-20T02:00:00Z');
    await advancePhase({ ...common, state, runCommand, now: () => now }, { ...input, phase: 'agents' });
    expect(Number(sent[0]?.command.parameters['StartBefore'])).toBe(Date.parse('2026-11-22T03:17:00Z') / 1000);
  });

  it.each([
    ['CommandLateError', CommandLateError],
    ['RunUndoneError', RunUndoneError],
  ])('whose command refused to begin ends with %s', async (error, expected) => {
    const phase = { name: 'collect', commands: [command('a')] };
    const state = await started(phase);
    const { runCommand } = fakeRunCommand(() => ({
      status: 'Failed',
      exitCode: 1,
      stdout: JSON.stringify({ error, message: 'it did nothing.' }),
    }));
    const advance = () =>
      advancePhase({ ...common, state, runCommand, now: () => new Date() }, { ...input, phase: 'collect' });
    await advance();
    await expect(advance()).rejects.toThrow(new expected('a on master: it did nothing.'));
  });

  describe('whose node has handed its answer over', () => {
    const long = JSON.stringify({ paths: Array.from({ length: 1500 }, (_, index) => `/srv/cache/module_${index}`) });
    const own = `answers/pe-main/run-1/c-0/${instance(1)}.json`;
    const answered = async (lies: { readonly at?: string; readonly named?: string; readonly text?: string }) => {
      const { at = own, named = own, text = long } = lies;
      const phase = { name: 'inspect', commands: [command('inspect')] };
      const state = await started(phase);
      const answers = memoryBucket();
      await answers.write(at, text);
      const sha256 = createHash('sha256').update(long).digest('hex');
      const { runCommand } = fakeRunCommand(() => ({
        stdout: JSON.stringify({ answer: { key: named, bytes: long.length, sha256 } }),
      }));
      const advance = () =>
        advancePhase({ ...common, answers, state, runCommand, now: () => new Date() }, { ...input, phase: 'inspect' });
      await advance();
      await advance();
      const after = await state.read(stateKeys.phase('run-1', 'inspect'), PhaseState);
      return answersOf(after, { ...dumpDatabase, answers: z.object({ paths: z.array(z.string()) }) })[0]?.answer.paths
        .length;
    };

    it('reads it as if it had been printed', async () => {
      expect(await answered({})).toBe(1500);
    });

    it.each([
      ['is not there', { at: 'answers/pe-main/run-1/c-1/other.json' }],
      ['was changed', { text: `${long} ` }],
      ['is not its own', { at: 'locks/pe-main.json', named: 'locks/pe-main.json' }],
    ])('refuses one that %s', async (_, lies) => {
      await expect(answered(lies)).rejects.toMatchObject({ name: 'UnreadableResultError' });
    });
  });

  it('of a run that is being undone sends nothing any more', async () => {
    const phase = { name: 'collect', commands: [command('a')] };
    const state = await started(phase, (plan) => withUndoPhase(plan).plan);
    const { sent, runCommand } = fakeRunCommand();
    await expect(
      advancePhase({ ...common, state, runCommand, now: () => new Date() }, { ...input, phase: 'collect' }),
    ).rejects.toMatchObject({ name: 'CommandCancelledError' });
    expect(sent).toEqual([]);
  });

  it('that undoes reaches the nodes of the waves that have begun, whatever some of them do', () => {
    const tags = { 'holdfast:system': 'pe-main', Wave: 'canary' };
    const wave = {
      name: 'upgrade-canaries',
      commands: [
        { ...command('a'), tags },
        { ...command('b'), tags },
      ],
    };
    const plan = { ...planOf(wave), nodes: [] };
    expect(withUndoPhase(plan).plan.phases.at(-1)?.commands).toEqual([]);
    expect(withUndoPhase(plan, [wave]).plan.phases.at(-1)?.commands).toMatchObject([
      { tags, instanceIds: [], optional: true, document: undo.name, parameters: {}, rollout: { maxErrors: '100%' } },
    ]);
  });

  it('that undoes goes on where it can, and tells the failure only at its end', async () => {
    const state = jsonState(memoryBucket());
    const nodes = [1, 2].map((index) => ({
      instanceId: instance(index),
      name: `n${index}`,
      roles: [],
      optional: false,
    }));
    const { plan, phase } = withUndoPhase({ ...planOf({ name: 'collect', commands: [] }), nodes });
    await state.write(stateKeys.plan('run-1'), plan);
    const { sent, runCommand } = fakeRunCommand();
    const refusing: RunCommand = {
      ...runCommand,
      send: async (of, version, token) => {
        if (of.instanceIds[0] === instance(1)) throw new NodeUnreachableError('gone');
        return runCommand.send(of, version, token);
      },
    };
    const advance = () =>
      advancePhase({ ...common, state, runCommand: refusing, now: () => new Date() }, { ...input, phase });
    expect((await advance()).status).toBe('running');
    expect(sent.length).toBe(1);
    expect(sent[0]?.document).toEqual(plan.undoing);
    await expect(advance()).rejects.toThrow(/undo \(n1\) on n1: .*gone/);
  });

  it('that undoes waits for a node that is rebooted, and any other phase for none', async () => {
    const lost = { status: 'Delayed', detail: 'Delayed' } as const;
    const off = fakeRunCommand(() => lost).runCommand;
    const runCommand: RunCommand = { ...off, nodes: async () => [{ ...instanceOf(1), online: false }] };
    const begun = Date.parse('2026-11-20T02:00:00Z');
    const look = async (seconds: number, phase: string) =>
      advancePhase({ ...common, state, runCommand, now: () => new Date(begun + 1000 * seconds) }, { ...input, phase });
    const state = await started({ name: 'collect', commands: [command('c')] });
    await look(0, 'collect');
    await expect(look(1, 'collect')).rejects.toThrow(NodeUnreachableError);
    const { plan, phase } = withUndoPhase(planOf({ name: 'collect', commands: [] }));
    await state.write(stateKeys.plan('run-1'), plan);
    await look(10, phase);
    for (const seconds of [11, 300, 609]) expect((await look(seconds, phase)).status).toBe('running');
    await expect(look(610, phase)).rejects.toThrow(/undo \(master\) on master: .*no longer answers/);
  });
});

describe('a command on an optional node', () => {
  it('that fails lets its phase go on and is told', async () => {
    const optional = { ...command('archive (compile1)', instance(2)), optional: true };
    const phase: Phase = { name: 'collect', commands: [command('archive (master)'), optional] };
    const state = await started(phase);
    const { runCommand } = fakeRunCommand((of) =>
      of.optional ? { status: 'Failed', detail: 'Failed', exitCode: 1, stderr: 'no room' } : {},
    );
    const advance = () =>
      advancePhase({ ...common, state, runCommand, now: () => new Date() }, { ...input, phase: 'collect' });
    await advance();
    expect(await advance()).toEqual({ status: 'done', waitSeconds: 0 });
    const after = PhaseState.parse(await state.read(stateKeys.phase('run-1', 'collect'), PhaseState));
    expect(optionalFailures(phase, after, (id) => id)).toEqual([
      { instanceId: instance(2), message: expect.stringMatching(/archive \(compile1\) .*no room/) },
    ]);
    // Only the other node's answer is there to be read.
    expect(answersOf(after, { ...dumpDatabase, answers: z.object({}) }).map(({ instanceId }) => instanceId)).toEqual([
      instance(1),
    ]);
  });
});

describe('a rollout', () => {
  const rollout = (maxErrors: string): Phase => ({
    name: 'upgrade-agents-1',
    commands: [
      {
        ...command('upgrade agents'),
        instanceIds: [],
        tags: { ...own, role: 'agent' },
        rollout: { maxConcurrency: '10%', maxErrors },
      },
    ],
  });
  const run = async (phase: Phase, ends: readonly Progress[], failures: readonly Invocation[]) => {
    const state = await started(phase);
    const left = [...ends];
    const { sent, runCommand } = fakeRunCommand();
    const watched: RunCommand = {
      ...runCommand,
      progress: async () => left.shift(),
      failures: async () => failures,
      invocations: async () => {
        throw new Error('ten thousand nodes are not listed');
      },
    };
    const advance = () =>
      advancePhase(
        { ...common, state, runCommand: watched, now: () => new Date() },
        { ...input, phase: 'upgrade-agents-1' },
      );
    const outputs = [];
    do outputs.push(await advance());
    while (outputs.at(-1)?.status === 'running');
    return { outputs, sent, state };
  };
  const counted = (status: string, completed: number, failed: number): Progress => ({
    status,
    nodes: 10_000,
    completed,
    failed,
    unreached: 0,
  });
  const failed = (index: number, detail = 'Failed'): Invocation => ({
    instanceId: instance(index),
    status: detail === 'Failed' ? 'Failed' : 'Cancelled',
    detail,
    exitCode: 1,
    stdout: JSON.stringify({ error: 'UpgradeFailedError', message: 'the script ended with 1' }),
    stderr: '',
  });

  it('on ten thousand nodes costs one command and one question a look', async () => {
    const { outputs, sent, state } = await run(
      rollout('1%'),
      [counted('InProgress', 4000, 12), counted('Success', 10_000, 40)],
      [failed(1), failed(2)],
    );
    expect(sent.length).toBe(1);
    expect(outputs.at(-1)).toEqual({ status: 'done', waitSeconds: 0 });
    const kept = await state.read(stateKeys.phase('run-1', 'upgrade-agents-1'), PhaseState);
    expect(JSON.stringify(kept).length).toBeLessThan(32_000);
  });

  it('that SSM has stopped fails with how many, the first reasons, and how many were left alone', async () => {
    await expect(
      run(rollout('1%'), [counted('Failed', 300, 101)], [failed(1), failed(2), failed(3, 'Terminated')]),
    ).rejects.toThrow(/101 of 10000 nodes failed, 1 were left as they are.*the script ended with 1/);
  });

  it('does not fail by nodes that are off', async () => {
    const { outputs } = await run(rollout('0'), [{ ...counted('Failed', 10_000, 0), unreached: 7 }], []);
    expect(outputs.at(-1)?.status).toBe('done');
  });

  it('that somebody cancelled fails', async () => {
    await expect(run(rollout('1%'), [counted('Cancelled', 300, 0)], [])).rejects.toThrow(/was cancelled/);
  });
});

describe('what is told of a command that failed', () => {
  const told = (of: Partial<Invocation>): Error | undefined =>
    failureOf(
      command('dump'),
      {
        ...{ instanceId: instance(1), status: 'Failed', detail: 'Failed', exitCode: 1, stdout: '', stderr: '' },
        ...of,
      },
      () => 'master',
      'c-1',
    );

  it('is what the agent says when the script said nothing', () => {
    expect(told({ exitCode: 1, stderr: 'document process failed unexpectedly: worker is gone' })).toEqual(
      new CommandFailedError(
        'dump on master ended with exit code 1: document process failed unexpectedly: worker is gone',
      ),
    );
  });

  it('is where the log of the agent lies when nobody says anything', () => {
    expect(told({ exitCode: -1 })?.message).toMatch(/exit code -1: .*Look for c-1 in \/var\/log\/amazon\/ssm\//);
  });

  it.each([
    { status: 'Failed' as const, exitCode: -1, stderr: 'failed to run commands: signal: killed' },
    { status: 'Failed' as const, exitCode: 137, stderr: 'failed to run commands: exit status 137' },
    { status: 'TimedOut' as const, exitCode: 137, stderr: '' },
  ])('is that it was killed, as $status with $exitCode', (of) => {
    expect(told(of)).toMatchObject({ name: 'CommandTimedOutError', message: expect.stringMatching(/killed.*kernel/) });
  });

  it('is that the queue of an agent may be full when nothing was delivered', () => {
    expect(told({ status: 'TimedOut', detail: 'DeliveryTimedOut' })).toMatchObject({
      name: 'NodeUnreachableError',
      message: expect.stringMatching(/within 120 s.*five queued/),
    });
  });
});

it('every document belongs to an operation, and what destroys belongs to no backup', () => {
  const { backup, restore, upgrade, verify } = documentsOf;
  const namesOf = (contracts: readonly { readonly name: string }[]) => new Set(contracts.map(({ name }) => name));
  expect(namesOf([...backup, ...restore, ...upgrade, ...verify, undo])).toEqual(namesOf(every));
  for (const name of [
    'Holdfast-PurgePuppet',
    'Holdfast-DropDatabases',
    'Holdfast-SwapDatabases',
    'Holdfast-ReplaceFiles',
  ])
    expect(namesOf([...backup, ...upgrade])).not.toContain(name);
});

it('the comment of a command begins with its run, fits, and tells phases and commands apart', () => {
  const run = 'r'.repeat(80);
  const phaseNames = ['upgrade-agents-1', 'upgrade-agents-2', 'stop-services', 'start-services', 'undo-1', 'undo-12'];
  const tokens = phaseNames.flatMap((name) => {
    const phase = { name, commands: Array.from({ length: 1000 }, (_, index) => command(`c${index}`)) };
    return phase.commands.map((one) => commandToken(run, phase, one));
  });
  for (const token of tokens) expect(token).toMatch(new RegExp(`^${run} .{1,19}$`));
  expect(new Set(tokens).size).toBe(tokens.length);
});

it('a command for a thousand nodes is cut into pieces that SSM takes', () => {
  const ids = Array.from({ length: 1000 }, (_, index) => instance(index));
  const pieces = forNodes({ id: 'inspect', document: 'd', parameters: {}, executionTimeoutSeconds: 60 }, ids);
  expect(pieces.every(({ instanceIds }) => instanceIds.length <= 50)).toBe(true);
  expect(pieces.flatMap(({ instanceIds }) => instanceIds)).toEqual(ids);
  expect(new Set(pieces.map(({ id }) => id)).size).toBe(20);
});
