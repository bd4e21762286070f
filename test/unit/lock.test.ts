import { describe, expect, it } from 'vitest';
import { parseConfig } from '#domain/config-file';
import { stateKeys, vaultKeys } from '#domain/naming';
import { acquireLock } from '../../lambdas/acquire-lock/acquire-lock.ts';
import { cleanUp } from '../../lambdas/clean-up/clean-up.ts';
import { memoryBucket } from './memory.ts';

const config = parseConfig(
  'systems: { pe-main: { kind: puppet-enterprise, nodes: [{ instance: i-0123456789abcdef0, roles: [master, puppetdb, console] }] } }',
);

const world = (alive: readonly string[] = []) => ({
  config,
  state: memoryBucket(),
  vault: memoryBucket(),
  executions: { isRunning: async ({ execution }: { execution: string }) => alive.includes(execution) },
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
  request: { system: 'pe-main', rescue: false, partial: false, planOnly: false },
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
        rescue: false,
        partial: false,
        planOnly: false,
        schedule: 'nightly',
        scheduledTime: '2026-11-20T04:00:00+01:00',
      },
    };
    expect(await acquireLock(services, run('c'), slot)).toMatchObject({ outcome: 'duplicate' });
  });

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
    expect(await cleanUp(services, 'check')).toEqual({ abortedUploads: 0, deletedObjects: 0 });
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
    expect(await cleanUp(services, 'a')).toEqual({ abortedUploads: 0, deletedObjects: 1 });
    expect(await cleanUp(services, 'a')).toEqual({ abortedUploads: 0, deletedObjects: 0 });
    expect(services.state.objects.has(stateKeys.lock('pe-main'))).toBe(false);
  });

  it('never touches a committed backup', async () => {
    const services = await failed();
    await services.vault.create(vaultKeys.manifest('pe-main', '20261120T020000Z'), '{}');
    await cleanUp(services, 'a');
    expect([...services.vault.objects.keys()]).toHaveLength(2);
  });

  it('leaves objects and lock to a run that has taken over the same backup', async () => {
    const services = await failed();
    await acquireLock(services, run('b'), request);
    await cleanUp(services, 'a');
    expect([...services.vault.objects.keys()]).toHaveLength(1);
    expect(services.state.objects.get(stateKeys.lock('pe-main'))?.text).toContain('"run":"b"');
  });

  it('of a run that nobody knows does nothing', async () => {
    expect(await cleanUp(world(), 'never')).toEqual({ abortedUploads: 0, deletedObjects: 0 });
  });
});
