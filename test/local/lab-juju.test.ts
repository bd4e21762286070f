import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createJuju, type JujuLab, type JujuLabOptions } from '#local/lab/juju/nodes';
import type { LabNode } from '#local/lab/node';

const network = (number: number): string => `127.${100 + (process.pid % 100)}.${number}`;

/** A lab for all tests of a suite. */
const useLab = (options: Omit<JujuLabOptions, 'network'>, number: number) => {
  let lab: JujuLab;
  beforeAll(async () => {
    lab = await createJuju({ ...options, network: network(number) });
  });
  afterAll(() => lab?.destroy());
  return () => lab;
};

/** A lab for one test that breaks it. */
const freshLab = async (options: Omit<JujuLabOptions, 'network'>): Promise<JujuLab> => {
  const lab = await createJuju({ ...options, network: network(200) });
  onTestFinished(() => lab.destroy());
  return lab;
};

const succeed = async (lab: JujuLab, command: string): Promise<string> => {
  const { code, stdout, stderr } = await lab.juju(command);
  if (code !== 0) throw new Error(`${command}: exit ${code}\n${stdout}${stderr}`);
  return stdout;
};

/** Plays a fault on a node until the test ends. */
const play = async (node: LabNode, fault: string, text = ''): Promise<void> => {
  const file = node.path(`/etc/juju-lab/${fault}`);
  await writeFile(file, text);
  onTestFinished(() => rm(file, { force: true }));
};

const applications = async (lab: JujuLab): Promise<string[]> => {
  const status = JSON.parse(await succeed(lab, 'juju status --format json'));
  return Object.keys(status.services ?? status.applications);
};

const listing = async (lab: JujuLab, file: string): Promise<string[]> =>
  (await succeed(lab, `tar tzf ${file}`)).trim().split('\n');

/** The paths in an archive's root.tar. */
const bundled = async (lab: JujuLab, file: string): Promise<string[]> =>
  (await succeed(lab, `tar xzOf ${file} juju-backup/root.tar | tar t`)).trim().split('\n');

/** Documents of one collection of an archive's dump, decoded by the BSON library. */
const documents = async (lab: JujuLab, file: string, collection: string): Promise<Record<string, unknown>[]> => {
  const decode = `import sys, bson, json; sys.path.insert(0, ""); print(json.dumps(bson.decode_all(sys.stdin.buffer.read()), default=str))`;
  return JSON.parse(
    await succeed(
      lab,
      `tar xzOf ${file} juju-backup/dump/juju/${collection}.bson | PYTHONPATH=/usr/lib/juju-lab python3 -c '${decode}'`,
    ),
  );
};

