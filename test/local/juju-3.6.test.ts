import { createHash } from 'node:crypto';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  archiveOf,
  backedUp,
  changed,
  clientOf,
  failedBackup,
  failedRestore,
  listed,
  restored,
  useJujuBench,
} from './juju-bench.ts';

const bench = useJujuBench('3.6');
const controller = () => bench().machine('0');

describe('a backup of Juju 3.6', () => {
  it('is uploaded by the controller that made it, and removed there', async () => {
    await bench().succeed('juju deploy mysql');
    const manifest = await backedUp(bench());
    const archive = archiveOf(manifest);
    expect(archive).toMatchObject({
      node: controller().instanceId,
      driver: 'file',
      metadata: { version: '3.6.4', format: 1, haNodes: 1, machine: '0', series: 'ubuntu@22.04' },
    });
    expect(
      createHash('sha1')
        .update(await bench().object(archive.upload.key))
        .digest('base64'),
    ).toBe(archive.sha1);
    expect(await listed(bench(), manifest)).toEqual(
      expect.arrayContaining([
        'juju-backup/metadata.json',
        'juju-backup/dump/oplog.bson',
        'juju-backup/dump/juju/models.bson',
      ]),
    );
    expect(clientOf(manifest)).toMatchObject({
      directory: '/home/ubuntu/.local/share/juju',
      status: { version: '3.6.4', machines: 2, started: 2, applications: 1 },
    });
  });

  it('waits until the replica set is ready', async () => {
    await bench().play(controller(), 'ha-not-ready', '2');
    await backedUp(bench());
  });

  it('finds the archive although juju tells a path that only its snap sees', async () => {
    await bench().play(controller(), 'backup-in-snap');
    await backedUp(bench());
  });

  it.each([
    ['somebody has downloaded the archive meanwhile, which deletes it', 'rm -f', /is on none of the controllers/],
    [
      'the archive is no longer the one whose SHA-1 Juju printed',
      'head -c 512 /dev/zero | tee -a',
      /SHA-1 .*, Juju printed /,
    ],
  ])('fails when %s', async (_, change, reason) => {
    const changed = controller().exec(
      `cd /tmp; for look in $(seq 1200); do ls | grep -q "^juju-backup-.*gz$" && ${change} juju-backup-*.tar.gz && exit 0; sleep 0.02; done`,
    );
    expect(await failedBackup(bench())).toMatch(new RegExp(`ArtifactMismatchError: .*${reason.source}`));
    await changed;
  });

  it('is not made of a controller that is not the client’s', async () => {
    const file = '.local/share/juju/controllers.yaml';
    await bench().succeed(`cp ${file} known.yaml && sed -i -E 's/( uuid: .*).{4}/\\10000/' ${file}`);
    onTestFinished(async () => void (await bench().succeed(`mv known.yaml ${file}`)));
    expect(await failedBackup(bench())).toMatch(
      /WrongRoleError: .* belongs to .*, but my-env is .*0000 for the client/,
    );
  });

  it('fails when mongodump fails, dumps nothing, when root.tar is empty, and when the disk is full', async () => {
    const fix = await bench().play(controller(), 'mongodump-fails', 'with --password hunter2: EOF');
    const failed = await failedBackup(bench());
    expect(failed).toMatch(/JujuFailedError: juju create-backup failed: .*EOF/);
    expect(failed).not.toContain('hunter2');
    await fix();
    const fill = await bench().play(controller(), 'dump-empty');
    expect(await failedBackup(bench())).toMatch(/ArchiveEmptyError: the archive holds no database/);
    await fill();
    const pack = await bench().play(controller(), 'root-tar-empty');
    expect(await failedBackup(bench())).toMatch(/ArchiveEmptyError: root\.tar lacks/);
    await pack();
    await bench().shell(
      controller(),
      'mkdir /small && mount -t tmpfs -o size=1m tmpfs /small && head -c 950k /dev/zero >/small/filler',
    );
    await bench().succeed('juju model-config -m controller backup-dir=/small');
    expect(await failedBackup(bench())).toMatch(/not enough free space in "\/small"/);
    await bench().succeed('juju model-config -m controller backup-dir=');
  });
});

