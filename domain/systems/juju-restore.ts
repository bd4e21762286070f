import * as z from 'zod';
import { CheckFailedError } from '#domain/errors';
import { type JujuManifest, objectsOf } from '#domain/manifest';
import { encodeText, tagKeys } from '#domain/naming';
import { type PhaseState, resultsOf } from '#domain/phase';
import { type Command, commandsOn, inspectionPhase, type Phase, type PlannedNode, stepSeconds } from '#domain/plan';
import { clientOf, compare, jujuNodes } from './juju.ts';
import { check, warn } from './juju-restore-check.ts';
import { controllersNow, isByClient, isClassic, type JujuRestore, serversThen } from './juju-restore-scope.ts';
import type { Inspected, Proof, Restoration, RestoreOf } from './kind.ts';
import { dataSeconds, fetching } from './transfer.ts';

/** What a restore of Juju consists of: 1.x onto a new state server, 2.0 to 3.6 into the controller that is there. */

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

/** A node starts its agents itself when nobody has for this long. */
const watchdogSeconds = dataSeconds + 3600;

/** juju-restore unpacks only what is called .gz. */
const archiveName = 'juju-backup.tar.gz';
const clientName = 'client.tar';

const plan = (of: JujuRestore): readonly Phase[] => {
  const { request, then, archive, client } = of;
  const options = { reconnectSeconds: 900, reconnectPercent: 100, ...request.juju };
  const classic = isClassic(of);
  const on = (node: PlannedNode) => commandsOn(of.run, node);
  const asClient = { Controller: then.name, User: then.user };
  const controllers = classic ? [] : controllersNow(of);
  const [primary] = controllers;
  const holder = primary && !isByClient(of) ? primary.node : client;
  const lostDirectory = of.now === undefined ? of.directory : undefined;
  const commands: Readonly<Partial<Record<PhaseName, Command[]>>> = {
    fetch: [
      fetching(of, holder)(archive.object, archiveName),
      ...(lostDirectory ? [fetching(of, client)(lostDirectory, clientName, 'client')] : []),
    ],
    ...(lostDirectory && {
      'restore-client': [
        on(client)('replace-files', { Name: clientName, Roots: encodeText(then.directory), Excludes: '' }),
      ],
    }),
    ...(classic && {
      'check-fence': [
        on(client)('check-fence', {
          ...asClient,
          Instances: serversThen(of)
            .map(({ instanceId }) => instanceId)
            .join(' '),
          Stopped: request.allow.includes('stopped-server') ? 'allowed' : 'refused',
        }),
      ],
      'restore-environment': [
        on(client)(
          'restore-environment',
          { ...asClient, Name: archiveName, Constraints: encodeText(options.constraints ?? '') },
          { seconds: dataSeconds },
        ),
      ],
      ...(options.ensureAvailability !== undefined && {
        'ensure-availability': [
          on(client)('ensure-availability', { ...asClient, Count: String(options.ensureAvailability) }),
        ],
      }),
    }),
    ...(primary && {
      'hold-agents': controllers.map(({ node }) =>
        on(node)('hold-agents', { WatchdogSeconds: String(watchdogSeconds) }),
      ),
      'restore-controller': [
        isByClient(of)
          ? on(client)('restore-juju-archive', { ...asClient, Name: archiveName }, { seconds: dataSeconds })
          : on(primary.node)(
              'restore-controller',
              { Name: archiveName, Downgrade: request.allow.includes('version') ? 'allowed' : 'refused' },
              { seconds: dataSeconds },
            ),
      ],
      'start-primary': [on(primary.node)('start-services', { Services: '' })],
      'start-secondaries': controllers.slice(1).map(({ node }) => on(node)('start-services', { Services: '' })),
    }),
    'check-health': [
      on(client)(
        'check-juju',
        { ...asClient, SecondsToWait: String(options.reconnectSeconds), Share: String(options.reconnectPercent) },
        { seconds: options.reconnectSeconds + stepSeconds },
      ),
    ],
    'inspect-restored': [...inspectionPhase('', of.run, 'inspect-juju', 'rescue', [client], asClient).commands],
    finish: [client, ...controllers.map(({ node }) => node)]
      .filter(({ instanceId }, at, all) => all.findIndex((one) => one.instanceId === instanceId) === at)
      .map((node) => on(node)('finish-restore')),
  };
  return jujuRestorePhases.map((name) => ({ name, commands: commands[name] ?? [] }));
};

/** The answer of documents/restore-environment.sh. */
const NewServer = z.object({
  servers: z.string(),
  lacks: z.array(z.enum(['tag', 'profile', 'amazon-ssm-agent', 'aws'])),
});

/** What a state server that Juju has made itself needs before a backup finds it, each with its command. */
const lacking = (system: string, instance: string) =>
  ({
    tag: `the tag ${tagKeys.system} (aws ec2 create-tags --resources ${instance} --tags Key=${tagKeys.system},Value=${system}), and the one that holdfast.yaml selects it by, or its id there`,
    profile: `an instance profile (aws ec2 associate-iam-instance-profile --instance-id ${instance} --iam-instance-profile Name=…)`,
    'amazon-ssm-agent': 'the SSM agent',
    aws: 'the AWS CLI',
  }) as const;

/** Tells what the next backup would miss on the new state server of 1.x. */
const unprotected = (of: JujuRestore, phase: PhaseState | undefined): readonly string[] =>
  (phase ? resultsOf(phase, 'restore-environment', NewServer) : []).flatMap(({ result: { servers, lacks } }) =>
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
  if (!now || !status) return { compared: [], different: ["Juju's status can not be read"], told: [] };
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
    replaces: !isClassic(of),
    prove: (restored, phase) => prove(of, restored, phase('restore-environment')),
  };
};
