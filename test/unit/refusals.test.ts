import { describe, expect, it } from 'vitest';
import { checkReport, foreseen, problemsOf } from '#domain/check';
import type { System } from '#domain/config';
import { Inspection } from '#domain/inspection';
import type { Collected, Manifest } from '#domain/manifest';
import type { PhaseState } from '#domain/phase';
import type { Plan } from '#domain/plan';
import type { Inspected, UpgradeOf } from '#domain/systems/kind';
import { kindOf } from '#domain/systems/kinds';
import {
  backupTaken,
  ended,
  execution,
  found,
  ids,
  juju,
  jujuFound,
  jujuInspection,
  jujuManifest,
  jujuNode,
  monolith,
  plannedNode,
  puppet,
  puppetInspection,
  puppetManifest,
  restoration,
  runAt,
  split,
  upgrading,
} from './plan-fixtures.ts';

/** Why runs that destroy do not begin, and what a person is told before they do: each reason caused once. */

type Change = (nodes: readonly Inspected[]) => readonly Inspected[];

const changed =
  (changes: object): Change =>
  (nodes) =>
    nodes.map((one, n) =>
      n === 0 ? { ...one, inspection: Inspection.parse({ ...one.inspection, ...changes }) } : one,
    );

const postgres =
  (changes: object): Change =>
  (nodes) =>
    nodes.map((one) =>
      one.inspection.product === 'puppet-enterprise' && one.inspection.postgres
        ? { ...one, inspection: { ...one.inspection, postgres: { ...one.inspection.postgres, ...changes } } }
        : one,
    );

const serverOf =
  (changes: object): Change =>
  (nodes) =>
    nodes.map((one) =>
      one.inspection.product === 'juju' && one.inspection.server
        ? { ...one, inspection: { ...one.inspection, server: { ...one.inspection.server, ...changes } } }
        : one,
    );

const clientOf =
  (changes: object): Change =>
  (nodes) =>
    nodes.map((one) =>
      one.inspection.product === 'juju' && one.inspection.client
        ? { ...one, inspection: { ...one.inspection, client: { ...one.inspection.client, ...changes } } }
        : one,
    );

const statusOf =
  (changes: object): Change =>
  (nodes) =>
    nodes.map((one) =>
      one.inspection.product === 'juju' && one.inspection.client?.status
        ? {
            ...one,
            inspection: {
              ...one.inspection,
              client: { ...one.inspection.client, status: { ...one.inspection.client.status, ...changes } },
            },
          }
        : one,
    );

const unchanged: Change = (nodes) => nodes;
const gone: Change = serverOf({});
const withoutServer: Change = (nodes) =>
  nodes.map((one) => ({ ...one, inspection: Inspection.parse({ ...one.inspection, server: null }) }));