describe('Juju 1.20: juju backup', () => {
  const lab = useLab({ era: '1.20' }, 18);
  const server = () => lab().machine('0');

  beforeEach(async () => {
    await lab().juju('rm -f *.tgz');
    await server().exec('rm -rf /home/ubuntu/juju-backup*; start juju-db');
  });

  it('makes an archive of dump, settings and files, named after the minute', async () => {
    await succeed(lab(), 'juju deploy mysql');
    const said = await succeed(lab(), 'juju backup');
    expect(said).toMatch(/^Connecting to machine 0\n(.+\.{5}SUCCESS\n){8}$/);
    expect(await succeed(lab(), 'ls *.tgz')).toMatch(/^juju-backup-\d{8}-\d{4}\.tgz\n$/);
    const members = await listing(lab(), '*.tgz');
    expect(members).toEqual(
      expect.arrayContaining([
        'juju-backup/environconfig.json',
        'juju-backup/root.tar',
        'juju-backup/dump/juju/machines.bson',
        'juju-backup/dump/admin/system.users.bson',
      ]),
    );
    expect(members).not.toContain('juju-backup/metadata.json');
    expect(await documents(lab(), '*.tgz', 'services')).toMatchObject([{ name: 'mysql' }]);
    expect(await bundled(lab(), '*.tgz')).toEqual(
      expect.arrayContaining([
        'etc/init/juju-db.conf',
        'etc/init/jujud-machine-0.conf',
        'var/lib/juju/agents/machine-0/agent.conf',
        'var/lib/juju/tools/machine-0',
        'var/lib/juju/server.pem',
        'home/ubuntu/.ssh/authorized_keys',
        'var/log/juju/machine-0.log',
      ]),
    );
  });

  it('stops the database meanwhile and starts it again', async () => {
    await play(server(), 'slow-dump', '3');
    const backup = lab().juju('juju backup');
    await vi.waitFor(
      async () => expect((await server().exec('status juju-db')).stdout).toBe('juju-db stop/waiting\n'),
      60_000,
    );
    expect((await backup).code).toBe(0);
    expect((await server().exec('status juju-db')).stdout).toMatch(/^juju-db start\/running, process \d+\n$/);
  });

  it('starts the database when mongodump fails, and leaves a directory that ends every later run', async () => {
    await succeed(lab(), 'juju backup && rm *.tgz');
    await play(server(), 'mongodump-fails', 'out of luck');
    const failed = await lab().juju('juju backup');
    expect(failed.code).toBe(1);
    expect(failed.stdout).toMatch(
      /Backing up mongo database\.{5}FAILED\n-+\nCommand failed: .*mongodump .*\nError: .*out of luck/,
    );
    expect((await server().exec('status juju-db')).stdout).toContain('start/running');
    expect((await server().exec('ls /home/ubuntu')).stdout).toBe('juju-backup\njuju-backup-previous.tgz\n');
    await rm(server().path('/etc/juju-lab/mongodump-fails'));
    const again = await lab().juju('juju backup');
    expect(again.code).toBe(1);
    expect(again.stdout).toMatch(/Making backup directory\.{5}FAILED[\s\S]*File exists/);
  });

  it('calls an archive without files a success', async () => {
    await server().exec('mv /var/lib/juju/tools /root');
    onTestFinished(async () => void (await server().exec('mv /root/tools /var/lib/juju')));
    await succeed(lab(), 'juju backup');
    expect((await bundled(lab(), '*.tgz')).join()).not.toMatch(/tools/);
    await play(server(), 'root-tar-empty');
    await succeed(lab(), 'rm *.tgz; juju backup');
    expect(await bundled(lab(), '*.tgz')).toEqual(['']);
  });

  it('does not see that the database stays down', async () => {
    await play(server(), 'mongod-stays-down');
    const { stdout } = await lab().juju('juju backup');
    expect(stdout).toContain('Removing backup directory.....SUCCESS');
    await vi.waitFor(
      async () => expect((await server().exec('status juju-db')).stdout).toBe('juju-db stop/waiting\n'),
      60_000,
    );
    const unreachable = await lab().juju('juju status');
    expect(unreachable).toMatchObject({ code: 1, stderr: expect.stringContaining('unable to connect to environment') });
  });

  it('fails when the disk is full', async () => {
    await server().exec('mount -t tmpfs -o size=64k tmpfs /home/ubuntu');
    await server().exec('install -d /home/ubuntu/.ssh');
    onTestFinished(async () => void (await server().exec('umount -l /home/ubuntu')));
    const keys = await lab().client.exec('cat /home/ubuntu/.juju/ssh/juju_id_rsa.pub');
    await writeFile(server().path('/home/ubuntu/.ssh/authorized_keys'), keys.stdout);
    await server().exec('head -c 60k /dev/zero >/home/ubuntu/filler');
    const { code, stdout } = await lab().juju('juju backup');
    expect({ code, stdout }).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/FAILED[\s\S]*No space left on device/),
    });
    expect((await server().exec('status juju-db')).stdout).toContain('start/running');
  });

  it('finds the database running again when it was killed', async () => {
    const before = (await server().exec('status juju-db')).stdout;
    await server().exec('kill -9 $(cat /run/juju-lab/juju-db.child)');
    await vi.waitFor(async () => {
      const { stdout } = await server().exec('status juju-db');
      expect(stdout).toContain('start/running');
      expect(stdout).not.toBe(before);
    }, 60_000);
    await succeed(lab(), 'juju backup');
  });

  it('cannot dump data files that a server has open', async () => {
    const { code, stderr } = await server().exec('cd /root && mongodump --dbpath /var/lib/juju/db');
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('locked') });
  });

  it('is for the environment that is chosen', async () => {
    onTestFinished(async () => void (await lab().juju('juju switch my-env')));
    expect(await succeed(lab(), 'juju switch other-env')).toBe('my-env -> other-env\n');
    expect(await lab().juju('juju backup')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not bootstrapped'),
    });
    await succeed(lab(), 'JUJU_ENV=my-env juju backup');
    expect(await lab().juju('JUJU_ENV=my-env juju switch my-env')).toMatchObject({
      code: 1,
      stderr: 'ERROR cannot switch when JUJU_ENV is overriding the environment (set to "my-env")\n',
    });
    expect(await lab().juju('JUJU_ENV=nowhere juju backup')).toMatchObject({ code: 1 });
  });
});

describe('Juju 1.20: juju upgrade-juju', () => {
  it('starts an upgrade, which the agents follow one by one', async () => {
    const lab = await freshLab({ era: '1.20', machines: 1 });
    const started = await lab.juju('juju upgrade-juju');
    expect(started).toMatchObject({ code: 0, stderr: 'started upgrade of Juju environment to version 1.20.14\n' });
    await vi.waitFor(async () => {
      const { machines } = JSON.parse(await succeed(lab, 'juju status --format json'));
      expect([machines['0']['agent-version'], machines['1']['agent-version']]).toEqual(['1.20.14', '1.20.14']);
    }, 60_000);
    expect(await lab.juju('juju upgrade-juju')).toMatchObject({ code: 0, stderr: 'no upgrades available\n' });
    const tools = await lab.machine('0').exec('readlink /var/lib/juju/tools/machine-0');
    expect(tools.stdout).toBe('1.20.14-trusty-amd64\n');
  });
});

