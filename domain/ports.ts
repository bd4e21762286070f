import type * as z from 'zod';
import type { Mail, RunEnded } from './events.ts';
import type { Lock, RunRecord } from './payloads.ts';
import type { Invocation, Progress } from './phase.ts';
import type { Command, PinnedDocument } from './plan.ts';

/** What the verbs need of the outside world. `aws/` has one adapter for each. */

/** A version of an object as a listing tells it: the right to list is no right to read. */
export interface StoredVersion {
  readonly key: string;
  readonly versionId: string;
  readonly bytes: number;
  /** False when another version, or a delete marker, lies on top of it. */
  readonly isLatest: boolean;
  readonly modifiedAt: Date;
  /** Cold storage has to bring the version back before it can be read; absent when it can be read now. */
  readonly cold?: 'frozen' | 'thawing';
}

/** A version of an object; without a version id its newest. */
export interface ObjectVersion {
  readonly key: string;
  readonly versionId?: string | undefined;
}

/** A multipart upload under way, or left behind. */
export interface PendingUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly startedAt: Date;
}

/** One bucket. Its methods are properties, so that one which takes fewer keys is no whole bucket. Every one throws the SDK's error when S3 refuses or does not answer. */
export interface Bucket {
  /** The object's text, or undefined when there is none. */
  read: (key: string) => Promise<{ readonly text: string; readonly etag: string } | undefined>;
  /** Writes an object that must not exist yet; throws an AlreadyExistsError otherwise. */
  create: (key: string, text: string, tags?: Readonly<Record<string, string>>) => Promise<void>;
  /** Replaces the version that `etag` names; throws an AlreadyExistsError when it has changed since. */
  replace: (key: string, text: string, etag: string) => Promise<void>;
  write: (key: string, text: string) => Promise<void>;
  /** True when there is an object of this key. */
  has: (key: string) => Promise<boolean>;
  /** Every version of the objects below a prefix, delete markers left out. */
  versions: (prefix: string) => Promise<readonly StoredVersion[]>;
  /** The bytes of a version from one place to another, the last one included. Throws when there is no such version. */
  stream: (object: ObjectVersion, first: number, last: number) => AsyncIterable<Uint8Array>;
  /** Keys below a prefix in the order of their bytes. */
  list: (prefix: string) => Promise<readonly string[]>;
  /** The tags of a version. */
  tags: (object: ObjectVersion) => Promise<Readonly<Record<string, string>>>;
  /** Replaces all tags of a version. */
  tag: (object: ObjectVersion, tags: Readonly<Record<string, string>>) => Promise<void>;
  /** Asks cold storage for a copy that can be read for some days; one that was asked for before is no error. */
  thaw: (object: ObjectVersion, days: number) => Promise<void>;
  /** Lets nobody delete a version before a moment. Throws when it is locked for longer already, or the bucket has no Object Lock. */
  lock: (object: ObjectVersion, mode: 'governance' | 'compliance', until: Date) => Promise<void>;
  /** Lets nobody delete a version until the hold is taken back, whatever its lock says. Throws when the bucket has no Object Lock. */
  hold: (object: ObjectVersion, isHeld: boolean) => Promise<void>;
  /** On a versioned bucket this leaves a delete marker. */
  delete: (key: string) => Promise<void>;
  /** Objects below a prefix with the moment of their last writing. */
  listObjects: (prefix: string) => Promise<readonly { readonly key: string; readonly modifiedAt: Date }[]>;
  /** Multipart uploads below a prefix that are neither complete nor aborted. */
  listUploads: (prefix: string) => Promise<readonly PendingUpload[]>;
  /** Aborts an upload; one that was completed or aborted meanwhile is skipped. */
  abortUpload: (key: string, uploadId: string) => Promise<void>;
  /** Aborts the multipart uploads below a prefix and tells how many there were. */
  abortUploads: (prefix: string) => Promise<number>;
}

/** A key that signs. Who may check a signature cannot make one. */
export interface Signatures {
  /** The signature of a statement, 44 characters of base64. */
  sign(statement: string): Promise<string>;
  /** True when the signature was made of this very statement, with this key. */
  holds(statement: string, signature: string): Promise<boolean>;
}

