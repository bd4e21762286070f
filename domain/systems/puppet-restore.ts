import { coreRoles } from '#domain/config';
import { CheckFailedError } from '#domain/errors';
import type { Database, PuppetInspection } from '#domain/inspection';
import { type Artifact, type PuppetManifest, uploadsOf } from '#domain/manifest';
import { documentName, encodeText, keySafe, vaultKeys } from '#domain/naming';
import type { RestoreRequest, Scope } from '#domain/payloads';
import type { Command, Phase, PlannedNode } from '#domain/plan';
import { type InspectedNode, orderOfStopping } from './puppet-enterprise.ts';

/** What a restore of Puppet Enterprise consists of, on one node or many: the manual's steps, made right. */

/** A node that is restored to, what was found on it, and the node of the backup whose part it gets. */
export interface RestoreTarget {
  readonly node: PlannedNode;
  readonly inspection: PuppetInspection;
  readonly source: PuppetManifest['nodes'][number];
}

/** Everything that the plan of a restore depends on. */
export interface PuppetRestore {
  readonly system: string;
  readonly run: string;
  readonly vaultBucket: string;
  readonly request: RestoreRequest;
  readonly manifest: PuppetManifest;
  readonly targets: readonly RestoreTarget[];
  /** Nodes of the system that get nothing back, and whose services must stand still all the same. */
  readonly bystanders: readonly InspectedNode[];
  /** Nodes of the backup that are not there any more. */
  readonly lost: readonly PuppetManifest['nodes'][number][];
  /** Bytes of the installer in the vault, when one is asked for. */
  readonly installerBytes?: number;
}

const isCore = ({ roles }: { readonly roles: readonly string[] }): boolean => {
  const core: readonly string[] = coreRoles;
  return roles.some((role) => core.includes(role));
};

/**
 * Finds for each node of the backup the node that gets its part: the one that was named for a role, the very same instance,
 * or the one that has taken over its host name. Throws a CheckFailedError when a node without which there is no
 * installation has none.
 */
export const targetsOf = (
  manifest: PuppetManifest,
  nodes: readonly InspectedNode[],
  onto: Readonly<Record<string, string>>,
): Pick<PuppetRestore, 'targets' | 'bystanders' | 'lost'> => {
  const targets: RestoreTarget[] = [];
  const lost: PuppetManifest['nodes'][number][] = [];
  for (const source of manifest.nodes) {
    const named = source.roles.map((role) => onto[role]).find((id) => id !== undefined);
    const found =
      nodes.find(({ node }) => node.instanceId === (named ?? source.instanceId)) ??
      nodes.find(({ inspection }) => named === undefined && inspection.hostname === source.inspection.hostname);
    if (found) targets.push({ ...found, source });
    else if (isCore(source))
      throw new CheckFailedError(
        `${source.name} (${source.instanceId}) of the backup is not among the nodes of ${manifest.system}. Name the instance that takes its place: {"onto": {"${source.roles[0]}": "i-…"}}.`,
      );
    else lost.push(source);
  }
  const twice = targets.find(({ node }, index) =>
    targets.some((other, at) => at < index && other.node.instanceId === node.instanceId),
  );
  if (twice)
    throw new CheckFailedError(
      `${twice.node.name} would get the parts of several nodes of the backup: "onto" names an instance for a role that one node alone holds. Restore the others where they are.`,
    );
  const served = new Set(targets.map(({ node }) => node.instanceId));
  return { targets, lost, bystanders: nodes.filter(({ node }) => !served.has(node.instanceId)) };
};

