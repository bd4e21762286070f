import { mkdtempSync } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { PuppetRole } from '#domain/config';
import { createPuppetNode, type PuppetHost, startServices } from '#local/lab/layer';
import type { LabNode } from '#local/lab/node';
import { agentVersions, buildInstaller } from '#local/lab/pe2016/installer';
import { pe2016 } from '#local/lab/pe2016/product';
import { servicesOf } from '#local/lab/product';

const [older, from, to] = ['2016.1.2', '2016.2.1', '2016.4.2'] as const;
const ca = '/etc/puppetlabs/puppet/ssl/certs/ca.pem';
const curl = `/opt/puppetlabs/puppet/bin/curl -sS --cacert ${ca}`;
const confD = '/etc/puppetlabs/enterprise/conf.d';
const fqdn = (name: string): string => `${name}.pe.example.com`;

// PuppetDB's node first: services of the others hold sessions with its databases.
const roles: Readonly<Record<string, PuppetRole>> = {
  puppetdb: 'puppetdb',
  master: 'master',
  console: 'console',
  compile1: 'compile-master',
  hub1: 'activemq-hub',
  spoke1: 'activemq-spoke',
  agent1: 'agent',
};
const system: readonly PuppetHost[] = Object.entries(roles).map(([name, role], index) => ({
  hostname: fqdn(name),
  roles: [role],
  address: `127.${20 + ((process.pid >> 8) % 200)}.${process.pid % 256}.${11 + index}`,
}));

const nodes = new Map<string, LabNode>();
const directory = mkdtempSync(join(tmpdir(), 'lab-2016-'));

const on = (name: string): LabNode => {
  const node = nodes.get(name);
  if (!node) throw new Error(`there is no ${name}`);
  return node;
};

/** Exit code and all that was said. */
const run = async (name: string, command: string): Promise<{ code: number | null; said: string }> => {
  const { code, stdout, stderr } = await on(name).exec(`exec 2>&1; umask 0022; ${command}`, { timeoutSeconds: 120 });
  return { code, said: `${stdout}${stderr}`.trim() };
};

const said = async (name: string, command: string): Promise<string> => (await run(name, command)).said;

const agentOf = (name: string): Promise<string> => said(name, 'cat /opt/puppetlabs/puppet/VERSION');
const serverOf = (name: string): Promise<string> =>
  said(name, 'cat /opt/puppetlabs/server/pe_version /opt/puppetlabs/server/pe_build | xargs');

const installer = (version: string): string =>
  `/root/puppet-enterprise-${version}-debian-12-amd64/puppet-enterprise-installer`;
const upgrade = (name: string, options = `-c ${confD}/pe.conf`): ReturnType<typeof run> =>
  run(name, `${installer(to)} ${options}`);

/** As the manual says it by SSH, but for the shell's status, which is that of the whole pipe. */
const upgradeFrom = (server: string, script = 'upgrade'): string =>
  `HOME=/root USER=root bash -o pipefail -c '${curl} --fail https://${fqdn(server)}:8140/packages/current/${script}.bash | bash'`;

const query = (database: string, sql: string): Promise<string> =>
  said(
    'puppetdb',
    `cd / && runuser -u pe-postgres -- /opt/puppetlabs/server/bin/psql -X -qAt -d ${database} -c "${sql}"`,
  );

beforeAll(async () => {
  for (const { hostname, roles, address } of system) {
    const name = hostname.replace('.pe.example.com', '');
    const node = await createPuppetNode({
      product: pe2016,
      system,
      hostname,
      name: `${process.pid}-2016-${name}`,
      instanceId: `i-2016${name}`,
      address,
    });
    nodes.set(name, node);
    await startServices(node, servicesOf(pe2016, roles));
  }
  for (const version of [older, to] as const) {
    const archive = await buildInstaller(directory, { version });
    for (const name of ['master', 'puppetdb', 'console']) {
      await copyFile(archive, on(name).path(`/root/${basename(archive)}`));
      await on(name).exec(`tar -xf /root/${basename(archive)} -C /root`);
    }
  }
});

afterAll(async () => {
  for (const node of nodes.values()) await node.destroy();
  await rm(directory, { recursive: true });
});

