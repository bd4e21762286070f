import type { Readable } from 'node:stream';
import type { ManagedInstance } from './instance.ts';

/** What the agent reports of one script. */
export interface Report {
  readonly status: 'Success' | 'Failed' | 'TimedOut' | 'Cancelled';
  readonly statusDetails: 'Success' | 'Failed' | 'ExecutionTimedOut' | 'Cancelled';
  readonly responseCode: number;
  /** At most 24,000 bytes. */
  readonly stdout: string;
  /** At most 8,000 bytes. */
  readonly stderr: string;
  /** What the agent itself has to say: only the listing of invocations shows it. */
  readonly words?: string | undefined;
}

/** Why a script is stopped; the reason with which its signal is aborted. */
export type StopReason = 'ExecutionTimedOut' | 'Cancelled';

const STDOUT_LIMIT = 24_000;
const STDERR_LIMIT = 8_000;

/** 128 + SIGKILL: what the agent reports of a script that it stopped. */
const KILLED = 137;

/**
 * Runs a script to its end, or kills its process group once `stop` is aborted. Its exit status may ask for a reboot, and the
 * power of the node may be cut.
 *
 * A script is over when its process is gone and nobody holds its stdout and stderr any more: a background process that
 * inherited them keeps the command in progress.
 */
export const runScript = async (
  instance: ManagedInstance,
  script: string,
  commandId: string,
  stop: AbortSignal,
): Promise<Report | 'reboot' | 'cut off'> => {
  const { boots } = instance;
  const running = instance.run(script, commandId);
  const stdout = keep(running.stdout, STDOUT_LIMIT);
  const stderr = keep(running.stderr, STDERR_LIMIT);
  const stopped = new Promise<'stopped'>((resolve) => stop.addEventListener('abort', () => resolve('stopped')));
  const completed = Promise.all([running.exit, stdout.closed, stderr.closed]);

  const end = await Promise.race([completed, stopped]);
  if (end === 'stopped') {
    running.kill();
    await running.exit;
    // A process that left the group may hold them for ever.
    running.stdout.destroy();
    running.stderr.destroy();
    const kept = { responseCode: KILLED, stdout: stdout.text(), stderr: stderr.text() };
    return stop.reason === 'Cancelled'
      ? { status: 'Cancelled', statusDetails: 'Cancelled', ...kept }
      : { status: 'TimedOut', statusDetails: 'ExecutionTimedOut', ...kept };
  }

  const [{ code, signal }] = end;
  if (code === REBOOT) return 'reboot';
  if (code === null && (!instance.online || instance.boots !== boots)) return 'cut off';
  const failure = code === null ? `signal: ${signalWords[signal ?? ''] ?? signal}` : `exit status ${code}`;
  const outcome = outcomeOf(code);
  const ended = { ...outcome, responseCode: code ?? -1 };
  switch (code) {
    case SUCCEED:
      return { ...ended, stdout: stdout.text(`\n${marked(SUCCEED, 'succeeded')}`), stderr: '' };
    case FAIL:
      return { ...ended, stdout: stdout.text(`\n${marked(FAIL, 'failed')}`), stderr: stderr.text() };
    default:
      return {
        ...ended,
        stdout: stdout.text(),
        stderr: stderr.text(outcome.status === 'Failed' ? `failed to run commands: ${failure}` : ''),
      };
  }
};

/** Exit statuses that the agent takes for wishes. */
const SUCCEED = 168;
const FAIL = 169;
const REBOOT = 194;

const marked = (code: number, as: string): string =>
  `Step exited with code ${code}. Therefore, marking step as ${as}. Further document steps will be skipped.`;

/** Signals as the agent, which is written in Go, names them. */
const signalWords: Readonly<Record<string, string>> = {
  SIGKILL: 'killed',
  SIGTERM: 'terminated',
  SIGINT: 'interrupt',
  SIGHUP: 'hangup',
  SIGSEGV: 'segmentation fault',
};

/**
 * The agent knows a time-out by its exit status alone: a script that hands on the status of a child that was killed, for
 * lack of memory say, is reported as timed out.
 */
const outcomeOf = (code: number | null): Pick<Report, 'status' | 'statusDetails'> => {
  if (code === 0 || code === SUCCEED) return { status: 'Success', statusDetails: 'Success' };
  if (code === KILLED) return { status: 'TimedOut', statusDetails: 'ExecutionTimedOut' };
  return { status: 'Failed', statusDetails: 'Failed' };
};

/** Reads a stream to its end and keeps only as much as can be reported. */
const keep = (stream: Readable, limit: number) => {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    if (size < limit) chunks.push(chunk);
    size += chunk.length;
  });
  return {
    closed: new Promise<void>((resolve) => stream.once('close', resolve)),
    text: (appendix = '') => truncate(Buffer.concat([...chunks, Buffer.from(appendix)]), limit),
  };
};

const TRUNCATED = '--output truncated--';

/** The agent counts bytes, and takes output that just fills the limit for truncated. */
const truncate = (output: Buffer, limit: number): string =>
  output.length < limit ? output.toString() : output.subarray(0, limit - TRUNCATED.length).toString() + TRUNCATED;

const PLUGIN_OUTPUT_LIMIT = 2_500;
const ERROR_TITLE = '\n----------ERROR-------\n';
const OUTPUT_TRUNCATED = '\n---Output truncated---';
const ERROR_TRUNCATED = '\n---Error truncated----';

/** stdout and stderr, or the words of the agent when both are empty, as one text of at most 2,500 characters, as ListCommandInvocations shows them. */
export const pluginOutput = ({ stdout, stderr, words }: Pick<Report, 'stdout' | 'stderr' | 'words'>): string => {
  if (stdout === '' && stderr === '') return words ?? '';
  const title = stderr === '' ? '' : ERROR_TITLE;
  const room = PLUGIN_OUTPUT_LIMIT - title.length;
  const half = Math.floor(room / 2);
  const cut = (text: string, other: string, mark: string) => {
    const share = Math.max(half, room - other.length);
    return text.length <= share ? text : text.slice(0, share - mark.length) + mark;
  };
  return cut(stdout, stderr, OUTPUT_TRUNCATED) + title + cut(stderr, stdout, ERROR_TRUNCATED);
};