/** The phases, which are the states of restore-puppet.asl.json: every restore has all, and what it does not need is empty. */
export const puppetRestorePhases = [
  'fetch',
  'purge',
  'reinstall-master',
  'reinstall-puppetdb',
  'reinstall-console',
  'stop-services',
  'restart-postgresql',
  'drop-databases',
  'prepare-tablespaces',
  'restore-globals',
  'restore-databases',
  'swap-databases',
  'replace-files',
  'set-owners',
  'set-up-puppetdb-ssl',
  'forget-catalog',
  'count-rows',
  'inspect-restored',
  'start-services',
  'configure',
  'check-health',
  'finish',
] as const;
type PhaseName = (typeof puppetRestorePhases)[number];

/** A step may take this long; fetching and restoring of data may take as long as SSM allows. */
const stepSeconds = 1800;
const dataSeconds = 172_800;

/** The node recovers by itself when nobody has for this long: two steps of data may follow each other. */
const watchdogSeconds = 2 * dataSeconds + 3600;

const configuration = '/etc/puppetlabs';
const certificatePaths = [
  `${configuration}/puppet/ssl`,
  `${configuration}/puppetdb/ssl`,
  `${configuration}/mcollective/ssl`,
  `${configuration}/activemq/broker.ks`,
  `${configuration}/activemq/broker.ts`,
];
const codePaths = ['modules', 'manifests', 'hieradata', 'hiera.yaml', 'environments'].map(
  (name) => `${configuration}/puppet/${name}`,
);
const mcollectivePaths = [`${configuration}/mcollective`];

const text = (lines: readonly string[]): string => encodeText(lines.join('\n'));

/** True when a path is another or lies below it. */
const isWithin = (path: string, root: string): boolean => path === root || path.startsWith(`${root}/`);

/** The databases of the backup that are asked for, on a node. Names that the backup does not have are told by the checks. */
export const wantedDatabases = (
  { request }: Pick<PuppetRestore, 'request'>,
  { source }: RestoreTarget,
): readonly Database[] =>
  (source.inspection.postgres?.databases ?? []).filter(
    ({ name }) => !request.scope || request.scope.includes('databases') || request.scope.includes(`databases:${name}`),
  );

/** True when the certificate authority is among what is restored. */
export const restoresCertificates = ({ request }: Pick<PuppetRestore, 'request'>): boolean =>
  !request.scope || request.scope.includes('certs');

/** What of a group's archive is put back: roots that are replaced, and paths below them that stay. */
interface Replacement {
  readonly roots: readonly string[];
  readonly excludes: readonly string[];
}

const all = (roots: readonly string[]): Replacement => ({ roots, excludes: [] });

/** Puts a group's part of each scope together. Undefined when nothing of it is asked for. */
const replacementOf = (
  group: string,
  paths: readonly string[],
  scope: readonly Scope[] | undefined,
): Replacement | undefined => {
  if (!scope) return all(paths);
  const has = (one: Scope): boolean => scope.includes(one);
  const only = (wanted: boolean): Replacement | undefined => (wanted ? all(paths) : undefined);
  switch (group) {
    case 'configuration': {
      if (has('config'))
        return {
          roots: [configuration],
          excludes: [
            ...(has('certs') ? [] : certificatePaths),
            ...(has('code') ? [] : codePaths),
            ...(has('mcollective') ? [] : mcollectivePaths),
          ],
        };
      const roots = [
        ...(has('certs') ? certificatePaths : []),
        ...(has('code') ? codePaths : []),
        ...(has('mcollective') ? mcollectivePaths : []),
      ].filter(
        (path, index, list) => !list.some((other, at) => at !== index && path !== other && isWithin(path, other)),
      );
      // What links of the configuration lead to: a CA directory that lies elsewhere.
      const linked = has('certs') ? paths.filter((path) => !isWithin(path, configuration)) : [];
      return roots.length + linked.length > 0 ? all([...roots, ...linked]) : undefined;
    }
    case 'certificates':
      return only(has('certs'));
    case 'modules':
      return only(has('code'));
    case 'extra':
    case 'installer':
      return only(has('config'));
    case 'mcollective':
      return only(has('mcollective'));
    default:
      return undefined;
  }
};

