import { type PuppetInspection, spaceFault } from '#domain/inspection';
import { backupMoment } from '#domain/naming';
import { isLimited } from '#domain/payloads';
import { answersFileOf, installerVersion } from './puppet-answers.ts';
import { warnAuthority } from './puppet-authority.ts';
import { isWithin } from './puppet-paths.ts';
import {
  artifactsOf,
  fetchesOf,
  handedAnswers,
  isCore,
  type PuppetRestore,
  type RestoreTarget,
  restoredArchives,
  restoresCertificates,
  restoresDatabases,
  rolesToDrop,
  tablespacesToDrop,
  wantedDatabases,
} from './puppet-restore-scope.ts';

/** What is against a restore of Puppet Enterprise, told before anything is changed. */

const space = (inspection: PuppetInspection, path: string) => inspection.space.find((one) => one.path === path);

/** A restored database may be somewhat larger than it was, for what is new in it is not yet packed. */
const growth = 1.2;

/** Staged at most while an object is fetched. */
const stagedBytes = 256 * 1024 ** 2;

/** Free bytes that a restore needs per file system, each with its reason. */
const needs = (of: PuppetRestore, target: RestoreTarget, beside: boolean): readonly string[] => {
  const { inspection } = target;
  const fetches = fetchesOf(of, target);
  const raw = fetches.reduce((sum, { rawBytes }) => sum + rawBytes, 0) + (of.installer?.bytes ?? 0) * 4 + stagedBytes;
  const files = restoredArchives(of, target).reduce((sum, { archive }) => sum + archive.upload.rawBytes, 0);
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

const differences = (of: PuppetRestore, { node, inspection, source, whole }: RestoreTarget): readonly string[] => {
  const { allow, reinstall } = of.request;
  const { inspection: then } = source;
  const said: string[] = [];
  if (inspection.version !== then.version && !reinstall && !allow.includes('version'))
    said.push(
      `${node.name} runs Puppet Enterprise ${inspection.version || '(none)'}, the backup is of ${then.version}. Install that version, or ask for a reinstallation`,
    );
  if (!whole) return said;
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

type Postgres = NonNullable<PuppetInspection['postgres']>;

/** Directories of the backup's tablespaces that can't take its files. */
const tablespaceFaults = (of: PuppetRestore, { source }: RestoreTarget, { tablespaces }: Postgres): string[] => {
  const used = new Set((source.inspection.postgres?.tablespaces ?? []).map(({ name }) => name));
  return tablespaces
    .filter(({ name }) => used.has(name))
    .flatMap(({ name, location, directory }) => {
      if (directory === 'foreign')
        return [`the tablespace ${name} at ${location} holds files that are not PostgreSQL's: move them away`];
      if (directory === 'missing' && of.request.databases === 'keep')
        return [`the directory ${location} of the tablespace ${name} is missing: restore with databases globals`];
      return [];
    });
};

/** What stands on roles and tablespaces that are dropped, and is not restored. */
const globalsFaults = (of: PuppetRestore, target: RestoreTarget, { dependents, databases }: Postgres): string[] => {
  if (of.request.databases !== 'globals') return [];
  const wanted = new Set(wantedDatabases(of, target).map(({ name }) => name));
  const roles = new Set(rolesToDrop(target));
  const tablespaces = new Set(tablespacesToDrop(target));
  return [
    ...dependents
      .filter(({ role, database }) => roles.has(role) && !wanted.has(database))
      .map(
        ({ role, database, objects }) =>
          `the role ${role} owns or may use ${objects} objects of the database ${database}, which is not restored`,
      ),
    ...databases
      .filter(({ name, owner, tablespace }) => !wanted.has(name) && (roles.has(owner) || tablespaces.has(tablespace)))
      .map(
        ({ name, owner, tablespace }) =>
          `the database ${name} is not in the backup and belongs to ${owner} in ${tablespace}, which would have to go: move it, or restore with databases keep`,
      ),
  ];
};

const postgresFaults = (of: PuppetRestore, target: RestoreTarget): readonly string[] => {
  const { node, inspection, source } = target;
  if (wantedDatabases(of, target).length === 0 || of.request.reinstall) return [];
  const now = inspection.postgres;
  if (!now) return [`${node.name} has no PostgreSQL that answers. Start it, or ask for a reinstallation`];
  const then = source.inspection.postgres?.version ?? '0';
  return [
    ...(majorOf(now.version) < majorOf(then)
      ? [`PostgreSQL on ${node.name} is ${now.version}, older than ${then}, which made the dumps`]
      : []),
    ...tablespaceFaults(of, target, now),
    ...globalsFaults(of, target, now),
  ];
};

/** A purge begins only what can be finished: answers and an installer of the backup's version must be there. */
const reinstallFaults = (of: PuppetRestore, target: RestoreTarget): readonly string[] => {
  const { node, source } = target;
  const { reinstall } = of.request;
  if (!reinstall || !target.whole || !isCore(source)) return [];
  const { version, answers } = source.inspection;
  const archived = artifactsOf(of, { source }).some(
    ({ collected }) => collected.kind === 'files' && collected.group === 'configuration',
  );
  const offered = installerVersion(reinstall.installer);
  return [
    ...(version === '' ? [`the backup does not tell which version ${node.name} had: it can't be installed again`] : []),
    ...(archived
      ? []
      : [
          `the backup has no /etc/puppetlabs of ${source.name}, without which it can't be installed again: restore another one`,
        ]),
    ...(archived && version !== '' && !answers.includes(answersFileOf(version)) && !handedAnswers(of, source)
      ? [
          `the backup has no ${answersFileOf(version)} of ${source.name}, by which the installer of ${version} is told what to install: hand answers in, restore without reinstall, or restore another backup`,
        ]
      : []),
    ...(offered !== undefined && version !== '' && offered !== version
      ? [`the installer ${reinstall.installer} is of ${offered}, the backup of ${source.name} of ${version}`]
      : []),
  ];
};

const toolFaults = (of: PuppetRestore, target: RestoreTarget): readonly string[] =>
  target.inspection.tools.zstd === null && fetchesOf(of, target).some(({ key }) => key.endsWith('.zst'))
    ? [`${target.node.name} has no zstd, with which the backup is packed: install it`]
    : [];

/** A core node that something is left of, on the instance that was backed up. */
const lives = ({ node, inspection, source }: RestoreTarget): boolean =>
  node.instanceId === source.instanceId && inspection.version !== '' && isCore(source);

/**
 * An instance that took the place of a lost node is to get that node's part. Whether the nodes that live go back in time with
 * it, nobody can guess.
 */
const unnamed = ({ request, targets }: PuppetRestore): readonly string[] => {
  const replaced = targets.filter(({ node, source }) => node.instanceId !== source.instanceId);
  const living = targets.filter(lives);
  if (request.nodes || isLimited(request) || replaced.length === 0 || living.length === 0) return [];
  const names = (some: readonly RestoreTarget[]): string => some.map(({ node }) => node.name).join(', ');
  const roles = replaced.flatMap(({ source }) => source.roles[0] ?? []).join(' ');
  return [
    `${names(replaced)} took the place of a lost node, while ${names(living)} live and would go back in time as well. Name what is restored: nodes ${roles}, or nodes all`,
  ];
};

/**
 * A node that says a lost one's host name is to get its keys. Whose instance it is a person says who names it, or who reads the plan
 * before they approve it; a confirmation that was typed before the plan was there says nothing of it.
 */
const unconfirmed = ({ request: { confirm, onto }, targets }: PuppetRestore): readonly string[] =>
  confirm === undefined
    ? []
    : targets
        .filter(
          ({ node, source }) =>
            ![source.instanceId, ...source.roles.map((role) => onto[role])].includes(node.instanceId),
        )
        .map(
          ({ node, source }) =>
            `${node.name} (${node.instanceId}) would take the place of ${source.instanceId} and get the keys of ${source.name}, since it says that host name. Name it, {"onto": {"${source.roles[0]}": "${node.instanceId}"}}, or leave confirm out and approve the plan`,
        );

/** Paths that a restore replaces, or removes before it reinstalls the product. */
const replacedPaths = (of: PuppetRestore, target: RestoreTarget): readonly string[] => [
  ...restoredArchives(of, target).flatMap(({ part }) => part.roots),
  ...(of.request.reinstall && target.whole && isCore(target.source) ? productPaths : []),
];

/** The product's own directories, which its uninstaller removes. */
const productPaths = ['/etc/puppetlabs', '/opt/puppet', '/opt/puppetlabs'];

/** File systems that other hosts may see as well. */
const isNetwork = (type: string): boolean =>
  /^(nfs|cifs|smb|ceph|gluster|lustre|ocfs2|gfs|afs|9p|fuse\.(s3|efs|glusterfs|sshfs))/.test(type);

/** What lies in the way of files: mounts at or below them, the network around them, and what not even root may move. */
const fileFaults = (of: PuppetRestore, target: RestoreTarget): readonly string[] => {
  const { node, inspection } = target;
  const paths = replacedPaths(of, target);
  const meets = (place: string): boolean => paths.some((path) => isWithin(place, path));
  const around = (path: string) =>
    inspection.mounts
      .filter((mount) => mount.path === '/' || isWithin(path, mount.path))
      .toSorted((a, b) => b.path.length - a.path.length)[0];
  return [
    ...inspection.mounts
      .filter(({ path }) => meets(path))
      .map(
        ({ path, type }) =>
          `${node.name}: ${path} is a mount (${type}) at or below what would be replaced. Unmount it for the restore, or leave it out with a scope; nothing is removed through it`,
      ),
    ...paths.flatMap((path) => {
      const mount = around(path);
      return mount && mount.path !== path && isNetwork(mount.type)
        ? [
            `${node.name}: ${path} lies on ${mount.path} (${mount.type}), which other hosts may see. Unmount it, or leave it out with a scope`,
          ]
        : [];
    }),
    ...inspection.fixed
      .filter(meets)
      .map((path) => `${node.name}: ${path} can't be moved (chattr +i or +a). Run chattr -i -a on it for the restore`),
    ...paths
      .filter((path) => /[\t\n]/.test(path))
      .map(
        (path) =>
          `${node.name}: the name of ${JSON.stringify(path)} has a tab or a line feed. Leave it out with a scope, and put it back by hand`,
      ),
  ];
};

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
    ...unnamed(of),
    ...unconfirmed(of),
    ...of.targets.flatMap((target) => [
      ...differences(of, target),
      ...postgresFaults(of, target),
      ...reinstallFaults(of, target),
      ...toolFaults(of, target),
      ...fileFaults(of, target),
      ...needs(of, target, false),
    ]),
  ];
};

