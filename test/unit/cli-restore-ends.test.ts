import { DescribeExecutionCommand, SendTaskSuccessCommand } from '@aws-sdk/client-sfn';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CheckFailedError, InvalidInputError, SystemBusyError, UnknownBackupError } from '#domain/errors';
import { originalFailure } from '#domain/failure';
import { stateKeys } from '#domain/naming';
import type { Connection } from '../../cli/connection.ts';
import { decide } from '../../cli/decide.ts';
import { followRun, type RunProgress } from '../../cli/follow-run.ts';
import { progressBlock } from '../../cli/progress.ts';
import { type RestoreOptions, restore } from '../../cli/restore.ts';
import { askApproval, type Lambda, startDeployment } from './cli-deployment.ts';
import { recordedOutput } from './cli-fixtures.ts';

/** How a restore is told while it waits, and how it ends: the real state machines between the command line and lambdas that do as each test says. */

const [chosen, safety, begun] = ['20261120T020000Z', '20261121T101500Z', '20261121T101112Z'];
const pollMilliseconds = 5;

const summary = {
  backup: chosen,
  takenAt: new Date(Date.now() - (26 * 60 + 1) * 60_000).toISOString(),
  plan: 'runs/r/plan.json',
  artifacts: 1,
  bytesStored: 1024,
  bytesRaw: 4096,
  estimatedSeconds: 64,
  warnings: ['the backup lacks: pe-rbac'],
  steps: [
    'fetch: fetch console.dump.zst: Holdfast-FetchArtifact on master',
    'start-services: start: Holdfast-X on master',
  ],
};

let close: () => Promise<void>;
let connection: Connection;
let lambdas: Record<string, Lambda>;
let next: string;

const write = (key: string, value: unknown): Promise<void> => connection.state.write(key, JSON.stringify(value));

beforeEach(async () => {
  lambdas = {
    'acquire-lock': async ({ run, request: { planOnly, confirm, ...request } }) => {
      next = planOnly === true ? 'plan-only' : confirm === undefined ? 'approval' : 'confirmed';
      const record = { system: request.system, operation: 'restore', run, backup: begun };
      const details = {
        execution: 'arn',
        startedAt: '2026-11-21T10:11:12Z',
        scheduled: false,
        attempt: 0,
        safety: false,
        restore: request,
      };
      await write(stateKeys.run(run), { ...record, ...details });
      return { ...record, attempt: 0, outcome: 'acquired' };
    },
    'choose-backup': () => ({ backup: chosen, cold: 0 }),
    'plan-inspection': () => ({ phases: ['inspect'] }),
    'advance-phase': () => ({ status: 'done', waitSeconds: 0 }),
    'plan-restore': () => ({
      ...{ kind: 'puppet-enterprise', next, approvalSeconds: 600, safetyBackup: false, summary },
    }),
    'request-approval': (payload) => askApproval(connection.state, payload),
    'open-backup': () => ({ paused: [] }),
    'prove-restore': () => ({
      compared: ['database console: 3855 rows in 7 tables are equal, table by table'],
      told: ['master: 1 certificate that the authority signed since the backup is kept: a.example.com'],
    }),
    'explain-failure': ({ failure }) => originalFailure(failure, 'restore'),
    'plan-undo': ({ run }) => ({ run, phases: [] }),
    'clean-up': () => ({ left: [] }),
  };
  ({ connection, close } = await startDeployment(lambdas));
});
afterEach(() => close());

const start = (options: RestoreOptions, system = 'pe-main') => {
  const recorded = recordedOutput();
  const exit = restore(async () => connection, system, undefined, { pollMilliseconds, ...options }, recorded.output);
  return { exit, ...recorded };
};
const confirmed = { confirm: 'pe-main', watch: true };

const fail =
  (error: Error): Lambda =>
  () => {
    throw error;
  };

const parseLines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('a restore that was started', () => {
  it('waits without a confirmation, and says how long and how both decisions are given', async () => {
    const { exit, stdout, stderr } = start({ approvalMinutes: '90' });
    expect(await exit).toBe('ok');
    const at = `--endpoint-url ${connection.options.endpointUrl}`;
    expect(stdout()).toMatch(new RegExp(`^approve +holdfast approve pe-main-restore-\\S+ ${at}$`, 'm'));
    expect(stdout()).toMatch(new RegExp(`^reject +holdfast reject pe-main-restore-\\S+ --reason TEXT ${at}$`, 'm'));
    expect(stderr()).toContain('waits 1h 30m for an approval');
  });

  it('speaks of no approval when it was confirmed', async () => {
    const { exit, stdout, stderr } = start({ confirm: 'pe-main' });
    expect(await exit).toBe('ok');
    expect(`${stdout()}${stderr()}`).not.toContain('appro');
  });

  it('has a name of sixty characters at most', async () => {
    const system = `pe-${'long'.repeat(7)}x`;
    expect(system).toHaveLength(32);
    const { exit, stdout } = start({ json: true }, system);
    await exit;
    expect(JSON.parse(stdout()).run).toMatch(/^pe-[a-z]+-restore-\d{8}T\d{6}Z-[0-9a-f]{6}$/);
    expect(JSON.parse(stdout()).run).toHaveLength(60);
  });

  it.each([
    [['master=i-0123456789abcdef0=x'], /ROLE=INSTANCE/],
    [['master=i-0123456789abcdef0', 'master=i-0123456789abcdef1'], /master is given twice/],
    [['master=web-1'], /onto\.master: expected an instance id/],
  ])('is none when %j names no instance for a role', async (onto, message) => {
    await expect(start({ onto }).exit).rejects.toMatchObject({
      exit: 'usage',
      message: expect.stringMatching(message),
    });
  });
});