/** The paths of a group as they were backed up. */
const pathsOf = (target: RestoreTarget, group: string): readonly string[] => {
  const { paths } = target.source.inspection;
  return Object.entries(paths).find(([name]) => name === group)?.[1] ?? [];
};

/** The services that must not run while a scope is restored. */
const stoppedBy = (of: PuppetRestore): readonly string[] => {
  const { scope } = of.request;
  if (!scope) return orderOfStopping;
  const needed = new Set<string>();
  for (const one of scope) {
    const services =
      one === 'code'
        ? ['pe-httpd', 'pe-puppetserver', 'pe-puppet']
        : one === 'mcollective'
          ? ['pe-mcollective', 'pe-activemq']
          : one === 'databases:pe-puppetdb'
            ? ['pe-puppetdb']
            : one.startsWith('databases:')
              ? ['pe-httpd', 'pe-console-services', 'pe-puppet-dashboard-workers']
              : orderOfStopping;
    for (const service of services) needed.add(service);
  }
  return orderOfStopping.filter((service) => needed.has(service));
};

/** The services that ran when the backup was taken, PostgreSQL among them. */
const runningThen = ({ source }: RestoreTarget, among: readonly string[]): readonly string[] => {
  const ran = new Set(source.inspection.services.filter(({ running }) => running).map(({ name }) => name));
  return among.filter((name) => ran.has(name));
};

const artifactsOf = (of: PuppetRestore, { source }: RestoreTarget): readonly Artifact[] =>
  of.manifest.artifacts.filter(({ node }) => node === source.instanceId);

/** The file that an object becomes on the node. */
export const fetchedName = (key: string): string =>
  keySafe(
    key
      .split('/')
      .slice(4)
      .join('-')
      .replace(/\.(zst|gz)$/, ''),
  );

/** Objects that a node has to fetch, with the bytes that they become. */
const fetchesOf = (
  of: PuppetRestore,
  target: RestoreTarget,
): readonly { key: string; bytes: number; rawBytes: number; sha256: string }[] => {
  const databases = new Set(wantedDatabases(of, target).map(({ name }) => name));
  return artifactsOf(of, target).flatMap(({ collected }) => {
    const [upload, contents] = uploadsOf(collected);
    switch (collected.kind) {
      case 'database':
        return databases.has(collected.database) ? [upload, contents].flatMap((one) => one ?? []) : [];
      case 'globals':
        return databases.size > 0 && upload ? [upload] : [];
      case 'files':
        return upload && replacementOf(collected.group, pathsOrExtra(target, collected.group, of), of.request.scope)
          ? [upload]
          : [];
      case 'juju':
        return [];
      default:
        return collected satisfies never;
    }
  });
};

/** The paths of a group; those of `extra` are the configuration's, which the backup's archive lists. */
const pathsOrExtra = (target: RestoreTarget, group: string, of: PuppetRestore): readonly string[] =>
  group === 'extra' ? of.manifest.extraPaths : pathsOf(target, group);

