import type { PuppetEnterprise } from '#domain/config';
import { CommandFailedError, WrongRoleError } from '#domain/errors';
import type { PuppetInspection } from '#domain/inspection';
import { documentName, encodeText, keySafe, vaultKeys } from '#domain/naming';
import { type Command, forPlannedNodes, type Phase } from '#domain/plan';
import { collectTimeoutSeconds, expectedBytes } from './expectation.ts';
import type { BackupOf, Collection, Inspected } from './kind.ts';

/** What a backup of Puppet Enterprise consists of, 3.0 to 3.8 and 2015.2 to 2018.1, made from what its nodes were found to hold. */

/** A node of the configuration and what was found on it. */
export type InspectedNode = Inspected<PuppetInspection>;

/** Everything that the plan of a backup depends on. */
export interface PuppetBackup extends BackupOf {
  readonly config: Pick<PuppetEnterprise, 'consistency' | 'extraPaths'>;
  readonly nodes: readonly InspectedNode[];
}

/** Services that write to databases or files, in the order in which the manual stops them. PostgreSQL is not among them. */
export const orderOfStopping: readonly string[] = [
  'pe-httpd',
  'pe-nginx',
  'pe-puppetserver',
  'pe-console-services',
  'pe-orchestration-services',
  'pe-puppet',
  'puppet',
  'pe-mcollective',
  'mcollective',
  'pxp-agent',
  'pe-puppet-dashboard-workers',
  'pe-activemq',
  'pe-puppetdb',
];

/** A node starts its services itself this long after the collecting should have ended at the latest. */
const watchdogMarginSeconds = 600;

/** Time for stopping or starting all services of a node: each may take a minute. */
const servicesTimeoutSeconds = 1200;

/** The configured roles of which a node holds nothing. */
const missingRoles = (roles: readonly string[], inspection: PuppetInspection): readonly string[] =>
  roles.filter((role) => !inspection.roles.includes(role));

/** Refuses a node that does not hold what it should: its part would be missing from the backup. */
const checkRoles = ({ node, inspection }: InspectedNode): void => {
  for (const role of missingRoles(node.roles, inspection)) {
    throw new WrongRoleError(
      `${node.name} (${node.instanceId}) is configured as ${role}, but only ${inspection.roles.join(', ') || 'nothing of Puppet Enterprise'} was found on it. Correct its roles in holdfast.yaml.`,
    );
  }
  if (node.roles.includes('puppetdb') && inspection.postgres === null)
    throw new WrongRoleError(
      `${node.name} (${node.instanceId}) is configured as puppetdb, but has no pe-postgresql. Databases outside of the installation are not backed up yet.`,
    );
};

/** The versions whose layout, services and manual procedure are known. */
export const isKnownVersion = (version: string): boolean =>
  /^(3\.[0-8]|2015\.[23]|201[67]\.\d|2018\.1)(\.|$)/.test(version);

/** Refuses a version that this procedure was not made for. Where only an agent is installed, there is none. */
const checkVersion = ({ node, inspection }: InspectedNode): void => {
  if (inspection.version !== '' && !isKnownVersion(inspection.version))
    throw new CommandFailedError(
      `${node.name} runs Puppet Enterprise ${inspection.version}; this procedure covers 3.0 to 3.8 and 2015.2 to 2018.1.`,
    );
};

/** What a safety backup could not have, for people; nothing when the node holds what its roles say. */
export const missingFrom = ({ node, inspection }: InspectedNode): readonly string[] => [
  ...inspection.problems,
  ...missingRoles(node.roles, inspection).map((role) => `nothing of the role ${role} was found`),
];

/**
 * Tells of a discovered database, of roles and tablespaces beside it, or of /etc/puppetlabs, that were not collected. A
 * rescue may lack the last.
 */
export const incompletePuppet = (of: Collection & { readonly nodes: readonly InspectedNode[] }): string | undefined => {
  for (const { node, inspection } of of.nodes) {
    const mine = of.collected
      .filter(({ instanceId }) => instanceId === node.instanceId)
      .map(({ collected }) => collected);
    const missing = (inspection.postgres?.databases ?? []).find(
      (database) => !mine.some((one) => one.kind === 'database' && one.database === database.name),
    );
    if (missing) return `the database ${missing.name} of ${node.name} was found and not collected.`;
    if (inspection.postgres && !mine.some(({ kind }) => kind === 'globals'))
      return `roles and tablespaces of ${node.name} were not collected.`;
    if (!of.rescue && !node.optional && !mine.some((one) => one.kind === 'files' && one.group === 'configuration'))
      return `/etc/puppetlabs of ${node.name} was not collected.`;
  }
  return undefined;
};

