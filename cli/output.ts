import { printable, printableJson } from './format.ts';

/** Where a verb's words go: data to stdout, everything else to stderr. Nothing written here can command a terminal. */
export interface Output {
  /** One line of data. */
  line(text?: string): void;
  /** The one document of a verb with --json. */
  document(value: unknown): void;
  /** One of the JSON lines of a verb that watches. */
  jsonLine(value: unknown): void;
  /** One line for the person who waits. */
  note(text: string): void;
  /** Replaces the lines that were last drawn; on what is no terminal nothing is drawn. */
  draw(lines: readonly string[]): void;
  readonly isTerminal: boolean;
}

/** What an Output needs of `process.stdout` and `process.stderr`. */
export interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const escapeCharacter = '\u001b';

/** An Output on two streams; whether the person sees a terminal is asked of stderr, where progress goes. */
export const outputOn = (stdout: Stream, stderr: Stream): Output => {
  let drawn = 0;
  const erase = (): string => {
    const code = drawn === 0 ? '' : `${escapeCharacter}[${drawn}A${escapeCharacter}[J`;
    drawn = 0;
    return code;
  };
  const note = (text: string): void => {
    stderr.write(`${erase()}${printable(text)}\n`);
  };
  const write = (text: string): void => {
    if (drawn > 0) stderr.write(erase());
    stdout.write(`${text}\n`);
  };
  return {
    isTerminal: stderr.isTTY === true,
    line: (text = '') => write(printable(text)),
    document: (value) => write(printableJson(value, 2)),
    jsonLine: (value) => write(printableJson(value)),
    note,
    draw: (lines) => {
      if (stderr.isTTY !== true) return;
      // A line that wraps would take two rows, and the next drawing would erase too few.
      const width = (stderr.columns ?? 80) - 1;
      const text = lines.map((line) => `${printable(line).slice(0, width)}\n`).join('');
      stderr.write(`${erase()}${text}`);
      drawn = lines.length;
    },
  };
};
