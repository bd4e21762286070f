import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { entered } from './executions.ts';
import {
  archiveOf,
  backedUp,
  clientOf,
  expectNothingLeft,
  failedBackup,
  failedRestore,
  listed,
  noTraces,
  restored,
  takeIn,
  useJujuBench,
} from './juju-bench.ts';

const bench = useJujuBench('1.20');
const server = () => bench().machine('0');

describe('a backup of Juju 1.20', () => {
  it('holds what the stock juju restore takes, the client’s directory, and nothing secret in its manifest', async () => {
    await bench().succeed('juju deploy mysql');
    const manifest = await backedUp(bench());
    expect(manifest).toMatchObject({ kind: 'juju', state: 'complete', consistency: 'quiesced' });
    const archive = archiveOf(manifest);
    expect(archive).toMatchObject({
      driver: 'plugin',
      metadata: { version: '1.20.11', machine: '0', series: 'trusty' },
    });
    expect(archive.upload.key).toMatch(/\/juju\/juju-backup-\d{8}-\d{6}\.tar\.gz$/);
    expect(await listed(bench(), manifest)).toEqual(
      expect.arrayContaining([
        'juju-backup/environconfig.json',
        'juju-backup/root.tar',
        'juju-backup/dump/juju/machines.bson',
      ]),
    );
    const bytes = await bench().object(archive.upload.key);
    expect(createHash('sha1').update(bytes).digest('base64')).toBe(archive.sha1);
    const directory = await mkdtemp(join(tmpdir(), 'juju-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    await writeFile(join(directory, 'b.tgz'), bytes);
    const files = execFileSync('sh', ['-c', `tar xzOf ${directory}/b.tgz juju-backup/root.tar | tar t`]).toString();
    expect(files.split('\n')).toEqual(
      expect.arrayContaining([
        'var/lib/juju/agents/machine-0/agent.conf',
        'var/lib/juju/server.pem',
        'var/lib/juju/tools/machine-0',
        'home/ubuntu/.ssh/authorized_keys',
        'etc/init/juju-db.conf',
        'var/log/juju/machine-0.log',
      ]),
    );
    expect(
      manifest.artifacts.map(({ collected }) => (collected.kind === 'files' ? collected.group : collected.kind)),
    ).toEqual(expect.arrayContaining(['juju', 'client']));
    expect(clientOf(manifest)).toMatchObject({
      name: 'my-env',
      directory: '/home/ubuntu/.juju',
      status: { controllers: [{ machine: '0', healthy: true }], machines: 2, started: 2, applications: 1 },
    });
    const secret = await bench().shell(
      server(),
      "sed -n 's/^statepassword: //p' /var/lib/juju/agents/machine-0/agent.conf",
    );
    expect(JSON.stringify(manifest)).not.toContain(secret.trim());
  });

  it('is not kept from by a leftover of the plugin, which it leaves alone', async () => {
    await bench().shell(server(), 'mkdir -p /home/ubuntu/juju-backup && touch /home/ubuntu/juju-backup.tgz');
    onTestFinished(async () => void (await server().exec('rm -rf /home/ubuntu/juju-backup*')));
    await backedUp(bench());
    expect(await bench().shell(server(), 'ls -d /home/ubuntu/juju-backup*')).toBe(
      '/home/ubuntu/juju-backup\n/home/ubuntu/juju-backup.tgz\n',
    );
  });

  it('fails when mongodump fails, and mongo runs again', async () => {
    await bench().play(server(), 'mongodump-fails', 'out of luck');
    expect(await failedBackup(bench())).toMatch(
      /CommandFailedError: backup-juju .*DumpFailedError: mongodump failed: .*out of luck/,
    );
  });

  it('fails when the dump is empty although the tool says success', async () => {
    await bench().play(server(), 'dump-empty');
    expect(await failedBackup(bench())).toMatch(/ArchiveEmptyError: the archive holds no database/);
  });

  it('fails when a needed file is missing', async () => {
    await bench().shell(server(), 'mv /var/lib/juju/tools /root/tools');
    onTestFinished(async () => void (await server().exec('mv /root/tools /var/lib/juju/tools')));
    expect(await failedBackup(bench())).toMatch(/root\.tar lacks \/var\/lib\/juju\/tools/);
  });

  it('fails before it stops anything when the disk is full', async () => {
    await bench().shell(
      server(),
      'mkdir -p /var/lib/holdfast/runs && mount -t tmpfs -o size=4m tmpfs /var/lib/holdfast/runs',
    );
    onTestFinished(async () => void (await server().exec('umount -l /var/lib/holdfast/runs')));
    const before = await bench().shell(server(), 'status juju-db');
    expect(await failedBackup(bench())).toMatch(/NoSpaceError: the dump and its archive need \d+ KiB/);
    expect(await bench().shell(server(), 'status juju-db')).toBe(before);
  });

  it('fails when mongo does not come back, which is started as soon as it can be', async () => {
    const fix = await bench().play(server(), 'mongod-stays-down');
    const { status, cause } = await bench().backUp();
    expect({ status, cause }).toMatchObject({ status: 'FAILED', cause: expect.stringMatching(/juju-db/) });
    const { manifests, objects } = await bench().traces();
    expect({ manifests, objects }).toEqual({ manifests: [], objects: [] });
    expect(await bench().shell(server(), 'cat /var/lib/holdfast/stopped/*')).toContain('juju-db');
    await fix();
    // What is noted is started by whoever undoes the run next, by the watchdog at the latest.
    const run = (await bench().shell(server(), 'cd /var/lib/holdfast/stopped && ls | grep -v watchdog')).trim();
    expect(await bench().undo(run)).toMatchObject({ status: 'SUCCEEDED' });
    await bench().juju.agentsStarted();
    expect(await bench().traces()).toEqual(noTraces);
  }, 400_000);

  it('starts mongo by its undo when the dump is killed', async () => {
    await bench().play(server(), 'slow-dump', '600');
    const run = bench().backUp();
    const kill = () => server().exec("pkill -KILL -f '[m]ongodump --dbpath'");
    await vi.waitFor(async () => expect((await kill()).code).toBe(0), 60_000);
    expect(await run).toMatchObject({ status: 'FAILED' });
    expect(await bench().traces()).toEqual(noTraces);
  });

  it('fails when the client does not know the environment', async () => {
    await bench().succeed('mv .juju/environments/my-env.jenv .juju/environments/lost.jenv');
    onTestFinished(
      async () => void (await bench().succeed('mv .juju/environments/lost.jenv .juju/environments/my-env.jenv')),
    );
    expect(await failedBackup(bench())).toMatch(/WrongEnvironmentError: the client of ubuntu does not know my-env/);
  });

  it('fails when the state server is of another environment, and its database runs again', async () => {
    const name = (to: string) => bench().shell(server(), `lab-state put name ${to}`);
    await name('their-env');
    onTestFinished(async () => void (await name('my-env')));
    expect(await failedBackup(bench())).toMatch(
      /WrongEnvironmentError: this state server is not of the environment my-env/,
    );
  });
});

describe('an upgrade of Juju 1.20', () => {
  it('backs up first, then waits until all agents have the version', async () => {
    const { status, cause } = await bench().upgrade({ version: '1.20.14' });
    expect({ status, cause }).toEqual({ status: 'SUCCEEDED', cause: '' });
    const { machines } = JSON.parse(await bench().succeed('juju status --format json'));
    expect([machines['0']['agent-version'], machines['1']['agent-version']]).toEqual(['1.20.14', '1.20.14']);
    expect(await bench().traces()).toMatchObject({ lock: false, onNodes: [], down: [] });
  });
});

describe('a restore of Juju 1.20', () => {
  /** Backs up an environment with one application, which gets another one afterwards. */
  const changed = async (): Promise<void> => {
    await bench().succeed('juju destroy-service wordpress; juju deploy mysql');
    await backedUp(bench());
    await bench().succeed('juju deploy wordpress');
  };

  it('is refused while the state server lives, and while it is only stopped', async () => {
    await changed();
    expect(await failedRestore(bench())).toMatch(/CheckFailedError: .*machine 0, still answers: .*Terminate it first/);
    await bench().juju.cloud.stop(server());
    expect(await failedRestore(bench())).toMatch(
      /CheckFailedError: .*is stopped, not terminated: started again it would be a second one/,
    );
    await bench().juju.cloud.start(server());
    await bench().juju.agentsStarted();
    expect(await bench().applications()).toEqual(['mysql', 'wordpress']);
  });

  it('makes a new state server with the state of the backup, to which all agents report', async () => {
    await changed();
    const old = server().instanceId;
    await bench().juju.cloud.terminate(server());
    expect(await restored(bench(), { juju: { constraints: 'mem=4G' } })).toMatch(
      /version 1\.20\.\d+ is equal\n2 of 2 machines report to the restored state\nthe names of all 1 applications are equal\nthe new state server i-\S+ is NOT BACKED UP/,
    );
    expect(server().instanceId).not.toBe(old);
    expect(await bench().applications()).toEqual(['mysql']);
  });

  it('leaves a state server that no backup finds before it is taken in, as the result says', async () => {
    await changed();
    await bench().juju.cloud.terminate(server());
    const { output } = await bench().restore();
    expect(output.proof?.compared.join()).toMatch(
      /the new state server (i-\S+) is NOT BACKED UP until it has the tag holdfast:system \(aws ec2 create-tags --resources \1 .*an instance profile \(.*the SSM agent \(juju ssh 0/,
    );
    expect((await bench().backUp()).cause).toMatch(/SSM knows no instance for the tag Name=juju-my-env-machine-0/);
    await takeIn(bench());
    await backedUp(bench());
  });

  it('takes a stopped state server for a lost one when somebody vouches for it', async () => {
    await changed();
    const old = server();
    await bench().juju.cloud.stop(old);
    await restored(bench(), { allow: ['stopped-server'] });
    await bench().juju.cloud.terminate(old);
    expect(await bench().applications()).toEqual(['mysql']);
  });

  it('puts provider-state back when juju restore has lost it, and can be started again', async () => {
    await changed();
    await bench().juju.cloud.terminate(server());
    const fix = await bench().play(bench().client, 'bootstrap-fails', 'no capacity');
    expect(await failedRestore(bench())).toMatch(
      /JujuFailedError: juju restore failed: .*no capacity.*provider-state is as before/,
    );
    await fix();
    await restored(bench());
    expect(await bench().applications()).toEqual(['mysql']);
  });

  it('names the state server that is of no use when juju restore fails on it', async () => {
    await changed();
    await bench().juju.cloud.terminate(server());
    bench().juju.cloud.faults['mongorestore-fails'] = '';
    const { status, cause } = await bench().restore();
    delete bench().juju.cloud.faults['mongorestore-fails'];
    expect({ status, cause }).toMatchObject({
      status: 'FAILED',
      cause: expect.stringContaining(`an unusable new state server, ${server().instanceId}: terminate it`),
    });
    await bench().juju.cloud.terminate(server());
    await restored(bench());
    expect(await bench().applications()).toEqual(['mysql']);
  });

  it.each(['CheckFence', 'RestoreEnvironment'])(
    'keeps provider-state when it is aborted in %s, and can be started again',
    async (state) => {
      const providerState = () => bench().juju.cloud.object('juju-control-my-env/provider-state');
      const terminate = async (): Promise<void> => {
        for (const node of bench().juju.cloud.nodes.filter(({ hostname }) => hostname.includes('machine-0.')))
          await bench().juju.cloud.terminate(node);
      };
      await changed();
      await terminate();
      await bench().abort('holdfast-restore', {}, async (execution) => {
        await entered(bench().lab.runtime, execution, 'restore-juju', state);
        // Juju deletes it before it makes a new state server.
        if (state === 'RestoreEnvironment')
          await expect.poll(providerState, { timeout: 60_000, interval: 20 }).toBeUndefined();
      });
      await expectNothingLeft(bench());
      expect(providerState()?.toString()).toMatch(/^state-instances:\n- i-/);
      // One that Juju has begun is of no use.
      await terminate();
      await restored(bench());
      expect(await bench().applications()).toEqual(['mysql']);
    },
  );

  it('fails when agents do not reconnect, unless fewer are asked for', async () => {
    await changed();
    await bench().machine('1').exec('stop ssh');
    await bench().juju.cloud.terminate(server());
    const { status, cause } = await bench().restore({ juju: { reconnectSeconds: 10 } });
    expect({ status, cause }).toMatchObject({
      status: 'FAILED',
      cause: expect.stringMatching(/UnhealthyError: 1 of 2 machines report after 10 s, 100 % are needed/),
    });
    await bench().juju.cloud.terminate(server());
    expect(await restored(bench(), { juju: { reconnectSeconds: 10, reconnectPercent: 50 } })).toMatch(
      /1 of 2 machines report/,
    );
  });
});
