import { finishRestore, replaceFiles, startServices } from '#domain/contracts/shared';
import { CheckFailedError } from '#domain/errors';
import { type JujuManifest, objectsOf } from '#domain/manifest';
import { tagKeys } from '#domain/naming';
import { answersOf, type PhaseState } from '#domain/phase';
import {
  type Command,
  command,
  commandsOn,
  forPlannedNodes,
  inspectionSeconds,
  type Phase,
  type PlannedNode,
  stepSeconds,
} from '#domain/plan';
import { clientOf, compare, jujuNodes } from './juju.ts';
import {
  checkFence,
  checkJuju,
  ensureAvailability,
  guardAgents,
  inspectJuju,
  restoreController,
  restoreEnvironment,
  restoreJujuArchive,
} from './juju-documents.ts';
import { type JujuRestorePhase, jujuRestorePhases } from './juju-procedures.ts';
import { check, warn } from './juju-restore-check.ts';
import { controllersNow, isByClient, isClassic, type JujuRestore, serversThen } from './juju-restore-scope.ts';
import type { Inspected, Proof, Restoration, RestoreOf } from './kind.ts';
import { dataSeconds, fetching } from './transfer.ts';

/** What a restore of Juju consists of: 1.x onto a new state server, 2.0 to 3.6 into the controller that is there. */

/** A node starts its agents itself when nobody has for this long. */
const watchdogSeconds = dataSeconds + 3600;

/** juju-restore unpacks only what is called .gz. */
const archiveName = 'juju-backup.tar.gz';
const clientName = 'client.tar';

/** What restores the database of a controller that answers, from 2.0 on: its client, or juju-restore on the primary. */
const intoController = (of: JujuRestore, primary: PlannedNode): Command => {
  const { then, client, request } = of;
  const seconds = dataSeconds;
  if (isByClient(of))
    return commandsOn(client)(
      restoreJujuArchive,
      { Controller: then.name, ClientUser: then.user, Name: archiveName },
      { seconds },
    );
  const Downgrade = request.allow.includes('version') ? 'allowed' : 'refused';
  return commandsOn(primary)(restoreController, { Name: archiveName, Downgrade }, { seconds });
};

const plan = (of: JujuRestore): readonly Phase[] => {
  const { request, then, archive, client } = of;
  const options = { reconnectSeconds: 900, reconnectPercent: 100, ...request.juju };
  const classic = isClassic(of);
  const on = commandsOn;
  const asClient = { Controller: then.name, ClientUser: then.user };
  const controllers = classic ? [] : controllersNow(of);
  const [primary] = controllers;
  const holder = primary && !isByClient(of) ? primary.node : client;
  const lostDirectory = of.now === undefined ? of.directory : undefined;
  const commands: Readonly<Record<JujuRestorePhase, Command[]>> = {
    fetch: [
      fetching(of.vaultBucket, holder)(archive.object, archiveName),
      ...(lostDirectory ? [fetching(of.vaultBucket, client)(lostDirectory, clientName, 'client')] : []),
    ],
    'restore-client': lostDirectory
      ? [on(client)(replaceFiles, { Name: clientName, Roots: [then.directory], MissingRoots: [], Excludes: [] })]
      : [],
    'check-fence': classic
      ? [
          on(client)(checkFence, {
            ...asClient,
            Instances: serversThen(of).map(({ instanceId }) => instanceId),
            Stopped: request.allow.includes('stopped-server') ? 'allowed' : 'refused',
          }),
        ]
      : [],
    'restore-environment': classic
      ? [
          on(client)(
            restoreEnvironment,
            { ...asClient, Name: archiveName, Constraints: options.constraints ?? '' },
            { seconds: dataSeconds },
          ),
        ]
      : [],
    'ensure-availability':
      classic && options.ensureAvailability !== undefined
        ? [on(client)(ensureAvailability, { ...asClient, Count: options.ensureAvailability })]
        : [],
    'guard-agents': controllers.map(({ node }) => on(node)(guardAgents, { WatchdogSeconds: watchdogSeconds })),
    'restore-controller': primary ? [intoController(of, primary.node)] : [],
    'start-primary': primary ? [on(primary.node)(startServices, { Services: [] })] : [],
    'start-secondaries': controllers.slice(1).map(({ node }) => on(node)(startServices, { Services: [] })),
    'check-health': [
      on(client)(
        checkJuju,
        { ...asClient, SecondsToWait: options.reconnectSeconds, Share: options.reconnectPercent },
        { seconds: options.reconnectSeconds + stepSeconds },
      ),
    ],
    'inspect-restored': forPlannedNodes(
      command(inspectJuju, { ...asClient, OnProblem: 'report' }, { seconds: inspectionSeconds }),
      [client],
    ),
    finish: [client, ...controllers.map(({ node }) => node)]
      .filter(({ instanceId }, at, all) => all.findIndex((one) => one.instanceId === instanceId) === at)
      .map((node) => on(node)(finishRestore, {})),
  };
  return jujuRestorePhases.map((name) => ({ name, commands: commands[name] }));
};