const space = (inspection: PuppetInspection, path: string) => inspection.space.find((one) => one.path === path);

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 1_048_576)} MiB`;

/** A restored database may be somewhat larger than it was, for what is new in it is not yet packed. */
const growth = 1.2;

/** Free bytes that a restore needs per file system, each with its reason. */
const needs = (of: PuppetRestore, target: RestoreTarget, beside: boolean): readonly string[] => {
  const { inspection } = target;
  const fetches = fetchesOf(of, target);
  const raw = fetches.reduce((sum, { rawBytes }) => sum + rawBytes, 0) + (of.installerBytes ?? 0) * 4;
  const files = artifactsOf(of, target)
    .flatMap(({ collected }) => (collected.kind === 'files' ? [collected.upload.rawBytes] : []))
    .reduce((sum, bytes) => sum + bytes, 0);
  const locations = new Map(inspection.postgres?.tablespaces.map(({ name, location }) => [name, location]));
  const wanted = [
    { path: '/var/lib/holdfast', bytes: raw + files, why: 'the download' },
    ...wantedDatabases(of, target).map(({ name, tablespace, bytes }) => {
      const there = inspection.postgres?.databases.find((one) => one.name === name)?.bytes ?? 0;
      return {
        path: locations.get(tablespace) ?? inspection.space.find(({ path }) => path.endsWith('/data'))?.path ?? '/opt',
        bytes: Math.max(0, Math.ceil(bytes * growth) - (beside ? 0 : there)),
        why: `the database ${name}`,
      };
    }),
  ];
  const mounts = new Map<string, { free: number; bytes: number; why: string[] }>();
  for (const { path, bytes, why } of wanted) {
    const found = space(inspection, path) ?? inspection.space.find((one) => one.path.startsWith('/opt/'));
    if (!found) continue;
    const mount = mounts.get(found.mount) ?? { free: found.freeBytes, bytes: 0, why: [] };
    mounts.set(found.mount, { ...mount, bytes: mount.bytes + bytes, why: [...mount.why, why] });
  }
  return [...mounts].flatMap(([mount, { free, bytes, why }]) =>
    free >= bytes
      ? []
      : [`${target.node.name}: ${mount} has ${mebibytes(free)} free; ${why.join(', ')} need ${mebibytes(bytes)}`],
  );
};

/** True when the old databases can live until the new ones are whole. */
const hasRoomBeside = (of: PuppetRestore, target: RestoreTarget): boolean => needs(of, target, true).length === 0;

const majorOf = (version: string): number => {
  const [first = 0, second = 0] = version.split('.').map(Number);
  // Before 10, two numbers made a major version.
  return first >= 10 ? first * 100 : first * 100 + second;
};

const differences = (of: PuppetRestore, { node, inspection, source }: RestoreTarget): readonly string[] => {
  const { allow, reinstall } = of.request;
  const { inspection: then } = source;
  const said: string[] = [];
  if (inspection.version !== then.version && !reinstall && !allow.includes('version'))
    said.push(
      `${node.name} runs Puppet Enterprise ${inspection.version || '(none)'}, the backup is of ${then.version}. Install that version, or ask for a reinstallation`,
    );
  if (inspection.hostname !== then.hostname && !allow.includes('hostname'))
    said.push(
      `the node's host name is ${inspection.hostname}, the backup's is ${then.hostname}. Certificates, puppet.conf, database.yml and every agent's setting name the latter: give the node that name and its DNS record, or allow hostname when only DNS leads there`,
    );
  // Without an installation there is no certname to differ; a whole restore brings the backup's puppet.conf along.
  if (inspection.certname !== then.certname && inspection.version !== '' && !reinstall && !allow.includes('certname'))
    said.push(
      `the certname on ${node.name} is ${inspection.certname}, the backup's is ${then.certname}. The restored certificates are of the latter: allow certname when that is meant`,
    );
  return said;
};

