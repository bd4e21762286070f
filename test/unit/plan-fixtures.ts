import { composeDocuments } from '#documents/compose';
import type { System } from '#domain/config';
import { parseConfig } from '#domain/config-file';
import { encoded, ticketTakes } from '#domain/contracts/document';
import { anyNode } from '#domain/contracts/parameters';
import { type Inspection, JujuInspection, PuppetInspection } from '#domain/inspection';
import { type Artifact, JujuManifest, type Manifest, PuppetManifest, type Upload } from '#domain/manifest';
import { decodeList, documentName, instanceArn, vaultKeys } from '#domain/naming';
import { RestoreRequest, UpgradeRequest } from '#domain/payloads';
import type { PhaseState } from '#domain/phase';
import { type Command, commonParameters, type Phase, type PlannedNode, timeoutParameter } from '#domain/plan';
import { documents } from '#domain/systems/documents';
import type { Inspected, RestoreOf, UpgradeOf } from '#domain/systems/kind';
import { restorationOf, upgradingOf } from '#domain/systems/kinds';
import { bindParameters, parseDocument, refusedByAgent } from '#local/ssm/document';
import { manifestOf } from './cli-fixtures.ts';

/** Systems of each kind and era as small as they can be, and plans as a person reads them. */

export const backupTaken = '20261120T020000Z';
export const runAt = new Date('2026-11-21T02:00:00Z');
export const execution = 'arn:aws:states:eu-central-1:111122223333:execution:holdfast-backup:run-1';
export const ids = {
  master: 'i-00000001',
  puppetdb: 'i-00000002',
  console: 'i-00000003',
  compiler: 'i-00000004',
} as const;

const upload = (key: string, compression: Upload['compression'] = 'zstd'): Upload => ({
  ...{ key, bytes: 1000, rawBytes: 4000, sha256: 'ab'.repeat(32), compression },
});
const stored = { upload: { versionId: 'v1' }, contents: { versionId: 'v1' } };

/** A node of Puppet Enterprise as it is laid out. */
export interface Layout {
  readonly id: string;
  readonly roles: readonly string[];
  readonly databases?: readonly string[];
  readonly optional?: boolean;
}

const [sample] = manifestOf('pe-main', backupTaken).nodes;
if (!sample) throw new Error('the fixture has no node');
const [database] = sample.inspection.postgres?.databases ?? [];
if (!database) throw new Error('the fixture has no database');

const servicesOf = (roles: readonly string[], version: string): readonly string[] => [
  ...(roles.includes('master') ? [version.startsWith('3.') ? 'pe-httpd' : 'pe-puppetserver'] : []),
  ...(roles.includes('console') ? [version.startsWith('3.') ? 'pe-httpd' : 'pe-console-services'] : []),
  ...(roles.includes('puppetdb') ? ['pe-puppetdb', 'pe-postgresql'] : []),
  version.startsWith('3.') ? 'pe-puppet' : 'puppet',
];

/** What is found on a node of a version; nothing of the product where the version is empty. */
export const puppetInspection = (
  version: string,
  { id, roles, databases = [] }: Layout,
  changes: Partial<PuppetInspection> = {},
): PuppetInspection => {
  const name = nameOf(id);
  const isMaster = roles.includes('master');
  return PuppetInspection.parse({
    ...sample.inspection,
    ...{ version, agentVersion: version, hostname: `${name}.example.com`, certname: `${name}.example.com`, roles },
    services: [...new Set(servicesOf(roles, version))].map((service) => ({ name: service, running: true })),
    postgres:
      databases.length === 0
        ? null
        : {
            ...{ version: '9.2.7', user: 'pe-postgres', tablespaces: [], dependents: [], roles: [...databases] },
            databases: databases.map((one) => ({ ...database, name: one, owner: one, tablespace: 'pg_default' })),
          },
    certificateAuthority: isMaster
      ? {
          ...{ fingerprint: 'AA:BB', serial: '0010', inventoryLines: 15, notAfter: '2031-01-01T00:00:00Z' },
          revocations: { number: '2', count: 1, nextUpdate: null },
        }
      : null,
    answers: [
      version.startsWith('3.')
        ? '/etc/puppetlabs/installer/answers.install'
        : '/etc/puppetlabs/enterprise/conf.d/pe.conf',
    ],
    paths: { ...sample.inspection.paths, configuration: [{ path: '/etc/puppetlabs', because: 'product', by: '' }] },
    required: isMaster ? ['/etc/puppetlabs/puppet/ssl/ca/ca_key.pem'] : [],
    space: [{ path: '/opt/puppet/var/lib/pgsql/data', mount: '/opt', freeBytes: 1e12, totalBytes: 2e12 }],
    ...changes,
  });
};

