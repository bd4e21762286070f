import { CheckFailedError } from '#domain/errors';
import type { JujuInspection } from '#domain/inspection';
import { type JujuManifest, type Upload, uploadsOf } from '#domain/manifest';
import { documentName, encodeText } from '#domain/naming';
import { type Command, inspectionPhase, type Phase, type PlannedNode } from '#domain/plan';
import { clientOf, driverOf, type JujuNode, jujuNodes, numbersOf, serversOf } from './juju.ts';
import type { Inspected, Proof, Restoration, RestoreOf } from './kind.ts';

/** What a restore of Juju consists of: 1.x onto a new state server, 2.9.22 to 3.6 in place. */

/** The phases, which are the states of restore-juju.asl.json: every restore has all, and what it does not need is empty. */
export const jujuRestorePhases = [
  'fetch',
  'restore-client',
  'check-fence',
  'restore-environment',
  'ensure-availability',
  'hold-agents',
  'restore-controller',
  'start-primary',
  'start-secondaries',
  'check-health',
  'inspect-restored',
  'finish',
] as const;
type PhaseName = (typeof jujuRestorePhases)[number];

const stepSeconds = 1800;
/** Of fetching and restoring: the largest known archive takes minutes, a slow one hours. */
const dataSeconds = 86_400;
const watchdogSeconds = dataSeconds + 3600;

const archiveName = 'archive.tgz';
const clientName = 'client.tar';

/** Formats of backups that the released juju-restore (0.14) knows. */
const knownFormats: readonly number[] = [0, 1];

type Client = NonNullable<JujuInspection['client']>;

/** What of the manifest and of the nodes a restore works with. */
interface JujuRestore extends Omit<RestoreOf, 'nodes'> {
  readonly nodes: readonly JujuNode[];
  readonly manifest: JujuManifest;
  readonly archive: Extract<JujuManifest['artifacts'][number]['collected'], { kind: 'juju' }>;
  /** The client as it was backed up. */
  readonly then: Client;
  readonly directory: Upload | undefined;
  /** The node that Juju is worked with from. */
  readonly client: PlannedNode;
  /** What is there of it now. */
  readonly now: Client | undefined;
}

const isClassic = ({ archive }: JujuRestore): boolean => numbersOf(archive.metadata.version)[0] === 1;

const isSame = (a: string, b: string): boolean => numbersOf(a).join() === numbersOf(b).join();

const isOlder = (a: string, b: string): boolean => {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  const at = left.findIndex((number, index) => number !== right[index]);
  return at >= 0 && (left[at] ?? 0) < (right[at] ?? 0);
};

const serversThen = ({ then }: JujuRestore) => then.status?.controllers ?? [];

/** The controllers that are there now, the primary first. */
const controllersNow = (of: JujuRestore) => {
  const told = of.now?.status?.controllers ?? [];
  const isPrimary = (machine: string): boolean =>
    told.length === 1 || told.some((one) => one.machine === machine && one.primary);
  return serversOf(of.nodes)
    .map((one) => ({ ...one, primary: isPrimary(one.server.machine) }))
    .toSorted((a, b) => Number(b.primary) - Number(a.primary));
};

/** 1.x: nothing may live that could be a second state server. */
const checkGone = (of: JujuRestore): readonly string[] => {
  const alive = serversOf(of.nodes).map(
    ({ node, server }) =>
      `${node.name} (${node.instanceId}), machine ${server.machine}, still answers: a restore is only for when every state server is gone, and would put this one out of line. Terminate it first`,
  );
  const provider = of.now?.provider;
  const states = (provider?.instances ?? []).flatMap(({ instanceId, state }) => {
    switch (state) {
      case 'terminated':
      case 'gone':
        return [];
      case 'stopped':
        return of.request.allow.includes('stopped-server')
          ? []
          : [
              `the state server ${instanceId} is stopped, not terminated: started again it would be a second one. Terminate it, or see to it that nobody can start it and allow stopped-server`,
            ];
      case 'unknown':
        return [`EC2 can not be asked for the state server ${instanceId} with Juju's own account`];
      default:
        return [`the state server ${instanceId} is ${state}: terminate it first`];
    }
  });
  return [
    ...alive,
    ...states,
    ...(of.now && !provider ? [`the client's files do not tell the control bucket of ${of.then.name}`] : []),
    ...(of.now && provider?.instances.length === 0
      ? [
          `the control bucket ${provider.bucket} has no provider-state, without which juju restore does nothing. See "Juju: provider-state is lost" in docs/runbook.md`,
        ]
      : []),
  ];
};