const dumpsOf = (of: PuppetBackup, { node, inspection }: InspectedNode, timeout: number): Command[] => {
  if (inspection.postgres === null) return [];
  const common = (key: string, bytes: string) => ({
    RunId: of.run,
    Bucket: of.vaultBucket,
    Key: vaultKeys.artifact(of.system, of.backup, node.instanceId, key),
    ExpectedBytes: bytes,
  });
  const target = {
    instanceIds: [node.instanceId],
    executionTimeoutSeconds: timeout,
    ...(node.optional && { optional: true }),
  };
  return [
    ...inspection.postgres.databases
      .toSorted((a, b) => b.bytes - a.bytes)
      .map(({ name, bytes }) => ({
        ...target,
        id: `dump-database ${name} (${node.name})`,
        document: documentName('dump-database'),
        parameters: {
          ...common(
            `databases/${keySafe(name)}`,
            // A raw dump may be nine times the size on disk and packs to less than a third of that.
            expectedBytes(of.previous, node.instanceId, { kind: 'database', name }, bytes * 3),
          ),
          Database: encodeText(name),
        },
      })),
    {
      ...target,
      id: `dump-globals (${node.name})`,
      document: documentName('dump-globals'),
      parameters: common(
        'databases/globals.sql',
        expectedBytes(of.previous, node.instanceId, { kind: 'globals' }, 1_000_000),
      ),
    },
  ];
};

const archivesOf = (of: PuppetBackup, { node, inspection }: InspectedNode, timeout: number): Command[] => {
  const groups: readonly (readonly [string, readonly string[]])[] = [
    ['configuration', inspection.paths.configuration],
    ['certificates', inspection.paths.certificates],
    ['modules', inspection.paths.modules],
    ['mcollective', inspection.paths.mcollective],
    ['installer', inspection.paths.installer],
    ['extra', node.roles.includes('master') ? of.config.extraPaths : []],
  ];
  return groups
    .filter(([, paths]) => paths.length > 0)
    .map(([group, paths]) => ({
      id: `archive-files ${group} (${node.name})`,
      document: documentName('archive-files'),
      instanceIds: [node.instanceId],
      executionTimeoutSeconds: timeout,
      ...(node.optional && { optional: true }),
      parameters: {
        RunId: of.run,
        Bucket: of.vaultBucket,
        Key: vaultKeys.artifact(of.system, of.backup, node.instanceId, `files/${group}`),
        ExpectedBytes: expectedBytes(of.previous, node.instanceId, { kind: 'files', name: group }, 1_000_000_000),
        Group: group,
        Paths: encodeText(paths.join('\n')),
      },
    }));
};

/**
 * The phases of a backup: collect, and around it stop and start of the writing services when it is quiesced. Throws a
 * WrongRoleError when a node does not hold what the configuration says.
 */
export const planPuppetBackup = (of: PuppetBackup): readonly Phase[] => {
  for (const node of of.rescue ? [] : of.nodes) {
    checkVersion(node);
    checkRoles(node);
  }
  const timeout = collectTimeoutSeconds(of.previous);
  const collect: Phase = {
    name: 'collect',
    commands: of.nodes.flatMap((node) => [...dumpsOf(of, node, timeout), ...archivesOf(of, node, timeout)]),
  };
  // What is broken may run and yet not start again: a look at it before a restore stops nothing.
  if (of.config.consistency === 'live' || of.rescue) return [collect];
  const nodes = of.nodes.map(({ node }) => node);
  return [
    {
      name: 'stop-services',
      commands: forPlannedNodes(
        {
          id: 'stop-services',
          document: documentName('stop-services'),
          executionTimeoutSeconds: servicesTimeoutSeconds,
          parameters: {
            RunId: of.run,
            Services: orderOfStopping.join(' '),
            WatchdogSeconds: String(timeout + watchdogMarginSeconds),
          },
        },
        nodes,
      ),
    },
    collect,
    {
      name: 'start-services',
      commands: forPlannedNodes(
        {
          id: 'start-services',
          document: documentName('start-services'),
          executionTimeoutSeconds: servicesTimeoutSeconds,
          parameters: { RunId: of.run, Services: '' },
        },
        nodes,
      ),
    },
  ];
};