export const nameOf = (id: string): string =>
  Object.entries(ids).find(([, one]) => one === id)?.[0] ?? `new-${id.slice(-1)}`;

export const plannedNode = ({ id, roles, optional = false }: Layout): PlannedNode => ({
  ...{ instanceId: id, name: nameOf(id), roles: [...roles], optional },
});

const artifactsOf = ({ id, databases = [] }: Layout): Artifact[] => {
  const key = (name: string): string => vaultKeys.artifact('pe-main', backupTaken, instanceArn(execution, id), name);
  return [
    ...databases.map(
      (name): Artifact => ({
        node: id,
        collected: {
          ...{ kind: 'database', database: name, tables: 3, rows: 99, verified: 'read to its end, its rows counted' },
          ...{
            upload: upload(key(`databases/${name}.dump.zst`)),
            contents: upload(key(`databases/${name}.contents.zst`)),
          },
        },
        stored,
      }),
    ),
    ...(databases.length === 0
      ? []
      : [
          {
            node: id,
            collected: {
              ...{
                kind: 'globals' as const,
                roles: 3,
                tablespaces: 0,
                upload: upload(key('databases/globals.sql.zst')),
              },
              verified: 'complete to its closing line' as const,
            },
            stored: { upload: stored.upload },
          },
        ]),
    {
      node: id,
      collected: {
        ...{ kind: 'files', group: 'configuration', entries: 9, secrets: 1, holds: [], warnings: [] },
        ...{
          upload: upload(key('files/configuration.tar.zst')),
          contents: upload(key('files/configuration.contents.zst')),
        },
        verified: 'read to its end by tar',
      },
      stored,
    },
  ];
};

export const monolith: readonly Layout[] = [
  { id: ids.master, roles: ['master', 'puppetdb', 'console'], databases: ['pe-puppetdb', 'console'] },
];
export const split: readonly Layout[] = [
  { id: ids.master, roles: ['master'] },
  { id: ids.puppetdb, roles: ['puppetdb'], databases: ['pe-puppetdb'] },
  { id: ids.console, roles: ['console'] },
];

/** The backup of an installation. */
export const puppetManifest = (version: string, layout: readonly Layout[], changes: object = {}): PuppetManifest =>
  PuppetManifest.parse({
    ...manifestOf('pe-main', backupTaken),
    nodes: layout.map((one) => ({ ...plannedNode(one), inspection: puppetInspection(version, one) })),
    artifacts: layout.flatMap(artifactsOf),
    ...changes,
  });

/** What is found on one of the nodes of Juju. */
export const jujuInspection = (
  version: string,
  machines: number,
  machine = 0,
  changes: object = {},
): JujuInspection => {
  const classic = version.startsWith('1.');
  const controllers = Array.from({ length: machines }, (_, n) => ({
    ...{ machine: String(n), instanceId: `i-0000001${n}`, healthy: true, primary: n === 0 },
  }));
  return JujuInspection.parse({
    ...{ product: 'juju', hostname: `machine-${machine}` },
    roles: machine === 0 ? ['juju-client', 'juju-controller'] : ['juju-controller'],
    server: {
      ...{ machine: String(machine), version, uuid: 'uuid', series: 'jammy', databaseBytes: 5_000_000 },
      services: [{ name: classic ? 'juju-db' : 'snap.juju-db.daemon', running: true }],
    },
    client:
      machine !== 0
        ? null
        : {
            ...{
              version,
              user: 'ubuntu',
              directory: classic ? '/home/ubuntu/.juju' : '/home/ubuntu/.local/share/juju',
            },
            ...{ name: 'production', uuid: 'uuid', backupDirectory: classic ? '' : '/home/ubuntu' },
            status: {
              ...{ version, controllers, machines: 4, started: 4, applications: 2, applicationsSha256: 'c' },
              models: classic
                ? []
                : [
                    { name: 'controller', version },
                    { name: 'web', version },
                  ],
            },
            provider: classic
              ? { bucket: 'control', instances: [{ instanceId: 'i-00000010', state: 'terminated' }] }
              : null,
          },
    ...{ tools: { aws: '2', zstd: '1.5', tar: '1.34' }, space: [], problems: [], warnings: [] },
    ...changes,
  });
};