describe('a restore of Puppet Enterprise is refused', () => {
  const backup = puppetManifest('3.2.3', monolith);
  const reinstall = { reinstall: { installer: 'puppet-enterprise-3.2.3.tar.gz', sha256: 'cd'.repeat(32) } };
  const database = backup.nodes[0]?.inspection.postgres?.databases[0];

  it.each<[string, RegExp, Change, object, Manifest?]>([
    ['onto another version', /runs Puppet Enterprise 3.8.5, the backup is of 3.2.3/, changed({ version: '3.8.5' }), {}],
    ['onto nothing', /runs Puppet Enterprise \(none\)/, changed({ version: '' }), {}],
    ['without PostgreSQL', /has no PostgreSQL that answers/, changed({ postgres: null }), {}],
    [
      'onto an older PostgreSQL',
      /is 9.1.3, older than 9.2.7, which made the dumps/,
      postgres({ version: '9.1.3' }),
      {},
    ],
    [
      'of a database that the backup does not have',
      /the backup has no database other; it has pe-puppetdb, console/,
      unchanged,
      { scope: ['databases:other'] },
    ],
    [
      'without the tool that unpacks it',
      /master has no zstd, with which the backup is packed/,
      changed({ tools: { aws: '2', zstd: null, tar: '1' } }),
      {},
    ],
    [
      'with an installer of another version',
      /is of 3.8.5, the backup of master of 3.2.3/,
      unchanged,
      { reinstall: { installer: 'puppet-enterprise-3.8.5-el-6-x86_64.tar.gz', sha256: 'cd'.repeat(32) } },
    ],
    [
      'again where the backup does not tell the version',
      /does not tell which version master had/,
      unchanged,
      reinstall,
      puppetManifest('', monolith),
    ],
    [
      'again without answers for the installer',
      /by which the installer of 3.2.3 is told what to install/,
      unchanged,
      reinstall,
      puppetManifest('3.2.3', monolith, {
        nodes: monolith.map((one) => ({
          ...plannedNode(one),
          inspection: puppetInspection('3.2.3', one, { answers: [] }),
        })),
      }),
    ],
    [
      'again without its configuration',
      /the backup has no \/etc\/puppetlabs of master/,
      unchanged,
      reinstall,
      puppetManifest('3.2.3', monolith, {
        artifacts: backup.artifacts.filter(({ collected }) => collected.kind !== 'files'),
      }),
    ],
    [
      'where somebody else uses a role that would go',
      /the role console owns or may use 2 objects of the database reports, which is not restored/,
      postgres({ dependents: [{ role: 'console', database: 'reports', objects: 2 }] }),
      { databases: 'globals' },
    ],
    [
      "where a role that would go owns somebody's database",
      /the database reports is not in the backup and belongs to console/,
      postgres({
        databases: [
          ...(backup.nodes[0]?.inspection.postgres?.databases ?? []),
          { ...database, name: 'reports', owner: 'console' },
        ],
      }),
      { databases: 'globals' },
    ],
    [
      "where a tablespace's directory is somebody else's",
      /at \/fast holds files that are not PostgreSQL's/,
      postgres({ tablespaces: [{ name: 'fast', location: '/fast', owner: 'console', directory: 'foreign' }] }),
      {},
      withTablespace(),
    ],
    [
      "where a tablespace's directory is missing",
      /the directory \/fast of the tablespace fast is missing/,
      postgres({ tablespaces: [{ name: 'fast', location: '/fast', owner: 'console', directory: 'missing' }] }),
      {},
      withTablespace(),
    ],
  ])('%s', (_, reason, change, request, manifest = backup) => {
    expect(
      restoration(manifest, change(found('3.2.3', monolith)), request)
        .check()
        .join('\n'),
    ).toMatch(reason);
  });

  function withTablespace(): Manifest {
    const nodes = monolith.map((one) => {
      const inspection = puppetInspection('3.2.3', one);
      return {
        ...plannedNode(one),
        inspection: {
          ...inspection,
          postgres: inspection.postgres && {
            ...inspection.postgres,
            tablespaces: [{ name: 'fast', location: '/fast', owner: 'console', directory: 'ok' as const }],
          },
        },
      };
    });
    return puppetManifest('3.2.3', monolith, { nodes });
  }

  it('unless a difference is meant', () => {
    const other = changed({ version: '3.8.5' })(found('3.2.3', monolith));
    expect(restoration(backup, other, { allow: ['version'] }).check()).toEqual([]);
  });

  it('without a node that is needed, and of a needless one only if that is said', () => {
    const layout = [...split, { id: ids.compiler, roles: ['compile-master'] }];
    const large = puppetManifest('3.8.5', layout);
    expect(() => restoration(large, found('3.8.5', split.slice(1)))).toThrow(
      /master .* is not among the nodes of pe-main/,
    );
    const some = restoration(large, found('3.8.5', split));
    expect(some.check()).toEqual([expect.stringMatching(/compiler .* is not there any more: allow missing-nodes/)]);
    const allowed = restoration(large, found('3.8.5', split), { allow: ['missing-nodes'] });
    expect(allowed.check()).toEqual([]);
    expect(allowed.warn().join('\n')).toMatch(
      /compiler \(compile-master\) is not there any more and gets nothing back/,
    );
  });

  it('onto one instance twice', () => {
    const large = puppetManifest('3.8.5', split);
    expect(() =>
      restoration(large, found('3.8.5', split), { onto: { master: ids.console, console: ids.console } }),
    ).toThrow(/would get the parts of several/);
  });

  it('and one that may begin tells how far its data goes back', () => {
    const ages = [
      [new Date('2026-11-20T02:30:00Z'), '30 minutes'],
      [new Date('2026-11-20T22:00:00Z'), '20 hours'],
      [new Date('2026-12-20T02:00:00Z'), '30 days'],
    ] as const;
    for (const [startedAt, age] of ages)
      expect(restoration(backup, found('3.2.3', monolith), {}, { startedAt }).warn().join('\n')).toContain(
        `go back by ${age}`,
      );
    const more = postgres({
      databases: (backup.nodes[0]?.inspection.postgres?.databases ?? []).map((one) => ({ ...one, rowsEstimated: 7 })),
    });
    expect(
      restoration(backup, more(found('3.2.3', monolith)))
        .warn()
        .join('\n'),
    ).toContain('database pe-puppetdb: about 7 rows now, 1000000 then');
  });

  it('and one without room beside the old databases says that they are dropped first', () => {
    const tight = changed({
      space: [{ path: '/opt/puppet/var/lib/pgsql/data', mount: '/opt', freeBytes: 5e7, totalBytes: 1e8 }],
    });
    const restore = restoration(backup, tight(found('3.2.3', monolith)));
    expect(restore.warn().join('\n')).toMatch(
      /no room for the old databases beside the new ones: they are dropped first/,
    );
    expect(restore.plan().find(({ name }) => name === 'drop-databases')?.commands).toHaveLength(1);
  });
});

