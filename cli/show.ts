import { type History, retentionChanges } from '#domain/history';
import { type Collected, type Manifest, storedBytes, uploadsOf } from '#domain/manifest';
import { backupMoment, vaultKeys } from '#domain/naming';
import type { RetentionTag } from '#domain/retention';
import { parseBackup, retentionTagOf, typedBackup } from './catalog.ts';
import type { Connection } from './connection.ts';
import type { Exit } from './exit-codes.ts';
import {
  type Column,
  formatAmount,
  formatBytes,
  formatCount,
  formatDuration,
  formatMoment,
  pairs,
  table,
} from './format.ts';
import type { Output } from './output.ts';

export interface ShowOptions {
  readonly system?: string;
  readonly json?: boolean;
}

/** Shows everything that is known of one backup. `not-found` when its manifest does not exist. */
export const show = async (
  connect: () => Promise<Pick<Connection, 'vault' | 'vaultName' | 'state' | 'options'>>,
  text: string,
  options: ShowOptions,
  output: Output,
  now = new Date(),
): Promise<Exit> => {
  const wanted = parseBackup(text, options.system);
  const connection = await connect();
  const { vault, vaultName } = connection;
  const { system } = wanted;
  const { manifest, history } = await typedBackup(connection, wanted, output);
  const tag = await retentionTagOf(vault, system, manifest.backup);
  const places = {
    location: `s3://${vaultName}/${vaultKeys.backup(system, manifest.backup)}`,
    manifest: `s3://${vaultName}/${vaultKeys.manifest(system, manifest.backup)}`,
  };
  if (options.json === true) {
    output.document({ ...manifest, retentionTag: tag ?? null, history, ...places });
    return 'ok';
  }
  for (const line of pairs([...headRows(manifest, tag, now), ...Object.entries(places)])) output.line(line);
  section(output, 'Retention', historyColumns, historyRows(history));
  section(output, 'Verifications', verificationColumns, verificationRows(history));
  section(output, 'Nodes', nodeColumns, nodeRows(manifest));
  section(output, 'Databases', databaseColumns, databaseRows(manifest));
  section(output, 'Objects', objectColumns, objectRows(manifest));
  if (manifest.warnings.length > 0) {
    output.line();
    output.line('Warnings');
    for (const warning of manifest.warnings) output.line(`  ${warning}`);
  }
  return 'ok';
};

const section = (
  output: Output,
  title: string,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): void => {
  if (rows.length === 0) return;
  output.line();
  output.line(title);
  for (const line of table(columns, rows)) output.line(`  ${line}`);
};

const secondsOf = (manifest: Manifest): number =>
  (Date.parse(manifest.committedAt) - Date.parse(manifest.startedAt)) / 1000;

const headRows = (
  manifest: Manifest,
  tag: RetentionTag | undefined,
  now: Date,
): readonly (readonly [string, string])[] => {
  const uploads = manifest.artifacts.flatMap(({ collected }) => uploadsOf(collected));
  const rawBytes = uploads.reduce((sum, upload) => sum + upload.rawBytes, 0);
  const phases = Object.entries(manifest.phaseSeconds).map(([name, seconds]) => `${name} ${formatDuration(seconds)}`);
  return [
    ['backup', `${manifest.system}/${manifest.backup}`],
    [
      'state',
      `${manifest.purpose === 'regular' ? '' : `${manifest.purpose} backup, `}${manifest.state}, ${manifest.consistency}, ${manifest.scheduled ? 'scheduled' : 'not scheduled'}`,
    ],
    ['retention', `class ${manifest.retentionClass}, tagged ${tag ?? 'with none'} now`],
    ...manifest.missing.map((what): [string, string] => ['missing', what]),
    ['age', formatDuration((now.getTime() - backupMoment(manifest.backup).getTime()) / 1000)],
    [
      'taken',
      `${formatMoment(new Date(manifest.startedAt))} to ${formatMoment(new Date(manifest.committedAt))}, ${formatDuration(secondsOf(manifest))}`,
    ],
    ['phases', phases.join(', ')],
    [
      'size',
      `${formatBytes(storedBytes(manifest))} in ${formatAmount(uploads.length, 'object')}, ${formatBytes(rawBytes)} before compression`,
    ],
    ['run', manifest.run],
  ];
};

