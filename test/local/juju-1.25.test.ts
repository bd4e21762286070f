import { describe, expect, it } from 'vitest';
import { check } from '../../cli/check.ts';
import { connect } from '../../cli/connection.ts';
import { recordedOutput } from '../unit/cli-fixtures.ts';
import {
  archiveOf,
  backedUp,
  environment,
  failedBackup,
  listed,
  noTraces,
  restored,
  useJujuBench,
} from './juju-bench.ts';

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
    const fix = await bench().play(server(), 'mongodump-fails', 'EOF');
    expect(await failedBackup(bench())).toMatch(/JujuFailedError: juju backups failed: .*EOF/);
    await fix();
    const fill = await bench().play(server(), 'dump-empty');
    expect(await failedBackup(bench())).toMatch(/ArchiveEmptyError: the archive holds no database/);
    await fill();
    await bench().play(server(), 'root-tar-empty');
    expect(await failedBackup(bench())).toMatch(/ArchiveEmptyError/);
    expect(await bench().succeed('juju backups list')).toBe('(no backups found)\n');
  });
});

describe('a check of Juju 1.25', () => {
  const holdfast = async () => {
    const { output, stdout } = recordedOutput();
    const connected = () => connect({ endpointUrl: bench().lab.runtime.url, region: 'us-east-1' });
    const exit = await check(connected, 'juju-main', { pollMilliseconds: 50 }, output).catch((error: unknown) => error);
    expect(await bench().traces()).toEqual(noTraces);
    return { exit, stdout: stdout() };
  };

  it('tells what each node holds, and what is in the way', async () => {
    const { exit, stdout } = await holdfast();
    expect([exit, stdout]).toEqual(['ok', expect.stringMatching(/Juju 1\.25\.10/)]);
    await bench().succeed('juju switch other-env');
    const refused = await holdfast();
    await bench().succeed('juju switch my-env');
    expect(refused.exit).toMatchObject({ exit: 'failed' });
    expect(refused.stdout).toMatch(/^problem: juju-client.*: the client of ubuntu does not know other-env/m);
  });
});

describe('a restore of Juju 1.25', () => {
  it('makes a new state server with the state of the backup', async () => {
    await bench().succeed('juju deploy mysql');
    await backedUp(bench());
    await bench().succeed('juju deploy wordpress');
    await bench().juju.cloud.terminate(server());
    const constraints = 'mem=4G tags=lab,juju';
    expect(await restored(bench(), { juju: { constraints } })).toMatch(
      new RegExp(
        `the new state server ${server().instanceId} is NOT BACKED UP until it has the tag holdfast:system .*an instance profile`,
      ),
    );
    expect(await bench().applications()).toEqual(['mysql']);
    expect(bench().juju.cloud.constraintsOf(server())).toBe(constraints);
  });
});