describe('a restore of Juju 1.x is refused', () => {
  const backup = jujuManifest('1.25.13', 'stored');
  const provider = (...instances: readonly (readonly [string, string])[]): Change =>
    clientOf({
      provider: { bucket: 'control', instances: instances.map(([instanceId, state]) => ({ instanceId, state })) },
    });

  it.each<[string, RegExp, Change, object]>([
    ['while a state server answers', /machine 0, still answers/, gone, {}],
    [
      'while an instance is stopped',
      /i-00000010 is stopped, not terminated/,
      (nodes) => withoutServer(provider(['i-00000010', 'stopped'])(nodes)),
      {},
    ],
    [
      'while nobody knows',
      /EC2 cannot be asked/,
      (nodes) => withoutServer(provider(['i-00000010', 'unknown'])(nodes)),
      {},
    ],
    [
      'while an instance runs',
      /is running: terminate it first/,
      (nodes) => withoutServer(provider(['i-00000010', 'running'])(nodes)),
      {},
    ],
    [
      'without a control bucket',
      /do not name the control bucket/,
      (nodes) => withoutServer(clientOf({ provider: null })(nodes)),
      {},
    ],
    ['without provider-state', /has no provider-state/, (nodes) => withoutServer(provider()(nodes)), {}],
  ])('%s', (_, reason, change, request) => {
    expect(
      restoration(backup, change(jujuFound('1.25.13')), request)
        .check()
        .join('\n'),
    ).toMatch(reason);
  });

  it('unless what is stopped counts as gone', () => {
    const stopped = withoutServer(provider(['i-00000010', 'stopped'])(jujuFound('1.25.13')));
    expect(restoration(backup, stopped, { allow: ['stopped-server'] }).check()).toEqual([]);
  });

  it('and one of several state servers, or of a lost client, says what that means', () => {
    const many = restoration(jujuManifest('1.25.13', 'stored', 3), withoutServer(clientOf({})(jujuFound('1.25.13'))));
    expect(many.warn().join('\n')).toMatch(/had 3 state servers .* ONLY go on when ALL of them are gone/);
    const lost = restoration(backup, changed({ client: null, server: null })(jujuFound('1.25.13')));
    expect(lost.warn().join('\n')).toMatch(
      /the client's directory \/home\/ubuntu\/.juju is not there and is restored first/,
    );
  });
});