const postgresFaults = (of: PuppetRestore, target: RestoreTarget): readonly string[] => {
  const { node, inspection, source } = target;
  const wanted = wantedDatabases(of, target);
  if (wanted.length === 0 || of.request.reinstall) return [];
  const now = inspection.postgres;
  if (!now) return [`${node.name} has no PostgreSQL that answers. Start it, or ask for a reinstallation`];
  const said: string[] = [];
  const then = source.inspection.postgres?.version ?? '0';
  if (majorOf(now.version) < majorOf(then))
    said.push(`PostgreSQL on ${node.name} is ${now.version}, older than ${then}, which made the dumps`);
  const wantedNames = new Set(wanted.map(({ name }) => name));
  for (const { name, location, directory } of now.tablespaces) {
    const used = (source.inspection.postgres?.tablespaces ?? []).some((one) => one.name === name);
    if (!used) continue;
    if (directory === 'foreign')
      said.push(`the tablespace ${name} at ${location} holds files that are not PostgreSQL's: move them away`);
    if (directory === 'missing' && of.request.databases === 'keep')
      said.push(`the directory ${location} of the tablespace ${name} is missing: restore with databases globals`);
  }
  if (of.request.databases === 'globals') {
    const roles = new Set(rolesToDrop(target));
    const tablespaces = new Set(tablespacesToDrop(target));
    for (const { role, database, objects } of now.dependents)
      if (roles.has(role) && !wantedNames.has(database))
        said.push(
          `the role ${role} owns or may use ${objects} objects of the database ${database}, which is not restored`,
        );
    for (const { name, owner, tablespace } of now.databases)
      if (!wantedNames.has(name) && (roles.has(owner) || tablespaces.has(tablespace)))
        said.push(
          `the database ${name} is not in the backup and belongs to ${owner} in ${tablespace}, which would have to go: move it, or restore with databases keep`,
        );
  }
  return said;
};

/** Roles that globals mode drops: the backup's, but for the server's own superuser. */
const rolesToDrop = ({ source }: RestoreTarget): readonly string[] => {
  const { postgres } = source.inspection;
  return (postgres?.roles ?? []).filter((role) => role !== postgres?.user);
};

const tablespacesToDrop = ({ source }: RestoreTarget): readonly string[] =>
  (source.inspection.postgres?.tablespaces ?? []).map(({ name }) => name);

const toolFaults = (of: PuppetRestore, target: RestoreTarget): readonly string[] =>
  target.inspection.tools.zstd === null && fetchesOf(of, target).some(({ key }) => key.endsWith('.zst'))
    ? [`${target.node.name} has no zstd, with which the backup is packed: install it`]
    : [];

/** Every reason why a restore must not begin, for people; empty when it may. */
export const checkPuppetRestore = (of: PuppetRestore): readonly string[] => {
  const known = new Set(
    of.targets.flatMap(({ source }) => (source.inspection.postgres?.databases ?? []).map(({ name }) => name)),
  );
  const unknown = (of.request.scope ?? []).flatMap((scope) => {
    const name = /^databases:(.*)$/s.exec(scope)?.[1];
    return name === undefined || known.has(name)
      ? []
      : [`the backup has no database ${name}; it has ${[...known].join(', ') || 'none'}`];
  });
  const lost = of.request.allow.includes('missing-nodes')
    ? []
    : of.lost
        .filter(({ optional }) => !optional)
        .map(
          ({ name, instanceId, roles }) =>
            `${name} (${instanceId}), ${roles.join(', ')} of the backup, is not there any more: allow missing-nodes to restore the others`,
        );
  return [
    ...unknown,
    ...lost,
    ...of.targets.flatMap((target) => [
      ...differences(of, target),
      ...postgresFaults(of, target),
      ...toolFaults(of, target),
      ...needs(of, target, false),
    ]),
  ];
};

/** What a person should know before saying yes. */
export const warnPuppetRestore = (of: PuppetRestore): readonly string[] => [
  ...of.lost.map(({ name, roles }) => `${name} (${roles.join(', ')}) is not there any more and gets nothing back`),
  ...of.bystanders.map(
    ({ node }) =>
      `${node.name} is not in the backup: its services stand still during the restore, and nothing on it is changed`,
  ),
  ...of.targets.flatMap((target) => [
    ...target.inspection.problems.map((problem) => `${target.node.name}: ${problem}`),
    ...(wantedDatabases(of, target).length > 0 && of.request.databases === 'keep' && !hasRoomBeside(of, target)
      ? [
          `${target.node.name} has no room for the old databases beside the new ones: they are dropped first, and only the safety backup has them then`,
        ]
      : []),
    ...(of.request.databases === 'globals'
      ? [
          `${target.node.name}: databases, roles and tablespaces are dropped first; only the safety backup has them then`,
        ]
      : []),
  ]),
];