describe('Juju 1.20: juju restore', () => {
  it('brings the state of the backup onto a new machine, to which the others connect', async () => {
    const lab = await freshLab({ era: '1.20', machines: 2 });
    await succeed(lab, 'juju deploy mysql && juju backup && juju deploy wordpress');
    const old = lab.machine('0');
    const lives = await lab.juju('juju restore juju-backup*.tgz');
    expect(lives).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/old bootstrap instance "i-.*" still seems to exist/),
    });
    expect(lab.cloud.object('juju-control-my-env/provider-state')?.toString()).toBe(
      `state-instances:\n- ${old.instanceId}\n`,
    );

    await lab.cloud.terminate(old);
    expect(await succeed(lab, 'juju restore -e my-env --constraints mem=4G juju-backup*.tgz')).toMatch(
      /^extracted credentials from backup file\nre-bootstrapping environment\n[\s\S]*updated machine/,
    );
    expect(lab.machine('0').instanceId).not.toBe(old.instanceId);
    await lab.agentsStarted();
    expect(await applications(lab)).toEqual(['mysql']);
    expect(lab.cloud.object('juju-control-my-env/provider-state')?.toString()).toContain(lab.machine('0').instanceId);
  });

  it('takes a stopped state server for a lost one', async () => {
    const lab = await freshLab({ era: '1.20' });
    await succeed(lab, 'juju backup');
    await lab.cloud.stop(lab.machine('0'));
    await succeed(lab, 'juju restore juju-backup*.tgz');
  });

  it('leaves no provider-state when it fails midway, and then cannot be run again', async () => {
    const lab = await freshLab({ era: '1.20' });
    await succeed(lab, 'juju backup');
    await lab.cloud.terminate(lab.machine('0'));
    await play(lab.client, 'bootstrap-fails', 'no capacity');
    const failed = await lab.juju('juju restore juju-backup*.tgz');
    expect(failed).toMatchObject({
      code: 1,
      stderr: 'error: cannot re-bootstrap environment: cannot bootstrap new instance: no capacity\n',
    });
    await rm(lab.client.path('/etc/juju-lab/bootstrap-fails'));
    const again = await lab.juju('juju restore juju-backup*.tgz');
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot retrieve environment storage') });
  });

  it('stops where mongorestore fails: no database, no agent', async () => {
    const lab = await freshLab({ era: '1.20' });
    await succeed(lab, 'juju backup');
    await lab.cloud.terminate(lab.machine('0'));
    lab.cloud.faults['mongorestore-fails'] = '';
    const failed = await lab.juju('juju restore juju-backup*.tgz');
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('update script failed') });
    const ssh = (await lab.machine('0').exec('cat /run/juju-lab/ssh.child')).stdout;
    expect((await lab.machine('0').exec('initctl list')).stdout).toBe(
      `juju-db stop/waiting\njujud-machine-0 stop/waiting\nssh start/running, process ${ssh}\n`,
    );
  });

  it('updates the other machines when one cannot be reached, and fails', async () => {
    const lab = await freshLab({ era: '1.20', machines: 2 });
    await succeed(lab, 'juju backup');
    await lab.cloud.terminate(lab.machine('0'));
    await lab.machine('2').exec('stop ssh');
    const failed = await lab.juju('juju restore juju-backup*.tgz');
    expect(failed).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot update machines: machine update failed'),
    });
    expect(failed.stdout).toContain('updated machine 1');
    await vi.waitFor(async () => {
      const { machines } = JSON.parse(await succeed(lab, 'juju status --format json'));
      expect([machines['1']['agent-state'], machines['2']['agent-state']]).toEqual(['started', 'down']);
    }, 60_000);
  });

  it('refuses what is no backup', async () => {
    const lab = await freshLab({ era: '1.20' });
    expect(await lab.juju('juju restore')).toMatchObject({ code: 2, stderr: 'error: no backup file specified\n' });
    await succeed(lab, 'echo nonsense >bad.tgz; mkdir juju-backup; tar czf empty.tgz juju-backup');
    expect((await lab.juju('juju restore bad.tgz')).stderr).toMatch(
      /^error: cannot extract credentials from backup file: cannot unzip/,
    );
    expect((await lab.juju('juju restore empty.tgz')).stderr).toContain('"juju-backup/root.tar" not found');
    expect(await lab.juju('juju restore -e nowhere bad.tgz')).toMatchObject({ code: 1 });
  });
});

