import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { InstanceId } from '#domain/naming';
import type { LabNode } from '#local/lab/node';
import { buildInstaller } from '#local/lab/pe32/installer';
import { type Lab, startLab } from '#local/runtime/lab';
import { split } from './harness.ts';

let lab: Lab;

const node = (name: string): LabNode => {
  const found = lab.nodes['pe-main']?.[name];
  if (!found) throw new Error(`there is no node ${name}`);
  return found;
};

const run = async (name: string, command: string): Promise<string> => {
  const { code, stdout, stderr } = await node(name).exec(command, { timeoutSeconds: 120 });
  if (code !== 0) throw new Error(`${name}: ${command}: exit ${code}\n${stdout}${stderr}`);
  return stdout.trim();
};

const sql = (database: string, statement: string): Promise<string> =>
  run(
    'puppetdb',
    `su -s /bin/bash pe-postgres -c "cd / && /opt/puppet/bin/psql -X -A -t -q -v ON_ERROR_STOP=1 -d '${database}'" <<'SQL'\n${statement}\nSQL`,
  );

const running = async (name: string): Promise<string> =>
  (await node(name).exec('cd /etc/init.d && for s in pe-*; do ./$s status >/dev/null && echo $s; done')).stdout.trim();

const tagged = `
  pe-tagged:
    kind: puppet-enterprise
    nodes:
      - { tag: { key: Name, value: puppet }, roles: [master, puppetdb, console] }
      - { tag: { key: Group, value: web }, roles: [agent] }
`;

const services = {
  master: 'pe-activemq pe-httpd pe-mcollective pe-puppet',
  puppetdb: 'pe-mcollective pe-postgresql pe-puppet pe-puppetdb',
  console: 'pe-httpd pe-mcollective pe-memcached pe-puppet pe-puppet-dashboard-workers',
};
const names = ['master', 'puppetdb', 'console'] as const;

beforeAll(async () => {
  lab = await startLab({ configuration: split('live', tagged), counts: { web: 2 } });
});
afterAll(() => lab?.close());

