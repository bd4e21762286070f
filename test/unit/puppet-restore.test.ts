import { describe, expect, it } from 'vitest';
import type { AnswerOf } from '#domain/contracts/document';
import type { replaceFiles } from '#domain/contracts/shared';
import type { FoundPath, PuppetInspection } from '#domain/inspection';
import { decodeList } from '#domain/naming';
import { RestoreRequest, type Scope } from '#domain/payloads';
import { restorePuppet } from '#domain/systems/puppet';
import { proveRestore } from '#domain/systems/puppet-proof';
import { planPuppetRestore } from '#domain/systems/puppet-restore';
import { checkPuppetRestore, warnPuppetRestore } from '#domain/systems/puppet-restore-check';
import { type PuppetRestore, targetsOf } from '#domain/systems/puppet-restore-scope';
import { manifestOf } from './cli-fixtures.ts';

const product = (path: string, by = ''): FoundPath => ({ path, because: 'product', by });
const link = (path: string, by: string): FoundPath => ({ path, because: 'link', by });

interface Found {
  readonly found?: readonly FoundPath[];
  readonly extraPaths?: string[];
  readonly now?: Partial<PuppetInspection>;
}

/** A restore of these scopes, of a backup of /etc/puppetlabs. */
const restoreWith = (
  scope: readonly Scope[] | undefined,
  {
    found = [product('/etc/puppetlabs'), product('/srv/authority', '/etc/puppetlabs/puppet/ssl/ca')],
    extraPaths = [],
    now = {},
  }: Found = {},
): PuppetRestore => {
  const plain = manifestOf('pe-main', '20261120T020000Z');
  const [node] = plain.nodes;
  if (!node) throw new Error('the fixture has no node');
  const inspection = { ...node.inspection, paths: { ...node.inspection.paths, configuration: [...found] } };
  // The fixture's archive of certificates, as that of the configuration.
  const artifacts = plain.artifacts.map(({ collected, ...rest }) => ({
    ...rest,
    collected: collected.kind === 'files' ? { ...collected, group: 'configuration' } : collected,
  }));
  const manifest = { ...plain, extraPaths, nodes: [{ ...node, inspection }], artifacts };
  const nodes = [{ node: { ...node }, inspection: { ...inspection, ...now } }];
  const request = RestoreRequest.parse({ system: 'pe-main', backup: 'latest', scope });
  return {
    system: 'pe-main',
    run: 'run',
    vaultBucket: 'vault',
    request,
    manifest,
    startedAt: new Date('2026-11-20T05:00:00Z'),
    ...targetsOf(manifest, nodes, request),
  };
};

/** The paths that it replaces, puts back where nothing is, and leaves. */
const replaced = (
  scope: readonly Scope[] | undefined,
  found: Found = {},
): { readonly roots: readonly string[]; readonly missing: readonly string[]; readonly stay: readonly string[] } => {
  const phases = planPuppetRestore(restoreWith(scope, found));
  const commands = phases.find(({ name }) => name === 'replace-files')?.commands ?? [];
  const paths = (name: string): readonly string[] =>
    commands.flatMap(({ parameters }) => decodeList(parameters[name] ?? ''));
  return { roots: paths('Roots'), missing: paths('MissingRoots'), stay: paths('Excludes') };
};