describe('Juju 1.20: three state servers', () => {
  it('are members of one replica set; the backup is of machine 0 and holds its secrets too', async () => {
    const lab = await freshLab({ era: '1.20', controllers: 3, machines: 1 });
    const { machines } = JSON.parse(await succeed(lab, 'juju status --format json'));
    expect(['0', '1', '2', '3'].map((name) => machines[name]['state-server-member-status'])).toEqual([
      ...['has-vote', 'has-vote', 'has-vote'],
      undefined,
    ]);
    await succeed(lab, 'juju deploy mysql');
    for (const name of ['0', '1', '2']) {
      expect((await lab.machine(name).exec('lab-state applications')).stdout).toBe('mysql\n');
    }
    await succeed(lab, 'juju backup');
    expect(await bundled(lab, '*.tgz')).toEqual(
      expect.arrayContaining(['system-identity', 'nonce.txt', 'shared-secret'].map((name) => `var/lib/juju/${name}`)),
    );

    // The set lives on without one member, which learns what it has missed, and does not without two.
    await lab.cloud.stop(lab.machine('0'));
    await vi.waitFor(() => succeed(lab, 'juju deploy wordpress'), 60_000);
    await lab.cloud.start(lab.machine('0'));
    await lab.agentsStarted();
    expect((await lab.machine('0').exec('lab-state applications')).stdout).toBe('mysql\nwordpress\n');
    await lab.cloud.stop(lab.machine('1'));
    await lab.cloud.stop(lab.machine('2'));
    await vi.waitFor(async () => expect((await lab.juju('juju deploy haproxy')).code).toBe(1), 60_000);
  });

  it('can all be lost: restore brings one back, and ensure-availability the others', async () => {
    const lab = await freshLab({ era: '1.20', controllers: 3, machines: 1 });
    await succeed(lab, 'juju deploy mysql && juju backup && juju deploy wordpress');
    for (const name of ['0', '1', '2']) await lab.cloud.terminate(lab.machine(name));
    await succeed(lab, 'juju restore juju-backup*.tgz');
    expect(await applications(lab)).toEqual(['mysql']);
    await lab.agentsStarted();
    expect(await succeed(lab, 'juju ensure-availability -n 3')).toBe(
      'maintaining machines: 0\nadding machines: 4, 5\n',
    );
    await lab.agentsStarted();
    const { machines } = JSON.parse(await succeed(lab, 'juju status --format json'));
    expect(Object.keys(machines)).toEqual(['0', '3', '4', '5']);
  });

  it('are crippled by a restore while two of them live', async () => {
    const lab = await freshLab({ era: '1.20', controllers: 3 });
    await succeed(lab, 'juju backup');
    await lab.cloud.terminate(lab.machine('0'));
    await succeed(lab, 'juju restore juju-backup*.tgz');
    const { machines } = JSON.parse(await succeed(lab, 'juju status --format json'));
    expect(Object.keys(machines)).toEqual(['0']);
    expect((await lab.machine('1').exec('initctl list')).stdout).toMatch(/juju-db start.*\njujud-machine-1 start/);
  });
});

describe('Juju 1.25: juju backups', () => {
  const lab = useLab({ era: '1.25' }, 25);

  it('creates, lists, downloads and removes; juju backup does the same with a warning', async () => {
    await succeed(lab(), 'juju deploy mysql');
    const said = await succeed(lab(), 'juju backups create --filename f.tar.gz');
    const id = /^backup ID: +"(.+)"$/m.exec(said)?.[1];
    expect(said).toContain(`\n${id}\ndownloading to f.tar.gz\n`);
    const members = await listing(lab(), 'f.tar.gz');
    expect(members).toEqual(
      expect.arrayContaining(
        ['metadata.json', 'root.tar', 'dump/oplog.bson', 'dump/juju/machines.bson'].map(
          (name) => `juju-backup/${name}`,
        ),
      ),
    );
    expect(said).toContain(
      `checksum:        "${(await succeed(lab(), 'openssl dgst -sha1 -binary f.tar.gz | base64')).trim()}"`,
    );
    expect(await succeed(lab(), 'juju backups list')).toBe(`${id}\n`);
    await succeed(lab(), `juju backups download ${id} --filename g.tar.gz && cmp f.tar.gz g.tar.gz`);
    expect(await succeed(lab(), `juju backups remove ${id}; juju backups list`)).toBe(
      `successfully removed: ${id}\n(no backups found)\n`,
    );
    const wrapped = await lab().juju('juju backup');
    expect(wrapped).toMatchObject({ code: 0, stderr: expect.stringContaining('DEPRECATED') });
  });

  it('restores a file onto a new machine', async () => {
    await succeed(lab(), 'juju backups create --filename r.tar.gz; juju deploy wordpress');
    expect((await lab().juju('juju backups restore')).stderr).toBe(
      'ERROR you must specify either a file or a backup id.\n',
    );
    await lab().cloud.terminate(lab().machine('0'));
    await succeed(lab(), 'juju backups restore -b --constraints mem=4G --file r.tar.gz');
    expect(await applications(lab())).toEqual(['mysql']);
    expect(lab().cloud.constraintsOf(lab().machine('0'))).toBe('mem=4G');
    await lab().cloud.terminate(lab().machine('0'));
    // The wrapper loses them.
    await succeed(lab(), 'juju restore --constraints mem=4G r.tar.gz');
    expect(lab().cloud.constraintsOf(lab().machine('0'))).toBe('');
  });
});

