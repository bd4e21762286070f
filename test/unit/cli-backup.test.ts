import { StopExecutionCommand } from '@aws-sdk/client-sfn';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemBusyError, UnknownSystemError } from '#domain/errors';
import { stateKeys, vaultKeys } from '#domain/naming';
import { backup } from '../../cli/backup.ts';
import type { Connection } from '../../cli/connection.ts';
import type { RunProgress } from '../../cli/follow-run.ts';
import { followRun } from '../../cli/follow-run.ts';
import type { Upload } from '../../cli/uploads.ts';
import { type Lambda, startDeployment } from './cli-deployment.ts';
import { commit, manifestOf, recordedOutput } from './cli-fixtures.ts';

/** The real state machines and the real command line; the lambdas between them do as each test says. */

const slot = '20261120T020000Z';

let close: () => Promise<void>;
let connection: Connection;
let lambdas: Record<string, Lambda>;
let uploads: readonly Upload[];
const pollMilliseconds = 5;

const acquired =
  (outcome: 'acquired' | 'duplicate'): Lambda =>
  async ({ run }) => {
    const record = { system: 'pe-main', operation: 'backup', run, backup: slot };
    const details = {
      execution: 'arn',
      startedAt: new Date().toISOString(),
      scheduled: false,
      attempt: 0,
      safety: false,
    };
    await connection.state.write(stateKeys.run(run), JSON.stringify({ ...record, ...details }));
    return { ...record, attempt: 0, outcome };
  };

const fail =
  (error: Error): Lambda =>
  () => {
    throw error;
  };

beforeEach(async () => {
  uploads = [];
  lambdas = {
    'acquire-lock': acquired('acquired'),
    'plan-inspection': () => ({ phases: ['inspect'] }),
    'advance-phase': () => ({ status: 'done', waitSeconds: 0 }),
    'plan-backup': () => ({ phases: ['collect'], planOnly: false }),
    'commit-backup': async () => {
      await commit(connection.vault, manifestOf('pe-main', slot));
      return { manifest: vaultKeys.manifest('pe-main', slot) };
    },
    'release-lock': () => ({}),
    'explain-failure': () => ({ error: 'CommandFailedError', cause: 'dump pe-puppetdb on master: no space left.' }),
    'plan-undo': ({ run }) => ({ run, phases: [] }),
    'clean-up': () => ({ left: [] }),
  };
  ({ connection, close } = await startDeployment(lambdas));
  connection = { ...connection, uploads: async () => uploads };
});

afterEach(() => close());

const watch = (options: { json?: boolean } = {}) => {
  const recorded = recordedOutput();
  const exit = backup(
    async () => connection,
    'pe-main',
    { watch: true, pollMilliseconds, ...options },
    recorded.output,
  );
  return { exit, ...recorded };
};

describe('holdfast backup', () => {
  it('starts a run and tells its id, and how to follow it on the same deployment', async () => {
    const { output, stdout } = recordedOutput();
    expect(await backup(async () => connection, 'pe-main', {}, output)).toBe('ok');
    expect(stdout()).toMatch(/^run +pe-main-\d{8}T\d{6}Z-[0-9a-f]{6}$/m);
    expect(stdout()).toContain(`holdfast backups pe-main --endpoint-url ${connection.options.endpointUrl}`);
    expect(stdout()).not.toContain('console');
  });

  it('asks nobody about what can be no system', async () => {
    const never = async () => {
      throw new Error('connected');
    };
    await expect(backup(never, '../etc', {}, recordedOutput().output)).rejects.toMatchObject({ exit: 'usage' });
  });
});

