import { coreRoles } from '#domain/config';
import { CheckFailedError } from '#domain/errors';
import type { Database, FoundPath, PuppetInspection } from '#domain/inspection';
import { type Artifact, type Manifest, objectsOf, type PuppetManifest, type StoredUpload } from '#domain/manifest';
import { artifactName, keySafe } from '#domain/naming';
import { isLimited, type RestoreRequest, type Scope } from '#domain/payloads';
import type { PlannedNode } from '#domain/plan';
import type { Fetchable } from './kind.ts';
import { hasSettings } from './puppet-answers.ts';
import { type InspectedNode, orderOfStopping } from './puppet-enterprise.ts';
import { archivesOf, isWithin, outermost } from './puppet-paths.ts';

/** What a restore of Puppet Enterprise covers: which nodes get which part of a backup, and what of it was asked for. */

/** A node that is restored to, what was found on it, and the node of the backup whose part it gets. */
export interface RestoreTarget {
  readonly node: PlannedNode;
  readonly inspection: PuppetInspection;
  readonly source: PuppetManifest['nodes'][number];
  /** Its files come back as well as its databases. Otherwise only the databases come back that the scope names. */
  readonly whole: boolean;
}

/** Everything that the plan of a restore depends on. */
export interface PuppetRestore {
  readonly system: string;
  readonly run: string;
  readonly vaultBucket: string;
  readonly request: RestoreRequest;
  readonly manifest: PuppetManifest;
  readonly targets: readonly RestoreTarget[];
  /** Nodes of the system that get nothing back, and whose services must stand still anyway. */
  readonly bystanders: readonly InspectedNode[];
  /** Nodes of the backup that are not there any more. */
  readonly lost: readonly PuppetManifest['nodes'][number][];
  /** When the run began. */
  readonly startedAt: Date;
  /** The installer, when one is asked for. */
  readonly installer?: Fetchable;
  /** Answers that were handed in for it, by role. */
  readonly answers?: Readonly<Partial<Record<string, Fetchable>>>;
  /** Backups that were taken later: they may know more of the certificate authority. */
  readonly newer?: readonly Manifest[];
}

export const isCore = ({ roles }: { readonly roles: readonly string[] }): boolean => {
  const core: readonly string[] = coreRoles;
  return roles.some((role) => core.includes(role));
};

/**
 * The nodes of the backup whose files come back; undefined when a restore is not limited to some. Throws a CheckFailedError
 * when a name means none of them.
 */
const namedSources = (
  manifest: PuppetManifest,
  request: Pick<RestoreRequest, 'nodes' | 'onto'>,
): ReadonlySet<PuppetManifest['nodes'][number]> | undefined => {
  if (!isLimited(request)) return undefined;
  const names = request.nodes ?? Object.keys(request.onto);
  return new Set(
    names.flatMap((name) => {
      const meant = manifest.nodes.filter(
        (one) =>
          one.instanceId === name ||
          one.name === name ||
          one.name.split('.')[0] === name ||
          one.inspection.hostname === name ||
          one.roles.includes(name),
      );
      if (meant.length > 0) return meant;
      const known = manifest.nodes.map((one) => `${one.name} (${one.roles.join(', ')})`).join('; ');
      throw new CheckFailedError(
        `the backup has no node ${name}. It has: ${known}. Name a role, a name or an instance id of these, or all.`,
      );
    }),
  );
};

/** True when a scope names a database, or all of them. */
const namesDatabase = ({ scope }: Pick<RestoreRequest, 'scope'>, name: string): boolean =>
  scope?.some((one) => one === 'databases' || one === `databases:${name}`) ?? false;

/**
 * The node that has taken over the host name of one that is gone. Its name is what it says itself, so that it must have been given the
 * role by the configuration too. Throws a CheckFailedError when several claim the name.
 */