describe('Juju 2.9, before 2.9.22: backups in the database', () => {
  const lab = useLab({ era: '2.9' }, 29);
  const listed = () => succeed(lab(), 'juju backups -m controller');

  it('keeps one only when it is told to, until it is removed', async () => {
    await succeed(lab(), 'juju deploy mysql && juju create-backup -m controller --filename f.tar.gz');
    expect(await listed()).toBe('(no backups found)\n');
    const { stdout, stderr } = await lab().juju('juju create-backup -m controller --no-download');
    const id = /^Remote backup stored on the controller as (\S+)\.$/m.exec(stderr)?.[1];
    expect(stdout).toContain(`backup ID:             ${id} \n`);
    expect(await listed()).toBe(`${id}\n`);
    const download = `juju download-backup -m controller ${id} --filename g.tar.gz`;
    const sha1 = await succeed(lab(), `${download} && ${download} && openssl dgst -sha1 -binary g.tar.gz | base64`);
    expect(stdout).toContain(`checksum:              ${sha1.trim().split('\n').at(-1)} \n`);
    const metadata = JSON.parse(await succeed(lab(), 'tar xzOf g.tar.gz juju-backup/metadata.json'));
    expect(metadata).toMatchObject({ FormatVersion: 1, Version: '2.9.18', Series: 'focal', HANodes: 1 });
    await succeed(lab(), `juju remove-backup -m controller ${id}`);
    expect(await listed()).toBe('(no backups found)\n');
  });

  it('restores a file into its controller, and refuses while there are more of them', async () => {
    await succeed(lab(), 'juju deploy wordpress');
    expect((await lab().juju('juju restore-backup -m controller')).stderr).toContain('either a file or a backup id.');
    const restore = 'juju restore-backup -m controller --file f.tar.gz';
    expect(await succeed(lab(), restore)).toBe('restore from "f.tar.gz" completed\n');
    expect(await applications(lab())).toEqual(['mysql']);
    await lab().agentsStarted();
    await succeed(lab(), 'juju enable-ha -n 3');
    await lab().agentsStarted();
    expect((await lab().juju(restore)).stderr).toContain('unable to restore backup in HA configuration');
  });
});

