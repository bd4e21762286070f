import { describe, expect, it } from 'vitest';
import { parseConfig } from '#domain/config-file';
import { finishRestore } from '#domain/contracts/shared';
import { stateKeys, vaultKeys } from '#domain/naming';
import { RestoreRequest } from '#domain/payloads';
import { acquireLock } from '../../lambdas/acquire-lock/acquire-lock.ts';
import { cleanUp } from '../../lambdas/clean-up/clean-up.ts';
import { memoryBucket } from './memory.ts';

const config = parseConfig(`
systems:
  pe-main:
    kind: puppet-enterprise
    nodes: [{ instance: i-0123456789abcdef0, roles: [master, puppetdb, console] }]
    schedules: [nightly, often]
schedules:
  nightly: { cron: '0 4 * * *', timezone: Europe/Berlin }
  often: { rate: 1 hour }
`);

const world = (alive: readonly string[] = []) => ({
  config,
  state: memoryBucket(),
  vault: memoryBucket(),
  executions: {
    isRunning: async ({ execution }: { execution: string }) => alive.includes(execution),
    hasStarted: async (parent: string, { execution }: { execution: string }) => execution === `${parent}/child`,
  },
  schedules: { isEnabled: async () => true, pause: async () => undefined, resume: async () => undefined },
});

const run = (name: string, second = '00') => ({
  run: name,
  execution: `arn:${name}`,
  startedAt: `2026-11-20T02:00:${second}.000Z`,
  attempt: 0,
});
const request = {
  operation: 'backup' as const,
  request: { system: 'pe-main', safety: false, partial: false, planOnly: false },
};

describe("a system's lock", () => {
  it('is held by one run, and another one is told by whom', async () => {
    const services = world(['arn:a']);
    expect(await acquireLock(services, run('a'), request)).toMatchObject({
      outcome: 'acquired',
      backup: '20261120T020000Z',
    });
    await expect(acquireLock(services, run('b', '05'), request)).rejects.toThrow(
      /locked by the backup a, .* Wait until/,
    );
  });

  it('is held again by a run whose first answer got lost', async () => {
    const services = world(['arn:a']);
    await acquireLock(services, run('a'), request);
    expect(await acquireLock(services, run('a'), request)).toMatchObject({ outcome: 'acquired' });
  });

  it('makes a slot that is under way or committed a duplicate', async () => {
    const services = world(['arn:a']);
    await acquireLock(services, run('a'), request);
    expect(await acquireLock(services, run('b'), request)).toMatchObject({ outcome: 'duplicate' });
    await services.vault.create(vaultKeys.manifest('pe-main', '20261120T030000Z'), '{}');
    const slot = {
      operation: 'backup' as const,
      request: {
        system: 'pe-main',
        safety: false,
        partial: false,
        planOnly: false,
        schedule: 'nightly',
        scheduledTime: '2026-11-20T04:00:00+01:00',
      },
    };
    expect(await acquireLock(services, { ...run('c'), startedAt: '2026-11-20T03:00:09.000Z' }, slot)).toMatchObject({
      outcome: 'duplicate',
    });
  });

  it.each([
    [
      'a slot in the far future, which would be the newest for ever',
      { schedule: 'often', scheduledTime: '2099-01-01T00:00:00Z' },
    ],
    ['a slot of last week', { schedule: 'often', scheduledTime: '2026-11-13T02:00:00Z' }],
    ['a moment that is none of its schedule', { schedule: 'nightly', scheduledTime: '2026-11-19T20:00:00Z' }],
    ['a schedule that the system has not', { schedule: 'weekly', scheduledTime: '2026-11-20T02:00:00Z' }],
    ['a slot of no schedule', { scheduledTime: '2026-11-20T02:00:00Z' }],
    ['a schedule without a slot', { schedule: 'nightly' }],
    ['a safety backup without a run before which it is taken', { safety: true }],
  ])('is not taken for %s', async (_, claim) => {
    const services = world();
    const asked = { ...request, request: { ...request.request, ...claim } };
    await expect(acquireLock(services, run('a'), asked)).rejects.toMatchObject({ name: 'InvalidInputError' });
    expect(await services.state.list('')).toEqual([]);
  });

  it('is taken for a slot within the hour that daylight saving time may shift it by, however late it is delivered', async () => {
    for (const [name, scheduledTime] of [
      ['a', '2026-11-20T03:00:00Z'],
      ['b', '2026-11-20T02:00:00Z'],
    ] as const) {
      const asked = { ...request, request: { ...request.request, schedule: 'nightly', scheduledTime } };
      const late = { ...run(name), startedAt: '2026-11-20T03:50:00.000Z' };
      expect(await acquireLock(world(), late, asked)).toMatchObject({ outcome: 'acquired' });
    }
  });

  it('lets a backup work under it only for a restore or an upgrade that holds it', async () => {
    const services = world(['arn:a']);
    await acquireLock(services, run('a'), request);
    const under = { ...request, request: { ...request.request, lockedBy: 'a' } };
    await expect(acquireLock(services, run('b', '01'), under)).rejects.toMatchObject({ name: 'SystemBusyError' });
  });

  it.each([false, true])(
    'lets a backup (safety: %s) work under it that its holder has started, and nobody else’s',
    async (safety) => {
      const services = world(['arn:r']);
      await acquireLock(services, run('r'), {
        operation: 'restore',
        request: RestoreRequest.parse({ system: 'pe-main', backup: 'latest' }),
      });
      const under = { ...request, request: { ...request.request, lockedBy: 'r', safety } };
      const byHand = acquireLock(services, run('b', '01'), under);
      await expect(byHand).rejects.toMatchObject({
        name: 'InvalidInputError',
        message: /^r did not start this backup/,
      });
      expect(await services.state.read(stateKeys.run('b'))).toBeUndefined();
      const child = { ...run('c', '01'), execution: 'arn:r/child' };
      expect(await acquireLock(services, child, under)).toMatchObject({ outcome: 'acquired' });
    },
  );

  it('of a dead run is taken over by one of those that try', async () => {
    const services = world();
    await acquireLock(services, run('dead'), request);
    const attempts = await Promise.allSettled(
      ['b', 'c', 'd'].map((name, index) => acquireLock(services, run(name, `1${index}`), request)),
    );
    const taken = attempts.filter(({ status }) => status === 'fulfilled');
    expect(taken).toHaveLength(1);
    expect(taken[0]).toMatchObject({ value: { outcome: 'acquired-from-dead', deadRun: 'dead' } });
  });
});

