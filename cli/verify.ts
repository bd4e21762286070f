import { parseBackup, typedBackup } from './catalog.ts';
import { CliError } from './cli-error.ts';
import { type Connection, sameConnection } from './connection.ts';
import type { Exit } from './exit-codes.ts';
import type { FollowOptions } from './follow-run.ts';
import { formatBytes, formatDuration } from './format.ts';
import type { Output } from './output.ts';
import { type Conclude, runName, seeThrough, startRun } from './run.ts';
import { runFailed } from './run-failed.ts';

export interface VerifyOptions extends FollowOptions {
  readonly system?: string;
  readonly watch?: boolean;
  readonly json?: boolean;
}

/** Starts reading a backup back from the vault and, with `watch`, follows it to its end; then `ok` means that every byte is as it was committed. */
export const verify = async (
  connect: () => Promise<Connection>,
  text: string,
  { system: apart, watch = false, json = false, ...follow }: VerifyOptions,
  output: Output,
): Promise<Exit> => {
  const typed = parseBackup(text, apart);
  const connection = await connect();
  const { backup } = await typedBackup(connection, typed, output);
  const { system } = typed;
  const request = { system, backup };
  const started = await startRun(connection, 'verify', runName(`${system.slice(0, 28)}-verify`), request);
  return seeThrough(connection, started, { watch, json, ...follow }, concludeVerify, output);
};

/** Prints the result of a verification. */
export const concludeVerify: Conclude = (connection, { system, run }, { outcome, seconds }, json, output) => {
  const at = (command: string): string => sameConnection(connection, command);
  switch (outcome?.kind) {
    case 'verified': {
      const { sound, cold, bytes } = outcome.summary;
      if (sound.length === 0)
        throw new CliError(
          'failed',
          `cold storage holds ${cold.map((backup) => `${system}/${backup}`).join(', ')}: it could not be read`,
          'A restore of it thaws it first, which takes hours. Verify one that is not in cold storage.',
        );
      if (json) return 'ok';
      output.line(
        `${sound.map((backup) => `${system}/${backup}`).join(', ')}: sound, ${formatBytes(bytes)} read in ${formatDuration(seconds)}`,
      );
      if (cold.length > 0) output.note(`Cold storage holds ${cold.join(', ')}: not read.`);
      return 'ok';
    }
    case 'failed':
      throw runFailed('verify', { run, system }, outcome, at(`holdfast verify ${system}/latest --watch`));
    default:
      throw new CliError(
        'unexpected',
        `run ${run} ended without the result of a verification`,
        'Open its execution in the Step Functions console. A newer version of Holdfast may understand it.',
      );
  }
};