describe('holdfast restore --plan', () => {
  it("tells the backup's age, what is fetched, the estimate, warnings and every step", async () => {
    const { exit, stdout } = start({ plan: true });
    expect(await exit).toBe('ok');
    expect(stdout()).toMatch(new RegExp(`^backup +${chosen}, taken .*Z, 1d 2h ago$`, 'm'));
    expect(stdout()).toMatch(/^fetches +1 artifact, 1.00 KiB, 4.00 KiB unpacked\nestimate +1m 4s$/m);
    expect(stdout()).toContain('warning: the backup lacks: pe-rbac');
    for (const step of summary.steps) expect(stdout()).toContain(`${step}\n`);
  });

  it('is one document as JSON', async () => {
    const { exit, stdout } = start({ plan: true, json: true });
    expect(await exit).toBe('ok');
    expect(JSON.parse(stdout())).toEqual(summary);
  });
});

describe('holdfast restore --watch', () => {
  it('names the safety backup', async () => {
    lambdas['plan-restore'] = () => ({
      ...{ kind: 'puppet-enterprise', next, approvalSeconds: 600, safetyBackup: true, summary },
    });
    const restoring = lambdas['acquire-lock'];
    lambdas['acquire-lock'] = (payload) =>
      'lockedBy' in payload.request
        ? { system: 'pe-main', operation: 'backup', run: payload.run, backup: safety, attempt: 0, outcome: 'acquired' }
        : restoring?.(payload);
    lambdas['plan-backup'] = () => ({ phases: [], planOnly: false });
    lambdas['commit-backup'] = () => ({ manifest: 'm' });
    lambdas['release-lock'] = () => ({});
    const { exit, stdout } = start(confirmed);
    expect(await exit).toBe('ok');
    expect(stdout()).toMatch(new RegExp(`pe-main/${chosen} is restored[^]*safety backup pe-main/${safety}\n$`));
  });

  it('speaks JSON lines: what was started, how it goes, what was compared', async () => {
    const { exit, stdout, stderr } = start({ ...confirmed, json: true });
    expect(await exit).toBe('ok');
    const lines = parseLines(stdout());
    expect(lines[0]).toMatchObject({ event: 'started', system: 'pe-main', run: expect.any(String) });
    expect(lines[1]).toMatchObject({ event: 'progress', run: lines[0].run });
    expect(lines.at(-1)).toMatchObject({
      ...{ event: 'restored', run: lines[0].run, backup: chosen, safety: 'none' },
      compared: [expect.stringContaining('3855 rows')],
    });
    expect(stderr()).toBe('');
  });

  it.each([
    ['busy', 'acquire-lock', new SystemBusyError('pe-main is locked by the backup other-run.'), /Wait until/],
    ['not-found', 'choose-backup', new UnknownBackupError('pe-main has no such backup.'), /holdfast backups pe-main/],
    ['failed', 'plan-restore', new CheckFailedError('it is another version'), /--allow/],
    ['failed', 'acquire-lock', new InvalidInputError('scope: what?'), /start the restore again/],
    ['failed', 'prove-restore', new Error('out of memory'), /runbook/],
  ])('ends with %s when %s throws %s, and says what to try', async (exit, verb, error, advice) => {
    lambdas[verb] = fail(error);
    await expect(start(confirmed).exit).rejects.toMatchObject({
      exit,
      message: expect.stringContaining(`${error.name}: ${error.message}`),
      next: expect.stringMatching(advice),
    });
  });

  it('tells a failure as a line of JSON too', async () => {
    lambdas['plan-restore'] = fail(new CheckFailedError('it is another version'));
    const { exit, stdout } = start({ ...confirmed, json: true });
    await expect(exit).rejects.toMatchObject({ exit: 'failed' });
    expect(parseLines(stdout()).at(-1)).toMatchObject({ event: 'failed', error: 'CheckFailedError' });
  });

  it('says that the run continues when it loses sight of it', async () => {
    const broken = Object.assign(new Error('connect ETIMEDOUT'), { $metadata: {}, code: 'ETIMEDOUT' });
    connection = { ...connection, state: { ...connection.state, list: () => Promise.reject(broken) } };
    await expect(start(confirmed).exit).rejects.toMatchObject({
      exit: 'connection',
      next: expect.stringContaining('The run continues.'),
    });
  });

  it('names the backup once it is chosen, not before, and shows no phase without commands', async () => {
    const seenWithout = Promise.withResolvers<void>();
    const seenWaiting = Promise.withResolvers<void>();
    const choose = lambdas['choose-backup'];
    lambdas['choose-backup'] = async (payload) => {
      await seenWithout.promise;
      return choose?.(payload);
    };
    const command = {
      ...{ id: 'start', document: 'Holdfast-X', instanceIds: ['i-0123456789abcdef0'] },
      ...{ parameters: {}, executionTimeoutSeconds: 60 },
    };
    const plan = lambdas['plan-restore'];
    lambdas['plan-restore'] = async (payload) => {
      const phases = [
        { name: 'purge', commands: [], documents: {} },
        { name: 'start-services', commands: [command], documents: {} },
      ];
      const { run } = payload;
      await write(stateKeys.phase(run, 'reinstall'), {
        phase: 'reinstall',
        attempt: 0,
        startedAt: '2026-11-21T10:12:00Z',
        commands: [],
      });
      await write(stateKeys.plan(run), {
        ...{ run, system: 'pe-main', operation: 'restore', backup: chosen, attempt: 0, nodes: [], absent: [], phases },
        undoing: { version: '1', sha256: '0'.repeat(64) },
      });
      await seenWaiting.promise;
      return plan?.(payload);
    };
    const { exit, stdout } = start({ confirm: 'pe-main', json: true });
    await exit;
    const seen: RunProgress[] = [];
    for await (const progress of followRun(connection, JSON.parse(stdout()).execution, { pollMilliseconds })) {
      seen.push(progress);
      if (progress.system !== undefined) seenWithout.resolve();
      if (progress.phases.length > 0) seenWaiting.resolve();
    }
    const before = seen.find(({ system }) => system !== undefined);
    expect(before).not.toHaveProperty('backup');
    expect(before && progressBlock(before)[0]).toMatch(/^pe-main, run pe-main-restore-/);
    expect(seen.find(({ phases }) => phases.length > 0)).toMatchObject({
      backup: chosen,
      phases: [{ name: 'start-services', state: 'waiting' }],
    });
    expect(seen.at(-1)).toMatchObject({ phases: [], outcome: { kind: 'restored' } });
  });
});