const successorOf = (
  source: PuppetManifest['nodes'][number],
  nodes: readonly InspectedNode[],
): InspectedNode | undefined => {
  const claimants = nodes.filter(
    ({ node, inspection }) =>
      inspection.hostname === source.inspection.hostname && source.roles.some((role) => node.roles.includes(role)),
  );
  if (claimants.length > 1)
    throw new CheckFailedError(
      `${claimants.map(({ node }) => node.instanceId).join(' and ')} both say that they are ${source.inspection.hostname}. Name the one that takes the place of ${source.instanceId}: {"onto": {"${source.roles[0]}": "i-…"}}.`,
    );
  return claimants[0];
};

/**
 * Finds for each node of the backup the node that gets its part: the one that was named for a role, the very same instance,
 * or the one of its role that has taken over its host name. Throws a CheckFailedError when a node without which there is no
 * installation has none.
 */
export const targetsOf = (
  manifest: PuppetManifest,
  nodes: readonly InspectedNode[],
  request: Pick<RestoreRequest, 'nodes' | 'onto' | 'scope'>,
): Pick<PuppetRestore, 'targets' | 'bystanders' | 'lost'> => {
  const targets: RestoreTarget[] = [];
  const lost: PuppetManifest['nodes'][number][] = [];
  const chosen = namedSources(manifest, request);
  for (const source of manifest.nodes) {
    const whole = chosen?.has(source) ?? true;
    const holdsNamed = (source.inspection.postgres?.databases ?? []).some(({ name }) => namesDatabase(request, name));
    if (!whole && !holdsNamed) continue;
    const named = source.roles.map((role) => request.onto[role]).find((id) => id !== undefined);
    const found =
      nodes.find(({ node }) => node.instanceId === (named ?? source.instanceId)) ??
      (named === undefined ? successorOf(source, nodes) : undefined);
    if (found) targets.push({ ...found, source, whole });
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

const configuration = '/etc/puppetlabs';
const certificatePaths = [
  `${configuration}/puppet/ssl`,
  `${configuration}/puppetdb/ssl`,
  `${configuration}/mcollective/ssl`,
  `${configuration}/orchestration-services/ssl`,
  `${configuration}/activemq/broker.ks`,
  `${configuration}/activemq/broker.ts`,
];
/** Up to 3.8 below puppet's own directory, from 2015.2 on in one of its own. */
const codePaths = [
  ...['modules', 'manifests', 'hieradata', 'hiera.yaml', 'environments'].map(
    (name) => `${configuration}/puppet/${name}`,
  ),
  `${configuration}/code`,
  `${configuration}/code-staging`,
];
const mcollectivePaths = [`${configuration}/mcollective`];

/** The databases of the backup that are asked for, on a node. Names that the backup does not have are told by the checks. */
export const wantedDatabases = (
  { request }: Pick<PuppetRestore, 'request'>,
  { source, whole }: RestoreTarget,
): readonly Database[] =>
  (source.inspection.postgres?.databases ?? []).filter(
    ({ name }) => (whole && !request.scope) || namesDatabase(request, name),
  );

/** True when any database is replaced: what writes to it, on whichever node, has to stand still. */
export const restoresDatabases = (of: PuppetRestore): boolean =>
  of.targets.some((target) => wantedDatabases(of, target).length > 0);

/** True when a node's certificates, and on a master the certificate authority, are among what is restored. */
export const restoresCertificates = (
  { request }: Pick<PuppetRestore, 'request'>,
  { whole }: Pick<RestoreTarget, 'whole'>,
): boolean => whole && (!request.scope || request.scope.includes('certs'));

/** What of an archive is put back. */
export interface Replacement {
  /** Paths that are replaced as a whole. */
  readonly roots: readonly string[];
  /** Paths that are put back only where nothing is: a link leads there, and nobody said that what lies there is the system's. */
  readonly missing: readonly string[];
  /** Paths below them that stay as they are. */
  readonly excludes: readonly string[];
}

type FilePart = Exclude<Scope, 'databases' | `databases:${string}`>;

/** What the inspection says of paths that settings of certificates and of code name. */
const certificateSettings =
  /^(ssldir|ca\w*|cert\w*|serial|private\w*|public\w*|signeddir|host(cert|crl|privkey|pubkey)|localcacert)( of |$)/;
const codeSettings = /^(codedir|environmentpath|\w*modulepath|manifest|hiera_config|datadir)( of |$)/;

/** The part of a system that a path of its configuration belongs to: that of the link or setting which leads there. */
const partOf = ({ path, by }: FoundPath): FilePart => {
  const at = by.startsWith('/') ? by : path;
  const isIn = (paths: readonly string[]): boolean => paths.some((one) => isWithin(at, one));
  if (isIn(certificatePaths) || certificateSettings.test(by)) return 'certs';
  if (isIn(codePaths) || codeSettings.test(by)) return 'code';
  if (isIn(mcollectivePaths)) return 'mcollective';
  return 'config';
};

/** Of these paths and parts of a system, what is put back. Undefined when that is nothing. */
const put = (
  { extraPaths }: Pick<PuppetManifest, 'extraPaths'>,
  paths: readonly FoundPath[],
  parts: readonly string[] = [],
  excludes: readonly string[] = [],
): Replacement | undefined => {
  const isOurs = ({ path, because }: FoundPath): boolean =>
    because !== 'link' || extraPaths.some((extra) => isWithin(path, extra));
  const roots = [...parts, ...paths.filter(isOurs).map(({ path }) => path)];
  const missing = paths.filter((one) => !isOurs(one)).map(({ path }) => path);
  return roots.length + missing.length > 0 ? { roots, missing, excludes } : undefined;
};

/** What of the archive of the configuration belongs to a scope. */
const configurationOf = (
  manifest: Pick<PuppetManifest, 'extraPaths'>,
  found: readonly FoundPath[],
  scope: readonly Scope[],
): Replacement | undefined => {
  const parts = [
    ...(scope.includes('certs') ? certificatePaths : []),
    ...(scope.includes('code') ? codePaths : []),
    ...(scope.includes('mcollective') ? mcollectivePaths : []),
  ];
  // What lies elsewhere goes with the part whose link or setting leads there: a CA directory on a volume of its own.
  const elsewhere = found.filter((one) => !isWithin(one.path, configuration) && scope.includes(partOf(one)));
  const isFirst = found.some(({ path }) => path === configuration);
  if (!scope.includes('config'))
    return put(manifest, elsewhere, isFirst ? outermost(parts.map((path) => ({ path }))).map(({ path }) => path) : []);
  return put(
    manifest,
    elsewhere,
    isFirst ? [configuration] : [],
    [...certificatePaths, ...codePaths, ...mcollectivePaths].filter((path) => !parts.includes(path)),
  );
};

/** The part of a system that archives of each group belong to as a whole. */
const partOfGroups: Readonly<Record<string, FilePart>> = {
  certificates: 'certs',
  modules: 'code',
  extra: 'config',
  installer: 'config',
  mcollective: 'mcollective',
};

/** Puts an archive's part of each scope together. Undefined when nothing of it is asked for. */
export const replacementOf = (
  { manifest, request: { scope } }: Pick<PuppetRestore, 'manifest' | 'request'>,
  { source, whole }: RestoreTarget,
  name: string,
): Replacement | undefined => {
  const archive = archivesOf(source.inspection.paths, manifest.extraPaths).find((one) => one.name === name);
  if (!whole || !archive) return undefined;
  if (!scope) return put(manifest, archive.roots);
  if (archive.group === 'configuration') return configurationOf(manifest, archive.roots, scope);
  const part = partOfGroups[archive.group];
  return part !== undefined && scope.includes(part) ? put(manifest, archive.roots) : undefined;
};

/** The services that must not run while one part of a system is restored. */
const stoppedByPart = (part: Scope): readonly string[] => {
  if (part === 'code') return ['pe-httpd', 'pe-puppetserver', 'pe-puppet'];
  if (part === 'mcollective') return ['pe-mcollective', 'pe-activemq'];
  if (part === 'databases:pe-puppetdb') return ['pe-puppetdb'];
  if (part.startsWith('databases:')) return ['pe-httpd', 'pe-console-services', 'pe-puppet-dashboard-workers'];
  return orderOfStopping;
};

/** The services that must not run while a scope is restored. */
export const stoppedBy = ({ request: { scope } }: PuppetRestore): readonly string[] => {
  const needed = new Set(scope?.flatMap(stoppedByPart) ?? orderOfStopping);
  return orderOfStopping.filter((service) => needed.has(service));
};

/** The services that ran when the backup was taken, PostgreSQL among them. */
export const runningThen = ({ source }: RestoreTarget, among: readonly string[]): readonly string[] => {
  const ran = new Set(source.inspection.services.filter(({ running }) => running).map(({ name }) => name));
  return among.filter((name) => ran.has(name));
};

export const artifactsOf = (of: PuppetRestore, { source }: Pick<RestoreTarget, 'source'>): readonly Artifact[] =>
  of.manifest.artifacts.filter(({ node }) => node === source.instanceId);

/** An archive of files of the backup, and what of it is put back. */
interface RestoredArchive {
  readonly archive: Extract<Artifact['collected'], { readonly kind: 'files' }>;
  readonly part: Replacement;
}

/** The archives that a node gets files from. */
export const restoredArchives = (of: PuppetRestore, target: RestoreTarget): readonly RestoredArchive[] =>
  artifactsOf(of, target).flatMap(({ collected }) => {
    if (collected.kind !== 'files') return [];
    const part = replacementOf(of, target, collected.group);
    return part ? [{ archive: collected, part }] : [];
  });

/** The file that an object becomes on the node. */
export const fetchedName = (key: string): string =>
  keySafe(
    artifactName(key)
      .replaceAll('/', '-')
      .replace(/\.(zst|gz)$/, ''),
  );

/** Objects that a node has to fetch, with the bytes that they become. */
export const fetchesOf = (of: PuppetRestore, target: RestoreTarget): readonly StoredUpload[] => {
  const databases = new Set(wantedDatabases(of, target).map(({ name }) => name));
  return artifactsOf(of, target).flatMap((artifact) => {
    const { collected } = artifact;
    const [upload, contents] = objectsOf(artifact);
    switch (collected.kind) {
      case 'database':
        return databases.has(collected.database) ? [upload, contents].flatMap((one) => one ?? []) : [];
      case 'globals':
        return databases.size > 0 && upload ? [upload] : [];
      case 'files':
        return upload && replacementOf(of, target, collected.group) ? [upload] : [];
      case 'juju':
        return [];
      default:
        return collected satisfies never;
    }
  });
};

/** Roles that globals mode drops: the backup's, but for the server's own superuser. */
export const rolesToDrop = ({ source }: RestoreTarget): readonly string[] => {
  const { postgres } = source.inspection;
  return (postgres?.roles ?? []).filter((role) => role !== postgres?.user);
};

export const tablespacesToDrop = ({ source }: RestoreTarget): readonly string[] =>
  (source.inspection.postgres?.tablespaces ?? []).map(({ name }) => name);

/** The answers that were handed in for the node that is installed again; undefined where those of the backup are meant. */
export const handedAnswers = (
  { answers = {} }: Pick<PuppetRestore, 'answers'>,
  { roles, inspection }: RestoreTarget['source'],
): Fetchable | undefined =>
  roles.map((role) => answers[role]).find((one) => one !== undefined) ??
  (hasSettings(inspection.version) ? answers['master'] : undefined);