describe('a large installation of Puppet Enterprise 2016.2.1', () => {
  it('answers on every port with certificates of its authority, and holds sessions with its databases', async () => {
    for (const service of [
      'master:8140',
      'master:8143',
      'puppetdb:8081',
      'console:4433',
      'console:443',
      'loadbalancer:8140',
    ]) {
      const [host = '', port] = service.split(':');
      await expect
        .poll(() => said('agent1', `${curl} https://${fqdn(host)}:${port}/status/v1/simple`), { timeout: 30_000 })
        .toBe('running');
    }
    const users = await query(
      'postgres',
      "SELECT DISTINCT usename FROM pg_stat_activity WHERE usename ~ '^pe-[^p]' ORDER BY 1",
    );
    expect(users.split('\n')).toEqual(['pe-activity', 'pe-classifier', 'pe-orchestrator', 'pe-rbac']);
    const count = () => query('pe-puppetdb', 'SELECT count(*) FROM reports');
    const before = await count();
    await expect.poll(count, { timeout: 30_000 }).not.toBe(before);
  });

  it('has nothing to change on any node', async () => {
    for (const name of nodes.keys()) {
      expect(await run(name, 'puppet agent -t')).toMatchObject({ code: 0 });
    }
  });

  it('runs puppet only when it is enabled, alone, and sure of its master', async () => {
    const agent = () => run('agent1', 'puppet agent --onetime --no-daemonize --detailed-exitcodes --color false');
    await run('agent1', 'puppet agent --disable "being tested"');
    expect(await agent()).toMatchObject({ code: 1, said: expect.stringContaining('administratively disabled') });
    await run('agent1', 'puppet agent --enable; echo 1 >$(puppet config print agent_catalog_run_lockfile)');
    expect(await agent()).toMatchObject({ code: 1, said: expect.stringContaining('already in progress') });
    await run('agent1', `rm $(puppet config print agent_catalog_run_lockfile); mv ${ca} ${ca}.kept; ${selfSigned(ca)}`);
    expect(await agent()).toMatchObject({ code: 1, said: expect.stringContaining('Could not retrieve catalog') });
    await run('agent1', `mv ${ca}.kept ${ca}`);
    expect(await agent()).toMatchObject({ code: 0 });
  });

  it('has its stopped services started by puppet', async () => {
    await run('hub1', 'puppet resource service pe-activemq ensure=stopped');
    expect(await run('hub1', 'puppet agent -t')).toMatchObject({ code: 2 });
    expect(await run('hub1', 'service pe-activemq status')).toMatchObject({ code: 0 });
  });

  it('has its databases closed to all but their roles by puppet enterprise configure', async () => {
    const access = () => query('postgres', "SELECT datacl FROM pg_database WHERE datname = 'pe-rbac'");
    const before = await access();
    await query('postgres', 'GRANT CONNECT ON DATABASE \\"pe-rbac\\" TO PUBLIC');
    expect(await access()).not.toBe(before);
    expect(await run('puppetdb', 'puppet enterprise configure')).toMatchObject({ code: 0 });
    expect(await access()).toBe(before);
  });
});

const selfSigned = (file: string): string =>
  `openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=other -out ${file} 2>/dev/null`;

describe('the installer refuses, and changes nothing,', () => {
  const conf = `${confD}/pe.conf`;
  it.each([
    ['a umask of its own', `umask 0077; ${installer(to)} -y`, 'umask must be 0022'],
    [
      'another user than root',
      `cp -r ${installer(to).replace(/\/[^/]*$/, '')} /tmp/p; su -s /bin/sh pe-puppet -c "/tmp/p/puppet-enterprise-installer -y"`,
      'as root',
    ],
    ['to open an editor', installer(to), 'editor'],
    ['a path of pe.conf that is not full', `cd ${confD} && ${installer(to)} -c pe.conf`, 'full path'],
    [
      'a pe.conf without a required key',
      `grep -v console_host ${conf} >/tmp/c; ${installer(to)} -c /tmp/c`,
      'console_host',
    ],
    ['a pe.conf in single quotes', `tr '"' "'" <${conf} >/tmp/c; ${installer(to)} -c /tmp/c`, 'double quotes'],
    [
      'a full /tmp',
      `mount -o remount,size=900m /tmp; ${installer(to)} -y; x=$?; mount -o remount,size=50% /tmp; exit $x`,
      '1 GB is needed',
    ],
    [
      'a /tmp without programs',
      `mount -o remount,noexec /tmp; ${installer(to)} -y; x=$?; mount -o remount,exec /tmp; exit $x`,
      'noexec',
    ],
    ['noop', withSetting('noop = true'), 'noop is set'],
    ['agent_version', withSetting('agent_version = 1.5.3'), 'agent_version is set'],
    ['to go back', `${installer(older)} -y`, 'newer than 2016.1.2'],
  ])('%s', async (_what, command, message) => {
    expect(await run('master', command)).toMatchObject({ code: 1, said: expect.stringContaining(message) });
    expect(await serverOf('master')).toBe(`${from} ${from}`);
    expect(await run('master', 'service pe-puppetserver status')).toMatchObject({ code: 0 });
  });
});