/** Makes the tickets of commands. */
export interface Tickets {
  /** The signature of a statement, which nodes check by the public key that their documents have; in base64. */
  sign(statement: string): Promise<string>;
}

/** The state bucket, typed. */
export interface State<ReadKey extends string = string, WriteKey extends string = string> {
  /** Undefined when there is none. Throws a ZodError when the object is not what its writer promised. */
  readonly read: <T>(key: ReadKey, schema: z.ZodType<T>) => Promise<T | undefined>;
  readonly write: (key: WriteKey, value: unknown) => Promise<void>;
}

/** What SSM knows of an instance. */
export interface ManagedNode {
  readonly instanceId: string;
  readonly name: string;
  readonly online: boolean;
  /** The version of its SSM agent. */
  readonly agent?: string;
}

/** Where commands are sent. */
export interface RunCommand {
  /** The instances under SSM that are among those named and carry all the tags, as far as given; an unknown id is left out. */
  nodes(filter: {
    readonly instanceIds?: readonly string[];
    readonly tags?: Readonly<Record<string, string>>;
    /** Stops looking once this many that answer are found. */
    readonly enough?: number | undefined;
  }): Promise<readonly ManagedNode[]>;
  /** A document as whoever names no version would send it. */
  document(name: string): Promise<PinnedDocument>;
  /**
   * Sends a command with this version of its document; `token` (at most 100 characters) finds it again. Returns SSM's id of it. Throws a
   * DocumentChangedError when there is no such version, or when it holds something else.
   */
  send(command: Command, document: PinnedDocument, token: string): Promise<string>;
  /** SSM's id of the command that was sent with this token since a moment, or undefined. */
  find(document: string, token: string, since: Date): Promise<string | undefined>;
  /** The command on each of its nodes; fewer than its nodes while SSM has not recorded them yet. */
  invocations(commandId: string): Promise<readonly Invocation[]>;
  /** How far SSM has taken a command; undefined while it has not recorded it yet. */
  progress(commandId: string): Promise<Progress | undefined>;
  /** The first nodes on which a command failed, and those that it left out therefore. */
  failures(commandId: string): Promise<readonly Invocation[]>;
  cancel(commandId: string): Promise<void>;
}

/** Who holds a lock, and since when. */
type Owner = Pick<Lock, 'execution' | 'acquiredAt'>;

/** An execution that says that another one started it. */
type Child = Pick<RunRecord, 'execution' | 'startedAt'>;

/** State machine executions. */
export interface Executions {
  /** True while it runs; false when it ended, or is unknown though it did not begin just now. */
  isRunning(owner: Owner): Promise<boolean>;
  /**
   * True when the history of an execution says that it started this child, which nobody but the execution can make it say. Throws while
   * the child is so young that the history may not say so yet: asking again helps.
   */
  hasStarted(parent: string, child: Child): Promise<boolean>;
}

/** Runs that may have died without being undone. */
export interface DeadRuns {
  /** When its execution ended, the beginning of time when it is unknown; undefined while it runs. */
  endedAt(owner: Owner): Promise<Date | undefined>;
  /** Starts the undo of a run; false when that was done before. */
  undo(run: string, executionArn: string): Promise<boolean>;
}

/** States of machines that wait for an answer, each known by its token. */
export interface Tasks {
  /** The state succeeds, and its machine goes on. */
  succeed(token: string): Promise<void>;
  /** The state fails with just this error and cause. */
  fail(token: string, error: string, cause: string): Promise<void>;
}

/** Who is told of the end of a run. */
export interface Notices {
  /** Puts an event on the bus. */
  publish(event: RunEnded): Promise<void>;
  mail(mail: Mail): Promise<void>;
  /** Calls a URL; throws when it is not answered well within ten seconds. */
  ping(url: string): Promise<void>;
}

/** What starts operations by itself. */
export interface Schedules {
  /** False when it is disabled, or does not exist. */
  isEnabled(name: string): Promise<boolean>;
  /** Disables a schedule; one that does not exist is skipped. */
  pause(name: string): Promise<void>;
  /** Enables a schedule; one that does not exist any more is skipped. */
  resume(name: string): Promise<void>;
}
