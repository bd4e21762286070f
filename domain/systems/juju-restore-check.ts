import { tagKeys } from '#domain/naming';
import { compare, serversOf } from './juju.ts';
import { controllersNow, isByClient, isClassic, type JujuRestore, serversThen } from './juju-restore-scope.ts';

/** Why a restore of Juju must not begin, and what a person should know before it does. */

/** Formats of backups that the released juju-restore (0.14) knows. */
const knownFormats: readonly number[] = [0, 1];

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
        return [`EC2 cannot be asked for the state server ${instanceId} with Juju's own account`];
      default:
        return [`the state server ${instanceId} is ${state}: terminate it first`];
    }
  });
  const { machine } = of.archive.metadata;
  return [
    ...alive,
    ...states,
    ...(machine === '0'
      ? []
      : [`the backup was made on machine ${machine}, and juju restore takes only one of machine 0: restore another`]),
    ...(of.now && !provider ? [`the client's files do not name the control bucket of ${of.then.name}`] : []),
    ...(of.now && provider?.instances.length === 0
      ? [
          `the control bucket ${provider.bucket} has no provider-state, without which juju restore does nothing. See "Juju: provider-state is lost" in docs/runbook.md`,
        ]
      : []),
  ];
};

/** In docs/runbook.md: what a person does where Juju has nothing that could be automated. */
const runbook = (of: JujuRestore): string =>
  `see "${isByClient(of) ? 'Juju: restore a backup of 2.0 to 2.9.21' : 'Juju: all controllers are lost'}" in docs/runbook.md`;

/** 2.0 and later: Juju restores only into the controller that the backup is of, and not all that differs does it see itself. */
const checkController = (of: JujuRestore): readonly string[] => {
  const { controllerUuid } = of.archive.metadata;
  const controllers = controllersNow(of);
  const told = of.now?.status?.controllers ?? [];
  if (controllers.length === 0)
    return [
      `no controller answers. Juju has no restore for the loss of all controllers that could be automated: ${runbook(of)}`,
    ];
  const then = new Set(of.manifest.nodes.flatMap(({ inspection: { server } }) => (server ? [server.series] : [])));
  const sick = told.filter(({ healthy }) => !healthy).map(({ machine }) => machine);
  const missing = told
    .map(({ machine }) => machine)
    .filter((machine) => controllers.every(({ server }) => server.machine !== machine));
  return [
    ...controllers.flatMap(({ node, server }) => [
      ...(server.uuid === controllerUuid
        ? []
        : [`${node.name} is of the controller ${server.uuid}, the backup is of ${controllerUuid}`]),
      ...checkVersion(of, node.name, server.version),
      ...(then.size === 0 || then.has(server.series)
        ? []
        : [`${node.name} runs ${server.series}, the backup is of ${[...then].join(', ')}`]),
      // Juju itself tells of votes alone, not whether a member of the replica set lives.
      ...server.services.flatMap((service) =>
        service.running || !service.name.includes('juju-db')
          ? []
          : [`${service.name} does not run on ${node.name}: every member of the replica set must`],
      ),
    ]),
    ...(isByClient(of) ? checkSingle(of, told.length) : checkSet(of, told.length)),
    ...(missing.length > 0
      ? [
          `machine ${missing.join(', ')} of the controllers is not among the nodes that answer: nobody could start its agent again`,
        ]
      : []),
    ...(sick.length > 0 ? [`machine ${sick.join(', ')} of the controllers is not healthy: all must be`] : []),
    // Before 2.8 nobody tells of several which is the primary, and several are refused above.
    ...(controllers.some(({ primary }) => primary) || (isByClient(of) && told.length > 1)
      ? []
      : told.length > 0
        ? ['the primary controller is not among the nodes that answer']
        : ["Juju's API does not answer, so nobody knows which controller is the primary"]),
  ];
};

const checkVersion = (of: JujuRestore, name: string, now: string): readonly string[] => {
  const { version } = of.archive.metadata;
  const differs = `${name} runs Juju ${now}, the backup is of`;
  if (compare(now, version) === 0) return [];
  if (compare(now, version) < 0) return [`${differs} the newer ${version}: upgrade the controller first`];
  if (isByClient(of)) return [`${differs} ${version}, to which juju restore-backup does not go back: ${runbook(of)}`];
  return of.request.allow.includes('version') ? [] : [`${differs} ${version}: allow version to go back to it`];
};

/** 2.0 to 2.9.21. */
const checkSingle = (of: JujuRestore, controllers: number): readonly string[] => [
  ...(controllers > 1
    ? [`there are ${controllers} controllers, and juju restore-backup takes only a single one: ${runbook(of)}`]
    : []),
  ...(controllers === 0 ? [`Juju's API does not answer, and juju restore-backup works by it: ${runbook(of)}`] : []),
];

/** 2.9.22 to 3.6. */
const checkSet = ({ archive, request }: JujuRestore, controllers: number): readonly string[] => {
  const { haNodes, format } = archive.metadata;
  return [
    ...(haNodes > 0 && controllers > 0 && controllers !== haNodes
      ? [`the backup is of ${haNodes} controllers, there are ${controllers}: bring them to that number first`]
      : []),
    ...(knownFormats.includes(format) || request.allow.includes('format')
      ? []
      : [
          `the backup has the format ${format}, which juju-restore 0.14 does not know: install a newer one on the primary and allow format`,
        ]),
  ];
};

/** Every reason, for people; empty when it may begin. */
export const check = (of: JujuRestore): readonly string[] => (isClassic(of) ? checkGone(of) : checkController(of));

export const warn = (of: JujuRestore): readonly string[] => {
  const servers = serversThen(of);
  if (!isClassic(of))
    return [
      'the agents of all controllers stand still meanwhile; what was deployed or removed since the backup is forgotten, while its machines live on',
      ...(isByClient(of) && of.archive.metadata.haNodes > 1
        ? [
            `the backup is of ${of.archive.metadata.haNodes} controllers: those that are gone reappear as down. Take them away (juju remove-machine --force), then juju enable-ha`,
          ]
        : []),
    ];
  return [
    `a new instance becomes the state server; what was deployed or removed since the backup is forgotten, while its machines live on`,
    `the new state server is not backed up until it has the tag ${tagKeys.system}, an instance profile, the SSM agent and the AWS CLI: the result of the restore lists what it lacks`,
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
