import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { vaultKeys } from '#domain/naming';
import { createPuppetNode, startServices } from '#local/lab/layer';
import type { LabNode } from '#local/lab/node';
import { buildInstaller } from '#local/lab/pe32/installer';
import { servicesOf } from '#local/lab/product';
import { type Bench, type Ending, noTraces, split, startBench } from './harness.ts';

/** A system on three nodes: what each of them holds is backed up and comes back where it was. */

let bench: Bench;
let authority: string;
let good: string;

beforeAll(async () => {
  bench = await startBench({ configuration: split('quiesced') });
  authority = await bench.authority();
});
afterAll(() => bench?.close());

const databases = ['console', 'console_auth', 'pe-puppetdb'];
const on = (role: 'master' | 'puppetdb' | 'console', command: string): Promise<string> =>
  bench.shell(command, bench.withRole(role));
const fingerprint = (role: 'master' | 'puppetdb' | 'console'): Promise<string> =>
  on(
    role,
    'openssl x509 -noout -fingerprint -sha256 -in /etc/puppetlabs/puppet/ssl/certs/$(hostname -f).pem && cat /etc/puppetlabs/puppet/puppet.conf | sha256sum',
  );

const expectRestored = async ({ status, cause, output }: Ending): Promise<void> => {
  expect([status, cause]).toEqual(['SUCCEEDED', '']);
  const compared = output.proof?.compared.join('\n') ?? '';
  for (const database of databases)
    expect(compared).toMatch(new RegExp(`^database ${database}: [0-9]+ rows in [0-9]+ tables are equal`, 'm'));
  expect(compared).toMatch(
    /^certificate authority of master.*: fingerprint .* is equal; serial .* hold all that the backup has/m,
  );
  expect(await bench.sql('console_auth', 'SELECT count(*) FROM users')).toBe('150');
  expect(await bench.authority()).toBe(authority);
  expect(await bench.traces()).toMatchObject({ uploads: [], lock: false, onNode: '', servicesDown: [] });
  expect(await bench.opened()).toEqual([]);
};

/** New instances in the place of those that hold roles, which are gone meanwhile. */
const withSpares = async (
  roles: readonly ('master' | 'puppetdb' | 'console')[],
  work: (onto: Readonly<Record<string, string>>) => Promise<void>,
): Promise<void> => {
  const { product, hosts } = bench.lab.systems['pe-main'] ?? {};
  if (!product || !hosts) throw new Error('the lab has no system');
  const places = roles.map((role, index) => {
    const lost = bench.withRole(role);
    const [key = ''] = Object.entries(bench.nodes).find(([, node]) => node === lost) ?? [];
    return { role, lost, key, instanceId: `i-0fedcba987654321${index}` };
  });
  const made: LabNode[] = [];
  try {
    for (const { lost } of places) {
      if (lost.online) await lost.stop();
      lost.online = false;
    }
    for (const { role, lost, key, instanceId } of places) {
      const { hostname, address, tags } = lost;
      const name = `${process.pid}-spare-${role}`;
      const spare = await createPuppetNode({ name, product, system: hosts, hostname, address, instanceId, tags });
      made.push(spare);
      await bench.lab.connect(spare, 'pe-main');
      await startServices(spare, servicesOf(product, [role]));
      await spare.exec('echo other >/etc/puppetlabs/puppet/puppet.conf');
      Reflect.set(bench.nodes, key, spare);
      spare.online = true;
    }
    await work(Object.fromEntries(places.map(({ role, instanceId }) => [role, instanceId])));
  } finally {
    for (const { key, lost } of places) Reflect.set(bench.nodes, key, lost);
    for (const spare of made) await spare.destroy();
    for (const { role, lost } of places) {
      await lost.boot();
      await startServices(lost, servicesOf(product, [role]));
      lost.online = true;
    }
  }
};

