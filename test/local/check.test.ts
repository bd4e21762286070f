import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { check } from '../../cli/check.ts';
import { connect } from '../../cli/connection.ts';
import { recordedOutput } from '../unit/cli-fixtures.ts';
import { type Bench, noTraces, split, startBench } from './harness.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await startBench({ configuration: split() });
});
afterAll(() => bench.close());
afterEach(() => bench.judgeWith(() => 'pass'));

/** Runs `holdfast check` to its end, and looks that it has left nothing. */
const holdfast = async (json = false) => {
  const { output, stdout, stderr } = recordedOutput();
  const connected = () => connect({ endpointUrl: bench.lab.runtime.url, region: 'us-east-1' });
  const exit = await check(connected, 'pe-main', { json, pollMilliseconds: 50 }, output).catch(
    (error: unknown) => error,
  );
  expect(await bench.traces()).toEqual(noTraces);
  return { exit, stdout: stdout(), stderr: stderr() };
};

const refused = (problems: string) => ({
  exit: 'failed',
  message: `pe-main cannot be backed up now: ${problems}`,
  next: 'Fix each problem, then run: holdfast check pe-main',
});

describe('a check', () => {
  it('of a system that is well tells what each node holds, and makes no backup', async () => {
    const { exit, stdout, stderr } = await holdfast();
    expect(exit).toBe('ok');
    expect(stdout).toMatch(
      /^master\.pe\.example\.com +ok +Puppet Enterprise 3\.2\S* +3\.\S+ +1\.\S+ +\d\S+ +\S+ [GMT]iB +ok +ok$/m,
    );
    expect(stdout).not.toMatch(/^problem:/m);
    expect(stderr).toMatch(/pe-main can be backed up: \d+ commands on 3 nodes/);
    const { events } = bench.lab.runtime.notices;
    await expect.poll(() => events.at(-1), { timeout: 30_000 }).toMatchObject({ result: 'planned', error: null });
  });

  it('gives the same as one document', async () => {
    const { exit, stdout } = await holdfast(true);
    expect(exit).toBe('ok');
    expect(JSON.parse(stdout)).toMatchObject({
      system: 'pe-main',
      nodes: [{ name: 'master.pe.example.com', vault: true, clockSeconds: 0, problems: [] }, {}, {}],
      problems: [],
      steps: expect.arrayContaining([expect.stringMatching(/^collect: dump-database pe-puppetdb /)]),
    });
  });

  it('tells what S3 says to an upload, and leaves none', async () => {
    bench.judgeWith(({ method, key }) => (method === 'POST' && key.includes('/checks/') ? 'deny' : 'pass'));
    const { exit, stdout } = await holdfast();
    expect(exit).toMatchObject(refused('3 problems'));
    expect(stdout).toMatch(
      /^problem: master\.pe\.example\.com: the vault took no upload: .*AccessDenied.*holdfast-node-pe-main/m,
    );
  });

  it('tells everything that is wrong anywhere at once: clock, room, keys, an agent, a service', async () => {
    const [master, console] = [bench.withRole('master'), bench.withRole('console')];
    await bench.shell(
      'printf "#!/bin/sh\\n[ \\"\\$1\\" = +%%s ] && exec /usr/bin/date.away -d \\"1 hour ago\\" +%%s\\nexec /usr/bin/date.away \\"\\$@\\"\\n" >/root/date && chmod 755 /root/date && mv /usr/bin/date /usr/bin/date.away && mv /root/date /usr/bin/date',
      master,
    );
    await bench.shell('ln -s /mnt/gone/ca.pass /etc/puppetlabs/puppet/ssl/ca/private/second.pass', master);
    await bench.shell('mkdir -p /var/lib/holdfast && mount -t tmpfs -o size=20m tmpfs /var/lib/holdfast', master);
    await bench.shell('service pe-puppetdb stop; service pe-postgresql stop', bench.withRole('puppetdb'));
    console.online = false;
    const { exit, stdout } = await (async () => {
      const { output, stdout: told } = recordedOutput();
      const connected = () => connect({ endpointUrl: bench.lab.runtime.url, region: 'us-east-1' });
      const ended = await check(connected, 'pe-main', { pollMilliseconds: 50 }, output).catch(
        (error: unknown) => error,
      );
      return { exit: ended, stdout: told() };
    })();
    console.online = true;
    await bench.shell('service pe-postgresql start; service pe-puppetdb start', bench.withRole('puppetdb'));
    await bench.shell('umount /var/lib/holdfast', master);
    await bench.shell(
      'mv /usr/bin/date.away /usr/bin/date; rm /etc/puppetlabs/puppet/ssl/ca/private/second.pass',
      master,
    );
    expect(stdout).toMatch(/^problem: console\.pe\.example\.com \(i-\w+\) does not answer SSM\. Look at the instance/m);
    expect(stdout).toMatch(/^problem: master\.pe\.example\.com: its clock is off by 3[56]\d\d s or more\. .*chrony/m);
    expect(stdout).toMatch(
      /^problem: master\.pe\.example\.com: \/var\/lib\/holdfast has (1\d|20) MiB free; a run needs 64/m,
    );
    expect(stdout).toMatch(/^problem: master\.pe\.example\.com: \/etc\S+second\.pass points to \/mnt\/gone\/ca\.pass/m);
    expect(stdout).toMatch(
      /^problem: puppetdb\.pe\.example\.com: PostgreSQL does not answer.*service pe-postgresql start/m,
    );
    expect(exit).toMatchObject(refused('5 problems'));
    expect((await holdfast()).exit).toBe('ok');
  });

  it('of a node without its tools says so, and what a backup would say', async () => {
    const console = bench.withRole('console');
    await bench.shell('mv /usr/bin/openssl /root/openssl', console);
    const { exit, stdout } = await holdfast();
    await bench.shell('mv /root/openssl /usr/bin/openssl', console);
    expect(exit).toMatchObject(refused('1 problem'));
    expect(stdout).toMatch(
      /^problem: console\.pe\.example\.com: .*MissingToolError: openssl is not installed.*Install it/m,
    );
  });
});