/** Where AWS publishes what machines of 1.x need, all of which run Ubuntu. */
const agentPackage = 'https://s3.amazonaws.com/ec2-downloads-windows/SSMAgent/latest/debian_amd64/amazon-ssm-agent.deb';
const cliArchive = 'https://awscli.amazonaws.com/awscli-exe-linux-x86_64.zip';

/** What a state server that Juju has made itself needs before a backup finds it, each with its command. */
const lacking = (system: string, instance: string) =>
  ({
    tag: `the tag ${tagKeys.system} (aws ec2 create-tags --resources ${instance} --tags Key=${tagKeys.system},Value=${system}), and the one that holdfast.yaml selects it by, or its id there`,
    profile: `an instance profile (aws ec2 associate-iam-instance-profile --instance-id ${instance} --iam-instance-profile Name=…)`,
    'amazon-ssm-agent': `the SSM agent (juju ssh 0 'curl -fO ${agentPackage} && sudo dpkg -i amazon-ssm-agent.deb')`,
    aws: `the AWS CLI (juju ssh 0 'sudo apt-get install -y unzip && curl -fo aws.zip ${cliArchive} && unzip -q aws.zip && sudo aws/install')`,
  }) as const;

/** Reports what the next backup would miss on the new state server of 1.x. */
const unprotected = (of: JujuRestore, phase: PhaseState | undefined): readonly string[] =>
  answersOf(phase, restoreEnvironment).flatMap(({ answer: { servers, lacks } }) =>
    lacks.length === 0
      ? []
      : [
          `the new state server ${servers} is NOT BACKED UP until it has ${lacks.map((one) => lacking(of.system, servers)[one]).join('; ')}. See "After a restore of 1.x" in docs/how-to/juju.md`,
        ],
  );

/** Changes between the inspection and the dump are nobody's fault, so applications that differ are told and no more. */
const prove = (of: JujuRestore, restored: readonly Inspected[], environment: PhaseState | undefined): Proof => {
  const now = clientOf(jujuNodes(restored))?.client;
  const status = now?.status;
  if (!now || !status) return { compared: [], different: ["Juju's status cannot be read"], told: [] };
  const { version } = of.archive.metadata;
  const applications = of.then.status;
  const different = [
    ...(compare(status.version, version) === 0 ? [] : [`Juju is ${status.version}, the backup is of ${version}`]),
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
      ...unprotected(of, environment),
    ],
    different,
    told: [],
  };
};

/** Throws a CheckFailedError when the backup holds no archive, or no client is there to work from. */
export const restoreJuju = (manifest: JujuManifest, { nodes, ...rest }: RestoreOf): Restoration => {
  const found = jujuNodes(nodes);
  const archive = manifest.artifacts.flatMap((artifact) =>
    artifact.collected.kind === 'juju' ? [{ ...artifact.collected, object: objectsOf(artifact)[0] }] : [],
  )[0];
  const then = manifest.nodes.flatMap(({ inspection: { client } }) => (client ? [client] : []))[0];
  const client = found.find(({ node }) => node.roles.includes('juju-client'));
  if (!archive || !then) throw new CheckFailedError(`${manifest.backup} holds no archive of Juju.`);
  if (!client) throw new CheckFailedError('No node with the role juju-client answers: a restore works from it.');
  const directory = manifest.artifacts.flatMap((artifact) =>
    artifact.collected.kind === 'files' && artifact.collected.group === 'client' ? objectsOf(artifact).slice(0, 1) : [],
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
    replaced: isClassic(of) ? [] : found.map(({ node }) => node),
    prove: (restored, phase) => {
      const stateOf = (name: JujuRestorePhase) => phase(name);
      return prove(of, restored, stateOf('restore-environment'));
    },
  };
};