/** 2.9.22 to 3.6: what juju-restore would refuse, told before anything is touched. */
const checkController = (of: JujuRestore): readonly string[] => {
  const { archive, request, manifest } = of;
  const { version, controllerUuid, haNodes, format } = archive.metadata;
  const controllers = controllersNow(of);
  const told = of.now?.status?.controllers ?? [];
  if (controllers.length === 0)
    return [
      'no controller answers. Juju has no restore for the loss of all controllers that could be automated: see "Juju: all controllers are lost" in docs/runbook.md',
    ];
  const then = new Map(
    manifest.nodes.flatMap(({ inspection: { server } }) => (server ? [[server.machine, server] as const] : [])),
  );
  const perController = controllers.flatMap(({ node, server }) => [
    ...(server.uuid === controllerUuid
      ? []
      : [`${node.name} is of the controller ${server.uuid}, the backup is of ${controllerUuid}`]),
    ...(isSame(server.version, version)
      ? []
      : isOlder(server.version, version)
        ? [
            `${node.name} runs Juju ${server.version}, the backup is of the newer ${version}: upgrade the controller first`,
          ]
        : request.allow.includes('version')
          ? []
          : [`${node.name} runs Juju ${server.version}, the backup is of ${version}: allow version to go back to it`]),
    ...([...then.values()].every(({ series }) => series === server.series)
      ? []
      : [`${node.name} runs ${server.series}, the backup is of ${[...then.values()].map(({ series }) => series)[0]}`]),
  ]);
  const sick = told.filter(({ healthy }) => !healthy).map(({ machine }) => machine);
  return [
    ...perController,
    ...(haNodes > 0 && told.length > 0 && told.length !== haNodes
      ? [`the backup is of ${haNodes} controllers, there are ${told.length}: bring them to that number first`]
      : []),
    ...(knownFormats.includes(format) || request.allow.includes('format')
      ? []
      : [
          `the backup has the format ${format}, which juju-restore 0.14 does not know: install a newer one on the primary and allow format`,
        ]),
    ...(told.length === 0 ? ["Juju's API does not answer, so nobody knows which controller is the primary"] : []),
    ...(sick.length > 0 ? [`machine ${sick.join(', ')} of the controllers is not healthy: all must be`] : []),
    ...(told.length > 0 && !controllers.some(({ primary }) => primary)
      ? ['the primary controller is not among the nodes that answer']
      : []),
  ];
};

const check = (of: JujuRestore): readonly string[] => {
  const { version } = of.archive.metadata;
  if (isClassic(of)) return checkGone(of);
  if (driverOf(version) !== 'file')
    return [
      `Juju ${version} restores by juju restore-backup, which needs a person: see "Juju: restore a backup of 2.0 to 2.9.21" in docs/runbook.md`,
    ];
  return checkController(of);
};

const warn = (of: JujuRestore): readonly string[] => {
  const servers = serversThen(of);
  if (!isClassic(of))
    return [
      'the agents of all controllers stand still meanwhile; what was deployed or removed since the backup is forgotten, while its machines live on',
    ];
  return [
    `a new instance becomes the state server; what was deployed or removed since the backup is forgotten, while its machines live on`,
    ...(servers.length > 1
      ? [
          `the environment had ${servers.length} state servers (${servers.map(({ instanceId }) => instanceId).join(', ')}). ONLY go on when ALL of them are gone: while one lives, this restore takes it out of line and may cripple the environment. Afterwards there is one; {"juju": {"ensureAvailability": ${servers.length}}} adds the others`,
        ]
      : []),
    ...(of.request.allow.includes('stopped-server')
      ? ['a stopped state server counts as gone: started again it would be a second one, and split the environment']
      : []),
    ...(of.directory !== undefined && of.now === undefined
      ? [`the client's directory ${of.then.directory} is not there and is restored first`]
      : []),
  ];
};

