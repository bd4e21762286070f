import type { Juju } from '#domain/config';
import { archiveFiles } from '#domain/contracts/shared';
import { CommandFailedError, WrongRoleError } from '#domain/errors';
import type { JujuInspection } from '#domain/inspection';
import type { JujuDriver } from '#domain/manifest';
import { backupMoment } from '#domain/naming';
import { answersOf } from '#domain/phase';
import { type Command, command, commandsOn, forNodes, forPlannedNodes, inspectionSeconds } from '#domain/plan';
import { backupJuju, createJujuArchive, inspectJuju, preflightJuju } from './juju-documents.ts';
import {
  type BackupOf,
  type BackupPhase,
  backupState,
  type Collection,
  type Inspected,
  type Kind,
  type PhaseNamed,
} from './kind.ts';
import { collecting, collectTimeoutSeconds } from './transfer.ts';
import { compareNumbers } from './version.ts';

/** What a backup of Juju consists of, 1.16 to 3.6, made from what its nodes were found to hold. */

export type JujuNode = Inspected<JujuInspection>;
type Server = NonNullable<JujuInspection['server']>;
type Client = NonNullable<JujuInspection['client']>;

export const jujuNodes = (nodes: readonly Inspected[]): readonly JujuNode[] =>
  nodes.flatMap(({ node, inspection }) => (inspection.product === 'juju' ? [{ node, inspection }] : []));

/** Nodes that are a state server or controller. */
export const serversOf = (nodes: readonly JujuNode[]): readonly (JujuNode & { readonly server: Server })[] =>
  nodes.flatMap((one) => (one.inspection.server ? [{ ...one, server: one.inspection.server }] : []));

/** The node whose user works with Juju: the first that holds a client and was configured as one. */
export const clientOf = (nodes: readonly JujuNode[]): (JujuNode & { readonly client: Client }) | undefined =>
  nodes.flatMap((one) =>
    one.inspection.client && one.node.roles.includes('juju-client') ? [{ ...one, client: one.inspection.client }] : [],
  )[0];

/** The numbers of a version, `3.6-beta2` as 3, 6, 0. */
export const numbersOf = (version: string): readonly [number, number, number] => {
  const [, major = '0', minor = '0', patch = '0'] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(version) ?? [];
  return [Number(major), Number(minor), Number(patch)];
};

/** Below zero when the first version is the older one, zero when they are the same. */
export const compare = (a: string, b: string): number => compareNumbers(numbersOf(a), numbersOf(b));

/** Returns how a version of Juju makes a backup; undefined for those before 1.16. */
export const driverOf = (version: string): JujuDriver | undefined => {
  const [major, minor, patch] = numbersOf(version);
  switch (major) {
    case 1:
      return minor < 16 ? undefined : minor <= 21 ? 'plugin' : 'stored';
    case 2:
      // From 2.9.22 on the controllers keep the archive as a file, which a download deletes.
      return minor < 9 || (minor === 9 && patch < 22) ? 'stored' : 'file';
    default:
      // 4.0 and later: their own create-backup says that it makes none.
      return major > 2 ? 'file' : undefined;
  }
};

/** A node starts its database itself this long after the dump should have ended at the latest. */
const watchdogMarginSeconds = 600;

const check = ({ node, inspection }: JujuNode): void => {
  for (const role of node.roles.filter((one) => !inspection.roles.includes(one)))
    throw new WrongRoleError(
      `${node.name} (${node.instanceId}) is configured as ${role}, but only ${inspection.roles.join(', ') || 'nothing of Juju'} was found on it. Correct its roles in holdfast.yaml.`,
    );
};

/** Refuses controllers that are not the client's. In 1.x a restore lets the two differ; there the dump tells the name. */
const checkSame = (
  client: Client,
  servers: readonly { readonly node: { name: string }; readonly server: Server }[],
): void => {
  for (const { node, server } of servers)
    if (client.uuid !== '' && server.uuid !== '' && client.uuid !== server.uuid)
      throw new WrongRoleError(
        `${node.name} belongs to ${server.uuid}, but ${client.name} is ${client.uuid} for the client. Correct "controller" or the nodes in holdfast.yaml.`,
      );
};

/** What is backed up: by which driver, from where, and who works with it. */
interface JujuFound {
  readonly servers: readonly (JujuNode & { readonly server: Server })[];
  readonly client: JujuNode & { readonly client: Client };
  readonly driver: JujuDriver;
}

/** Throws an error that a person can act on when these nodes can't be backed up. */
const findJuju = (of: BackupOf): JujuFound => {
  const nodes = jujuNodes(of.nodes);
  if (!of.safety) for (const one of nodes) check(one);
  const servers = serversOf(nodes);
  const client = clientOf(nodes);
  const version = servers[0]?.server.version ?? client?.client.status?.version ?? client?.client.version ?? '';
  const driver = driverOf(version);
  if (driver === undefined)
    throw new CommandFailedError(`Juju ${version || '(none)'} was found; Holdfast backs up Juju from 1.16 on.`);
  if (!client) throw new WrongRoleError('No node holds a Juju client. Correct the roles in holdfast.yaml.');
  if (!of.safety && numbersOf(version)[0] > 1) checkSame(client.client, servers);
  return { servers, client, driver };
};