describe('a restore of Juju 2.0 and later is refused', () => {
  const file = (machines = 1): Manifest => jujuManifest('3.6.4', 'file', machines);
  const stored = jujuManifest('2.9.18', 'stored');

  it.each<[string, RegExp, Manifest, readonly Inspected[], object?]>([
    [
      'when all controllers are lost',
      /no controller answers.*Juju: all controllers are lost/,
      file(),
      withoutServer(jujuFound('3.6.4')),
    ],
    [
      'into another controller',
      /is of the controller another, the backup is of uuid/,
      file(),
      serverOf({ uuid: 'another' })(jujuFound('3.6.4')),
    ],
    [
      'into another series',
      /runs noble, the backup is of jammy/,
      file(),
      serverOf({ series: 'noble' })(jujuFound('3.6.4')),
    ],
    [
      'while a database is down',
      /snap.juju-db.daemon does not run on machine-0/,
      file(),
      serverOf({
        services: [
          { name: 'snap.juju-db.daemon', running: false },
          { name: 'jujud', running: false },
        ],
      })(jujuFound('3.6.4')),
    ],
    [
      'into an older one',
      /the backup is of the newer 3.6.4: upgrade the controller first/,
      file(),
      serverOf({ version: '3.6.1' })(jujuFound('3.6.4')),
    ],
    ['into a newer one', /allow version to go back to it/, file(), serverOf({ version: '3.6.9' })(jujuFound('3.6.4'))],
    [
      'into a newer one by the client',
      /to which juju restore-backup does not go back/,
      stored,
      serverOf({ version: '2.9.21' })(jujuFound('2.9.18')),
    ],
    [
      'into several by the client',
      /there are 3 controllers, and juju restore-backup takes only a single one/,
      stored,
      jujuFound('2.9.18', 3),
    ],
    [
      'by a client without an API',
      /juju restore-backup works by it/,
      stored,
      clientOf({ status: null })(jujuFound('2.9.18')),
    ],
    ['of more controllers than there are', /the backup is of 3 controllers, there are 1/, file(3), jujuFound('3.6.4')],
    [
      'while a controller does not answer',
      /machine 1 of the controllers is not among the nodes that answer/,
      file(2),
      jujuFound('3.6.4', 2).slice(0, 1),
    ],
    [
      'while a controller is sick',
      /machine 0 of the controllers is not healthy/,
      file(),
      statusOf({ controllers: [{ machine: '0', instanceId: 'i-00000010', healthy: false, primary: true }] })(
        jujuFound('3.6.4'),
      ),
    ],
    [
      'without a primary',
      /the primary controller is not among the nodes that answer/,
      file(2),
      statusOf({
        controllers: [0, 1].map((n) => ({
          machine: String(n),
          instanceId: `i-0000001${n}`,
          healthy: true,
          primary: false,
        })),
      })(jujuFound('3.6.4', 2)),
    ],
    [
      'when nobody knows the primary',
      /nobody knows which controller is the primary/,
      file(2),
      clientOf({ status: null })(jujuFound('3.6.4', 2)),
    ],
  ])('%s', (_, reason, manifest, nodes, request = {}) => {
    expect(restoration(manifest, nodes, request).check().join('\n')).toMatch(reason);
  });

  it('unless a newer version, or a format that its tool does not know, is meant', () => {
    const newer = serverOf({ version: '3.6.9' })(jujuFound('3.6.4'));
    expect(restoration(file(), newer, { allow: ['version'] }).check()).toEqual([]);
    const [artifact, ...others] = jujuManifest('3.6.4', 'file').artifacts;
    if (artifact?.collected.kind !== 'juju') throw new Error('no archive');
    const metadata = { ...artifact.collected.metadata, format: 7 };
    const later = {
      ...jujuManifest('3.6.4', 'file'),
      artifacts: [{ ...artifact, collected: { ...artifact.collected, metadata } }, ...others],
    };
    expect(restoration(later, jujuFound('3.6.4')).check()).toEqual([expect.stringMatching(/has the format 7/)]);
    expect(restoration(later, jujuFound('3.6.4'), { allow: ['format'] }).check()).toEqual([]);
  });

  it('and cannot even be planned without an archive or a client', () => {
    expect(() => restoration({ ...jujuManifest('3.6.4', 'file'), artifacts: [] }, jujuFound('3.6.4'))).toThrow(
      /holds no archive/,
    );
    expect(() => restoration(file(), jujuFound('3.6.4', 2).slice(1))).toThrow(
      /No node with the role juju-client answers/,
    );
  });

  it('and one by the client tells what becomes of the others', () => {
    const several = restoration(jujuManifest('2.9.18', 'stored', 3), jujuFound('2.9.18'));
    expect(several.warn().join('\n')).toMatch(/those that are gone reappear as down/);
  });
});

