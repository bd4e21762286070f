import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stateKeys } from '#domain/naming';
import type { Connection } from '../../cli/connection.ts';
import { decide } from '../../cli/decide.ts';
import { type RestoreOptions, restore } from '../../cli/restore.ts';
import { askApproval, type Lambda, type Payload, startDeployment } from './cli-deployment.ts';
import { recordedOutput } from './cli-fixtures.ts';

/** The real state machines and the real command line; the lambdas between them answer what a restore's would. */

const chosen = '20261120T020000Z';

let close: () => Promise<void>;
let connection: Connection;
let requested: Payload['request'] | undefined;

const summary = {
  backup: chosen,
  takenAt: '2026-11-20T02:00:00.000Z',
  plan: 'runs/r/plan.json',
  artifacts: 12,
  bytesStored: 12_000_000,
  bytesRaw: 70_000_000,
  estimatedSeconds: 64,
  warnings: ['no room beside'],
  steps: ['fetch: fetch-artifact databases/console.dump.zst: Holdfast-FetchArtifact on master'],
};

beforeEach(async () => {
  const lambdas: Record<string, Lambda> = {
    'acquire-lock': async ({ run, request }) => {
      requested = request;
      const record = { system: 'pe-main', operation: 'restore', run, backup: chosen };
      const details = {
        execution: 'arn',
        startedAt: new Date().toISOString(),
        scheduled: false,
        attempt: 0,
        safety: false,
      };
      await connection.state.write(stateKeys.run(run), JSON.stringify({ ...record, ...details }));
      return { ...record, attempt: 0, outcome: 'acquired' };
    },
    'choose-backup': () => ({ backup: chosen, cold: 0 }),
    'plan-inspection': () => ({ phases: ['inspect'] }),
    'advance-phase': () => ({ status: 'done', waitSeconds: 0 }),
    'plan-restore': () => ({
      kind: 'puppet-enterprise',
      next: requested?.planOnly === true ? 'plan-only' : requested?.confirm === undefined ? 'approval' : 'confirmed',
      approvalSeconds: 600,
      safetyBackup: false,
      summary,
    }),
    'request-approval': (payload) => askApproval(connection.state, payload),
    'open-backup': () => ({ paused: [] }),
    'prove-restore': () => ({
      compared: ['database console: 3855 rows in 7 tables are equal, table by table'],
      told: ['master: 1 certificate that the authority signed since the backup is kept: a.example.com'],
    }),
    'explain-failure': () => ({ error: 'ApprovalRejectedError', cause: 'Rejected: not tonight Nothing was changed.' }),
    'plan-undo': ({ run }) => ({ run, phases: [] }),
    'clean-up': () => ({ left: ['i-0: /srv/x.before-restore: it is mounted'] }),
  };
  ({ connection, close } = await startDeployment(lambdas));
});
afterEach(() => close());

const run = async (options: RestoreOptions, backup?: string) => {
  const recorded = recordedOutput();
  const exit = await restore(
    async () => connection,
    'pe-main',
    backup,
    { pollMilliseconds: 5, ...options },
    recorded.output,
  );
  return { exit, ...recorded };
};

describe('holdfast restore', () => {
  it('with --plan prints what would be done', async () => {
    const { exit, stdout } = await run({ plan: true });
    expect(exit).toBe('ok');
    expect(stdout()).toMatch(/20261120T020000Z, taken .*12 artifacts.*no room beside.*fetch-artifact databases/s);
  });

  it('with --watch ends with what was compared', async () => {
    const { exit, stdout } = await run({ watch: true, confirm: 'pe-main' });
    expect(exit).toBe('ok');
    expect(stdout()).toMatch(
      /pe-main\/20261120T020000Z is restored and proven.*3855 rows.*\n! master: 1 certificate .*\n! i-0: \/srv\/x.*No safety backup/s,
    );
  });

  it('passes on what was typed, and nothing else', async () => {
    await run(
      {
        watch: true,
        confirm: 'pe-main',
        scope: ['certs'],
        safetyBackup: false,
        onto: ['master=i-0123456789abcdef0'],
        allow: ['stopped-server'],
        constraints: 'mem=4G',
        reconnectPercent: '90',
      },
      chosen,
    );
    expect(requested).toEqual({
      system: 'pe-main',
      backup: chosen,
      confirm: 'pe-main',
      scope: ['certs'],
      safetyBackup: false,
      onto: { master: 'i-0123456789abcdef0' },
      allow: ['stopped-server'],
      juju: { constraints: 'mem=4G', reconnectPercent: 90 },
    });
  });

  it.each([
    [{ confirm: 'pe-other' }, undefined, /confirm: .*pe-main, typed again/],
    [{ scope: ['everything'] }, undefined, /scope/],
    [{ onto: ['master'] }, undefined, /onto/],
    [{ before: '2026-01-01T00:00:00Z' }, chosen, /not both/],
    [{ approvalMinutes: 'soon' }, undefined, /approvalSeconds/],
    [{ constraints: '4G; reboot' }, undefined, /juju\.constraints: expected constraints such as/],
    [{ ensureAvailability: '4' }, undefined, /juju\.ensureAvailability: expected 3, 5 or 7/],
    [{ reconnectSeconds: 'soon' }, undefined, /juju\.reconnectSeconds/],
    [{ reconnectPercent: '120' }, undefined, /juju\.reconnectPercent/],
    [{ allow: ['anything'] }, undefined, /allow/],
  ])('tells a mistake in %j before anything is started', async (options, backup, message) => {
    await expect(run(options, backup)).rejects.toThrow(message);
    expect(requested).toBeUndefined();
  });

  beforeEach(() => {
    requested = undefined;
  });
});

describe('a restore without a confirmation', () => {
  const waiting = async (): Promise<string> => {
    const { stdout } = await run({});
    const name = /holdfast approve (\S+)/.exec(stdout())?.[1] ?? '';
    await expect.poll(() => connection.state.read(stateKeys.approval(name)), { interval: 5 }).toBeDefined();
    return name;
  };
  const decided = (name: string, decision: Parameters<typeof decide>[2]) => {
    const recorded = recordedOutput();
    return decide(async () => connection, name, decision, recorded.output);
  };

  it('goes on when it is approved, once', async () => {
    const name = await waiting();
    expect(await decided(name, { approve: true })).toBe('ok');
    await expect(decided(name, { approve: true })).rejects.toThrow(/no longer waits; its deadline was 2027/);
  });

  it('ends when it is rejected', async () => {
    expect(await decided(await waiting(), { approve: false, reason: 'not tonight' })).toBe('ok');
  });

  it('of another name is told apart', async () => {
    await expect(decided('pe-main-restore-x', { approve: true })).rejects.toThrow(/no run pe-main-restore-x has asked/);
    await expect(decided('../x', { approve: true })).rejects.toThrow(/not the name of a run/);
  });
});
