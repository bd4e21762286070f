import { storedBytes } from '#domain/manifest';
import { assertSystem } from './catalog.ts';
import { concludeCheck } from './check-report.ts';
import { CliError } from './cli-error.ts';
import { type Connection, sameConnection } from './connection.ts';
import type { Exit } from './exit-codes.ts';
import type { FollowOptions } from './follow-run.ts';
import { formatAmount, formatBytes, formatDuration } from './format.ts';
import type { Output } from './output.ts';
import { type Conclude, runName, type Started, seeThrough, startRun } from './run.ts';
import { runFailed } from './run-failed.ts';

export interface BackupOptions extends FollowOptions {
  readonly watch?: boolean;
  /** Of what still lives. */
  readonly partial?: boolean;
  readonly json?: boolean;
}

/** Starts a backup and, with `watch`, follows it to its end; then `ok` means that its manifest exists. */
export const backup = async (
  connect: () => Promise<Connection>,
  system: string,
  { watch = false, json = false, partial = false, ...follow }: BackupOptions,
  output: Output,
): Promise<Exit> => {
  assertSystem(system);
  const connection = await connect();
  const started: Started = {
    ...(await startRun(connection, 'backup', runName(system), { system, ...(partial && { partial }) })),
    result: sameConnection(connection, `holdfast backups ${system}`),
  };
  return seeThrough(connection, started, { watch, json, ...follow }, concludeBackup, output);
};

/** Prints the result of a backup. */
export const concludeBackup: Conclude = (connection, { system, run }, { outcome, seconds }, json, output) => {
  switch (outcome?.kind) {
    case 'committed': {
      const { manifest } = outcome;
      const id = `${system}/${manifest.backup}`;
      if (json) return 'ok';
      output.line(
        `${id} is ${manifest.purpose === 'partial' ? 'partial: it lacks nodes, and is never the latest' : 'complete'}: ${formatAmount(manifest.artifacts.length, 'artifact')}, ${formatBytes(storedBytes(manifest))}, took ${formatDuration(seconds)}, ${manifest.retentionClass}, ${manifest.consistency}`,
      );
      for (const what of manifest.missing) output.note(`missing: ${what}`);
      for (const warning of manifest.warnings) output.note(`warning: ${warning}`);
      output.note(`Details: ${sameConnection(connection, `holdfast show ${id}`)}`);
      return 'ok';
    }
    case 'checked':
      return concludeCheck(outcome.report, json, output);
    case 'duplicate': {
      const id = `${system}/${outcome.backup}`;
      if (!outcome.committed)
        throw new CliError(
          'busy',
          `another run is making ${id} already`,
          `See whether it is complete: ${sameConnection(connection, `holdfast backups ${system}`)}`,
        );
      if (!json) output.line(`${id} exists already: another run made it, this one had nothing to do`);
      return 'ok';
    }
    case 'failed':
      throw runFailed(
        'backup',
        { run, system },
        outcome,
        sameConnection(connection, `holdfast backup ${system} --watch`),
      );
    default:
      throw new CliError(
        'unexpected',
        `run ${run} ended without the result of a backup`,
        'Open its execution in the Step Functions console. A newer version of Holdfast may understand it.',
      );
  }
};