describe('a restore of Juju is proven by', () => {
  const backup = jujuManifest('3.6.4', 'file');
  const proof = (change: Change) =>
    restoration(backup, jujuFound('3.6.4')).prove(change(jujuFound('3.6.4')), () => undefined);

  it('version, identity and applications', () => {
    expect(proof(unchanged)).toMatchObject({
      different: [],
      compared: [/3.6.4/, /4 of 4/, /names of all 2/].map((one) => expect.stringMatching(one)),
    });
  });

  it.each<[string, Change, RegExp]>([
    ['another version', statusOf({ version: '3.6.1' }), /Juju is 3.6.1, the backup is of 3.6.4/],
    ['another controller', clientOf({ uuid: 'another' }), /production is another, the backup is of uuid/],
    ['no status', clientOf({ status: null }), /status cannot be read/],
  ])('and not with %s', (_, change, reason) => {
    expect(proof(change).different.join('\n')).toMatch(reason);
  });

  it('telling applications that differ, which no restore is to blame for', () => {
    expect(proof(statusOf({ applicationsSha256: 'd', applications: 3 })).compared.join('\n')).toMatch(
      /there are 3 applications, 2 when/,
    );
  });
});

describe('an upgrade is refused', () => {
  const url = { installer: { url: 'https://example.com/pe.tar.gz', sha256: 'cd'.repeat(32) } };

  it.each<[string, RegExp, System, readonly Inspected[], object, Partial<UpgradeOf>?]>([
    [
      'without its installer',
      /the installer of master, PuppetDB and console is needed/,
      puppet(),
      found('3.2.3', monolith),
      { version: '3.8.5' },
    ],
    [
      'to a version that goes back',
      /an upgrade never goes back/,
      puppet(),
      found('3.8.5', monolith),
      { version: '3.2.3', ...url },
    ],
    [
      'while a node is away',
      /every node must be there: console does not answer/,
      puppet(),
      found('3.2.3', monolith),
      { version: '3.8.5', ...url },
      { absent: ['console does not answer'] },
    ],
    [
      'that begins behind what is old',
      /and "from" skips its stage/,
      puppet(),
      found('3.2.3', monolith),
      { version: '3.8.5', from: 'agents', ...url },
    ],
    [
      'without answers',
      /without which the installer would ask/,
      puppet(),
      found('3.2.3', monolith, { answers: [] }),
      { version: '3.8.5', ...url },
    ],
    [
      'without room for a new PostgreSQL',
      /move to PostgreSQL 9.6 needs/,
      puppet(),
      found('2016.5.1', monolith, {
        space: [{ path: '/opt/puppetlabs/server/data', mount: '/opt', freeBytes: 1, totalBytes: 2 }],
      }),
      { version: '2017.3.2', ...url },
    ],
    [
      'of Juju without its API',
      /Juju's API does not answer/,
      juju,
      clientOf({ status: null })(jujuFound('3.6.4')),
      { version: '3.6.9' },
    ],
    ['of Juju that goes back', /never goes back/, juju, jujuFound('3.6.4'), { version: '3.6.1' }],
    [
      'of Juju while a controller is sick',
      /replica set is not healthy: machine 0/,
      juju,
      statusOf({ controllers: [{ machine: '0', instanceId: 'i-00000010', healthy: false, primary: true }] })(
        jujuFound('3.6.4'),
      ),
      { version: '3.6.9' },
    ],
    [
      'of Juju while a node is away or broken',
      /away.*\n.*its disk is full/,
      juju,
      changed({ problems: ['its disk is full'] })(jujuFound('3.6.4')),
      { version: '3.6.9' },
      { absent: ['machine-1 is away'] },
    ],
  ])('%s', (_, reason, configured, nodes, request, more = {}) => {
    expect(upgrading(configured, nodes, request, more).check().join('\n')).toMatch(reason);
  });

  it('of Juju that nobody can ask, or that did not answer', () => {
    expect(() => upgrading(juju, [], { version: '3.6.9' })).toThrow(/No node holds a Juju client/);
    const silent = ended('another', jujuFound('3.6.4'), {});
    expect(() => upgrading(juju, jujuFound('3.6.4'), { version: '3.6.9' }, { inspected: silent })).toThrow(
      /gave no preflight/,
    );
    expect(() => upgrading(puppet(), found('3.2.3', monolith), { version: '3.8.5' }, { inspected: silent })).toThrow(
      /gave no preflight/,
    );
  });

  it('of Juju has nothing to do where all models have the version, and waits in vain for machines that are off', () => {
    const same = upgrading(juju, jujuFound('3.6.4'), { version: '3.6.4' });
    expect(same.isNothingToDo).toBe(true);
    expect(same.found).toEqual(['3.6.4', '3.6.4']);
    expect(same.foresee()).toEqual([]);
    const off = upgrading(juju, statusOf({ started: 3 })(jujuFound('3.6.4')), { version: '3.6.9' });
    expect(off.warn().join('\n')).toMatch(/1 of 4 machines do not report/);
  });
});