describe('a decision', () => {
  const waiting = async () => {
    const { exit, stdout } = start({ json: true });
    await exit;
    const started = JSON.parse(stdout());
    await expect.poll(() => connection.state.read(stateKeys.approval(started.run)), { interval: 5 }).toBeDefined();
    return started;
  };
  const ended = (executionArn: string) => {
    const describe = () => connection.stepFunctions.send(new DescribeExecutionCommand({ executionArn }));
    return expect.poll(describe, { interval: 5 });
  };

  it('to reject ends the run with the reason', async () => {
    const { run, execution } = await waiting();
    await decide(async () => connection, run, { approve: false, reason: 'not tonight' }, recordedOutput().output);
    await ended(execution).toMatchObject({
      status: 'FAILED',
      error: 'ApprovalRejectedError',
      cause: 'not tonight (rejected by AIDATEST)',
    });
  });

  it('to approve lets the run go on to its end', async () => {
    const { run, execution } = await waiting();
    const { output, stdout } = recordedOutput();
    expect(await decide(async () => connection, run, { approve: true }, output, true)).toBe('ok');
    const digest = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect(JSON.parse(stdout())).toEqual({ run, decision: 'approved', by: 'AIDATEST', digest });
    await ended(execution).toMatchObject({ status: 'SUCCEEDED' });
    const record = JSON.parse((await connection.state.read(stateKeys.run(run)))?.text ?? '');
    expect(record.decision).toMatchObject({ by: 'AIDATEST', approve: true, digest });
  });

  it('is on the plan that the run asked about, and on no other', async () => {
    const { run } = await waiting();
    const plan = JSON.parse((await connection.state.read(stateKeys.plan(run)))?.text ?? '');
    await write(stateKeys.plan(run), {
      ...plan,
      phases: [...plan.phases, { name: 'purge', documents: {}, commands: [] }],
    });
    await expect(decide(async () => connection, run, { approve: true }, recordedOutput().output)).rejects.toMatchObject(
      { exit: 'failed', message: expect.stringContaining('is not the one that it asked to approve') },
    );
    expect(await connection.state.list('decisions/')).toEqual([]);
  });

  it('is what lets a run go on: the token of its task alone does not', async () => {
    const { run, execution } = await waiting();
    const { token: taskToken } = JSON.parse((await connection.state.read(stateKeys.approval(run)))?.text ?? '');
    await connection.stepFunctions.send(new SendTaskSuccessCommand({ taskToken, output: '{}' }));
    await ended(execution).toMatchObject({ status: 'FAILED', error: 'ApprovalRejectedError' });
  });

  it.each([{ approve: true } as const, { approve: false, reason: 'late' } as const])(
    'of %j comes too late when the token is no longer known',
    async (decision) => {
      await askApproval(connection.state, { run: 'r', token: 'AQ-old' });
      await expect(decide(async () => connection, 'r', decision, recordedOutput().output)).rejects.toMatchObject({
        exit: 'not-found',
      });
    },
  );
});