describe('a check', () => {
  const only = { ...request, request: { ...request.request, planOnly: true } };

  it('takes no lock, so that no backup waits for it or takes it for its own', async () => {
    const services = world(['arn:check', 'arn:a']);
    expect(await acquireLock(services, run('check'), only)).toMatchObject({ outcome: 'acquired' });
    expect(await acquireLock(services, run('a'), request)).toMatchObject({ outcome: 'acquired' });
  });

  it('is refused while another run has the lock, not by the lock of a dead one', async () => {
    const services = world(['arn:a']);
    await acquireLock(services, run('a'), request);
    await expect(acquireLock(services, run('check'), only)).rejects.toThrow(/locked by the backup a/);
    expect(await acquireLock({ ...services, ...world(), state: services.state }, run('late'), only)).toMatchObject({
      outcome: 'acquired',
    });
  });

  it('that is undone leaves the backup of the same second alone', async () => {
    const services = world(['arn:check', 'arn:a']);
    await acquireLock(services, run('check'), only);
    await acquireLock(services, run('a'), request);
    await services.vault.write('backups/pe-main/20261120T020000Z/i-0/x', 'under way');
    expect(await cleanUp(services, 'check')).toMatchObject({ abortedUploads: 0, deletedObjects: 0 });
    expect(await services.vault.list('backups/')).toHaveLength(1);
    expect(await services.state.read(stateKeys.lock('pe-main'))).toBeDefined();
  });
});

describe('cleaning up', () => {
  const failed = async () => {
    const services = world();
    await acquireLock(services, run('a'), request);
    await services.vault.write('backups/pe-main/20261120T020000Z/i-0/x', 'half done');
    return services;
  };

  it('removes what was not committed and releases the lock, twice as well as once', async () => {
    const services = await failed();
    expect(await cleanUp(services, 'a')).toMatchObject({ abortedUploads: 0, deletedObjects: 1 });
    expect(await cleanUp(services, 'a')).toMatchObject({ abortedUploads: 0, deletedObjects: 0 });
    expect(await services.state.has(stateKeys.lock('pe-main'))).toBe(false);
  });

  it('never touches a committed backup', async () => {
    const services = await failed();
    await services.vault.create(vaultKeys.manifest('pe-main', '20261120T020000Z'), '{}');
    await cleanUp(services, 'a');
    expect(await services.vault.list('')).toHaveLength(2);
  });

  it('leaves objects and lock to a run that has taken over the same backup', async () => {
    const services = await failed();
    await acquireLock(services, run('b'), request);
    await cleanUp(services, 'a');
    expect(await services.vault.list('')).toHaveLength(1);
    expect((await services.state.read(stateKeys.lock('pe-main')))?.text).toContain('"run":"b"');
  });

  it('of a restore tells what its nodes could not remove', async () => {
    const services = world();
    const { startedAt } = run('r');
    const flags = { scheduled: false, safety: false, planOnly: false };
    const record = { ...run('r'), ...flags, system: 'pe-main', operation: 'restore', backup: '20261120T020000Z' };
    await services.state.write(stateKeys.run('r'), JSON.stringify(record));
    expect(await cleanUp(services, 'r')).toMatchObject({ left: [] });
    const invocation = {
      instanceId: 'i-0123456789abcdef0',
      status: 'Success',
      detail: 'Success',
      exitCode: 0,
      stderr: '',
    };
    const stdout = JSON.stringify({ left: ['/srv/x.before-restore: /srv/x.before-restore/m is mounted'] });
    const ended = {
      state: 'ended',
      commandId: 'c',
      sentAt: startedAt,
      endedAt: startedAt,
      invocations: [{ ...invocation, stdout }],
    };
    const finish = {
      phase: 'finish',
      attempt: 0,
      startedAt,
      commands: [{ id: 'finish', document: finishRestore.name, ...ended }],
    };
    await services.state.write(stateKeys.phase('r', 'finish'), JSON.stringify(finish));
    const { left } = await cleanUp(services, 'r');
    expect(left).toEqual([
      expect.stringMatching(/^i-0123456789abcdef0: \/srv\/x\.before-restore: .* is mounted\. .* remove it by hand$/),
    ]);
  });

  it('of a run that nobody knows does nothing', async () => {
    expect(await cleanUp(world(), 'never')).toMatchObject({ abortedUploads: 0, deletedObjects: 0 });
  });
});
