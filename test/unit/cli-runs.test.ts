import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandFailedError, UnknownSystemError } from '#domain/errors';
import { originalFailure } from '#domain/failure';
import { backupId, stateKeys } from '#domain/naming';
import { backup } from '../../cli/backup.ts';
import { cancel } from '../../cli/cancel.ts';
import { type Connection, executionArn } from '../../cli/connection.ts';
import { decide } from '../../cli/decide.ts';
import { names } from '../../cli/names.ts';
import { restore } from '../../cli/restore.ts';
import { runs } from '../../cli/runs.ts';
import { systems } from '../../cli/systems.ts';
import { watch } from '../../cli/watch.ts';
import { askApproval, type Lambda, type Payload, startDeployment } from './cli-deployment.ts';
import { commit, manifestOf, recordedOutput } from './cli-fixtures.ts';

/** What a person on call asks of the terminal: is everything backed up, what is running, why did that fail, what now. */

const now = new Date('2026-11-20T12:00:00Z');
const chosen = '20261120T020000Z';
const summary = {
  ...{ backup: chosen, takenAt: '2026-11-20T02:00:00.000Z', plan: 'runs/r/plan.json', artifacts: 1, bytesStored: 1 },
  ...{ bytesRaw: 1, estimatedSeconds: 64, warnings: [], steps: [] },
};

let lambdas: Record<string, Lambda>;
let connection: Connection;
let close: () => Promise<void>;
/** The backup's collecting does not end before this. */
let collected: PromiseWithResolvers<void>;

const connect = async (): Promise<Connection> => connection;
const write = (key: string, value: unknown): Promise<void> => connection.state.write(key, JSON.stringify(value));

const lock = ({ run, execution, operation, request }: Payload) => {
  const held = { system: request.system, operation, run, backup: backupId(now), execution };
  return write(stateKeys.lock(request.system), { ...held, acquiredAt: '2026-11-20T11:50:00Z' });
};

beforeEach(async () => {
  collected = Promise.withResolvers();
  lambdas = {
    'acquire-lock': async (payload) => {
      const { run, execution, operation, request } = payload;
      const record = { system: request.system, operation, run, backup: chosen };
      const details = { execution, startedAt: now.toISOString(), scheduled: false, attempt: 0, safety: false };
      await write(stateKeys.run(run), { ...record, ...details });
      await lock(payload);
      return { ...record, attempt: 0, outcome: 'acquired' };
    },
    'plan-inspection': () => ({ phases: ['inspect'] }),
    'advance-phase': () => ({ status: 'done', waitSeconds: 0 }),
    'plan-backup': async () => {
      await collected.promise;
      return { phases: ['collect'], planOnly: false };
    },
    'commit-backup': async () => {
      await commit(connection.vault, manifestOf('pe-main', chosen), 'keep');
      return { manifest: 'm' };
    },
    'release-lock': () => connection.state.delete(stateKeys.lock('pe-main')),
    'explain-failure': ({ failure }) => originalFailure(failure, 'backup'),
    'choose-backup': () => ({ backup: chosen, cold: 0 }),
    'plan-restore': () => ({
      ...{ kind: 'puppet-enterprise', next: 'approval', approvalSeconds: 600, safetyBackup: false, summary },
    }),
    'request-approval': (payload) => askApproval(connection.state, payload),
    'plan-undo': ({ run }) => ({ run, phases: [] }),
    'clean-up': () => ({ left: [] }),
  };
  ({ connection, close } = await startDeployment(lambdas));
});

afterEach(async () => {
  collected.resolve();
  await close();
});

const startedRun = async (verb: typeof backup | typeof startRestore, system = 'pe-main'): Promise<string> => {
  const { output, stdout } = recordedOutput();
  await verb(connect, system, { json: true }, output);
  return JSON.parse(stdout()).run;
};
const startRestore: typeof backup = (of, system, options, output) => restore(of, system, undefined, options, output);

const failing = (error: Error): void => {
  lambdas['plan-inspection'] = () => {
    throw error;
  };
};

const said = async (verb: (output: ReturnType<typeof recordedOutput>['output']) => Promise<unknown>) => {
  const recorded = recordedOutput();
  const exit = await verb(recorded.output);
  return { exit, stdout: recorded.stdout(), stderr: recorded.stderr() };
};

