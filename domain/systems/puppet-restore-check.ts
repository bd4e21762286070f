import { type PuppetInspection, spaceFault } from '#domain/inspection';
import {
  artifactsOf,
  fetchesOf,
  type PuppetRestore,
  type RestoreTarget,
  rolesToDrop,
  tablespacesToDrop,
  wantedDatabases,
} from './puppet-restore-scope.ts';

/** What is against a restore of Puppet Enterprise, told before anything is touched. */

const space = (inspection: PuppetInspection, path: string) => inspection.space.find((one) => one.path === path);

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
  const mounts = new Map<string, { freeBytes: number; bytes: number; why: string[] }>();
  for (const { path, bytes, why } of wanted) {
    const found = space(inspection, path) ?? inspection.space.find((one) => one.path.startsWith('/opt/'));
    if (!found) continue;
    const mount = mounts.get(found.mount) ?? { freeBytes: found.freeBytes, bytes: 0, why: [] };
    mounts.set(found.mount, { ...mount, bytes: mount.bytes + bytes, why: [...mount.why, why] });
  }
  return [...mounts].flatMap(([mount, { freeBytes, bytes, why }]) =>
    spaceFault(target.node.name, { mount, freeBytes }, `${why.join(', ')} need`, bytes),
  );
};

/** True when the old databases can live until the new ones are whole. */
export const hasRoomBeside = (of: PuppetRestore, target: RestoreTarget): boolean =>
  needs(of, target, true).length === 0;

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