describe('a restore of Juju 3.6', () => {
  it('brings the state of the backup back on the same controller, after a safety backup', async () => {
    await changed(bench());
    expect(await restored(bench(), { safetyBackup: true })).toMatch(
      /version 3\.6\.4 and UUID .* are equal\n2 of 2 machines report to the restored state\nthe names of all 1 applications are equal/,
    );
    expect(await bench().applications()).toEqual(['mysql']);
    expect((await bench().traces()).manifests).toHaveLength(2);
  });

  it('starts the agents again when juju-restore fails in the middle', async () => {
    await changed(bench());
    const fix = await bench().play(controller(), 'mongorestore-fails');
    expect(await failedRestore(bench())).toMatch(
      /CommandFailedError: restore-controller .*JujuFailedError: juju-restore failed: .*error restoring: EOF .*exit status 1 .*Running restore/,
    );
    expect(await bench().shell(controller(), 'systemctl is-active jujud-machine-0')).toBe('active\n');
    await fix();
    await restored(bench());
    expect(await bench().applications()).toEqual(['mysql']);
  });

  it('brings a controller back whose agent does not run, and so no API either', async () => {
    await changed(bench());
    await bench().shell(controller(), 'systemctl stop jujud-machine-0');
    await restored(bench());
    expect(await bench().applications()).toEqual(['mysql']);
  });

  it('refuses a backup of another controller, number, series, format or version before it changes anything', async () => {
    const manifest = await changed(bench());
    const refused = async (change: (text: string) => string): Promise<string> => {
      await bench().putManifest(change(JSON.stringify(manifest)));
      return failedRestore(bench());
    };
    const { controllerUuid } = archiveOf(manifest).metadata;
    const other = `${controllerUuid.slice(0, -4)}0000`;
    expect(
      await refused((text) => text.replace(`"controllerUuid":"${controllerUuid}"`, `"controllerUuid":"${other}"`)),
    ).toContain(`the backup is of ${other}`);
    expect(await refused((text) => text.replace('"haNodes":1', '"haNodes":3'))).toContain(
      'the backup is of 3 controllers, there are 1',
    );
    expect(await refused((text) => text.replaceAll(/"series":"[a-z]+"/g, '"series":"xenial"'))).toContain(
      'the backup is of xenial',
    );
    expect(
      await refused((text) => text.replace('"format":1,"controllerUuid"', '"format":2,"controllerUuid"')),
    ).toContain('which juju-restore 0.14 does not know');
    expect(await refused((text) => text.replace('"version":"3.6.4","format"', '"version":"3.6.5","format"'))).toContain(
      'the backup is of the newer 3.6.5',
    );
    expect(await refused((text) => text.replace('"version":"3.6.4","format"', '"version":"3.6.3","format"'))).toContain(
      'allow version to go back to it',
    );
    expect(await bench().applications()).toEqual(['mysql', 'wordpress']);
  });

  it('fails when agents do not reconnect', async () => {
    await changed(bench());
    const agent = (verb: string) => bench().machine('default:0').exec(`systemctl ${verb} jujud-machine-0`);
    await agent('stop');
    onTestFinished(async () => void (await agent('start')));
    await vi.waitFor(
      async () => expect(await bench().succeed('juju status -m default --format json')).toContain('"current": "down"'),
      30_000,
    );
    const { status, cause } = await bench().restore({ juju: { reconnectSeconds: 10 } });
    expect({ status, cause }).toMatchObject({
      status: 'FAILED',
      cause: expect.stringMatching(/UnhealthyError: 1 of 2 machines report after 10 s, 100 % are needed/),
    });
    await agent('start');
    await bench().juju.agentsStarted();
  });
});

describe('an upgrade of Juju 3.6', () => {
  it('is refused while Juju itself is against it, and to what it cannot reach in place', async () => {
    const fix = await bench().play(controller(), 'upgrade-blocked', 'model is under "upgrade" mode, upgrade blocked');
    expect(await bench().upgrade({ version: '3.6.9' })).toMatchObject({
      error: 'CheckFailedError',
      cause: expect.stringContaining("Juju's dry run says: ERROR model is under"),
    });
    await fix();
    for (const [version, reason] of [
      ['3.5.1', '3.5.1 is older than 3.6.4'],
      ['3.7.0', 'cannot be upgraded to 3.7.0 in place'],
      ['4.0.1', 'cannot be upgraded to 4.0.1 in place'],
    ])
      expect((await bench().upgrade({ version })).cause).toContain(reason);
    expect((await bench().traces()).manifests).toEqual([]);
  });

  it('backs up first, then brings controller and models to the version, and tells the way back before', async () => {
    const { output } = await bench().upgrade({ version: '3.6.9', planOnly: true });
    expect(output.plan?.summary.warnings.join()).toContain('"allow": ["version"]');
    const { status, cause } = await bench().upgrade({ version: '3.6.9' });
    expect({ status, cause }).toEqual({ status: 'SUCCEEDED', cause: '' });
    expect(await bench().traces()).toMatchObject({ lock: false, onNodes: [], down: [] });
    expect((await bench().traces()).manifests).toHaveLength(1);
    const models = JSON.parse(await bench().succeed('juju models --format json'));
    expect(models.models.map((model: { 'agent-version': string }) => model['agent-version'])).toEqual([
      '3.6.9',
      '3.6.9',
    ]);
    expect(await bench().upgrade({ version: '3.6.9' })).toMatchObject({ status: 'SUCCEEDED' });

    // Juju itself only starts an upgrade: agents that do not follow end it at its deadline.
    const fix = await bench().play(controller(), 'upgrade-stuck');
    const script = new URL('../../documents/juju/upgrade-juju.sh', import.meta.url).pathname;
    const { stdout } = await bench().client.exec(
      `START_BEFORE=9999999999 ATTEMPT=0 RUN=stuck CONTROLLER=my-env CLIENT_USER=ubuntu VERSION=3.6.10 STAGE=controller SECONDS_TO_WAIT=5 bash ${script}`,
    );
    expect(stdout).toMatch(/UpgradeStuckError.*not every agent has 3\.6\.10 after 5 s: machine 0 has 3\.6\.9/);
    await fix();

    // And back again, by the backup that was taken first.
    expect(await restored(bench(), { allow: ['version'] })).toContain('version 3.6.4');
  });
});

describe('the loss of all controllers of Juju 3.6', () => {
  it('is no restore’s to fix: it names the section of the runbook', async () => {
    await backedUp(bench());
    await bench().juju.cloud.terminate(controller());
    const { status, error, cause } = await bench().restore();
    expect({ status, error, cause }).toMatchObject({
      status: 'FAILED',
      error: 'CheckFailedError',
      cause: expect.stringContaining('"Juju: all controllers are lost" in docs/runbook.md'),
    });
  });
});