const stateOf = (run: string) => async (): Promise<unknown> => {
  const { stdout } = await said((output) => runs(connect, undefined, { json: true }, output, now));
  return JSON.parse(stdout).runs.find((one: { run: string }) => one.run === run)?.state;
};
const isOver = (run: string) => expect.poll(stateOf(run), { interval: 5 }).not.toBe('running');
const isWaiting = (run: string) => expect.poll(stateOf(run), { interval: 5 }).toBe('waiting');

describe('what a shell completes', () => {
  const offered = async (kind: 'systems' | 'backups' | 'runs') =>
    (await said((output) => names(connect, kind, output))).stdout.trimEnd().split('\n');

  it('are systems that are deployed, backups that there are, and runs of each operation', async () => {
    collected.resolve();
    const run = await startedRun(backup);
    await isOver(run);
    const systemsOf = { 'pe-main': {}, 'pe-new': {} };
    await connection.state.write(stateKeys.deployed, JSON.stringify({ systems: systemsOf }));
    expect(await offered('systems')).toEqual(['pe-main', 'pe-new']);
    expect(await offered('backups')).toEqual(['pe-main/latest', `pe-main/${chosen}`]);
    expect(await offered('runs')).toEqual([run]);
  });

  it('is nothing that a shell could take for more than a name', async () => {
    const systemsOf = { '$(reboot)': {}, 'pe-main': {} };
    await connection.state.write(stateKeys.deployed, JSON.stringify({ systems: systemsOf }));
    expect(await offered('systems')).toEqual(['pe-main']);
  });
});

describe('holdfast runs', () => {
  it('lists runs of every operation, newest first, with their results', async () => {
    collected.resolve();
    const done = await startedRun(backup);
    await isOver(done);
    failing(new CommandFailedError('dump console on master: no space left.'));
    const failed = await startedRun(backup, 'pe-other');
    await isOver(failed);
    lambdas['plan-inspection'] = () => ({ phases: [] });
    const waits = await startedRun(startRestore);
    await isWaiting(waits);
    const { exit, stdout, stderr } = await said((output) => runs(connect, undefined, {}, output));
    expect(exit).toBe('ok');
    const lines = stdout.trimEnd().split('\n');
    expect(lines[1]).toMatch(new RegExp(`^${waits} +restore +pe-main +waiting .* -$`));
    expect(lines[2]).toMatch(new RegExp(`^${failed} +backup +pe-other +failed .* CommandFailedError$`));
    expect(lines[3]).toMatch(new RegExp(`^${done} +backup +pe-main +succeeded .* ${chosen}$`));
    expect(stderr).toContain(`holdfast watch ${failed} --endpoint-url`);
    expect(stderr).toContain(`holdfast approve ${waits} --endpoint-url`);
  });

  it('lists those of one system, as many as are asked for', async () => {
    collected.resolve();
    const all = [await startedRun(backup), await startedRun(backup, 'pe-other'), await startedRun(backup)];
    for (const run of all) await isOver(run);
    const listed = async (system: string | undefined, limit?: string) => {
      const options = { json: true, ...(limit !== undefined && { limit }) };
      const { stdout } = await said((output) => runs(connect, system, options, output));
      return JSON.parse(stdout).runs.map(({ run }: { run: string }) => run);
    };
    expect(await listed('pe-main')).toEqual([all[2], all[0]]);
    expect(await listed(undefined, '1')).toEqual([all[2]]);
  });

  it('sees runs beyond the first page, each once', async () => {
    const started: string[] = [];
    lambdas['acquire-lock'] = () => {
      throw new UnknownSystemError('no such system');
    };
    for (let count = 0; count < 55; count++) started.push(await startedRun(backup));
    const { stdout } = await said((output) => runs(connect, 'pe-main', { json: true, limit: '100' }, output));
    expect(JSON.parse(stdout).runs.map(({ run }: { run: string }) => run)).toEqual(started.toReversed());
  });

  it.each(['0', 'many', '-1', '1000'])('asks nobody for %s runs', async (limit) => {
    const never = () => Promise.reject(new Error('connected'));
    await expect(runs(never, undefined, { limit }, recordedOutput().output)).rejects.toMatchObject({ exit: 'usage' });
  });

  it('says so when nothing has run', async () => {
    await expect(runs(connect, 'pe-main', {}, recordedOutput().output)).rejects.toMatchObject({
      exit: 'not-found',
      next: expect.stringContaining('holdfast systems'),
    });
  });
});

