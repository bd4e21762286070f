/**
 * The errors that Holdfast's parts throw. A name is an API: state machines match it, the command line turns it into an
 * exit code, and a person reads it, so every message says what to do next.
 */

/** The input of a run or a lambda does not have the agreed shape. Retrying does not help. */
export class InvalidInputError extends Error {
  override readonly name = 'InvalidInputError';
}

/** `holdfast.yaml` has no system of that name. Retrying does not help. */
export class UnknownSystemError extends Error {
  override readonly name = 'UnknownSystemError';
}

/** There is no manifest of that name. Retrying does not help. */
export class UnknownBackupError extends Error {
  override readonly name = 'UnknownBackupError';
}

/**
 * A manifest is not what a commit has signed: somebody has changed it or put it there, or it was made before manifests were signed. It is
 * never believed. Retrying does not help: another backup must be used.
 */
export class ManifestUntrustedError extends Error {
  override readonly name = 'ManifestUntrustedError';
}

/** A manifest is broken, or of a newer version of Holdfast. Retrying does not help: that version, or another backup, must be used. */
export class ManifestUnreadableError extends Error {
  override readonly name = 'ManifestUnreadableError';
}

/** Another run holds the system's lock. Retrying later helps. */
export class SystemBusyError extends Error {
  override readonly name = 'SystemBusyError';
}

/** A node is missing, not managed by SSM, or its agent does not answer. Retrying helps once the node is back. */
export class NodeUnreachableError extends Error {
  override readonly name = 'NodeUnreachableError';
}

/** A node does not hold what its configured roles say. Retrying does not help. */
export class WrongRoleError extends Error {
  override readonly name = 'WrongRoleError';
}

/** A command on a node ended with an error of its own. Retrying helps only when its cause was fixed. */
export class CommandFailedError extends Error {
  override readonly name = 'CommandFailedError';
}

/** A command did not end, or was not delivered, within its time. Retrying may help. */
export class CommandTimedOutError extends Error {
  override readonly name = 'CommandTimedOutError';
}

/** A command was cancelled by somebody. Retrying helps. */
export class CommandCancelledError extends Error {
  override readonly name = 'CommandCancelledError';
}

/** A command began on its node after its deadline, and did nothing. Retrying helps once the agent's queue is short again. */
export class CommandLateError extends Error {
  override readonly name = 'CommandLateError';
}

/** A command came to its node after its run was undone there, and did nothing. Retrying helps. */
export class RunUndoneError extends Error {
  override readonly name = 'RunUndoneError';
}

/** A node was sent a command without a ticket that was made for it and is not used yet, and did nothing. Retrying helps only where nobody else sends commands. */
export class TicketRefusedError extends Error {
  override readonly name = 'TicketRefusedError';
}

/** A document is no longer what it was when a command was planned, and nothing was sent. Retrying helps: the run is planned again. */
export class DocumentChangedError extends Error {
  override readonly name = 'DocumentChangedError';
}

/** A command's answer is not what its document promises. Retrying does not help. */
export class UnreadableResultError extends Error {
  override readonly name = 'UnreadableResultError';
}

/**
 * A node answered with a key or a name that its command was not given. Nothing is committed. Retrying helps only when that node is
 * what it should be.
 */
export class UnaskedAnswerError extends Error {
  override readonly name = 'UnaskedAnswerError';
}

/** What lies in the vault is not what the node reported. The backup is not committed. Retrying helps. */
export class ArtifactMismatchError extends Error {
  override readonly name = 'ArtifactMismatchError';
}

/** No archive of the backup holds what it must: the certificate authority, or a key that a setting names. It is not committed. */
export class BackupNotWholeError extends Error {
  override readonly name = 'BackupNotWholeError';
}

/** There is no good backup to restore. Retrying helps after a backup. */
export class NoBackupError extends Error {
  override readonly name = 'NoBackupError';
}

/** The vault does not have what a manifest names. Retrying does not help. */
export class ArtifactMissingError extends Error {
  override readonly name = 'ArtifactMissingError';
}

/** What lies in the vault is no longer what was committed. Retrying does not help: another backup must be used. */
export class BackupDamagedError extends Error {
  override readonly name = 'BackupDamagedError';
}

/** A restore was refused before anything was touched; the message tells every reason at once. */
export class CheckFailedError extends Error {
  override readonly name = 'CheckFailedError';
}

/** What was restored is not what the manifest says. What was there before is put back. */
export class RestoreMismatchError extends Error {
  override readonly name = 'RestoreMismatchError';
}

/** Somebody rejected the run. Nothing was changed. */
export class ApprovalRejectedError extends Error {
  override readonly name = 'ApprovalRejectedError';
}

/** The write was refused because the object, or another version of it, is there already. */
export class AlreadyExistsError extends Error {
  override readonly name = 'AlreadyExistsError';
}

/** The run failed, and undoing it failed as well: something may still be stopped on a node. A person must look. */
export class UndoFailedError extends Error {
  override readonly name = 'UndoFailedError';
}

/** A step of a run, or a whole child execution, took longer than it may. Retrying may help. */
export class StepTimedOutError extends Error {
  override readonly name = 'StepTimedOutError';
}

/** Somebody stopped a child execution of the run. Retrying helps. */
export class StepAbortedError extends Error {
  override readonly name = 'StepAbortedError';
}

/** AWS could not do a step of the run, and has its own name for why, which the message has. Retrying may help. */
export class StepFailedError extends Error {
  override readonly name = 'StepFailedError';
}

/**
 * Something failed that nobody decided: S3 asked to slow down, a connection broke, or the program has a fault. The message has its own
 * name. State machines repeat it; when it lasts, retrying helps only if its cause is gone.
 */
export class UnexpectedError extends Error {
  override readonly name = 'UnexpectedError';
}

/** Every error class above by its name: what `ErrorEquals` of a state machine may use. */
export const errorNames = [
  'InvalidInputError',
  'UnknownSystemError',
  'UnknownBackupError',
  'ManifestUntrustedError',
  'ManifestUnreadableError',
  'SystemBusyError',
  'NodeUnreachableError',
  'WrongRoleError',
  'CommandFailedError',
  'CommandTimedOutError',
  'CommandCancelledError',
  'CommandLateError',
  'RunUndoneError',
  'TicketRefusedError',
  'DocumentChangedError',
  'UnreadableResultError',
  'UnaskedAnswerError',
  'ArtifactMismatchError',
  'BackupNotWholeError',
  'NoBackupError',
  'ArtifactMissingError',
  'BackupDamagedError',
  'CheckFailedError',
  'RestoreMismatchError',
  'ApprovalRejectedError',
  'AlreadyExistsError',
  'UndoFailedError',
  'StepTimedOutError',
  'StepAbortedError',
  'StepFailedError',
  'UnexpectedError',
] as const;
