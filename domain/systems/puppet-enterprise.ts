import type { PuppetEnterprise } from '#domain/config';
import { archiveFiles, startServices, stopServices } from '#domain/contracts/shared';
import { BackupNotWholeError, CommandFailedError, WrongRoleError } from '#domain/errors';
import type { PuppetInspection } from '#domain/inspection';
import type { Collected } from '#domain/manifest';
import { keySafe } from '#domain/naming';
import { type Command, type CommandTemplate, command, forPlannedNodes } from '#domain/plan';
import type { BackupOf, BackupPhase, Collection, Inspected, PhaseNamed } from './kind.ts';
import { dumpDatabase, dumpGlobals } from './puppet-documents.ts';
import { archivesOf } from './puppet-paths.ts';
import { collecting, collectTimeoutSeconds } from './transfer.ts';

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

/** What of the paths that a node must not lack is in none of its archives. */
const notHeld = ({ inspection }: InspectedNode, mine: readonly Collected[]): readonly string[] => {
  const held = new Set(mine.flatMap((one) => (one.kind === 'files' ? one.holds : [])));
  return inspection.required.filter((path) => !held.has(path));
};

/**
 * Reports a discovered database, roles and tablespaces beside it, or /etc/puppetlabs, that were not collected. A
 * safety backup may lack the last. Throws a BackupNotWholeError when a regular backup lacks the certificate authority or a key.
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
    if (!of.safety && !node.optional && !mine.some((one) => one.kind === 'files' && one.group === 'configuration'))
      return `/etc/puppetlabs of ${node.name} was not collected.`;
    const lacking = of.safety || node.optional ? [] : notHeld({ node, inspection }, mine);
    if (lacking.length > 0)
      throw new BackupNotWholeError(
        `${lacking.join(', ')} of ${node.name} is in no archive of this backup. Nothing was committed. Find out where it is stored, then start the backup again.`,
      );
  }
  return undefined;
};

const dumpsOf = (of: PuppetBackup, { node, inspection }: InspectedNode, seconds: number): Command[] => {
  const { upload, command: collect } = collecting(of, node, seconds);
  if (inspection.postgres === null) return [];
  return [
    ...inspection.postgres.databases
      .toSorted((a, b) => b.bytes - a.bytes)
      .map(({ name, bytes }) =>
        // A raw dump may be nine times the size on disk and packs to less than a third of that.
        collect(
          dumpDatabase,
          { ...upload({ kind: 'database', name }, `databases/${keySafe(name)}`, bytes * 3), Database: name },
          name,
        ),
      ),
    collect(dumpGlobals, upload({ kind: 'globals' }, 'databases/globals.sql', 1_000_000)),
  ];
};

const archiving = (of: PuppetBackup, { node, inspection }: InspectedNode, seconds: number): Command[] => {
  const { upload, command: collect } = collecting(of, node, seconds);
  return archivesOf(inspection.paths, node.roles.includes('master') ? of.config.extraPaths : []).map(
    ({ name, roots }) =>
      collect(
        archiveFiles,
        {
          ...upload({ kind: 'files', name }, `files/${name}`, 1_000_000_000),
          ...{ Group: name, Paths: roots.map(({ path }) => path), Required: inspection.required },
        },
        name,
      ),
  );
};

/**
 * The phases of a backup: collect, and around it stop and start of the writing services when it is quiesced. Throws a
 * WrongRoleError when a node does not hold what the configuration says.
 */
export const planPuppetBackup = (of: PuppetBackup): readonly PhaseNamed<BackupPhase>[] => {
  for (const node of of.safety ? [] : of.nodes) {
    checkVersion(node);
    checkRoles(node);
  }
  const timeout = collectTimeoutSeconds(of.previous);
  const collect: PhaseNamed<BackupPhase> = {
    name: 'collect',
    commands: of.nodes.flatMap((node) => [...dumpsOf(of, node, timeout), ...archiving(of, node, timeout)]),
  };
  // What is broken may run and yet not start again: a look at it before a restore stops nothing.
  if (of.config.consistency === 'live' || of.safety) return [collect];
  const nodes = of.nodes.map(({ node }) => node);
  const seconds = servicesTimeoutSeconds;
  const WatchdogSeconds = timeout + watchdogMarginSeconds;
  const onAll = (name: BackupPhase, template: CommandTemplate): PhaseNamed<BackupPhase> => ({
    name,
    commands: forPlannedNodes(template, nodes),
  });
  return [
    onAll('stop-services', command(stopServices, { Services: orderOfStopping, WatchdogSeconds }, { seconds })),
    collect,
    onAll('start-services', command(startServices, { Services: [] }, { seconds })),
  ];
};
