import { storedBytes } from '#domain/manifest';
import { backupMoment, vaultKeys } from '#domain/naming';
import { assertSystem, type CatalogEntry, listBackups, noBackups, runUnderWay } from './catalog.ts';
import type { Connection } from './connection.ts';
import type { Exit } from './exit-codes.ts';
import { formatAmount, formatBytes, formatDuration, table } from './format.ts';
import type { Output } from './output.ts';

/** Lists a system's backups, newest first. `not-found` when it has none and none is under way. */
export const backups = async (
  connect: () => Promise<Pick<Connection, 'vault' | 'vaultName' | 'state'>>,
  system: string,
  { json = false }: { readonly json?: boolean },
  output: Output,
  now = new Date(),
): Promise<Exit> => {
  assertSystem(system);
  const { vault, state, vaultName } = await connect();
  const entries = await listBackups(vault, system);
  const underWay = await runUnderWay(state, system);
  if (entries.length === 0 && underWay === undefined) throw await noBackups(vault, system);
  if (json)
    output.document({
      system,
      ...(underWay !== undefined && { underWay }),
      backups: entries.map((entry) => ({
        ...summary(entry, now),
        location: `s3://${vaultName}/${vaultKeys.backup(system, entry.backup)}`,
      })),
    });
  else {
    if (entries.length === 0) output.line(`${system} has no backup yet`);
    else
      for (const line of table(
        columns,
        entries.map((entry) => row(entry, now)),
      ))
        output.line(line);
    if (underWay !== undefined) output.note(`An operation of ${system} is under way: run ${underWay}`);
  }
  const unreadable = entries.filter((entry) => !entry.readable);
  for (const { backup, reason } of unreadable) output.note(`${system}/${backup}: ${reason}`);
  if (unreadable.length === 0) return 'ok';
  output.note(`${formatAmount(unreadable.length, 'entry', 'entries')} of the catalog can't be read.`);
  return 'unexpected';
};

const columns = [
  { heading: 'BACKUP' },
  { heading: 'AGE', align: 'right' },
  { heading: 'CLASS' },
  { heading: 'RETENTION' },
  { heading: 'SIZE', align: 'right' },
  { heading: 'TOOK', align: 'right' },
  { heading: 'STATE' },
  { heading: 'CONSISTENCY' },
] as const;

const ageSeconds = (backup: string, now: Date): number => (now.getTime() - backupMoment(backup).getTime()) / 1000;

const row = (entry: CatalogEntry, now: Date): readonly string[] => {
  const age = formatDuration(ageSeconds(entry.backup, now));
  if (!entry.readable) return [entry.backup, age, '-', '-', '-', '-', 'unreadable', '-'];
  const { manifest, tag } = entry;
  return [
    entry.backup,
    age,
    manifest.retentionClass,
    tag ?? 'untagged',
    formatBytes(storedBytes(manifest)),
    formatDuration((Date.parse(manifest.committedAt) - Date.parse(manifest.startedAt)) / 1000),
    manifest.state,
    manifest.consistency,
  ];
};

const summary = (entry: CatalogEntry, now: Date) => {
  const known = { backup: entry.backup, ageSeconds: Math.round(ageSeconds(entry.backup, now)) };
  if (!entry.readable) return { ...known, state: 'unreadable', reason: entry.reason };
  const { state, retentionClass, consistency, startedAt, committedAt, run } = entry.manifest;
  return {
    ...known,
    state,
    retentionClass,
    retentionTag: entry.tag ?? null,
    consistency,
    bytes: storedBytes(entry.manifest),
    startedAt,
    committedAt,
    seconds: (Date.parse(committedAt) - Date.parse(startedAt)) / 1000,
    run,
  };
};