export const jujuNode = (machine: number): PlannedNode => ({
  ...{ instanceId: `i-0000001${machine}`, name: `machine-${machine}`, optional: false },
  roles: machine === 0 ? ['juju-client', 'juju-controller'] : ['juju-controller'],
});

export const jujuFound = (version: string, machines = 1) =>
  Array.from({ length: machines }, (_, n) => ({ node: jujuNode(n), inspection: jujuInspection(version, machines, n) }));

/** The backup of an environment or controller. */
export const jujuManifest = (version: string, driver: string, machines = 1): JujuManifest => {
  const key = (name: string): string =>
    vaultKeys.artifact('juju-main', backupTaken, instanceArn(execution, 'i-00000010'), name);
  return JujuManifest.parse({
    ...{ ...manifestOf('juju-main', backupTaken), kind: 'juju' },
    nodes: jujuFound(version, machines).map(({ node, inspection }) => ({ ...node, inspection })),
    artifacts: [
      {
        node: 'i-00000010',
        collected: {
          ...{ kind: 'juju', driver, entries: 9, files: 8, collections: 7, databaseBytes: 99, sha1: 'q' },
          upload: upload(key('juju/juju-backup-20261120-020000.tar.gz'), 'none'),
          contents: upload(key('juju/juju-backup-20261120-020000.contents.zst')),
          metadata: {
            ...{ version, format: 1, controllerUuid: 'uuid', modelUuid: 'uuid', haNodes: machines, series: 'jammy' },
            ...{ machine: '0', hostname: 'machine-0' },
          },
          verified: 'read to its end by tar, with database and keys',
        },
        stored,
      },
      {
        node: 'i-00000010',
        collected: {
          ...{ kind: 'files', group: 'client', entries: 9, secrets: 1, holds: [], warnings: [] },
          ...{ upload: upload(key('files/client.tar.zst')), contents: upload(key('files/client.contents.zst')) },
          verified: 'read to its end by tar',
        },
        stored,
      },
    ],
  });
};

/** Said by each command, or of no interest to who reads a plan. */
const unsaid = ['Bucket', 'Sha256', 'Bytes', 'VersionId', 'Compression'];

const isEncoded = (document: string, name: string): boolean =>
  documents.find((one) => one.name === document)?.takes[name]?.allowedPattern.startsWith('^[A-Za-z0-9_-]') ?? false;

const parameterText = (document: string, name: string, value: string): string => {
  const plain = isEncoded(document, name) ? decodeList(value).join(' ').replaceAll('\n', ' ') : value;
  return `${name}=${plain.replaceAll(/arn:aws:ec2:[^/]*:instance\//g, '').replaceAll(/^backups\/[^/]*\//g, '')}`;
};

const commandText = ({ document, instanceIds, tags, parameters, optional, rollout }: Command): string =>
  [
    instanceIds.map((id) => (id.startsWith('i-0000001') ? `machine-${id.slice(-1)}` : nameOf(id))).join(',') ||
      Object.entries(tags ?? {})
        .map(([key, value]) => `${key}=${value}`)
        .join(','),
    document.replace(documentName(''), ''),
    ...Object.entries(parameters)
      .filter(([name]) => !unsaid.includes(name))
      .map(([name, value]) => parameterText(document, name, value)),
    ...(optional ? ['(optional)'] : []),
    ...(rollout ? [`(${rollout.maxConcurrency} at a time, ${rollout.maxErrors} may fail)`] : []),
  ].join(' ');

const composed = new Map(
  Object.entries(composeDocuments('key')).map(([name, content]) => [
    name,
    parseDocument(name, JSON.stringify(content), 1),
  ]),
);