describe('holdfast watch', () => {
  it('follows a run that somebody else started', async () => {
    const run = await startedRun(backup);
    const { output, stdout, stderr } = recordedOutput();
    const exit = watch(connect, run, { pollMilliseconds: 5 }, output);
    collected.resolve();
    expect(await exit).toBe('ok');
    expect(stdout()).toContain(`pe-main/${chosen} is complete`);
    expect(stderr()).toContain('holdfast show');
  });

  it('tells why a run failed, and what to do, long after', async () => {
    failing(new CommandFailedError('dump console on master: no space left.'));
    const run = await startedRun(backup);
    await isOver(run);
    await expect(watch(connect, run, {}, recordedOutput().output)).rejects.toMatchObject({
      exit: 'failed',
      message: expect.stringContaining('CommandFailedError: dump console on master: no space left.'),
      next: expect.stringContaining('holdfast backup pe-main'),
    });
  });

  it('says that a run waits for an approval, and which command gives it', async () => {
    const run = await startedRun(startRestore);
    await isWaiting(run);
    const { output, stderr } = recordedOutput();
    const exit = watch(connect, run, { pollMilliseconds: 5 }, output);
    await expect.poll(stderr, { interval: 5 }).toContain('waiting for approval until 2027-01-01 00:00:00Z: ');
    expect(stderr()).toContain(`holdfast approve ${run} --endpoint-url ${connection.options.endpointUrl}`);
    await decide(connect, run, { approve: false, reason: 'not tonight' }, recordedOutput().output);
    await expect(exit).rejects.toMatchObject({ exit: 'failed', message: expect.stringContaining('not tonight') });
  });

  it('speaks JSON lines, in which a run that waits says so', async () => {
    const run = await startedRun(startRestore);
    await isWaiting(run);
    const { output, stdout, stderr } = recordedOutput();
    const exit = watch(connect, run, { json: true, pollMilliseconds: 5 }, output);
    await expect.poll(stdout, { interval: 5 }).toContain('"progress"');
    await cancel(connect, run, {}, recordedOutput().output);
    await expect(exit).rejects.toMatchObject({ exit: 'failed' });
    const lines = stdout()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ event: 'found', run, operation: 'restore', system: 'pe-main' });
    expect(lines[1]).toMatchObject({
      ...{ event: 'progress', run },
      step: { state: 'WaitForApproval', approvalUntil: '2027-01-01T00:00:00.000Z' },
    });
    expect(lines.at(-1)).toMatchObject({ event: 'failed', run, error: 'Aborted' });
    expect(stderr()).toBe('');
  });

  it('still follows a run whose history it may not read', async () => {
    collected.resolve();
    const run = await startedRun(backup);
    const send = connection.stepFunctions.send.bind(connection.stepFunctions);
    const denied = Object.assign(new Error('denied'), { name: 'AccessDeniedException', $metadata: {} });
    Object.assign(connection.stepFunctions, {
      send: (command: object) =>
        command.constructor.name === 'GetExecutionHistoryCommand'
          ? Promise.reject(denied)
          : Reflect.apply(send, undefined, [command]),
    });
    expect(await watch(connect, run, { pollMilliseconds: 5 }, recordedOutput().output)).toBe('ok');
  });

  it.each([
    ['no-such-run', 'not-found'],
    ['../x', 'usage'],
  ])('of %s ends with %s', async (name, exit) => {
    await expect(watch(connect, name, {}, recordedOutput().output)).rejects.toMatchObject({
      exit,
      next: expect.stringContaining('holdfast runs'),
    });
  });
});

