import { describe, expect, it } from 'vitest';
import { archiveOf, backedUp, environment, failedBackup, listed, restored, useJujuBench } from './juju-bench.ts';

// No environment is named: it is the one that the client is switched to.
const bench = useJujuBench('1.25', 1, { configuration: environment(1, 'my-env') });
const server = () => bench().machine('0');

describe('a backup of Juju 1.25', () => {
  it('is made by juju itself, which keeps nothing of it in its database', async () => {
    const manifest = await backedUp(bench());
    expect(archiveOf(manifest)).toMatchObject({
      driver: 'stored',
      metadata: { version: '1.25.10', machine: '0', series: 'trusty' },
    });
    expect(await listed(bench(), manifest)).toEqual(
      expect.arrayContaining(['juju-backup/metadata.json', 'juju-backup/dump/oplog.bson']),
    );
    expect(await bench().succeed('juju backups list')).toBe('(no backups found)\n');
  });

  it('is of the environment that the client is switched to, and of no other', async () => {
    await bench().succeed('juju switch other-env');
    const failed = await failedBackup(bench());
    await bench().succeed('juju switch my-env');
    expect(failed).toMatch(/WrongEnvironmentError: the client of ubuntu does not know other-env/);
  });

  it('fails when mongodump fails or dumps nothing, and when root.tar is empty', async () => {
    const mend = await bench().play(server(), 'mongodump-fails', 'EOF');
    expect(await failedBackup(bench())).toMatch(/JujuFailedError: juju backups failed: .*EOF/);
    await mend();
    const fill = await bench().play(server(), 'dump-empty');
    expect(await failedBackup(bench())).toMatch(/ArchiveEmptyError: the archive holds no database/);
    await fill();
    await bench().play(server(), 'root-tar-empty');
    expect(await failedBackup(bench())).toMatch(/ArchiveEmptyError/);
    expect(await bench().succeed('juju backups list')).toBe('(no backups found)\n');
  });
});

describe('a restore of Juju 1.25', () => {
  it('makes a new state server with the state of the backup', async () => {
    await bench().succeed('juju deploy mysql');
    await backedUp(bench());
    await bench().succeed('juju deploy wordpress');
    await bench().juju.cloud.terminate(server());
    await restored(bench());
    expect(await bench().applications()).toEqual(['mysql']);
  });
});