/** Why SSM or its agent would refuse a command as it is sent; nothing when both take it. */
export const refusalsOf = (command: Command): readonly string[] => {
  const { document: name, parameters, instanceIds, tags } = command;
  const document = composed.get(name);
  if (!document) return [`there is no document ${name}`];
  const common = commonParameters(
    { run: 'run-1', system: 'it-self', attempt: 0 },
    command,
    'holdfast-state',
    new Date(),
  );
  const ticket = documents.some((contract) => contract.name === name && contract.changesNode)
    ? encoded('Holdfast', ticketTakes, {
        ...{ Nodes: tags ? [anyNode] : instanceIds, Nonce: crypto.randomUUID() },
        Ticket: `${'A'.repeat(342)}==`,
      })
    : {};
  const given = { ...parameters, ...common, ...ticket, ...timeoutParameter(command) };
  try {
    bindParameters(document, Object.fromEntries(Object.entries(given).map(([key, value]) => [key, [value]])));
  } catch (error) {
    return [`${name}: ${error}`];
  }
  const refused = refusedByAgent(document);
  return refused === undefined ? [] : [`${name}: ${refused}`];
};

/** A plan as lines: the phase, and below it where each document runs with what. Phases without commands are left out. */
export const linesOf = (phases: readonly Phase[]): readonly string[] =>
  phases.flatMap(({ name, commands }) =>
    commands.length === 0 ? [] : [name, ...commands.map((command) => `  ${commandText(command)}`)],
  );

export const system = (text: string): System => {
  const [configured] = Object.values(parseConfig(`systems: { it-self: ${text} }`).systems);
  if (!configured) throw new Error('no system');
  return configured;
};
export const node = (id: string, ...roles: string[]): string =>
  `{ instance: ${id.replace('i-', 'i-0')}, roles: [${roles}] }`;
export const puppet = (more = ''): System =>
  system(`{ kind: puppet-enterprise, nodes: [${node(ids.master, 'master', 'puppetdb', 'console')}]${more} }`);
export const juju = system(`{ kind: juju, nodes: [${node('i-00000010', 'juju-client', 'juju-controller')}] }`);

/** Of every run. */
export const sent = { run: 'run-1', execution, vaultBucket: 'vault' };

export const found = (version: string, layout: readonly Layout[], changes: object = {}): readonly Inspected[] =>
  layout.map((one) => ({ node: plannedNode(one), inspection: puppetInspection(version, one, changes) }));

export const restoration = (
  manifest: Manifest,
  nodes: readonly Inspected[],
  request: object = {},
  more: Partial<RestoreOf> = {},
) =>
  restorationOf(manifest, {
    ...{ ...sent, system: manifest.system, nodes, startedAt: runAt },
    request: RestoreRequest.parse({ system: manifest.system, ...request }),
    ...more,
  });
export const ended = (document: string, nodes: readonly Inspected[], answer: object): PhaseState => ({
  ...{ phase: 'inspect', attempt: 0, startedAt: runAt.toISOString() },
  commands: nodes.map(({ node: { instanceId } }) => ({
    ...{ id: `${document} ${instanceId}`, document: documentName(document), state: 'ended', commandId: 'c' },
    ...{ sentAt: runAt.toISOString(), endedAt: runAt.toISOString() },
    invocations: [
      {
        ...{ instanceId, status: 'Success', detail: '', exitCode: 0, stderr: '' },
        stdout: JSON.stringify(answer),
      },
    ],
  })),
});
export const upgrading = (
  configured: System,
  nodes: readonly Inspected<Inspection>[],
  request: object,
  more: Partial<UpgradeOf> = {},
) => {
  const parsed = UpgradeRequest.parse({ system: 'it-self', ...request });
  const answer = { modules: ['puppet_agent'], interrupted: '', problems: [] };
  return upgradingOf(configured, {
    ...{ ...sent, system: 'it-self', nodes, request: parsed, absent: [], installer: undefined, modules: new Map() },
    inspected:
      configured.kind === 'juju'
        ? ended('preflight-juju', nodes.slice(0, 1), { problems: [] })
        : ended('preflight-upgrade', nodes, answer),
    ...more,
  });
};