describe('holdfast cancel', () => {
  it('stops a run, with the reason, and says what becomes of what it did', async () => {
    const run = await startedRun(backup);
    const { exit, stdout, stderr } = await said((output) => cancel(connect, run, { reason: 'maintenance' }, output));
    expect(exit).toBe('ok');
    expect(stdout).toContain(`${run} is cancelled.`);
    expect(stdout).toContain('services that it stopped are started again');
    expect(stderr).toContain('holdfast systems');
    await expect(watch(connect, run, {}, recordedOutput().output)).rejects.toMatchObject({
      message: expect.stringContaining('Aborted: maintenance'),
    });
  });

  it('says of a run that waits for an approval that nothing was changed', async () => {
    const run = await startedRun(startRestore);
    await isWaiting(run);
    const { stdout } = await said((output) => cancel(connect, run, { json: true }, output));
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ run, operation: 'restore', system: 'pe-main', state: 'cancelled' },
      undoing: expect.stringContaining('nothing was changed'),
    });
  });

  it('leaves a run alone that is over', async () => {
    collected.resolve();
    const run = await startedRun(backup);
    await isOver(run);
    await expect(cancel(connect, run, {}, recordedOutput().output)).rejects.toMatchObject({
      exit: 'not-found',
      message: expect.stringContaining('has ended already: succeeded'),
    });
  });
});