describe('holdfast backup --watch', () => {
  it('succeeds when the manifest is there, and sums the backup up', async () => {
    const { exit, stdout, stderr } = watch();
    expect(await exit).toBe('ok');
    expect(stdout()).toMatch(
      new RegExp(`^pe-main/${slot} is complete: 3 artifacts, 1.00 MiB, took .*, daily, live\n$`),
    );
    expect(stderr()).toContain(`holdfast show pe-main/${slot} --endpoint-url`);
  });

  it('does not believe a run that succeeded without a manifest', async () => {
    lambdas['commit-backup'] = () => ({ manifest: vaultKeys.manifest('pe-main', slot) });
    const { exit, stdout } = watch();
    await expect(exit).rejects.toMatchObject({ exit: 'failed', message: expect.stringContaining('no manifest') });
    expect(stdout()).toBe('');
  });

  it('tells the reason of a failed run, and what to do', async () => {
    lambdas['commit-backup'] = fail(new Error('no space left'));
    await expect(watch().exit).rejects.toMatchObject({
      exit: 'failed',
      message: expect.stringContaining('CommandFailedError: dump pe-puppetdb on master: no space left.'),
      next: expect.stringContaining('holdfast backup pe-main'),
    });
  });

  it.each([
    ['busy', new SystemBusyError('pe-main is locked by the backup other-run.'), 'other-run'],
    ['not-found', new UnknownSystemError('holdfast.yaml has no system pe-main.'), 'no system pe-main'],
  ])('ends with %s when the lock could not be taken for that reason', async (exit, error, words) => {
    lambdas['acquire-lock'] = fail(error);
    await expect(watch().exit).rejects.toMatchObject({ exit, message: expect.stringContaining(words) });
  });

  it('says that the backup of this moment was made by another run', async () => {
    lambdas['acquire-lock'] = acquired('duplicate');
    await commit(connection.vault, manifestOf('pe-main', slot));
    const { exit, stdout } = watch();
    expect(await exit).toBe('ok');
    expect(stdout()).toContain('exists already');
  });

  it('is busy, not well, while another run still makes the backup of this moment', async () => {
    lambdas['acquire-lock'] = acquired('duplicate');
    await expect(watch().exit).rejects.toMatchObject({ exit: 'busy', message: expect.stringContaining(slot) });
  });

  it('does not take a run that somebody stopped for a backup', async () => {
    lambdas['commit-backup'] = async ({ run }) => {
      const executionArn = connection.backupMachineArn.replace('stateMachine', 'execution').concat(`:${run}`);
      await connection.stepFunctions.send(new StopExecutionCommand({ executionArn, cause: 'maintenance tonight' }));
    };
    await expect(watch().exit).rejects.toMatchObject({
      exit: 'failed',
      message: expect.stringContaining('Aborted: maintenance tonight'),
    });
  });

  it('speaks JSON lines: what was started, how it goes, how it ended', async () => {
    const { exit, stdout, stderr } = watch({ json: true });
    expect(await exit).toBe('ok');
    const lines = stdout()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ event: 'started', system: 'pe-main', run: expect.any(String) });
    expect(lines[1]).toMatchObject({ event: 'progress', run: lines[0].run, phases: [] });
    expect(lines.at(-1)).toMatchObject({ event: 'committed', manifest: { backup: slot } });
    expect(stderr()).toBe('');
  });

  it('says that the run continues when it loses sight of it', async () => {
    const broken = Object.assign(new Error('connect ETIMEDOUT'), { $metadata: {}, code: 'ETIMEDOUT' });
    connection = { ...connection, uploads: () => Promise.reject(broken) };
    await expect(watch().exit).rejects.toMatchObject({
      exit: 'connection',
      next: expect.stringContaining('The run continues.'),
    });
  });
});

describe('following a run', () => {
  const start = async (): Promise<string> => {
    const { output, stdout } = recordedOutput();
    await backup(async () => connection, 'pe-main', { json: true }, output);
    return JSON.parse(stdout()).execution;
  };

  it('shows phases that wait, run and end, and the bytes that arrive, until the outcome', async () => {
    const collecting = Promise.withResolvers<void>();
    const command = (id: string) => ({
      ...{ id, document: 'Holdfast-X', instanceIds: ['i-0123456789abcdef0'], parameters: {} },
      executionTimeoutSeconds: 60,
    });
    const now = new Date().toISOString();
    const write = (run: string, phase: string, commandState: object) =>
      connection.state.write(
        stateKeys.phase(run, phase),
        JSON.stringify({
          phase,
          attempt: 0,
          startedAt: now,
          commands: [{ id: phase, document: 'Holdfast-X', ...commandState }],
        }),
      );
    lambdas['plan-backup'] = async ({ run }) => {
      const phases = ['collect', 'start-services'].map((name) => ({ name, commands: [command(name)], documents: {} }));
      const plan = {
        run,
        system: 'pe-main',
        operation: 'backup',
        backup: slot,
        attempt: 0,
        nodes: [],
        absent: [],
        phases,
        undoing: { version: '1', sha256: '0'.repeat(64) },
      };
      await connection.state.write(stateKeys.plan(run), JSON.stringify(plan));
      await write(run, 'collect', { state: 'sent', commandId: 'c', sentAt: now });
      await collecting.promise;
      await write(run, 'collect', { state: 'ended', commandId: 'c', sentAt: now, endedAt: now, invocations: [] });
      return { phases: [], planOnly: false };
    };
    uploads = [
      { key: 'a', bytes: 1000, state: 'stored' },
      { key: 'b', bytes: 24, state: 'under way' },
    ];
    const seen: RunProgress[] = [];
    for await (const progress of followRun(connection, await start(), { pollMilliseconds })) {
      seen.push(progress);
      if (progress.phases[0]?.state === 'running') collecting.resolve();
    }
    const running = seen.find(({ phases }) => phases[0]?.state === 'running');
    expect(running).toMatchObject({
      system: 'pe-main',
      backup: slot,
      uploaded: { bytes: 1024, stored: 1, underWay: 1 },
      phases: [
        { name: 'collect', commands: [{ id: 'collect', state: 'running' }] },
        { name: 'start-services', state: 'waiting' },
      ],
    });
    expect(seen.slice(0, -1).every(({ outcome }) => outcome === undefined)).toBe(true);
    expect(seen.at(-1)).toMatchObject({
      phases: [{ name: 'collect', state: 'done' }],
      outcome: { kind: 'committed', manifest: { backup: slot } },
    });
  });

  it('goes on without the bytes when looking at uploads is not permitted', async () => {
    const denied = Object.assign(new Error('denied'), { name: 'AccessDenied', $metadata: {} });
    connection = { ...connection, uploads: () => Promise.reject(denied) };
    const seen: RunProgress[] = [];
    for await (const progress of followRun(connection, await start(), { pollMilliseconds })) seen.push(progress);
    expect(seen.at(-1)?.outcome?.kind).toBe('committed');
    expect(seen.every(({ uploaded }) => uploaded === undefined)).toBe(true);
  });
});