const ageOf = (from: Date, to: Date): string => {
  const hours = Math.max(0, to.getTime() - from.getTime()) / 3_600_000;
  return hours < 1
    ? `${Math.round(hours * 60)} minutes`
    : hours < 48
      ? `${Math.round(hours)} hours`
      : `${Math.round(hours / 24)} days`;
};

/** What a living node loses by going back, by PostgreSQL's own estimates. Its authority goes on. */
const lossesOf = (of: PuppetRestore, target: RestoreTarget): readonly string[] => {
  const { inspection: now } = target;
  return wantedDatabases(of, target).flatMap(({ name, rowsEstimated }) => {
    const there = now.postgres?.databases.find((one) => one.name === name)?.rowsEstimated;
    return there === undefined || there === rowsEstimated
      ? []
      : [`database ${name}: about ${there} rows now, ${rowsEstimated} then`];
  });
};

/** The living nodes whose data goes back in time, by how much, and what is lost there. */
const goingBack = (of: PuppetRestore): readonly string[] =>
  of.targets.filter(lives).flatMap((target) => {
    const databases = wantedDatabases(of, target).map(({ name }) => name);
    const parts = [
      ...(restoredArchives(of, target).length > 0 ? ['files'] : []),
      ...(databases.length > 0 ? [`databases ${databases.join(', ')}`] : []),
    ];
    if (parts.length === 0) return [];
    const taken = backupMoment(of.manifest.backup);
    const losses = lossesOf(of, target);
    return [
      `${target.node.name} lives: its ${parts.join(' and ')} go back by ${ageOf(taken, of.startedAt)} to ${taken.toISOString()}. ${losses.length > 0 ? `Lost are changes since then (${losses.join('; ')})` : 'Changes since then are lost'}`,
    ];
  });