describe('a split system of the lab', () => {
  it('has a node for each role, in the order of the configuration, and each knows all names', async () => {
    expect(Object.keys(lab.nodes['pe-main'] ?? {})).toEqual(names);
    for (const name of names) {
      const found = await run(name, `hostname -f; getent ahostsv4 ${names.join(' ')} | awk '/STREAM/ { print $1 }'`);
      expect(found.split('\n')).toEqual([`${name}.pe.example.com`, ...names.map((other) => node(other).address)]);
    }
  });

  it('runs the services of its role on each node, and has no others', async () => {
    for (const name of names) {
      expect((await running(name)).replaceAll('\n', ' ')).toBe(services[name]);
      expect(await run(name, 'ls /etc/init.d | grep ^pe- | xargs')).toBe(services[name]);
    }
  });

  it('keeps on each node only what belongs there', async () => {
    const there = (name: string) =>
      run(
        name,
        'cd /etc/puppetlabs; ls -d puppet/ssl/ca puppetdb puppet-dashboard rubycas-server activemq license.key /opt/puppet/var /var/lib/peadmin /var/lib/lab-certificates 2>/dev/null | xargs',
      );
    expect(await there('master')).toBe('/var/lib/peadmin activemq license.key puppet/ssl/ca');
    expect(await there('puppetdb')).toBe('/opt/puppet/var puppetdb');
    expect(await there('console')).toBe('puppet-dashboard rubycas-server');
    for (const name of names) {
      expect(await run(name, 'ls /etc/puppetlabs/puppet/ssl/private_keys | grep -v internal')).toBe(
        `${name}.pe.example.com.pem`,
      );
      expect(await run(name, 'grep -r "@[A-Z_]*@" /etc/puppetlabs || true')).toBe('');
    }
  });

  it('has certificates of one authority for all', async () => {
    await expectOneAuthority();
  });

  it('carries the report of each node over the master and PuppetDB into the database', async () => {
    await sql('pe-puppetdb', "DELETE FROM reports WHERE certname NOT LIKE 'node%'");
    for (const name of names) await run(name, 'puppet agent -t');
    expect(
      await sql('pe-puppetdb', "SELECT DISTINCT certname FROM reports WHERE certname NOT LIKE 'node%' ORDER BY 1"),
    ).toBe('console.pe.example.com\nmaster.pe.example.com\npuppetdb.pe.example.com');
  });

  it("writes the console's data from the console's node", async () => {
    await sql('console', "UPDATE nodes SET reported_at = '2014-03-01'");
    await vi.waitFor(
      async () =>
        expect(await sql('console', "SELECT count(*) > 1 FROM nodes WHERE reported_at > '2014-03-01'")).toBe('t'),
      { timeout: 30_000, interval: 200 },
    );
    await run('console', 'service pe-httpd stop');
    expect(await sql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE usename = 'console'")).toBe('0');
    await run('console', 'service pe-httpd start');
  });

  it('opens PuppetDB to the master alone', async () => {
    const request = (name: string) =>
      node(name).exec(
        `cd /etc/puppetlabs/puppet/ssl && /opt/puppet/libexec/https-request POST puppetdb.pe.example.com 8081 /v3/commands/intruder certs/ca.pem certs/${name}.pe.example.com.pem private_keys/${name}.pe.example.com.pem </dev/null`,
      );
    expect((await request('console')).code).toBe(1);
    expect((await request('master')).code).toBe(0);
  });

  it('has a console that stays down while its password is wrong, and a master that does not mind', async () => {
    await sql('postgres', "ALTER ROLE console PASSWORD 'other'");
    const { code, stderr } = await node('console').exec('service pe-httpd restart');
    expect(code).toBe(1);
    expect(stderr).toMatch(/password authentication failed for user "console"/);
    await run('master', 'service pe-httpd restart');
    await sql('postgres', "ALTER ROLE console PASSWORD 'lab-Con.9xT'");
    await run('console', 'service pe-httpd start');
  });

  it('has a console that stays down while its certificate is of another authority', async () => {
    const certs = '/opt/puppet/share/puppet-dashboard/certs';
    await run(
      'console',
      `cp -a ${certs} /root && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=pe-internal-dashboard -keyout ${certs}/pe-internal-dashboard.private_key.pem -out ${certs}/pe-internal-dashboard.cert.pem 2>/dev/null`,
    );
    expect((await node('console').exec('service pe-httpd restart')).code).toBe(1);
    await run('console', `rm -r ${certs} && mv /root/certs ${certs} && service pe-httpd start`);
  });

  it("gives PuppetDB the agent's certificate of its own node", async () => {
    const ssl = '/etc/puppetlabs/puppetdb/ssl';
    await run('puppetdb', `rm -r ${ssl}`);
    expect((await node('puppetdb').exec('service pe-puppetdb restart')).code).toBe(1);
    await run('puppetdb', '/opt/puppet/sbin/puppetdb-ssl-setup -f && service pe-puppetdb start');
    expect(await run('puppetdb', `openssl x509 -in ${ssl}/public.pem -noout -subject`)).toBe(
      'subject=CN = puppetdb.pe.example.com',
    );
  });
});

const expectOneAuthority = async (): Promise<void> => {
  const authority = await run(
    'master',
    'openssl x509 -in /etc/puppetlabs/puppet/ssl/ca/ca_crt.pem -noout -fingerprint',
  );
  const valid =
    '{ openssl verify -CAfile certs/ca.pem "$1" && [ "$(openssl x509 -in "$1" -noout -pubkey)" = "$(openssl pkey -in "$2" -pubout)" ]; } >/dev/null || echo "$1 is not valid"';
  for (const name of names) {
    const own = `${name}.pe.example.com.pem`;
    const pairs = [
      [`certs/${own}`, `private_keys/${own}`],
      ...(name === 'puppetdb'
        ? [['/etc/puppetlabs/puppetdb/ssl/public.pem', '/etc/puppetlabs/puppetdb/ssl/private.pem']]
        : []),
      ...(name === 'console'
        ? [
            ['cert', 'private_key'].map(
              (part) => `/opt/puppet/share/puppet-dashboard/certs/pe-internal-dashboard.${part}.pem`,
            ),
          ]
        : []),
    ];
    const checks = pairs.map((pair) => `valid ${pair.join(' ')}`).join('; ');
    expect(
      await run(
        name,
        `cd /etc/puppetlabs/puppet/ssl; valid() { ${valid}; }; openssl x509 -in certs/ca.pem -noout -fingerprint; ${checks}`,
      ),
    ).toBe(authority);
  }
};

describe('a node that is uninstalled and installed again', () => {
  let archive: string;
  beforeAll(async () => {
    archive = await buildInstaller(lab.runtime.vaultDirectory.replace(/[^/]*$/, '..'));
  });
  afterAll(() => rm(archive, { force: true }));

  const reinstall = async (name: string): Promise<void> => {
    await run(
      name,
      `cp /etc/puppetlabs/installer/answers.install /root/answers && cp /opt/puppet/bin/puppet-enterprise-uninstaller /root && /root/puppet-enterprise-uninstaller -p -d -y`,
    );
    expect(await run(name, 'ls -d /opt/puppet /etc/puppetlabs /etc/init.d/pe-* 2>/dev/null || true')).toBe('');
    await run(
      name,
      `mkdir -p /root/pe && tar --extract --strip-components 1 --directory /root/pe --file ${archive} && /root/pe/puppet-enterprise-installer -a /root/answers`,
    );
  };

  it('has the role console and no other, with certificates that the running master has signed', async () => {
    const before = await sql('console', 'SELECT count(*) FROM nodes');
    await reinstall('console');
    expect((await running('console')).replaceAll('\n', ' ')).toBe(services.console);
    expect(
      await run(
        'console',
        'ls -d /opt/puppet/var /etc/puppetlabs/puppetdb /etc/puppetlabs/puppet/ssl/ca 2>/dev/null || true',
      ),
    ).toBe('');
    await expectOneAuthority();
    expect(await sql('console', 'SELECT count(*) FROM nodes')).toBe(before);
  });

  it('has the role puppetdb and no other, with empty databases that the other nodes can use', async () => {
    await reinstall('puppetdb');
    expect((await running('puppetdb')).replaceAll('\n', ' ')).toBe(services.puppetdb);
    await expectOneAuthority();
    expect(await sql('console_auth', 'SELECT count(*) FROM users')).toBe('0');
    await run('console', 'service pe-httpd restart && puppet agent -t');
    expect(await sql('pe-puppetdb', 'SELECT DISTINCT certname FROM reports')).toBe('console.pe.example.com');
  });

  it('has the role master and no other, with an authority of its own, from which the others get new certificates', async () => {
    await reinstall('master');
    expect((await running('master')).replaceAll('\n', ' ')).toBe(services.master);
    expect((await node('console').exec('puppet agent -t')).code).toBe(1);
    await reinstall('puppetdb');
    await reinstall('console');
    await expectOneAuthority();
    await run('console', 'puppet agent -t');
  });
});

describe('nodes that a tag selects', () => {
  it('are as many as the lab is told, each an instance of its own with the tag, and one by default', async () => {
    const nodes = lab.nodes['pe-tagged'] ?? {};
    expect(Object.keys(nodes)).toEqual(['master', 'agent1', 'agent2']);
    expect(Object.values(nodes).map(({ tags }) => tags)).toEqual([
      { 'holdfast:system': 'pe-tagged', Name: 'puppet' },
      { 'holdfast:system': 'pe-tagged', Group: 'web' },
      { 'holdfast:system': 'pe-tagged', Group: 'web' },
    ]);
    const ids = Object.values(lab.nodes).flatMap((of) => Object.values(of).map(({ instanceId }) => instanceId));
    expect(new Set(ids.map((id) => InstanceId.parse(id))).size).toBe(6);
    const agent = await nodes['agent2']?.exec(
      'puppet agent -t && service pe-puppet status && ls /etc/puppetlabs | xargs',
    );
    expect(agent?.stdout).toMatch(/\ninstaller mcollective puppet\n$/);
  });
});
