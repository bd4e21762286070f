import { type Artifact, type Manifest, storedBytes, type Upload } from '#domain/manifest';
import { backupMoment, vaultKeys } from '#domain/naming';
import { latestBackup, noBackups, parseBackup, readBackup, runUnderWay } from './catalog.ts';
import { CliError } from './cli-error.ts';
import type { Connection } from './connection.ts';
import type { Exit } from './exit-codes.ts';
import { formatAmount, formatBytes, formatCount, formatDuration, formatMoment, pairs, table } from './format.ts';
import type { Output } from './output.ts';

export interface ShowOptions {
  readonly system?: string;
  readonly json?: boolean;
}

/** Shows everything that is known of one backup. `not-found` when its manifest does not exist. */
export const show = async (
  connection: Pick<Connection, 'vault' | 'vaultName' | 'state'>,
  text: string,
  options: ShowOptions,
  output: Output,
  now = new Date(),
): Promise<Exit> => {
  const { vault, vaultName } = connection;
  const { system, backup: wanted } = parseBackup(text, options.system);
  const backup = wanted === 'latest' ? await latestBackup(vault, system) : wanted;
  const entry = backup === undefined ? undefined : await readBackup(vault, system, backup);
  if (entry === undefined) throw await unknown(connection, system, backup);
  if (!entry.readable)
    throw new CliError('unexpected', `${system}/${entry.backup}: ${entry.reason}`, 'A newer Holdfast may read it.');
  const { manifest, tag } = entry;
  const places = {
    location: `s3://${vaultName}/${vaultKeys.backup(system, manifest.backup)}`,
    manifest: `s3://${vaultName}/${vaultKeys.manifest(system, manifest.backup)}`,
  };
  if (options.json === true) {
    output.document({ ...manifest, retentionTag: tag ?? null, ...places });
    return 'ok';
  }
  const raw = uploadsOf(manifest).reduce((sum, { upload }) => sum + upload.rawBytes, 0);
  for (const line of pairs([
    ['backup', `${system}/${manifest.backup}`],
    ['state', `${manifest.state}, ${manifest.consistency}, ${manifest.scheduled ? 'scheduled' : 'not scheduled'}`],
    ['retention', `${manifest.retentionClass}, now tagged ${tag ?? 'with nothing'}`],
    ['age', formatDuration((now.getTime() - backupMoment(manifest.backup).getTime()) / 1000)],
    ['taken', takenText(manifest)],
    ['phases', Object.entries(manifest.phaseSeconds).map(([name, seconds]) => `${name} ${formatDuration(seconds)}`).join(', ')],
    ['size', `${formatBytes(storedBytes(manifest))} in ${formatAmount(uploadsOf(manifest).length, 'object')}, ${formatBytes(raw)} before compression`],
    ['run', manifest.run],
    ...Object.entries(places),
  ]))
    output.line(line);
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