const specOf = ({ name, owner, tablespace, encoding, collate, ctype, acl, settings }: Database): string =>
  text([name, owner, tablespace, encoding, collate, ctype, acl, ...settings]);

/** The commands of every phase for one node. */
const commandsOf = (of: PuppetRestore, target: RestoreTarget): Readonly<Partial<Record<PhaseName, Command[]>>> => {
  const { node, source } = target;
  const { request } = of;
  const command = (
    script: string,
    parameters: Record<string, string> = {},
    { what = '', seconds = stepSeconds }: { what?: string; seconds?: number } = {},
  ): Command => ({
    id: `${script}${what === '' ? '' : ` ${what}`} (${node.name})`,
    document: documentName(script),
    instanceIds: [node.instanceId],
    parameters: { RunId: of.run, ...parameters },
    executionTimeoutSeconds: seconds,
  });
  const databases = wantedDatabases(of, target).toSorted((a, b) => b.bytes - a.bytes);
  const names = text(databases.map(({ name }) => name));
  const artifacts = artifactsOf(of, target);
  const globals = artifacts.flatMap(({ collected }) => (collected.kind === 'globals' ? [collected.upload.key] : []))[0];
  const dumps = new Map(
    artifacts.flatMap(({ collected }) =>
      collected.kind === 'database' ? [[collected.database, collected] as const] : [],
    ),
  );
  const globalsMode = request.databases === 'globals';
  const dropFirst = globalsMode || !hasRoomBeside(of, target);
  const replacements = artifacts.flatMap(({ collected }) => {
    if (collected.kind !== 'files') return [];
    const part = replacementOf(collected.group, pathsOrExtra(target, collected.group, of), request.scope);
    return part ? [{ group: collected.group, key: collected.upload.key, ...part }] : [];
  });
  const certificates = restoresCertificates(of);
  const services = stoppedBy(of).join(' ');
  const started = runningThen(target, request.scope ? stoppedBy(of) : orderOfStopping).join(' ');
  const answers = replacements.find(({ group }) => group === 'configuration');
  const fetch = (key: string, bytes: number, sha256: string): Command =>
    command(
      'fetch-artifact',
      { Bucket: of.vaultBucket, Object: key, Bytes: String(bytes), Sha256: sha256, Name: fetchedName(key) },
      { what: key.split('/').slice(4).join('/') || key.split('/').slice(2).join('/'), seconds: dataSeconds },
    );
  const installer =
    request.reinstall && isCore(source) ? vaultKeys.installer(of.system, request.reinstall.installer) : undefined;
  // The manual's order: each of master, PuppetDB and console asks the one before.
  const stage = coreRoles.find((role) => source.roles.includes(role)) ?? 'master';
  return {
    fetch: [
      ...fetchesOf(of, target).map(({ key, bytes, sha256 }) => fetch(key, bytes, sha256)),
      ...(installer === undefined
        ? []
        : [
            command(
              'fetch-artifact',
              {
                Bucket: of.vaultBucket,
                Object: installer,
                Bytes: String(of.installerBytes ?? 1),
                Sha256: '',
                Name: 'installer.tar',
              },
              { what: 'installer', seconds: dataSeconds },
            ),
          ]),
    ],
    ...(installer !== undefined &&
      answers && {
        purge: [command('purge-puppet')],
        [`reinstall-${stage}` as const]: [
          command(
            'install-puppet',
            {
              Name: 'installer.tar',
              AnswersArchive: fetchedName(answers.key),
              Version: source.inspection.version,
            },
            { seconds: 7200 },
          ),
        ],
      }),
    ...(services !== '' && {
      'stop-services': [command('stop-services', { Services: services, WatchdogSeconds: String(watchdogSeconds) })],
    }),
    ...(databases.length > 0 && {
      'restart-postgresql': [command('restart-postgresql', { Databases: names })],
      ...(dropFirst && {
        'drop-databases': [
          command('drop-databases', {
            Databases: names,
            Roles: globalsMode ? text(rolesToDrop(target)) : '',
            Tablespaces: globalsMode ? text(tablespacesToDrop(target)) : '',
          }),
        ],
      }),
      'prepare-tablespaces': [
        command('prepare-tablespaces', {
          Locations: text((source.inspection.postgres?.tablespaces ?? []).map(({ location }) => location)),
        }),
      ],
      ...(globals !== undefined && { 'restore-globals': [command('restore-globals', { Name: fetchedName(globals) })] }),
      'restore-databases': databases.flatMap((database) => {
        const dump = dumps.get(database.name);
        return dump
          ? [
              command(
                'restore-database',
                { Name: fetchedName(dump.upload.key), Spec: specOf(database) },
                { what: database.name, seconds: dataSeconds },
              ),
            ]
          : [];
      }),
      'swap-databases': [command('swap-databases', { Databases: names })],
      'count-rows': databases.flatMap(({ name }) => {
        const dump = dumps.get(name);
        return dump
          ? [
              command(
                'count-rows',
                { Name: fetchedName(dump.contents.key), Database: encodeText(name) },
                { what: name, seconds: dataSeconds },
              ),
            ]
          : [];
      }),
    }),
    'replace-files': replacements.map(({ group, key, roots, excludes }) =>
      command(
        'replace-files',
        { Name: fetchedName(key), Roots: text(roots), Excludes: text(excludes) },
        { what: group, seconds: dataSeconds },
      ),
    ),
    ...(certificates && {
      'set-owners': [command('set-owners')],
      ...(source.inspection.roles.includes('puppetdb') && { 'set-up-puppetdb-ssl': [command('set-up-puppetdb-ssl')] }),
      'forget-catalog': [command('forget-catalog')],
    }),
    'inspect-restored': [command('inspect-puppet', { Purpose: 'rescue' })],
    'start-services': [command('start-services', { Services: started })],
    // From 2015.2 on the product mends rights and settings by itself when it is told to.
    ...(source.roles.includes('master') &&
      !source.inspection.version.startsWith('3.') && { configure: [command('configure-puppet')] }),
    'check-health': [
      command('check-health', {
        Services: [...runningThen(target, ['pe-postgresql']), ...started.split(' ').filter((name) => name !== '')].join(
          ' ',
        ),
      }),
    ],
    finish: [command('finish-restore')],
  };
};