describe('Juju 3.6: create-backup', () => {
  const lab = useLab({ era: '3.6', machines: 1 }, 36);
  const controller = () => lab().machine('0');

  beforeEach(async () => {
    await lab().juju('rm -f *.tar.gz; juju switch controller');
  });

  it('makes an archive of metadata, dump with oplog and files, and prints its SHA-1', async () => {
    await succeed(lab(), 'juju deploy mysql');
    const { code, stdout, stderr } = await lab().juju('juju create-backup --filename f.tar.gz');
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'Downloaded to f.tar.gz\n' });
    const sha1 = (await succeed(lab(), 'openssl dgst -sha1 -binary f.tar.gz | base64')).trim();
    expect(stdout).toContain(`checksum:              ${sha1} \n`);
    expect(await listing(lab(), 'f.tar.gz')).toEqual(
      expect.arrayContaining(
        [
          'metadata.json',
          'root.tar',
          'dump/oplog.bson',
          'dump/juju/controllerNodes.bson',
          'dump/logs/logs.controller.bson',
        ].map((name) => `juju-backup/${name}`),
      ),
    );
    expect((await listing(lab(), 'f.tar.gz')).join()).not.toContain('dump/admin');
    const metadata = JSON.parse(await succeed(lab(), 'tar xzOf f.tar.gz juju-backup/metadata.json'));
    expect(metadata).toMatchObject({
      FormatVersion: 1,
      Version: '3.6.4',
      HANodes: 1,
      Machine: '0',
      Checksum: '',
      Size: 0,
    });
    expect(stdout).toContain(`controller UUID:       ${metadata.ControllerUUID}\n`);
    expect(await documents(lab(), 'f.tar.gz', 'applications')).toMatchObject([{ name: 'mysql' }]);
    expect(await bundled(lab(), 'f.tar.gz')).toEqual(
      expect.arrayContaining(['var/lib/juju/agents/machine-0/agent.conf', 'var/snap/juju-db/common/shared-secret']),
    );
  });

  it('leaves the file on the controller until a download deletes it, also when the download fails', async () => {
    const create = async () => {
      const { code, stderr } = await lab().juju('juju create-backup --no-download');
      expect(code).toBe(0);
      const file = /^Remote backup stored on the controller as (.+)$/m.exec(stderr)?.[1] ?? '';
      expect((await controller().exec(`gzip -t ${file}`)).code).toBe(0);
      return file;
    };
    const first = await create();
    await succeed(lab(), `juju download-backup ${first}`);
    expect(await lab().juju(`juju download-backup ${first}`)).toMatchObject({
      code: 1,
      stderr: `ERROR backup file "${first}" not valid\n`,
    });
    const second = await create();
    await play(controller(), 'download-breaks');
    expect((await lab().juju(`juju download-backup ${second}`)).code).toBe(1);
    expect((await controller().exec(`ls ${second}`)).code).toBe(2);
  });

  it('refuses another model, mixed options, a missing directory and a full disk', async () => {
    const errors = async (command: string) => {
      const { code, stderr } = await lab().juju(command);
      expect(code).toBe(1);
      return stderr;
    };
    expect(await errors('juju create-backup -m default')).toMatch(
      /^ERROR backups are only supported from the controller model/,
    );
    expect(await errors('juju create-backup --no-download --filename x')).toBe(
      'ERROR cannot mix --no-download and --filename\n',
    );
    onTestFinished(async () => void (await succeed(lab(), 'juju model-config -m controller backup-dir=')));
    await succeed(lab(), 'juju model-config -m controller backup-dir=/nowhere');
    expect(await errors('juju create-backup')).toBe('ERROR backup destination directory "/nowhere" does not exist\n');
    await controller().exec(
      'mkdir /small; mount -t tmpfs -o size=1m tmpfs /small; head -c 950k /dev/zero >/small/filler',
    );
    await succeed(lab(), 'juju model-config -m controller backup-dir=/small');
    expect(await errors('juju create-backup')).toMatch(
      /^ERROR not enough free space in "\/small"; want \d+MiB, have 0MiB\n$/,
    );
  });

  it('tells what mongodump says, and says nothing when a dump is empty', async () => {
    await play(controller(), 'mongodump-fails', 'server selection timeout: EOF');
    const { code, stderr } = await lab().juju('juju create-backup');
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('error executing "/snap/bin/juju-db.mongodump"'),
    });
    expect(stderr).toContain('server selection timeout: EOF');
    await rm(controller().path('/etc/juju-lab/mongodump-fails'));
    for (const fault of ['dump-empty', 'root-tar-empty']) await play(controller(), fault);
    await succeed(lab(), 'juju create-backup --filename e.tar.gz');
    expect(await documents(lab(), 'e.tar.gz', 'machines')).toEqual([]);
    expect(await bundled(lab(), 'e.tar.gz')).toEqual(['']);
  });

  it('may tell a path that only the snap sees', async () => {
    await play(controller(), 'backup-in-snap');
    const { stderr } = await lab().juju('juju create-backup --no-download');
    const told = / as (\/tmp\/juju-backup-.*)$/m.exec(stderr)?.[1] ?? '';
    const found = await controller().exec(`ls ${told}; ls /tmp/snap-private-tmp/snap.juju-db/$(basename ${told})`);
    expect(found.stdout).toBe(`/tmp/snap-private-tmp/snap.juju-db/${told.slice('/tmp/'.length)}\n`);
  });

  it('is not ready for as often as it is told', async () => {
    await play(controller(), 'ha-not-ready', '2');
    for (const _ of [1, 2]) {
      expect(await lab().juju('juju create-backup')).toMatchObject({
        code: 1,
        stderr: 'ERROR HA not ready; try again later\n',
      });
    }
    await succeed(lab(), 'juju create-backup');
  });

  it('upgrades the controller, then the models', async () => {
    expect((await lab().juju('juju upgrade-controller --dry-run')).stderr).toBe('best version:\n    3.6.9\n');
    await play(controller(), 'upgrade-blocked', 'upgrade blocked');
    expect(await lab().juju('juju upgrade-controller')).toMatchObject({ code: 1, stderr: 'ERROR upgrade blocked\n' });
    await rm(controller().path('/etc/juju-lab/upgrade-blocked'));
    expect((await lab().juju('juju upgrade-controller --agent-version 3.7.0')).stderr).toContain(
      'newer major.minor version 3.7',
    );
    await play(controller(), 'upgrade-stuck');
    expect(await succeed(lab(), 'juju upgrade-controller')).toBe('started upgrade to 3.6.9\n');
    expect((await lab().juju('juju upgrade-controller --agent-version 3.6.10')).stderr).toContain(
      '--reset-previous-upgrade',
    );
    await rm(controller().path('/etc/juju-lab/upgrade-stuck'));
    const version = async (model: string) => {
      const { machines } = JSON.parse(await succeed(lab(), `juju status -m ${model} --format json`));
      return machines['0']['juju-status'].version;
    };
    await vi.waitFor(async () => expect(await version('controller')).toBe('3.6.9'), 60_000);
    expect(await version('default')).toBe('3.6.4');
    expect(await succeed(lab(), 'juju upgrade-model -m default')).toBe('started upgrade to 3.6.9\n');
    await vi.waitFor(async () => expect(await version('default')).toBe('3.6.9'), 60_000);
    expect(await lab().juju('juju upgrade-controller')).toMatchObject({ code: 0, stderr: 'no upgrades available\n' });
  });
});