function withSetting(line: string): string {
  const file = '/etc/puppetlabs/puppet/puppet.conf';
  return `cp -p ${file} /tmp/kept; echo '${line}' >>${file}; ${installer(to)} -y; x=$?; mv /tmp/kept ${file}; exit $x`;
}

describe('an upgrade to 2016.4.2', () => {
  it('starts with nothing but the master', async () => {
    for (const name of ['puppetdb', 'console']) {
      expect(await upgrade(name)).toMatchObject({
        code: 1,
        said: expect.stringContaining('upgrade it to 2016.4.2 first'),
      });
      expect(await serverOf(name)).toBe(`${from} ${from}`);
    }
    // The master serves what it is itself: the script succeeds, and nothing is newer than before.
    expect(await run('compile1', upgradeFrom('master'))).toMatchObject({ code: 0 });
    expect(await serverOf('compile1')).toBe(`${from} ${from}`);
  });

  it('brings the master to the new version, keeps its pe.conf, and runs puppet', async () => {
    expect(await upgrade('master')).toMatchObject({ code: 0 });
    expect(await serverOf('master')).toBe(`${to} ${to}`);
    expect(await agentOf('master')).toBe(agentVersions[to]);
    expect(await said('master', `ls ${confD} | sed 's/^[0-9TZ]*\\.conf/saved/' | xargs`)).toBe(
      'saved common.conf pe.conf',
    );
    expect(await run('master', 'puppet agent -t')).toMatchObject({ code: 2 });
    expect(await run('master', 'puppet agent -t')).toMatchObject({ code: 0 });
    expect(await upgrade('master')).toMatchObject({ code: 0, said: expect.stringContaining('nothing to do') });
  });

  it('does not touch the console before PuppetDB', async () => {
    expect(await upgrade('console')).toMatchObject({ code: 1, said: expect.stringContaining('PuppetDB on puppetdb') });
  });

  it('killed on PuppetDB is refused until its version is set back by hand, then changes the databases', async () => {
    const holder = on('puppetdb').run(
      'cd / && exec runuser -u pe-postgres -- /opt/puppetlabs/server/bin/psql -X -d pe-puppetdb -c "BEGIN; LOCK TABLE reports; SELECT pg_sleep(900)"',
      'holder',
    );
    onTestFinished(() => holder.kill());
    await expect
      .poll(
        () =>
          query(
            'pe-puppetdb',
            "SELECT 'held' FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'reports'::regclass AND granted",
          ),
        { timeout: 30_000 },
      )
      .toBe('held');
    const broken = on('puppetdb').run(`umask 022; exec ${installer(to)} -c ${confD}/pe.conf`, 'installer');
    await expect
      .poll(
        () =>
          query(
            'pe-puppetdb',
            "SELECT DISTINCT 'waits' FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE reports%' AND wait_event_type = 'Lock'",
          ),
        { timeout: 60_000 },
      )
      .toBe('waits');
    broken.kill();
    await broken.exit;
    // A session that sleeps, or waits for it, does not notice that its client is dead.
    await query(
      'postgres',
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'reports' AND pid <> pg_backend_pid()",
    );
    expect(await serverOf('puppetdb')).toBe(`${to} ${from}`);
    expect(await run('puppetdb', 'service pe-puppetdb status')).toMatchObject({ code: 3 });
    expect(await upgrade('puppetdb')).toMatchObject({ code: 1, said: expect.stringContaining('broke off') });

    await run('puppetdb', `echo ${from} >/opt/puppetlabs/server/pe_version`);
    expect(await upgrade('puppetdb')).toMatchObject({ code: 0 });
    expect(await serverOf('puppetdb')).toBe(`${to} ${to}`);
    expect(await query('pe-puppetdb', 'SELECT max(version) FROM schema_migrations')).toBe('51');
    expect(await run('puppetdb', 'puppet agent -t')).toMatchObject({ code: 2 });
  });

  it('goes on with the console, the compile master, the hub and the spoke, by the master of masters', async () => {
    expect(await upgrade('console', '-y')).toMatchObject({ code: 0 });
    expect(await run('console', 'puppet agent -t')).toMatchObject({ code: 2 });
    // Not upgraded yet, the load balancer's compile master serves the old packages.
    expect(await run('agent1', upgradeFrom('loadbalancer'))).toMatchObject({ code: 0 });
    expect(await agentOf('agent1')).toBe(agentVersions[from]);
    for (const name of ['compile1', 'hub1', 'spoke1']) {
      expect(await run(name, upgradeFrom('master'))).toMatchObject({ code: 0 });
      expect(await agentOf(name)).toBe(agentVersions[to]);
      expect(await said(name, 'tail -n 1 /var/log/puppetlabs/upgrade.log')).toContain(
        'upgrade.bash of master.pe.example.com (2016.4.2)',
      );
      // The script has laid the server's packages ready; a run of the agent installs them.
      if (name === 'compile1') expect(await serverOf(name)).toBe(`${from} ${from}`);
      expect(await run(name, 'puppet agent -t')).toMatchObject({ code: 2 });
    }
    expect(await serverOf('compile1')).toBe(`${to} ${to}`);
  });

  it('is for the installer on nodes of core components, and for root', async () => {
    expect(await run('console', upgradeFrom('master'))).toMatchObject({
      code: 1,
      said: expect.stringContaining('core component'),
    });
    const asNobody = `su -s /bin/bash nobody -c "${curl} https://${fqdn('loadbalancer')}:8140/packages/current/upgrade.bash | bash"`;
    expect(await run('agent1', asNobody)).toMatchObject({ code: 1, said: expect.stringContaining('as root') });
  });

  it('fails on an agent that has another authority, and when the load balancer answers 404', async () => {
    await run('agent1', selfSigned('/root/other.pem'));
    const stranger = upgradeFrom('loadbalancer').replace(ca, '/root/other.pem');
    expect(await run('agent1', stranger)).toMatchObject({ code: 60 });
    const script = '/opt/puppetlabs/server/data/packages/public/current/upgrade.bash';
    await run('compile1', `mv ${script} ${script}.kept`);
    expect(await run('agent1', upgradeFrom('loadbalancer'))).toMatchObject({ code: 22 });
    // What the manual's own command does then: the page goes to the shell.
    const plain = upgradeFrom('loadbalancer').replace('--fail', '');
    expect(await run('agent1', plain)).toMatchObject({ code: 2, said: expect.stringContaining('syntax error') });
    await run('compile1', `mv ${script}.kept ${script}`);
    expect(await agentOf('agent1')).toBe(agentVersions[from]);
  });

  it('fails on an agent whose download is cut off', async () => {
    const packages = '/opt/puppetlabs/server/data/packages/public/current/debian-12-amd64/puppet-enterprise.tar.gz';
    await run('compile1', `cp ${packages} /root/kept && truncate -s 400M ${packages}`);
    await run('agent1', 'echo limit-rate = 2M >/root/.curlrc');
    const download = on('agent1').run(`exec env ${upgradeFrom('loadbalancer')}`, 'download');
    const arrived = async () => Number(await said('agent1', 'cat /tmp/tmp.*/packages.tar.gz | wc -c'));
    await expect.poll(arrived, { timeout: 60_000, interval: 1 }).toBeGreaterThan(0);
    await run('compile1', 'kill -KILL $(cat /run/pe-puppetserver.pid)');
    expect((await download.exit).code).toBe(1);
    expect(await agentOf('agent1')).toBe(agentVersions[from]);
    await run('agent1', 'rm /root/.curlrc');
    await run('compile1', `mv /root/kept ${packages}; service pe-puppetserver start`);
  });

  it('ends with the agents, by the load balancer', async () => {
    expect(await run('agent1', upgradeFrom('loadbalancer', 'install'))).toMatchObject({ code: 0 });
    expect(await agentOf('agent1')).toBe(agentVersions[to]);
    expect(await said('agent1', 'tail -n 1 /var/log/puppetlabs/upgrade.log')).toContain(
      'install.bash of loadbalancer.pe.example.com (2016.4.2)',
    );
    expect(await run('agent1', 'puppet agent -t')).toMatchObject({ code: 2 });
  });
});