describe('what a restore of a part replaces', () => {
  it.each(['/etc/puppetlabs/puppet/modules', '/etc/puppetlabs/code', '/etc/puppetlabs/code-staging'])(
    '%s is code, wherever the version keeps it, and no configuration',
    (path) => {
      expect(replaced(['code']).roots).toContain(path);
      expect(replaced(['config'])).toMatchObject({ roots: ['/etc/puppetlabs'], stay: expect.arrayContaining([path]) });
      expect(replaced(['config', 'code']).stay).not.toContain(path);
    },
  );

  it('certificates take along what links lead to, and leave the rest of /etc/puppetlabs alone', () => {
    const { roots } = replaced(['certs']);
    expect(roots).toContain('/srv/authority');
    expect(roots).toContain('/etc/puppetlabs/puppet/ssl');
    expect(roots).not.toContain('/etc/puppetlabs');
    expect(replaced(['code']).roots).not.toContain('/srv/authority');
  });

  it('a scope within another is replaced once', () => {
    const { roots } = replaced(['certs', 'mcollective']);
    expect(roots).toContain('/etc/puppetlabs/mcollective');
    expect(roots).not.toContain('/etc/puppetlabs/mcollective/ssl');
  });

  it('what only a link points to is put back where nothing is, unless the configuration names it', () => {
    const found = [product('/etc/puppetlabs'), link('/srv/shared', '/etc/puppetlabs/puppet/x')];
    expect(replaced(undefined, { found })).toMatchObject({ roots: ['/etc/puppetlabs'], missing: ['/srv/shared'] });
    expect(replaced(undefined, { found, extraPaths: ['/srv'] })).toMatchObject({
      roots: ['/etc/puppetlabs', '/srv/shared'],
      missing: [],
    });
  });

  it('a configuration that lies elsewhere is replaced there, and what is not asked for stays there', () => {
    const found = [product('/etc/puppetlabs'), product('/data/puppetlabs', '/etc/puppetlabs')];
    expect(replaced(['config'], { found })).toMatchObject({
      roots: ['/etc/puppetlabs', '/data/puppetlabs'],
      stay: expect.arrayContaining(['/etc/puppetlabs/puppet/ssl']),
    });
    expect(replaced(['certs'], { found }).roots).not.toContain('/data/puppetlabs');
  });

  it('the configuration alone leaves a certificate authority alone that lies elsewhere', () => {
    const setting: FoundPath = { path: '/srv/ca', because: 'setting', by: 'cadir of puppet.conf' };
    const found = [product('/etc/puppetlabs'), setting];
    expect(replaced(['config'], { found }).roots).toEqual(['/etc/puppetlabs']);
    expect(replaced(['certs'], { found }).roots).toContain('/srv/ca');
  });
});