describe('holdfast systems', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-systems-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const file = (ids: readonly string[], text = ''): string => {
    const path = join(folder, 'holdfast.yaml');
    const node = (index: number) => `{ instance: i-0123456789abcdef${index}, roles: [master, puppetdb, console] }`;
    const one = (id: string, index: number) =>
      `  ${id}: { kind: puppet-enterprise, nodes: [${node(index)}], schedules: [nightly] }\n`;
    writeFileSync(path, `systems:\n${ids.map(one).join('')}schedules: { nightly: { cron: 0 2 * * * } }\n${text}`);
    return path;
  };
  const asked = (config?: string, json = false) =>
    said((output) => systems(connect, { json, ...(config !== undefined && { config }) }, output, now));
  const lineOf = (stdout: string, system: string) => stdout.split('\n').find((line) => line.startsWith(`${system} `));

  it('answers whether everything is backed up, how old the newest is, and ends with 0 when all is well', async () => {
    await commit(connection.vault, manifestOf('pe-main', '20261119T020000Z'), 'keep');
    await commit(connection.vault, manifestOf('pe-main', chosen), 'keep');
    const { exit, stdout, stderr } = await asked(file(['pe-main']));
    expect(exit).toBe('ok');
    expect(lineOf(stdout, 'pe-main')).toMatch(new RegExp(`ok +${chosen} +10h +1.00 MiB +- +-$`));
    expect(stderr).toBe('1 of 1 system backed up; the oldest of the newest backups is 10h old, of pe-main.\n');
  });

  it('ends otherwise when a backup is overdue, or a configured system has none', async () => {
    await commit(connection.vault, manifestOf('pe-main', '20261118T020000Z'), 'keep');
    await commit(connection.vault, manifestOf('pe-gone', chosen), 'keep');
    const { exit, stdout, stderr } = await asked(file(['pe-main', 'pe-new']));
    expect(exit).toBe('overdue');
    expect(lineOf(stdout, 'pe-main')).toMatch(/ overdue +20261118T020000Z +2d 10h /);
    expect(lineOf(stdout, 'pe-new')).toMatch(/ no backup +- +- +- +- +-$/);
    expect(lineOf(stdout, 'pe-gone')).toMatch(/ not configured /);
    expect(stderr).toContain('pe-new has no good backup. Make one: holdfast backup pe-new --watch');
    expect(stderr).toContain('0 of 2 systems backed up');
  });

  it('takes no safety backup for a good one', async () => {
    await commit(connection.vault, manifestOf('pe-main', '20261119T020000Z'), 'keep');
    await commit(connection.vault, manifestOf('pe-main', chosen, { purpose: 'safety' }));
    const { stdout } = await asked();
    expect(lineOf(stdout, 'pe-main')).toContain('20261119T020000Z');
  });

  it('skips a manifest that it cannot read, and says so', async () => {
    await commit(connection.vault, manifestOf('pe-main', '20261119T020000Z'), 'keep');
    await connection.vault.create(`catalog/pe-main/${chosen}.json`, '{}');
    const { stdout, stderr } = await asked();
    expect(lineOf(stdout, 'pe-main')).toContain('20261119T020000Z');
    expect(stderr).toContain(`pe-main/${chosen} is skipped: `);
  });

  it('tells what is running, what waits, and what is being undone', async () => {
    const running = await startedRun(backup);
    await expect.poll(() => connection.state.read(stateKeys.lock('pe-main')), { interval: 5 }).toBeDefined();
    const waits = await startedRun(startRestore, 'pe-other');
    await isWaiting(waits);
    const dead = executionArn(connection, 'backup', 'gone');
    await lock({ ...anyPayload, run: 'gone', execution: dead, operation: 'backup', request: { system: 'pe-third' } });
    const { stdout, stderr } = await asked();
    expect(lineOf(stdout, 'pe-main')).toMatch(/ backup for 10m +-$/);
    expect(lineOf(stdout, 'pe-other')).toMatch(/ restore waiting 10m +-$/);
    expect(lineOf(stdout, 'pe-third')).toMatch(/ backup undoing 10m +-$/);
    expect(stderr).toContain(`Follow it: holdfast watch ${running}`);
    expect(stderr).toContain(`${waits} is waiting for approval until 2027-01-01 00:00:00Z: holdfast approve ${waits}`);
  });

  it('tells what failed last, and where the reason is', async () => {
    failing(new CommandFailedError('no space left.'));
    const run = await startedRun(backup);
    await isOver(run);
    await connection.state.delete(stateKeys.lock('pe-main'));
    const { exit, stdout, stderr } = await asked();
    expect(exit).toBe('overdue');
    expect(lineOf(stdout, 'pe-main')).toMatch(/ no backup .* backup, CommandFailedError, .* ago$/);
    expect(stderr).toContain(`Why its last run failed: holdfast watch ${run}`);
  });

  it('says the same as one document', async () => {
    await commit(connection.vault, manifestOf('pe-main', chosen), 'keep');
    const { stdout } = await asked(file(['pe-main']), true);
    expect(JSON.parse(stdout)).toEqual({
      systems: [
        {
          ...{ system: 'pe-main', state: 'ok', overdueAfterSeconds: 129_600, underWay: null, lastFailure: null },
          newest: { backup: chosen, ageSeconds: 36_000, bytes: 1_052_672, complete: true },
        },
      ],
    });
  });

  it('knows from what is deployed of systems that have never run, and when a backup is overdue', async () => {
    await commit(connection.vault, manifestOf('pe-main', '20261118T020000Z'), 'keep');
    const systemsOf = { 'pe-main': { overdueAfterSeconds: 129_600 }, 'pe-new': {} };
    await connection.state.write(stateKeys.deployed, JSON.stringify({ systems: systemsOf }));
    const { exit, stdout, stderr } = await asked();
    expect(exit).toBe('overdue');
    expect(lineOf(stdout, 'pe-main')).toMatch(/ overdue /);
    expect(lineOf(stdout, 'pe-new')).toMatch(/ no backup /);
    expect(stderr).not.toContain('--config');
  });

  it('does without a configuration, and says what it cannot know then', async () => {
    await commit(connection.vault, manifestOf('pe-main', '20260101T020000Z'), 'keep');
    const { exit, stderr } = await asked();
    expect(exit).toBe('ok');
    expect(stderr).toContain('schedules and systems that have never run are missing here');
  });

  it('refuses a configuration that was named and has mistakes', async () => {
    await expect(asked(file(['pe-main'], 'colour: blue\n'))).rejects.toMatchObject({
      exit: 'invalid',
      next: expect.stringContaining('holdfast config check'),
    });
    await expect(asked(join(folder, 'nothing.yaml'))).rejects.toMatchObject({ exit: 'not-found' });
  });

  it('says how to begin when nothing is known', async () => {
    await expect(asked()).rejects.toMatchObject({
      exit: 'not-found',
      next: expect.stringContaining('holdfast backup'),
    });
  });
});

const anyPayload: Payload = {
  ...{ run: 'r', execution: 'arn', operation: 'backup', token: 't', request: { system: 'pe-main' } },
  failure: { Error: '', Cause: '' },
};