/** What a node that gets nothing back has to do: its services write to what is replaced. */
const bystanderCommands = (
  of: PuppetRestore,
  { node, inspection }: InspectedNode,
): Readonly<Partial<Record<PhaseName, Command[]>>> => {
  const running = new Set(inspection.services.filter((one) => one.running).map(({ name }) => name));
  const services = stoppedBy(of).filter((name) => running.has(name));
  if (services.length === 0) return {};
  const command = (script: string, parameters: Record<string, string>): Command => ({
    id: `${script} (${node.name})`,
    document: documentName(script),
    instanceIds: [node.instanceId],
    parameters: { RunId: of.run, ...parameters },
    executionTimeoutSeconds: stepSeconds,
  });
  const Services = services.join(' ');
  return {
    'stop-services': [command('stop-services', { Services, WatchdogSeconds: String(watchdogSeconds) })],
    'start-services': [command('start-services', { Services: '' })],
    'check-health': [command('check-health', { Services })],
  };
};

/** The phases of a restore, every one of `puppetRestorePhases` in its order. */
export const planPuppetRestore = (of: PuppetRestore): readonly Phase[] => {
  const perNode = [
    ...of.targets.map((target) => commandsOf(of, target)),
    ...of.bystanders.map((bystander) => bystanderCommands(of, bystander)),
  ];
  return puppetRestorePhases.map((name) => ({ name, commands: perNode.flatMap((commands) => commands[name] ?? []) }));
};