/** Nodes that no installer brings back: they keep what a newer upgrade has made of them, while their master is the older one. */
const stayingAhead = (of: PuppetRestore): readonly string[] =>
  of.request.reinstall
    ? of.targets
        .filter(({ source }) => !isCore(source))
        .flatMap(({ node, inspection: now, source: { inspection: then } }) => {
          const [has, had] = now.version === '' ? [now.agentVersion, then.agentVersion] : [now.version, then.version];
          return has === had || has === ''
            ? []
            : [
                `${node.name} keeps ${has}, while the master goes back to what brought ${had}: Puppet supports no node that is newer than its master. Install it again from the restored master`,
              ];
        })
    : [];

/** What a person should know before saying yes. */
export const warnPuppetRestore = (of: PuppetRestore): readonly string[] => [
  ...goingBack(of),
  ...stayingAhead(of),
  ...of.lost.map(({ name, roles }) => `${name} (${roles.join(', ')}) is not there any more and gets nothing back`),
  ...of.bystanders.map(
    ({ node }) =>
      `${node.name} gets nothing back${restoresDatabases(of) ? ': its services stand still during the restore' : ''}`,
  ),
  ...of.targets.flatMap(({ node, source }) =>
    node.instanceId === source.instanceId
      ? []
      : [
          `${node.name} (${node.instanceId}) takes the place of ${source.instanceId}: it gets the keys and passwords of ${source.name}. Look whether that instance is yours`,
        ],
  ),
  ...of.targets.flatMap((target) => [
    ...(restoresCertificates(of, target) ? warnAuthority(of, target) : []),
    ...target.inspection.problems.map((problem) => `${target.node.name}: ${problem}`),
    ...restoredArchives(of, target).flatMap(({ part: { roots, missing } }) => [
      ...roots
        .filter((path) => !productPaths.some((product) => isWithin(path, product)))
        .map((path) => `${target.node.name}: ${path}, which is not of the product alone, is replaced as a whole`),
      ...missing.map(
        (path) =>
          `${target.node.name}: ${path} is put back only if nothing is there: a link points to it. Name it in extraPaths to have it replaced`,
      ),
    ]),
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
