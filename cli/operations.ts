import type { RunRef } from '#domain/payloads';
import { concludeBackup } from './backup.ts';
import { concludeRestore } from './restore.ts';
import type { Conclude } from './run.ts';
import { concludeUpgrade } from './upgrade.ts';
import { concludeVerify } from './verify.ts';

/** What the command line says of each operation that people start. A further operation is a further line. */

interface Operation {
  /** What is said of a run that has ended, and the exit code. */
  readonly conclude: Conclude;
  /** What happens to a run that is cancelled. */
  readonly undoing: string;
}

export const operations: Readonly<Record<RunRef['operation'], Operation>> = {
  backup: {
    conclude: concludeBackup,
    undoing: 'services that it stopped are started again, and what it uploaded is deleted; older backups are untouched',
  },
  restore: {
    conclude: concludeRestore,
    undoing:
      'what it replaced is put back where that is possible, services that it stopped are started again, and schedules start backups again',
  },
  upgrade: {
    conclude: concludeUpgrade,
    undoing:
      'services that it stopped are started again, and schedules start backups again; what was upgraded stays as it is, and the backup that was taken before leads back',
  },
  verify: {
    conclude: concludeVerify,
    undoing: 'nothing was changed: it only reads',
  },
};