describe('a split system', () => {
  it("is backed up in one window, each node's own files and the databases where they are", async () => {
    const { output, cause } = await bench.backUp();
    expect(cause).toBe('');
    good = output.backup ?? '';
    const manifest = await bench.manifest(good);
    expect(manifest.state).toBe('complete');
    const held = Object.fromEntries(
      manifest.nodes.map(({ instanceId, roles }) => [
        roles[0],
        manifest.artifacts
          .filter(({ node }) => node === instanceId)
          .map(({ collected }) =>
            collected.kind === 'database'
              ? collected.database
              : collected.kind === 'files'
                ? collected.group
                : collected.kind,
          )
          .toSorted(),
      ]),
    );
    expect(held).toEqual({
      master: ['configuration', 'mcollective', 'modules'],
      puppetdb: ['configuration', 'console', 'console_auth', 'globals', 'mcollective', 'pe-puppetdb'],
      console: ['certificates', 'configuration', 'installer', 'mcollective'],
    });
    expect(await bench.traces()).toMatchObject({ ...noTraces, manifests: [good], objects: expect.anything() });
  });

  it('is brought back when every node has lost what it held', async () => {
    const before = await Promise.all((['master', 'puppetdb', 'console'] as const).map(fingerprint));
    // The console's services hold sessions in these databases, from another node.
    await bench.sql('console', 'TRUNCATE nodes CASCADE');
    await on('puppetdb', 'service pe-puppetdb stop; rm -rf /etc/puppetlabs/puppetdb/ssl');
    await bench.sql('postgres', 'DROP DATABASE "pe-puppetdb";');
    await on('master', 'rm -rf /etc/puppetlabs/puppet/ssl /etc/puppetlabs/puppet/modules');
    await on('console', 'rm -rf /opt/puppet/share/puppet-dashboard/certs /etc/puppetlabs/puppet');
    await expectRestored(await bench.restore({ confirm: 'pe-main', safetyBackup: true }));
    expect(await Promise.all((['master', 'puppetdb', 'console'] as const).map(fingerprint))).toEqual(before);
    expect(await bench.sql('console', 'SELECT count(*) > 0 FROM nodes')).toBe('t');
    expect(await on('console', 'ls /opt/puppet/share/puppet-dashboard/certs | wc -l')).toBe('5\n');
    expect(await on('master', 'find /etc/puppetlabs/puppet/ssl ! -user pe-puppet -o ! -group pe-puppet')).toBe('');
    expect(await on('console', 'find /opt/puppet/share/puppet-dashboard/certs ! -user puppet-dashboard')).toBe('');
  });

  it('is purged and installed again in the order master, PuppetDB, console', async () => {
    const archive = await buildInstaller(bench.lab.runtime.vaultDirectory.replace(/[^/]*$/, '..'));
    const content = await readFile(archive);
    await bench.upload(vaultKeys.installer('pe-main', 'pe.tar.gz'), content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    await expectRestored(
      await bench.restore({ confirm: 'pe-main', backup: good, reinstall: { installer: 'pe.tar.gz', sha256 } }),
    );
  });

  it('gets one part back on the node that holds it, and stops what needs it on the others', async () => {
    await bench.sql('console_auth', 'TRUNCATE users CASCADE');
    const ending = await bench.restore({ confirm: 'pe-main', backup: good, scope: ['databases:console_auth'] });
    expect([ending.status, ending.cause]).toEqual(['SUCCEEDED', '']);
    expect(await bench.sql('console_auth', 'SELECT count(*) FROM users')).toBe('150');
    expect(await bench.traces()).toMatchObject({ onNode: '', servicesDown: [], lock: false });
  });

  it('is not backed up while one of its nodes is down, and says which', async () => {
    const node = bench.withRole('console');
    node.online = false;
    const { error, cause } = await bench.backUp();
    node.online = true;
    expect(error).toBe('NodeUnreachableError');
    expect(cause).toMatch(/console\.pe\.example\.com \(i-0123456789abcdef2\) does not answer SSM/);
    expect(await bench.traces()).toMatchObject({
      manifests: expect.not.arrayContaining(['']),
      lock: false,
      onNode: '',
    });
  });

  it('has lost its console: what lives is backed up, and the console alone comes back, onto another instance', async () => {
    const before = await fingerprint('console');
    const lost = bench.withRole('console');
    await lost.stop();
    lost.online = false;

    const partial = await bench.backUp({ system: 'pe-main', partial: true });
    expect([partial.status, partial.cause]).toEqual(['SUCCEEDED', '']);
    const taken = await bench.manifest(partial.output.backup ?? '');
    expect(taken).toMatchObject({ purpose: 'partial', state: 'partial' });
    expect(taken.missing.join()).toMatch(/console\.pe\.example\.com .* does not answer SSM/);
    expect(taken.nodes.map(({ roles }) => roles[0]).toSorted()).toEqual(['master', 'puppetdb']);

    // The others go on living: none of this may be lost.
    await on('master', 'echo "# after the backup" >>/etc/puppetlabs/puppet/manifests/site.pp');
    await bench.sql('console_auth', 'CREATE TABLE made_after_the_backup (n int)');
    const running = await on('master', 'cat /var/run/pe-httpd.pid');
    await withSpares(['console'], async (onto) => {
      const { status, cause, output } = await bench.restore({
        ...{ confirm: 'pe-main', onto, safetyBackup: true, allow: ['certname'] },
      });
      expect([status, cause]).toEqual(['SUCCEEDED', '']);
      // It holds what was replaced.
      const safety = await bench.manifest(output.safety?.backup ?? '');
      expect(safety.nodes.find(({ roles }) => roles.includes('console'))?.instanceId).toBe(onto['console']);
      expect(await fingerprint('console')).toBe(before);
      expect(await on('master', 'tail -n 1 /etc/puppetlabs/puppet/manifests/site.pp')).toContain('after the backup');
      expect(await on('master', 'cat /var/run/pe-httpd.pid')).toBe(running);
      expect(await bench.sql('console_auth', 'SELECT count(*) FROM made_after_the_backup')).toBe('0');
    });
  });

  it('moves as a whole to a set of new instances, each named by a role of the node whose place it takes', async () => {
    const roles = ['puppetdb', 'master', 'console'] as const;
    const before = await Promise.all(roles.map(fingerprint));
    await withSpares(roles, async (onto) => {
      await bench.sql('console_auth', 'TRUNCATE users CASCADE');
      await on('master', 'rm -rf /etc/puppetlabs/puppet/ssl/ca /etc/puppetlabs/puppet/manifests');
      await expectRestored(await bench.restore({ confirm: 'pe-main', backup: good, onto, allow: ['certname'] }));
      expect(await Promise.all(roles.map(fingerprint))).toEqual(before);
      expect(await on('master', 'ls /etc/puppetlabs/puppet/manifests')).toBe('site.pp\n');
    });
  });

  it('has two of its nodes replaced at once, while the third gives way and keeps what it has', async () => {
    const before = await Promise.all((['puppetdb', 'master'] as const).map(fingerprint));
    await on('console', 'echo mine >/etc/puppetlabs/puppet/made-after-the-backup');
    await withSpares(['puppetdb', 'master'], async (onto) => {
      await bench.sql('console_auth', 'TRUNCATE users CASCADE');
      const ending = await bench.restore({ confirm: 'pe-main', backup: good, onto, allow: ['certname'] });
      await expectRestored(ending);
      expect(await Promise.all((['puppetdb', 'master'] as const).map(fingerprint))).toEqual(before);
      expect(await on('console', 'cat /etc/puppetlabs/puppet/made-after-the-backup')).toBe('mine\n');
    });
    await on('console', 'rm /etc/puppetlabs/puppet/made-after-the-backup');
  });

  it('has all services running again when one node dies in the middle of a restore', async () => {
    const { shell, until, restore } = bench;
    const dying = bench.withRole('console');
    const running = restore({ confirm: 'pe-main', backup: good });
    await until('[ -e /var/lib/holdfast/stopped ] && [ -n "$(ls /var/lib/holdfast/stopped 2>/dev/null)" ]');
    const bringBack = await bench.terminate(dying);
    const ending = await running;
    bringBack();
    expect(ending.status).toBe('FAILED');
    expect(ending.cause).toMatch(/console\.pe\.example\.com/);
    for (const role of ['master', 'puppetdb'] as const)
      expect(await shell('ls /var/lib/holdfast/stopped', bench.withRole(role))).toBe('');
    await dying.boot();
    await dying.exec(
      'for s in pe-memcached pe-puppet-dashboard-workers pe-mcollective pe-httpd pe-puppet; do service $s start; done',
    );
    dying.online = true;
    await expectRestored(await restore({ confirm: 'pe-main', backup: good }));
  });
});
