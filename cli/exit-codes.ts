/** How the command line ends: a number for scripts, a meaning for people. A number never changes its meaning. */
export const exitCodes = {
  ok: { code: 0, meaning: 'done' },
  unexpected: { code: 1, meaning: 'an error that nobody foresaw, or an entry of the catalog that cannot be read' },
  usage: { code: 2, meaning: 'the command line is wrong' },
  invalid: { code: 3, meaning: 'the configuration has mistakes' },
  'not-found': { code: 4, meaning: 'there is no such system, backup, run or file' },
  busy: { code: 5, meaning: 'another operation of this system is under way' },
  failed: { code: 6, meaning: 'the operation failed' },
  connection: { code: 7, meaning: 'AWS cannot be reached, refuses, or has no Holdfast in this account and region' },
  overdue: { code: 8, meaning: 'a system has no good backup, or its newest is older than its schedule allows' },
  interrupted: { code: 130, meaning: 'interrupted with Ctrl-C; a run that was started goes on' },
} as const;

export type Exit = keyof typeof exitCodes;

/** The section of a verb's help that lists how it may end. */
export const exitHelp = (exits: readonly Exit[]): string =>
  [
    '',
    'Exit codes:',
    ...exits.map((exit) => `  ${String(exitCodes[exit].code).padEnd(5)}${exitCodes[exit].meaning}`),
  ].join('\n');