/** The state server whose archive alone a restore by the plugin takes: it has the credentials of machine 0. */
const initialOf = (servers: JujuFound['servers']): JujuNode => {
  const initial = servers.find(({ server }) => server.machine === '0');
  if (!initial)
    throw new CommandFailedError(
      `The initial state server, machine 0, is not among the nodes that answer (${servers.map(({ server }) => server.machine).join(', ') || 'none'}): juju restore takes only its archive.`,
    );
  return initial;
};

const planJujuBackup = (of: BackupOf, config: Juju): readonly PhaseNamed<BackupPhase>[] => {
  const { servers, client, driver } = findJuju(of);
  const timeout = collectTimeoutSeconds(of.previous);
  const date = backupMoment(of.backup).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  // 1.x takes no name of its own but by the environment, and the plugin's dump is of machine 0 alone.
  const name = client.client.name || config.controller || '';
  const asClient = { Controller: name, ClientUser: config.user };
  const backup = ({ node }: JujuNode, Driver: JujuDriver): Command => {
    const { upload, command: collect } = collecting(of, node, timeout);
    const expected = Math.max(...servers.map(({ server }) => server.databaseBytes), 100_000_000);
    return collect(backupJuju, {
      ...{ ...upload({ kind: 'juju' }, `juju/juju-backup-${date}`, expected), ...asClient, Driver },
      Directory: client.client.backupDirectory,
      WatchdogSeconds: timeout + watchdogMarginSeconds,
    });
  };
  const ofClient = collecting(of, client.node, timeout);
  const directory = ofClient.command(
    archiveFiles,
    {
      ...ofClient.upload({ kind: 'files', name: 'client' }, 'files/client', 10_000_000),
      ...{ Group: 'client', Paths: [client.client.directory], Required: [] },
    },
    'client',
  );
  switch (driver) {
    case 'plugin':
      return [{ name: 'collect', commands: [backup(initialOf(servers), driver), directory] }];
    case 'stored':
      return [{ name: 'collect', commands: [backup(client, driver), directory] }];
    case 'file':
      if (servers.length === 0)
        throw new WrongRoleError('No node holds a Juju controller. Correct the roles in holdfast.yaml.');
      return [
        {
          name: 'create-archive',
          commands: [commandsOn(client.node)(createJujuArchive, asClient, { seconds: timeout })],
        },
        { name: 'collect', commands: [...servers.map((one) => backup(one, driver)), directory] },
      ];
    default:
      return driver satisfies never;
  }
};

const incompleteJuju = ({ safety, collected, phases }: Collection): string | undefined => {
  const archives = collected.flatMap(({ collected: one }) => (one.kind === 'juju' ? [one] : []));
  const creation = backupState(phases, 'create-archive');
  const created = answersOf(creation, createJujuArchive)[0]?.answer;
  const [archive] = archives;
  if (!archive)
    return created
      ? `the archive ${created.path} that Juju made on machine ${created.machine} is on none of the controllers. Either somebody has downloaded it, which deletes it, or not every controller is among the nodes in holdfast.yaml. Nothing was committed; start the backup again.`
      : 'no archive of Juju was collected.';
  if (archives.length > 1) return `${archives.length} controllers have an archive of this run; one was expected.`;
  if (created && created.sha1 !== '' && created.sha1 !== archive.sha1)
    return `the archive that was stored has the SHA-1 ${archive.sha1}, Juju printed ${created.sha1}. Nothing was committed; start the backup again.`;
  if (!safety && !collected.some(({ collected: one }) => one.kind === 'files' && one.group === 'client'))
    return "the client's directory was not collected.";
  return undefined;
};

export const juju = (config: Juju): Kind => ({
  // State servers that are to be restored are gone.
  selectors: (operation) =>
    operation === 'restore'
      ? config.nodes.map((one) => ({ ...one, optional: one.optional || !one.roles.includes('juju-client') }))
      : config.nodes,
  samples: () => [],
  inspect: ({ onProblem, nodes, upgrade }) => {
    const asClient = { Controller: config.controller ?? '', ClientUser: config.user };
    const seconds = inspectionSeconds;
    const inspection = forPlannedNodes(command(inspectJuju, { ...asClient, OnProblem: onProblem }, { seconds }), nodes);
    const clients = nodes.filter(({ roles }) => roles.includes('juju-client')).slice(0, 1);
    const preflight = upgrade
      ? forNodes(
          command(preflightJuju, { ...asClient, Version: upgrade.version }, { seconds }),
          clients.map(({ instanceId }) => instanceId),
        )
      : [];
    return { name: 'inspect', commands: [...inspection, ...preflight] };
  },
  planBackup: (of) => planJujuBackup(of, config),
  missingFrom: ({ inspection }) => inspection.problems,
  incomplete: incompleteJuju,
  // The plugin stops the database; later dumps follow the oplog to one moment.
  consistency: (collected) =>
    collected.some((one) => one.kind === 'juju' && one.driver === 'plugin') ? 'quiesced' : 'live',
  extraPaths: [],
});
