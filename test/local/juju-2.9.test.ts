import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  archiveOf,
  backedUp,
  changed,
  clientOf,
  expectNothingLeft,
  failedBackup,
  failedRestore,
  listed,
  restored,
  useJujuBench,
} from './juju-bench.ts';

const bench = useJujuBench('2.9');
const controller = () => bench().machine('0');
const kept = () => bench().succeed('juju backups -m controller');

describe('a backup of Juju 2.9, before 2.9.22', () => {
  it('is fetched from the database by its id, which keeps nothing of it', async () => {
    await bench().succeed('juju deploy mysql');
    const manifest = await backedUp(bench());
    expect(archiveOf(manifest)).toMatchObject({
      node: bench().client.instanceId,
      driver: 'stored',
      metadata: { version: '2.9.18', format: 1, haNodes: 1, machine: '0', series: 'focal' },
    });
    expect(await listed(bench(), manifest)).toEqual(
      expect.arrayContaining(['juju-backup/metadata.json', 'juju-backup/dump/oplog.bson']),
    );
    expect(clientOf(manifest)).toMatchObject({
      directory: '/home/ubuntu/.local/share/juju',
      status: { version: '2.9.18', machines: 2, started: 2, applications: 1 },
    });
    expect(JSON.stringify(manifest)).not.toMatch(/PRIVATE KEY/);
    expect(await kept()).toBe('(no backups found)\n');
  });

  it('fails when mongodump fails or dumps nothing, and when the download breaks off', async () => {
    const fix = await bench().play(controller(), 'mongodump-fails', 'EOF');
    expect(await failedBackup(bench())).toMatch(/JujuFailedError: juju create-backup failed: .*EOF/);
    await fix();
    const fill = await bench().play(controller(), 'dump-empty');
    expect(await failedBackup(bench())).toMatch(/ArchiveEmptyError: the archive holds no database/);
    await fill();
    await bench().play(controller(), 'download-breaks');
    expect(await failedBackup(bench())).toMatch(/JujuFailedError: juju download-backup failed: .*unexpected EOF/);
    expect(await kept()).toBe('(no backups found)\n');
  });
});

describe('a backup of Juju 2.9, before 2.9.22, that is aborted', () => {
  it('leaves nothing in the database', async () => {
    const noted = () => bench().client.exec('ls /var/lib/holdfast/juju/*.stored');
    await bench().abort('holdfast-backup', {}, () =>
      vi.waitFor(async () => expect((await noted()).code).toBe(0), { timeout: 60_000, interval: 20 }),
    );
    await expectNothingLeft(bench());
    expect(await kept()).toBe('(no backups found)\n');
  });
});

describe('a restore of Juju 2.9, before 2.9.22', () => {
  it('brings the state of the backup back into its controller, after a safety backup', async () => {
    await changed(bench());
    await bench().succeed('juju remove-application mysql');
    expect(await restored(bench(), { safetyBackup: true })).toMatch(
      /version 2\.9\.18 and UUID .* are equal\n2 of 2 machines report to the restored state\nthe names of all 1 applications are equal/,
    );
    expect(await bench().applications()).toEqual(['mysql']);
    expect((await bench().traces()).manifests).toHaveLength(2);
  });

  it('starts the agent again that dies meanwhile and stays down', async () => {
    await changed(bench());
    const fix = await bench().play(controller(), 'restore-dies');
    expect(await failedRestore(bench())).toMatch(/restore-juju-archive .*JujuFailedError: juju restore-backup failed/);
    await fix();
    await bench().juju.agentsStarted();
    const unbreak = await bench().play(controller(), 'mongorestore-fails');
    expect(await failedRestore(bench())).toMatch(/error restoring state from backup: .*EOF/);
    await unbreak();
    await restored(bench());
    expect(await bench().applications()).toEqual(['mysql']);
  });

  it('is refused when the backup is of another controller or version, since Juju looks at neither', async () => {
    const manifest = await changed(bench());
    const refused = async (change: (text: string) => string): Promise<string> => {
      await bench().putManifest(change(JSON.stringify(manifest)));
      return failedRestore(bench(), { allow: ['version'] });
    };
    const { controllerUuid } = archiveOf(manifest).metadata;
    const other = `${controllerUuid.slice(0, -4)}0000`;
    expect(
      await refused((text) => text.replace(`"controllerUuid":"${controllerUuid}"`, `"controllerUuid":"${other}"`)),
    ).toContain(`the backup is of ${other}`);
    expect(
      await refused((text) => text.replace('"version":"2.9.18","format"', '"version":"2.9.17","format"')),
    ).toContain('to which juju restore-backup does not go back');
    expect(await bench().applications()).toEqual(['mysql', 'wordpress']);
  });

  it('is refused while there are more controllers than one, and when there is none, with the section of the runbook', async () => {
    await changed(bench());
    const section = '"Juju: restore a backup of 2.0 to 2.9.21" in docs/runbook.md';
    await bench().succeed('juju enable-ha -n 3');
    onTestFinished(async () => {
      for (const name of ['1', '2']) await bench().juju.cloud.terminate(bench().machine(name));
    });
    await bench().juju.agentsStarted();
    expect(await failedRestore(bench())).toMatch(
      new RegExp(`there are 3 controllers, and juju restore-backup takes only a single one: see ${section}`),
    );
    await bench().juju.cloud.terminate(controller());
    const { status, error, cause } = await bench().restore();
    expect({ status, error, cause }).toMatchObject({
      status: 'FAILED',
      error: 'CheckFailedError',
      cause: expect.stringContaining(`no controller answers. Juju has no restore for the loss of all controllers`),
    });
    expect(cause).toContain(section);
  });
});