const plan = (of: JujuRestore): readonly Phase[] => {
  const { request, then, archive, client } = of;
  const options = { reconnectSeconds: 900, reconnectPercent: 100, ...request.juju };
  const classic = isClassic(of);
  const command = (
    script: string,
    { instanceId, name }: Pick<PlannedNode, 'instanceId' | 'name'>,
    parameters: Readonly<Record<string, string>> = {},
    seconds = stepSeconds,
  ): Command => ({
    id: `${script} (${name})`,
    document: documentName(script),
    instanceIds: [instanceId],
    parameters: { RunId: of.run, ...parameters },
    executionTimeoutSeconds: seconds,
  });
  const asClient = { Controller: then.name, User: then.user };
  const fetch = (to: PlannedNode, { key, bytes, sha256 }: Upload, Name: string): Command =>
    command(
      'fetch-artifact',
      to,
      { Bucket: of.vaultBucket, Object: key, Bytes: String(bytes), Sha256: sha256, Name },
      dataSeconds,
    );
  const controllers = classic ? [] : controllersNow(of);
  const [primary] = controllers;
  const lostDirectory = of.now === undefined ? of.directory : undefined;
  const commands: Readonly<Partial<Record<PhaseName, Command[]>>> = {
    fetch: [
      fetch(primary?.node ?? client, archive.upload, archiveName),
      ...(lostDirectory
        ? [{ ...fetch(client, lostDirectory, clientName), id: `fetch-artifact client (${client.name})` }]
        : []),
    ],
    ...(lostDirectory && {
      'restore-client': [
        command('replace-files', client, { Name: clientName, Roots: encodeText(then.directory), Excludes: '' }),
      ],
    }),
    ...(classic && {
      'check-fence': [
        command('check-fence', client, {
          ...asClient,
          Instances: serversThen(of)
            .map(({ instanceId }) => instanceId)
            .join(' '),
          Stopped: request.allow.includes('stopped-server') ? 'allowed' : 'refused',
        }),
      ],
      'restore-environment': [
        command(
          'restore-environment',
          client,
          { ...asClient, Name: archiveName, Constraints: options.constraints ?? '' },
          dataSeconds,
        ),
      ],
      ...(options.ensureAvailability !== undefined && {
        'ensure-availability': [
          command('ensure-availability', client, { ...asClient, Count: String(options.ensureAvailability) }),
        ],
      }),
    }),
    ...(primary && {
      'hold-agents': controllers.map(({ node }) =>
        command('hold-agents', node, { WatchdogSeconds: String(watchdogSeconds) }),
      ),
      'restore-controller': [
        command(
          'restore-controller',
          primary.node,
          { Name: archiveName, Downgrade: request.allow.includes('version') ? 'allowed' : 'refused' },
          dataSeconds,
        ),
      ],
      'start-primary': [command('start-services', primary.node, { Services: '' })],
      'start-secondaries': controllers.slice(1).map(({ node }) => command('start-services', node, { Services: '' })),
    }),
    'check-health': [
      command(
        'check-juju',
        client,
        {
          ...asClient,
          SecondsToWait: String(options.reconnectSeconds),
          Share: String(options.reconnectPercent),
        },
        options.reconnectSeconds + stepSeconds,
      ),
    ],
    'inspect-restored': [...inspectionPhase('', of.run, 'inspect-juju', 'rescue', [client], asClient).commands],
    finish: [client, ...controllers.map(({ node }) => node)]
      .filter(({ instanceId }, at, all) => all.findIndex((one) => one.instanceId === instanceId) === at)
      .map((node) => command('finish-restore', node)),
  };
  return jujuRestorePhases.map((name) => ({ name, commands: commands[name] ?? [] }));
};

/** Changes between the inspection and the dump are nobody's fault, so applications that differ are told and no more. */
const prove = (of: JujuRestore, restored: readonly Inspected[]): Proof => {
  const now = clientOf(jujuNodes(restored))?.client;
  const status = now?.status;
  if (!now || !status) return { compared: [], different: ["Juju's status can not be read"] };
  const { version } = of.archive.metadata;
  const applications = of.then.status;
  const different = [
    ...(isSame(status.version, version) ? [] : [`Juju is ${status.version}, the backup is of ${version}`]),
    // In 1.x the client keeps the UUID of the server that restore has bootstrapped, and not the restored one.
    ...(isClassic(of) || now.uuid === of.then.uuid
      ? []
      : [`${now.name} is ${now.uuid}, the backup is of ${of.then.uuid}`]),
  ];
  return {
    compared: [
      `${now.name}: version ${version}${isClassic(of) ? ' is' : ` and UUID ${now.uuid} are`} equal`,
      `${status.started} of ${status.machines} machines report to the restored state`,
      applications?.applicationsSha256 === status.applicationsSha256
        ? `the names of all ${status.applications} applications are equal`
        : `there are ${status.applications} applications, ${applications?.applications ?? 'an unknown number'} when the backup began: what changed in that minute may be the reason`,
    ],
    different,
  };
};

/** Throws a CheckFailedError when the backup holds no archive, or no client is there to work from. */
export const restoreJuju = (manifest: JujuManifest, { nodes, ...rest }: RestoreOf): Restoration => {
  const found = jujuNodes(nodes);
  const archive = manifest.artifacts.flatMap(({ collected }) => (collected.kind === 'juju' ? [collected] : []))[0];
  const then = manifest.nodes.flatMap(({ inspection: { client } }) => (client ? [client] : []))[0];
  const client = found.find(({ node }) => node.roles.includes('juju-client'));
  if (!archive || !then) throw new CheckFailedError(`${manifest.backup} holds no archive of Juju.`);
  if (!client) throw new CheckFailedError('No node with the role juju-client answers: a restore works from it.');
  const directory = manifest.artifacts.flatMap(({ collected }) =>
    collected.kind === 'files' && collected.group === 'client' ? uploadsOf(collected).slice(0, 1) : [],
  )[0];
  const of: JujuRestore = {
    ...rest,
    manifest,
    nodes: found,
    archive,
    then,
    directory,
    client: client.node,
    now: client.inspection.client ?? undefined,
  };
  return {
    check: () => check(of),
    warn: () => warn(of),
    plan: () => plan(of),
    // 1.x: the state server is gone, so there is nothing to save.
    replaces: !isClassic(of),
    prove: (restored) => prove(of, restored),
  };
};