describe('a backup is not whole', () => {
  const collection = (nodes: readonly Inspected[], collected: readonly Collected[], more: object = {}) => ({
    ...{ safety: false, nodes, phases: [] },
    collected: collected.map((one) => ({ instanceId: nodes[0]?.node.instanceId ?? '', collected: one })),
    ...more,
  });
  const [archive, client] = jujuManifest('3.6.4', 'file').artifacts.map((artifact) => artifact.collected);
  const parts = puppetManifest('3.2.3', monolith).artifacts.map((artifact) => artifact.collected);
  const whole = parts.map((one) =>
    one.kind === 'files' ? { ...one, holds: ['/etc/puppetlabs/puppet/ssl/ca/ca_key.pem'] } : one,
  );
  if (!archive || !client) throw new Error('no archive');

  it.each<[string, readonly Collected[], string | undefined]>([
    ['with all', whole, undefined],
    ['without a database', whole.slice(1), 'the database pe-puppetdb of master was found and not collected.'],
    [
      'without roles',
      whole.filter(({ kind }) => kind !== 'globals'),
      'roles and tablespaces of master were not collected.',
    ],
    [
      'without the configuration',
      whole.filter(({ kind }) => kind !== 'files'),
      '/etc/puppetlabs of master was not collected.',
    ],
  ])('of Puppet Enterprise %s', (_, collected, expected) => {
    expect(kindOf(puppet()).incomplete(collection(found('3.2.3', monolith), collected))).toBe(expected);
  });

  it('of Puppet Enterprise without its key, unless it is a safety backup', () => {
    const nodes = found('3.2.3', monolith);
    expect(() => kindOf(puppet()).incomplete(collection(nodes, parts))).toThrow(
      /ca_key.pem of master is in no archive/,
    );
    expect(kindOf(puppet()).incomplete(collection(nodes, parts, { safety: true }))).toBeUndefined();
  });

  const created = (sha1: string): PhaseState => ({
    ...ended('create-juju-archive', jujuFound('3.6.4'), { path: '/home/ubuntu/b.tar.gz', machine: '0', sha1 }),
    phase: 'create-archive',
  });

  it.each<[string, readonly Collected[], readonly PhaseState[], RegExp | undefined]>([
    ['with all', [archive, client], [created('q')], undefined],
    ['without an archive', [client], [], /no archive of Juju was collected/],
    ['whose archive somebody has downloaded', [client], [created('q')], /is on none of the controllers/],
    ['with two archives', [archive, archive, client], [], /2 controllers have an archive/],
    ['whose archive is another', [archive, client], [created('z')], /has the SHA-1 q, Juju printed z/],
    ["without the client's directory", [archive], [], /the client's directory was not collected/],
  ])('of Juju %s', (_, collected, phases, expected) => {
    const said = kindOf(juju).incomplete(collection(jujuFound('3.6.4'), collected, { phases }));
    if (expected === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(expected);
  });

  it('and one of the plugin alone stands still meanwhile', () => {
    const plugin: Collected = archive.kind === 'juju' ? { ...archive, driver: 'plugin' } : archive;
    expect(kindOf(juju).consistency([plugin])).toBe('quiesced');
    expect(kindOf(juju).consistency([archive])).toBe('live');
    expect(kindOf(puppet(', consistency: quiesced')).consistency([])).toBe('quiesced');
  });
});

describe('a run begins with', () => {
  const upgrade = { system: 'it-self', version: '3.6.9' };

  it('a look at its nodes, and before an upgrade with what is against it', () => {
    const documents = (configured: System, nodes: readonly Inspected[], more: object = {}): readonly string[] =>
      kindOf(configured)
        .inspect({
          run: 'run-1',
          onProblem: 'fail',
          nodes: nodes.map(({ node }) => node),
          sampled: [],
          upgrade: undefined,
          ...more,
        })
        .commands.map(({ id }) => id);
    const asked = {
      upgrade: {
        ...upgrade,
        planOnly: false,
        approvalSeconds: 1,
        compileMasters: 1,
        agents: { maxConcurrency: '1', maxErrors: '0' },
      },
    };
    expect(documents(puppet(), found('3.2.3', monolith))).toEqual(['inspect-puppet']);
    expect(documents(puppet(), found('3.2.3', monolith), asked)).toEqual(['inspect-puppet', 'preflight-upgrade']);
    expect(documents(juju, jujuFound('3.6.4'))).toEqual(['inspect-juju']);
    expect(documents(juju, jujuFound('3.6.4'), asked)).toEqual(['inspect-juju', 'preflight-juju']);
  });

  it('the nodes of its configuration, of which a restore of Juju needs the client alone', () => {
    expect(kindOf(juju).selectors('other')).toEqual(kindOf(juju).selectors('restore'));
    expect(kindOf(puppet()).selectors('restore')).toHaveLength(1);
    expect(
      kindOf(juju).missingFrom({ node: jujuNode(0), inspection: jujuInspection('3.6.4', 1, 0, { problems: ['x'] }) }),
    ).toEqual(['x']);
  });
});

describe('a check tells', () => {
  const nodes = found('3.2.3', monolith, { warnings: ['it is late'] });
  const [first] = nodes;
  if (!first) throw new Error('no node');
  const plan: Plan = {
    ...{
      run: 'run-1',
      system: 'pe-main',
      operation: 'backup',
      backup: backupTaken,
      attempt: 0,
      absent: ['hub is off'],
    },
    ...{ nodes: [first.node], phases: [], undoing: { version: '1', sha256: '0'.repeat(64) } },
  };
  const report = (answer: object, more: object = {}) =>
    checkReport({
      ...{ plan, inspected: nodes, fault: undefined, steps: [], now: runAt },
      phases: [
        {
          ...ended('check-node', nodes, { vault: '', clock: runAt.getTime() / 1000, unreadable: [], ...answer }),
          phase: 'check',
        },
      ],
      ...more,
    });

  it('nothing of a node that is well, and what it holds', () => {
    const { nodes: told, problems, warnings } = report({});
    expect(told).toMatchObject([
      { product: 'Puppet Enterprise 3.2.3', vault: true, clockSeconds: 0, problems: [], warnings: ['it is late'] },
    ]);
    expect({ problems, warnings }).toEqual({ problems: [], warnings: ['hub is off'] });
  });

  it.each<[string, object, object, RegExp]>([
    ['a vault that takes nothing', { vault: 'AccessDenied' }, {}, /the vault took no upload: AccessDenied/],
    ['a clock that is off', { clock: runAt.getTime() / 1000 + 700 }, {}, /its clock is off by 700 s/],
    ['a key that is unreadable', { unreadable: ['/srv/key is not there'] }, {}, /\/srv\/key is not there/],
    [
      'a disk that is full',
      {},
      { inspected: found('3.2.3', monolith, { space: [{ path: '/', mount: '/', freeBytes: 1, totalBytes: 2 }] }) },
      /has 0 MiB free/,
    ],
    [
      'what a node says itself',
      {},
      { inspected: found('3.2.3', monolith, { problems: ['PostgreSQL is down'] }) },
      /PostgreSQL is down/,
    ],
    ['what no plan could be made of', {}, { fault: 'it holds nothing' }, /^it holds nothing/],
    [
      'a node that is away',
      {},
      { plan: { ...plan, unreachable: ['console does not answer'] } },
      /console does not answer/,
    ],
  ])('%s', (_, answer, more, reason) => {
    expect(problemsOf(report(answer, more)).join('\n')).toMatch(reason);
  });

  it('of a node that may be missing no more than a warning, and of one without an answer that nothing is known', () => {
    const optional = { ...plan, nodes: [{ ...first.node, optional: true }] };
    expect(problemsOf(report({ vault: 'AccessDenied' }, { plan: optional }))).toEqual([]);
    expect(report({}, { inspected: [], phases: [] }).nodes).toMatchObject([
      { product: null, vault: null, clockSeconds: null, freeBytes: null },
    ]);
  });

  it('by product and version', () => {
    const products = [found('', monolith), jujuFound('3.6.4'), changed({ server: null })(jujuFound('3.6.4'))].map(
      (inspected) => {
        const [one] = inspected;
        return one && report({}, { inspected, plan: { ...plan, nodes: [one.node] }, phases: [] }).nodes[0]?.product;
      },
    );
    expect(products).toEqual(['Puppet agent ', 'Juju 3.6.4', 'Juju 3.6.4']);
  });

  it('what a plan would collect as far as one can be made', () => {
    const of = {
      run: 'run-1',
      execution,
      vaultBucket: 'vault',
      system: 'it-self',
      backup: backupTaken,
      previous: undefined,
      safety: false,
    };
    expect(foreseen(kindOf(puppet()), { ...of, nodes: found('2040.1', monolith) })).toMatchObject({
      phases: [{ name: 'collect' }],
      fault: expect.stringMatching(/2040.1/),
    });
  });
});