describe('a plan', () => {
  const mounts = [
    { path: '/', type: 'xfs' },
    { path: '/srv', type: 'nfs4' },
    { path: '/etc/puppetlabs/code', type: 'ext4' },
    { path: '/etc/puppetlabs2', type: 'ext4' },
  ];

  it('is refused for each mount at or below what it replaces, for the network around it, and for files that chattr has fixed', () => {
    const now = { mounts, fixed: ['/etc/puppetlabs/puppet/puppet.conf', '/etc'] };
    const faults = checkPuppetRestore(restoreWith(undefined, { now })).join('\n');
    expect(faults).toMatch(/^master: \/etc\/puppetlabs\/code is a mount \(ext4\)/m);
    expect(faults).toMatch(/^master: \/srv\/authority lies on \/srv \(nfs4\)/m);
    expect(faults).toMatch(/^master: \/etc\/puppetlabs\/puppet\/puppet.conf can't be moved/m);
    expect(faults).not.toMatch(/puppetlabs2|\/etc can't/);
  });

  it('of a part does not mind what lies elsewhere', () => {
    const now = { mounts, fixed: ['/etc/puppetlabs/puppet/puppet.conf'] };
    expect(checkPuppetRestore(restoreWith(['databases'], { now })).join()).not.toMatch(/mount|chattr/);
    expect(checkPuppetRestore(restoreWith(['certs'], { found: [product('/etc/puppetlabs')], now })).join()).not.toMatch(
      /mount|chattr/,
    );
  });

  it('tells every path that is not of the product alone, and whether it is replaced', () => {
    const found = [
      product('/etc/puppetlabs'),
      product('/srv/ca', 'cadir of puppet.conf'),
      link('/home/x', '/etc/puppetlabs/x'),
    ];
    const warnings = warnPuppetRestore(restoreWith(undefined, { found })).join('\n');
    expect(warnings).toMatch(/\/srv\/ca, .* is replaced as a whole/);
    expect(warnings).toMatch(/\/home\/x is put back only if nothing is there/);
    expect(warnings).not.toMatch(/\/etc\/puppetlabs,/);
  });
});

describe('the proof of files', () => {
  const of = restoreWith(undefined, { found: [product('/etc/puppetlabs'), link('/srv/shared', '/etc/puppetlabs/x')] });
  const files = of.manifest.artifacts.flatMap(({ collected }) => (collected.kind === 'files' ? [collected] : []))[0];
  const put: AnswerOf<typeof replaceFiles> = {
    archive: `${files?.upload.key
      .split('/')
      .slice(5)
      .join('-')
      .replace(/\.zst$/, '')}`,
    replaced: 1,
    kept: 1,
    absent: [],
    entries: files?.entries ?? 0,
    found: 12,
    privileged: [],
  };
  const differences = (changes: Partial<typeof put> | undefined): string => {
    const results = changes
      ? [{ command: 'replace-files', instanceId: 'i-0123456789abcdef0', answer: { ...put, ...changes } }]
      : [];
    return proveRestore(of, { inspections: new Map(), counts: [], files: results, merged: [] })
      .different.filter((line) => line.startsWith('files of'))
      .join();
  };

  it('tells of answers whose database passwords are not those of the configuration any more', () => {
    const prepared = [
      {
        command: 'prepare-installation',
        instanceId: 'i-0123456789abcdef0',
        answer: { differing: ['puppetdb', 'rbac'] },
      },
    ];
    const of = restoreWith(undefined);
    expect(proveRestore(of, { inspections: new Map(), counts: [], files: [], merged: [], prepared }).told).toEqual([
      expect.stringMatching(/for: puppetdb, rbac\. .*Correct \/etc\/puppetlabs\/installer\/answers\.install/),
    ]);
  });

  it('holds when each entry of the archive and each path was put in place', () => {
    expect(differences({})).toBe('');
  });

  it.each([
    ['they were not put in place', undefined, /not put in place/],
    ['an entry is missing', { entries: put.entries - 1 }, /entries, expected/],
    ['the archive lacks a path', { replaced: 0, absent: ['/etc/puppetlabs'] }, /does not hold \/etc\/puppetlabs/],
    ['a path was skipped', { kept: 0 }, /1 of 2 paths/],
  ])('fails when %s', (_, changes, said) => {
    expect(differences(changes)).toMatch(said);
  });
});

describe('a restore of a split system', () => {
  const roles = ['master', 'puppetdb', 'console'] as const;
  const idOf = (index: number): string => `i-0123456789abcdef${index}`;
  const split = () => {
    const plain = manifestOf('pe-main', '20261120T020000Z');
    const [node] = plain.nodes;
    if (!node) throw new Error('the fixture has no node');
    const nodes = roles.map((role, index) => ({
      ...{ instanceId: idOf(index), name: `${role}.example.com`, roles: [role], optional: false },
      inspection: {
        ...node.inspection,
        ...{ hostname: `${role}.example.com`, certname: `${role}.example.com`, roles: [role] },
        paths: { ...node.inspection.paths, certificates: [product('/opt/puppet/share/puppet-dashboard/certs')] },
        postgres: role === 'puppetdb' ? node.inspection.postgres : null,
        services: [{ name: role === 'puppetdb' ? 'pe-puppetdb' : 'pe-httpd', running: true }],
      },
    }));
    const artifacts = plain.artifacts.flatMap((artifact) =>
      artifact.collected.kind === 'files'
        ? nodes.map(({ instanceId }) => ({ ...artifact, node: instanceId }))
        : [{ ...artifact, node: idOf(1) }],
    );
    return { ...plain, nodes, artifacts };
  };
  /** The restore that a request asks for, of a system whose console is on another instance now: 7, 8, 9 take the places of 0, 1, 2. */
  const restoreOf = (asked: object, there: readonly number[] = [0, 1, 9]) => {
    const manifest = split();
    const request = RestoreRequest.parse({ system: 'pe-main', backup: 'latest', ...asked });
    const found = there.map((index) => {
      const source = manifest.nodes[index % 7];
      if (!source) throw new Error('the split has three nodes');
      const { inspection, ...node } = source;
      return { node: { ...node, instanceId: idOf(index) }, inspection };
    });
    const startedAt = new Date('2026-11-20T05:00:00Z');
    return {
      ...{ system: 'pe-main', run: 'run', vaultBucket: 'vault', request, manifest, startedAt },
      ...targetsOf(manifest, found, request),
    };
  };
  /** What is done, as `document on role`. */
  const done = (asked: object, there?: readonly number[]): readonly string[] =>
    planPuppetRestore(restoreOf(asked, there)).flatMap(({ commands }) =>
      commands.map(({ id }) => id.replace(/^([a-z-]+) (?:.* )?\((\w+)\.example\.com\)$/, '$1 on $2')),
    );
  const changing = /^(replace-files|swap-databases|restore-globals|set-owners|drop-databases|stop-services)/;

  it('onto an instance for a lost node changes that node alone, and stops nothing elsewhere', () => {
    const changes = done({ onto: { console: idOf(9) } }).filter((line) => changing.test(line));
    expect(new Set(changes.map((line) => line.split(' on ')[1]))).toEqual(new Set(['console']));
    expect(checkPuppetRestore(restoreOf({ onto: { console: idOf(9) } }))).toEqual([]);
  });

  it.each([
    [{ onto: { console: idOf(9) } }, [9]],
    [{ nodes: ['console'], scope: ['certs', 'databases'] }, [1, 9]],
    [{ nodes: ['all'] }, [0, 1, 9]],
  ])('has a safety backup of the nodes of which it replaces something: %j', (asked, replaced) => {
    const { targets, bystanders, ...of } = restoreOf(asked);
    const nodes = [...targets, ...bystanders];
    expect(
      restorePuppet(of.manifest, { ...of, nodes })
        .replaced.map(({ instanceId }) => instanceId)
        .toSorted(),
    ).toEqual(replaced.map(idOf));
  });

  it('onto a new set of instances gives each what the node of its role had', () => {
    const onto = { master: idOf(7), puppetdb: idOf(8), console: idOf(9) };
    const of = restoreOf({ onto }, [7, 8, 9]);
    expect(checkPuppetRestore(of)).toEqual([]);
    expect([of.lost, of.bystanders]).toEqual([[], []]);
    const targets = planPuppetRestore(of)
      .flatMap(({ commands }) => commands)
      .filter(({ id }) => /^(replace-files|swap-databases|merge-authority)/.test(id))
      .map(({ id, instanceIds }) => [id.replace(/ .*\((\w+)\..*/, ' on $1'), instanceIds]);
    expect(targets).toEqual(
      expect.arrayContaining([
        ['replace-files on master', [idOf(7)]],
        ['replace-files on puppetdb', [idOf(8)]],
        ['replace-files on console', [idOf(9)]],
        ['swap-databases on puppetdb', [idOf(8)]],
      ]),
    );
    expect(new Set(targets.flatMap(([, ids]) => ids))).toEqual(new Set([idOf(7), idOf(8), idOf(9)]));
  });

  it('with a reinstallation names the compile masters, hubs and spokes that stay ahead of their master', () => {
    const { targets, ...of } = restoreOf({ reinstall: { installer: 'x.tar.gz', sha256: 'a'.repeat(64) } }, [0, 1, 2]);
    const asCompileMaster = targets.map((target, index) => {
      const { source, inspection } = target;
      return index === 0
        ? {
            ...{ ...target, source: { ...source, roles: ['compile-master'] } },
            inspection: { ...inspection, version: '3.8.7', agentVersion: '3.8.7' },
          }
        : target;
    });
    const ahead = (some: typeof targets) =>
      warnPuppetRestore({ ...of, targets: some }).filter((warning) => /newer than its master/.test(warning));
    expect(ahead(asCompileMaster)).toEqual([
      expect.stringMatching(/^master\.example\.com keeps 3\.8\.7, while the master/),
    ]);
    expect(ahead(targets)).toEqual([]);
  });

  it("stops the services of each node in the manual's order", () => {
    const { manifest, ...of } = restoreOf({ nodes: ['all'] }, [0, 1, 2]);
    const manual = [
      'pe-httpd',
      'pe-puppet',
      'pe-mcollective',
      'pe-puppet-dashboard-workers',
      'pe-activemq',
      'pe-puppetdb',
    ];
    const targets = of.targets.map((target) => ({
      ...target,
      source: {
        ...target.source,
        inspection: {
          ...target.source.inspection,
          services: manual.toReversed().map((name) => ({ name, running: true })),
        },
      },
    }));
    const stops = planPuppetRestore({ ...of, manifest, targets }).find(({ name }) => name === 'stop-services');
    expect(
      stops?.commands.map(({ parameters }) =>
        (parameters['Services'] ?? '').split(' ').filter((name) => manual.includes(name)),
      ),
    ).toEqual([manual, manual, manual]);
  });

  it.each([
    [{ nodes: ['master'] }, [0, 1, 2], ['master']],
    [{ onto: { master: idOf(7) } }, [7, 1, 2], ['master']],
    [{ onto: { master: idOf(7), console: idOf(9) } }, [7, 1, 9], ['console', 'master']],
  ])('of certificates alone, %j, brings them back there and leaves everything else', (asked, there, changed) => {
    const lines = done({ ...asked, scope: ['certs'] }, there);
    const on = (verb: string) => lines.flatMap((line) => (line.startsWith(`${verb} on `) ? line.split(' on ')[1] : []));
    expect([...new Set(on('replace-files'))].toSorted()).toEqual(changed);
    expect(on('set-owners').toSorted()).toEqual(changed);
    expect(on('stop-services').toSorted()).toEqual(changed);
    expect(lines.join()).not.toMatch(/swap-databases|restore-globals|restart-postgresql/);
    expect(checkPuppetRestore(restoreOf({ ...asked, scope: ['certs'] }, there))).toEqual([]);
  });

  it('of a lost node that held the databases brings these back, and the others stand still for it', () => {
    const lines = done({ nodes: ['puppetdb'] }, [0, 1, 2]);
    expect(lines).toContain('swap-databases on puppetdb');
    expect(lines).toContain('replace-files on puppetdb');
    expect(lines).not.toContain('replace-files on master');
    expect(lines).toEqual(expect.arrayContaining(['stop-services on master', 'stop-services on console']));
  });

  it('of one node with a database that the scope names brings that back where it was', () => {
    const lines = done({ nodes: ['console'], scope: ['certs', 'databases:pe-puppetdb'] }, [0, 1, 2]);
    expect(lines).toContain('swap-databases on puppetdb');
    expect(lines).not.toContain('replace-files on puppetdb');
    expect(lines).not.toContain('set-owners on puppetdb');
    expect(lines).toContain('replace-files on console');
  });

  it('goes on while a node that was not named is lost as well', () => {
    expect(done({ nodes: ['console'] }, [0, 2])).toContain('replace-files on console');
    expect(() => done({ nodes: ['puppetdb'] }, [0, 2])).toThrow(/puppetdb.* is not among the nodes/);
  });

  it('whose console was replaced in the configuration asks which nodes are meant', () => {
    expect(checkPuppetRestore(restoreOf({}))).toEqual([
      'console.example.com took the place of a lost node, while master.example.com, puppetdb.example.com live and would go back in time as well. Name what is restored: nodes console, or nodes all',
    ]);
    expect(checkPuppetRestore(restoreOf({ nodes: ['all'] }))).toEqual([]);
    expect(checkPuppetRestore(restoreOf({ nodes: ['console'] }))).toEqual([]);
  });

  it('names every living node that goes back in time, by how much, and what is lost', () => {
    const of = restoreOf({ nodes: ['all'] });
    const grown = of.targets.map((target) => ({
      ...target,
      inspection: {
        ...target.inspection,
        postgres: target.inspection.postgres && {
          ...target.inspection.postgres,
          databases: target.inspection.postgres.databases.map((one) => ({ ...one, rowsEstimated: 1_000_500 })),
        },
      },
    }));
    const warnings = warnPuppetRestore({ ...of, targets: grown });
    expect(warnings.filter((line) => / lives: /.test(line))).toEqual([
      'master.example.com lives: its files go back by 3 hours to 2026-11-20T02:00:00.000Z. Changes since then are lost',
      'puppetdb.example.com lives: its files and databases pe-puppetdb go back by 3 hours to 2026-11-20T02:00:00.000Z. Lost are changes since then (database pe-puppetdb: about 1000500 rows now, 1000000 then)',
    ]);
  });

  it('refuses a name that the backup does not have, and says which it has', () => {
    expect(() => restoreOf({ nodes: ['consol'] })).toThrow(/no node consol\. It has: master\.example\.com \(master\)/);
  });
});

describe('a node of the backup that is gone', () => {
  const manifest = manifestOf('pe-main', '20261120T020000Z');
  const [source] = manifest.nodes;
  if (!source) throw new Error('the fixture has no node');
  const claimant = (instanceId: string, roles: readonly string[]) => ({
    node: { instanceId, name: instanceId, roles: [...roles], optional: false },
    inspection: source.inspection,
  });
  const [heir, rival, spoke] = [
    claimant('i-0fedcba9876543210', source.roles),
    claimant('i-0fedcba9876543211', ['master']),
    claimant('i-0fedcba9876543212', ['activemq-spoke']),
  ];

  it('is followed by the node of its role that has taken over its host name, which somebody has to confirm who has seen it', () => {
    const found = targetsOf(manifest, [heir, spoke], { onto: {} });
    expect(found.targets.map(({ node }) => node.instanceId)).toEqual(['i-0fedcba9876543210']);
    const of = {
      system: 'pe-main',
      run: 'run',
      vaultBucket: 'vault',
      request: RestoreRequest.parse({ system: 'pe-main' }),
      manifest,
      startedAt: new Date('2026-11-21T00:00:00Z'),
    };
    expect(warnPuppetRestore({ ...of, ...found })).toContainEqual(
      expect.stringContaining(`takes the place of ${source.instanceId}`),
    );
    const refusals = (request: object) =>
      checkPuppetRestore({ ...of, ...found, request: RestoreRequest.parse({ system: 'pe-main', ...request }) }).filter(
        (fault) => fault.includes('would take the place'),
      );
    expect(refusals({})).toEqual([]);
    expect(refusals({ confirm: 'pe-main' })).toEqual([
      expect.stringMatching(/i-0fedcba9876543210.*{"onto": {"master": "i-0fedcba9876543210"}}, or leave confirm out/),
    ]);
    expect(refusals({ confirm: 'pe-main', onto: { master: 'i-0fedcba9876543210' } })).toEqual([]);
  });

  it('is not followed by a node that says its host name and has another role', () => {
    expect(() => targetsOf(manifest, [spoke], { onto: {} })).toThrow(/not among the nodes/);
  });

  it('is not followed while two say its host name, unless one is named', () => {
    expect(() => targetsOf(manifest, [heir, rival], { onto: {} })).toThrow(
      /both say that they are master\.example\.com/,
    );
    const named = targetsOf(manifest, [heir, rival], { onto: { master: 'i-0fedcba9876543211' } });
    expect(named.targets.map(({ node }) => node.instanceId)).toEqual(['i-0fedcba9876543211']);
  });
});

describe('a reinstallation is refused before anything is purged', () => {
  const plain = manifestOf('pe-main', '20261120T020000Z');
  const reinstalled = (
    version: string,
    answers: readonly string[],
    { installer = 'pe.tar.gz', group = 'configuration', handed = {} } = {},
  ) => {
    const [source] = plain.nodes;
    if (!source) throw new Error('the fixture has no node');
    const paths = { ...source.inspection.paths, configuration: [product('/etc/puppetlabs')] };
    const inspection = { ...source.inspection, version, answers: [...answers], paths };
    const artifacts = plain.artifacts.map(({ collected, ...rest }) => ({
      ...rest,
      collected: collected.kind === 'files' ? { ...collected, group } : collected,
    }));
    const manifest = { ...plain, nodes: [{ ...source, inspection }], artifacts };
    const request = RestoreRequest.parse({
      system: 'pe-main',
      backup: 'latest',
      reinstall: { installer, sha256: 'a'.repeat(64), answers: handed },
    });
    const fetchable = (name: string) => ({
      ...{ key: `installers/pe-main/${name}`, versionId: 'v1', bytes: 1, sha256: 'a'.repeat(64) },
      compression: 'none' as const,
    });
    return {
      ...{ system: 'pe-main', run: 'run', vaultBucket: 'vault', request, manifest, startedAt: new Date() },
      ...targetsOf(manifest, [{ node: { ...source }, inspection }], request),
      installer: fetchable(installer),
      answers: Object.fromEntries(Object.keys(handed).map((role) => [role, fetchable(`${role}.answers`)])),
    };
  };
  const faults = (...of: Parameters<typeof reinstalled>) => checkPuppetRestore(reinstalled(...of));
  const old = '/etc/puppetlabs/installer/answers.install';
  const settings = '/etc/puppetlabs/enterprise/conf.d/pe.conf';

  it.each([
    ['3.8.5', old],
    ['2015.2.3', old],
    ['2016.1.2', old],
    ['2016.2.0', settings],
    ['2018.1.9', settings],
  ])('%s is installed by %s and by nothing else', (version, path) => {
    expect(faults(version, [path])).toEqual([]);
    expect(faults(version, [path === old ? settings : old])).toEqual([
      expect.stringMatching(`the backup has no ${path} of master, by which the installer of ${version}`),
    ]);
  });

  it('without an archive of /etc/puppetlabs', () => {
    expect(faults('3.8.5', [old], { group: 'certificates' })).toEqual([
      expect.stringMatching(/no \/etc\/puppetlabs of master, without which/),
    ]);
  });

  it('with an installer of another version, where its name tells', () => {
    expect(faults('3.8.5', [old], { installer: 'puppet-enterprise-3.8.5-el-6-x86_64.tar.gz' })).toEqual([]);
    expect(faults('3.8.5', [old], { installer: 'puppet-enterprise-3.8.4-el-6-x86_64.tar.gz' })).toEqual([
      expect.stringMatching(/is of 3\.8\.4, the backup of master of 3\.8\.5/),
    ]);
  });

  it('unless answers are handed in: they are fetched, and take the place of those of the backup', () => {
    const handed = { master: { name: 'master.answers', sha256: 'a'.repeat(64) } };
    expect(faults('3.8.5', [], { handed })).toEqual([]);
    const commands = (version: string, of = handed) =>
      planPuppetRestore(reinstalled(version, [], { handed: of })).flatMap((phase) => phase.commands);
    expect(commands('3.8.5').find(({ parameters }) => parameters['Name'] === 'answers')?.parameters).toMatchObject({
      ...{ Object: 'installers/pe-main/master.answers', Compression: 'none' },
    });
    expect(commands('3.8.5').find(({ id }) => id.startsWith('prepare-installation'))?.parameters).toMatchObject({
      HandedAnswers: 'answers',
    });
    expect(faults('3.8.5', [], { handed: {} })).toHaveLength(1);
  });

  it('and answers for a role that is none, or without their checksum', () => {
    const reinstall = (answers: unknown): boolean =>
      RestoreRequest.safeParse({
        system: 'pe-main',
        reinstall: { installer: 'x.tar.gz', sha256: 'a'.repeat(64), answers },
      }).success;
    expect(reinstall({ master: { name: 'a.txt', sha256: 'a'.repeat(64) } })).toBe(true);
    expect(reinstall({ master: { name: 'a.txt' } })).toBe(false);
    expect(reinstall({ hub: { name: 'a.txt', sha256: 'a'.repeat(64) } })).toBe(false);
  });
});