const historyColumns = [
  { heading: 'SINCE' },
  { heading: 'CHANGE' },
  { heading: 'TAG' },
  { heading: 'BY' },
  { heading: 'REASON' },
] as const;

const historyRows = (history: History): readonly (readonly string[])[] =>
  retentionChanges(history).map(({ at, change, tag, by, reason }) => [
    formatMoment(new Date(at)),
    change,
    tag,
    by,
    reason ?? '-',
  ]);

const verificationColumns = [
  { heading: 'AT' },
  { heading: 'OUTCOME' },
  { heading: 'READ' },
  { heading: 'FAULTS' },
] as const;

const verificationRows = (history: History): readonly (readonly string[])[] =>
  history.flatMap((entry) =>
    entry.change === 'verified'
      ? [[formatMoment(new Date(entry.at)), entry.outcome, formatBytes(entry.bytes), entry.faults.join('; ') || '-']]
      : [],
  );

const nodeColumns = [
  { heading: 'NODE' },
  { heading: 'INSTANCE' },
  { heading: 'ROLES' },
  { heading: 'PUPPET' },
  { heading: 'POSTGRESQL' },
  { heading: 'CERTNAME' },
  { heading: 'TOOLS' },
] as const;

const nodeRows = ({ nodes }: Manifest): readonly (readonly string[])[] =>
  nodes.map(({ name, instanceId, roles, inspection }) => {
    const { tools } = inspection;
    const product =
      inspection.product === 'juju'
        ? [inspection.server?.version ?? inspection.client?.version ?? '', '-', inspection.client?.name ?? '-']
        : [inspection.version, inspection.postgres?.version ?? '-', inspection.certname];
    return [
      name,
      instanceId,
      roles.join(','),
      ...product,
      [`aws ${tools.aws}`, ...(tools.zstd === null ? [] : [`zstd ${tools.zstd}`]), `tar ${tools.tar}`].join(', '),
    ];
  });

const databaseColumns = [
  { heading: 'DATABASE' },
  { heading: 'NODE' },
  { heading: 'OWNER' },
  { heading: 'TABLESPACE' },
  { heading: 'ENCODING' },
  { heading: 'SIZE', align: 'right' },
  { heading: 'TABLES', align: 'right' },
  { heading: 'ROWS', align: 'right' },
] as const;

const databaseRows = ({ nodes, artifacts }: Manifest): readonly (readonly string[])[] =>
  nodes.flatMap(({ instanceId, name: node, inspection }) =>
    (inspection.product === 'puppet-enterprise' ? (inspection.postgres?.databases ?? []) : []).map(
      ({ name, owner, tablespace, encoding, bytes }) => {
        const dump = artifacts.find(
          (artifact) =>
            artifact.node === instanceId &&
            artifact.collected.kind === 'database' &&
            artifact.collected.database === name,
        )?.collected;
        const [tables, rows] =
          dump?.kind === 'database' ? [formatCount(dump.tables), formatCount(dump.rows)] : ['not dumped', 'not dumped'];
        return [name, node, owner, tablespace, encoding, formatBytes(bytes), tables, rows];
      },
    ),
  );

const objectColumns = [
  { heading: 'OBJECT' },
  { heading: 'SIZE', align: 'right' },
  { heading: 'RAW', align: 'right' },
  { heading: 'RATIO', align: 'right' },
  { heading: 'VERIFIED' },
  { heading: 'SHA-256' },
] as const;

/** What was verified of an artifact's stream; its list of contents was made from that very reading. */
const verifiedText = (collected: Collected): string =>
  collected.kind === 'files' && collected.secrets > 0
    ? `${collected.verified}, ${formatAmount(collected.secrets, 'secret')} found`
    : collected.verified;

const objectRows = ({ system, backup, artifacts }: Manifest): readonly (readonly string[])[] =>
  artifacts.flatMap(({ collected }) =>
    uploadsOf(collected).map((upload) => [
      // The instance alone: the rest of its ARN is the same in every line.
      upload.key.replace(vaultKeys.backup(system, backup), '').replace(/^arn:[^/]*:instance\//, ''),
      formatBytes(upload.bytes),
      formatBytes(upload.rawBytes),
      `${(upload.rawBytes / upload.bytes).toFixed(1)}x`,
      upload === collected.upload ? verifiedText(collected) : 'list of contents',
      upload.sha256,
    ]),
  );
