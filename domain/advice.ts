import type { errorNames } from './errors.ts';
import type { RunRef } from './payloads.ts';

/** What a person does about the error that a run ended with, and how a program that waited for the run ends. */

/** What failed. */
export interface Failed {
  readonly operation: RunRef['operation'];
  readonly system: string;
  /** The command that does the same again; absent where it is long, or asks for decisions. */
  readonly again?: string;
}

export interface Advice {
  /** `failed` is what an ordinary failure is. */
  readonly exit: 'busy' | 'not-found' | 'failed';
  readonly next: string;
}

interface Entry {
  readonly exit?: Advice['exit'];
  readonly next: (failed: Failed) => string;
}

/** `ApprovalTimedOut` is the state machine's own. */
type Known = (typeof errorNames)[number] | 'ApprovalTimedOut';

const lookAtBackups = ({ system }: Failed): string => `List the backups: holdfast backups ${system}`;

const startAgain = ({ operation, again }: Failed): string =>
  again === undefined ? `start the ${operation} again` : `try again: ${again}`;

/** What restores and upgrades leave as it was while they wait for somebody. */
const untouched = ({ operation }: Failed): string => `Nothing was ${operation === 'upgrade' ? 'upgraded' : 'touched'}.`;

/** The errors that ask for another exit code, or for something else than to fix the cause. */
const entries: Readonly<Partial<Record<Known, Entry>>> = {
  SystemBusyError: { exit: 'busy', next: (failed) => `Wait until that run has ended, then ${startAgain(failed)}` },
  UnknownSystemError: {
    exit: 'not-found',
    next: () => 'Add it to holdfast.yaml, run holdfast config check, then deploy.',
  },
  UnknownBackupError: { exit: 'not-found', next: lookAtBackups },
  NoBackupError: { exit: 'not-found', next: lookAtBackups },
  ManifestUnreadableError: {
    next: ({ system }) =>
      `Use the version of Holdfast that made it, or a newer one, or choose another backup: holdfast backups ${system}`,
  },
  ArtifactMissingError: { next: ({ system }) => `Choose another backup: holdfast backups ${system}` },
  BackupDamagedError: {
    next: ({ system }) =>
      `Make a new one: holdfast backup ${system} --watch. An earlier version of the object may be intact: see docs/runbook.md, verify-failed.`,
  },
  RestoreMismatchError: {
    next: ({ system }) => `The previous state is back. Choose another backup: holdfast backups ${system}`,
  },
  CheckFailedError: {
    next: ({ operation }) =>
      operation === 'upgrade'
        ? 'Nothing was changed. Fix what it names, then run it again with --plan.'
        : 'Fix what it names, or accept a difference with --allow, then run it again with --plan.',
  },
  NodeUnreachableError: {
    next: (failed) => `Look at the node in Fleet Manager (AWS Systems Manager), then ${startAgain(failed)}`,
  },
  ApprovalRejectedError: {
    next: (failed) => `${untouched(failed)} Start the ${failed.operation} again when the reason no longer applies.`,
  },
  ApprovalTimedOut: {
    next: (failed) =>
      `${untouched(failed)} Start the ${failed.operation} again, with --confirm ${failed.system} or a longer --approval-minutes.`,
  },
  UndoFailedError: {
    next: (failed) => `Look at the nodes now: a service may still be stopped. Then ${startAgain(failed)}`,
  },
};

const known: Readonly<Record<string, Entry | undefined>> = entries;

/** Returns what to do about an error by its name; the runbook has more of each. */
export const adviceOn = (error: string, failed: Failed): Advice => {
  const entry = known[error];
  return {
    exit: entry?.exit ?? 'failed',
    next:
      entry?.next(failed) ??
      `Fix the cause, then ${startAgain(failed)}${failed.operation === 'upgrade' ? ': nodes that have the version are skipped' : ''}. docs/runbook.md explains each error: ${failed.operation}-failed`,
  };
};