describe('Juju 3.6: juju-restore', () => {
  const restore = (options = '') =>
    `HOME=/root PATH=$PATH:/snap/bin juju-restore --yes --temp-root /root ${options} /root/b.tar.gz </dev/null`;

  /** Makes a backup and puts it onto the controller. */
  const backedUp = async (lab: JujuLab): Promise<LabNode> => {
    const controller = lab.machine('0');
    await succeed(
      lab,
      'juju deploy mysql && juju create-backup -m controller --filename b.tar.gz && juju deploy wordpress',
    );
    await writeFile(controller.path('/root/b.tar.gz'), await readFile(lab.client.path('/home/ubuntu/b.tar.gz')));
    return controller;
  };

  it('brings the state of the backup back on the same controller, without a question', async () => {
    const lab = await freshLab({ era: '3.6', machines: 1 });
    const controller = await backedUp(lab);
    const { code, stdout } = await controller.exec(restore());
    expect(code).toBe(0);
    const uuid = /"ModelUUID": "([^"]+)"/.exec(
      (await controller.exec('tar xzOf /root/b.tar.gz juju-backup/metadata.json')).stdout,
    )?.[1];
    expect(stdout).toMatch(
      new RegExp(
        `\nReplica set is healthy {5}✓\nRunning on primary HA node ✓\n[^]*Controller: {3}${uuid}\n[^]*Stopping Juju agents\\.{3}\n \n {4}[0-9.]+:37017 ✓ \n`,
      ),
    );
    expect(stdout).not.toMatch(/Primary node may have shifted|pre-checks are completed|y\/N/);
    expect((await controller.exec('systemctl is-active jujud-machine-0')).stdout).toBe('active\n');
    expect((await controller.exec('grep -c restoring restore.log; ls -d juju-restore?*')).stdout).toMatch(/^\d+\n$/);
    expect(await applications(lab)).toEqual(['mysql']);
    await lab.agentsStarted();
  });

  it('leaves the agents stopped, and no log, when mongorestore fails or cannot be run; the cause is told at DEBUG alone', async () => {
    const lab = await freshLab({ era: '3.6' });
    const controller = await backedUp(lab);
    const stopped = async (command: string, error: RegExp) => {
      const { code, stderr } = await controller.exec(command);
      expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(error) });
      expect((await controller.exec('systemctl is-active jujud-machine-0; ls restore.log')).stdout).toBe('inactive\n');
      await controller.exec('systemctl start jujud-machine-0');
    };
    await stopped(restore().replace(':/snap/bin', ''), /couldn't find juju-db.mongorestore or mongorestore in PATH/);
    await stopped(restore().replace('--temp-root /root', ''), /rename \/tmp\/.*: invalid cross-device link/);
    await stopped(restore().replace('HOME=/root', 'env -u HOME'), /\$HOME is not defined/);
    await play(controller, 'mongorestore-fails');
    await stopped(restore(), /^ERROR restoring dump from .*: running juju-db.mongorestore: exit status 1\n$/);
    await stopped(restore('--verbose'), /^DEBUG running restore command: .* --password [\s\S]*error restoring: EOF/);
  });

  it('refuses by the name’s end, by version, model, number of controllers and format, in that order', async () => {
    const lab = await freshLab({ era: '3.6' });
    const controller = await backedUp(lab);
    const forge = async (change: string) => {
      const { stderr } = await controller.exec(`
        rm -rf /root/forged && mkdir /root/forged && cd /root/forged && tar xzf ../b.tar.gz &&
        sed -i -E '${change}' juju-backup/metadata.json && tar czf ../f.tar.gz juju-backup && ${restore().replace('b.tar', 'f.tar')}`);
      expect((await controller.exec('systemctl is-active jujud-machine-0')).stdout).toBe('active\n');
      return stderr;
    };
    expect(await forge('s/("ModelUUID": ")./\\1x/; s/("HANodes": )1/\\13/')).toMatch(
      /^ERROR precheck: controller model uuids don't match - backup: "x.*", controller: ".*"\n$/,
    );
    expect(await forge('s/("HANodes": )1/\\13/')).toBe(
      "ERROR precheck: controller HA node counts don't match - backup: 3, controller: 1\n",
    );
    expect(await forge('s/("FormatVersion": )1/\\12/')).toBe(
      'ERROR precheck: getting backup metadata: reading metadata: unsupported backup format version 2\n',
    );
    expect(await forge('s/3.6.4/3.6.5/; s/("ModelUUID": ")./\\1x/')).toBe(
      `ERROR precheck: juju versions don't match - backup: "3.6.5", controller: "3.6.4"\n`,
    );
    expect(await forge('s/3.6.4/3.6.3/')).toBe(
      'ERROR precheck: restoring backup would downgrade from juju "3.6.4" to "3.6.3" - pass --allow-downgrade if this is intended\n',
    );
    expect((await controller.exec(restore().replace('--yes', ''))).stderr).toContain('no input');
    expect((await controller.exec(restore().replace('b.tar', 'none.tar'))).stderr).toContain(
      'no such file or directory',
    );
    await controller.exec('cp /root/b.tar.gz /root/b.tgz');
    expect((await controller.exec(restore().replace('b.tar.gz', 'b.tgz'))).stderr).toMatch(
      /^ERROR unpacking backup file "\/root\/b.tgz" .*: archive\/tar: invalid tar header\n$/,
    );
    expect(await controller.exec(restore('/root/b.tgz'))).toMatchObject({
      code: 2,
      stderr: 'ERROR unrecognized args: ["/root/b.tar.gz"]\n',
    });
    await controller.exec('systemctl stop snap.juju-db.daemon');
    expect(await controller.exec(restore().replace('juju-restore', 'timeout 3 juju-restore'))).toMatchObject({
      code: 124,
      stdout: 'Connecting to database...\n',
    });
  });

  it('goes back to the version before an upgrade when it is told to', async () => {
    const lab = await freshLab({ era: '3.6' });
    const controller = await backedUp(lab);
    await succeed(lab, 'juju upgrade-controller');
    const installed = () =>
      controller.exec('grep -c "upgradedToVersion: 3.6.9" /var/lib/juju/agents/machine-0/agent.conf');
    await vi.waitFor(async () => expect((await installed()).stdout).toBe('1\n'), 60_000);
    expect((await controller.exec(restore())).stderr).toContain('downgrade from juju "3.6.9" to "3.6.4"');
    expect((await controller.exec(restore('--allow-downgrade'))).code).toBe(0);
    expect(JSON.parse(await succeed(lab, 'juju status -m controller --format json')).model.version).toBe('3.6.4');
  });

  it('runs on the primary of three controllers alone, and only while all are well', async () => {
    const lab = await freshLab({ era: '3.6', controllers: 3 });
    const controller = await backedUp(lab);
    await writeFile(lab.machine('1').path('/root/b.tar.gz'), await readFile(controller.path('/root/b.tar.gz')));
    expect((await lab.machine('1').exec(restore())).stderr).toContain('not running on primary replica set member');
    await lab.machine('2').exec('systemctl stop snap.juju-db.daemon');
    const unhealthy = () => controller.exec(restore());
    expect((await unhealthy()).stderr).toMatch(/unhealthy replica set members: 3 ".*:37017" \(juju machine 2\)/);
    expect(await lab.juju('juju create-backup -m controller')).toMatchObject({
      code: 1,
      stderr: 'ERROR HA not ready; try again later\n',
    });
    await lab.machine('2').exec('systemctl start snap.juju-db.daemon');
    await lab.agentsStarted();
    const { code, stdout } = await controller.exec(restore());
    expect({ code, stdout }).toMatchObject({ code: 0 });
    for (const name of ['0', '1', '2']) {
      expect((await lab.machine(name).exec('systemctl is-active jujud-machine-*; lab-state applications')).stdout).toBe(
        'active\nmysql\n',
      );
    }
  });
});

describe('the cloud', () => {
  const lab = useLab({ era: '1.20', tags: { 'holdfast:system': 'juju' } }, 99);
  const aws = (command: string) =>
    lab().client.exec(
      `AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=s AWS_DEFAULT_REGION=us-east-1 aws --endpoint-url http://${lab().cloud.address} ${command}`,
    );

  it('tells the AWS command line the state of instances', async () => {
    const id = lab().machine('0').instanceId;
    const state = 'ec2 describe-instances --query Reservations[0].Instances[0].State.Name --output text --instance-ids';
    expect((await aws(`${state} ${id}`)).stdout).toBe('running\n');
    await lab().cloud.stop(lab().machine('0'));
    expect((await aws(`${state} ${id}`)).stdout).toBe('stopped\n');
    await lab().cloud.terminate(lab().machine('0'));
    expect((await aws(`${state} ${id}`)).stdout).toBe('terminated\n');
    expect((await aws(`${state} i-0000`)).stderr).toContain('InvalidInstanceID.NotFound');
  });

  it('keeps the control bucket', async () => {
    expect((await aws('s3 cp s3://juju-control-my-env/provider-state -')).stdout).toMatch(/^state-instances:\n- i-/);
  });
});
