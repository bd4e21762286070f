import type * as z from 'zod';
import { vaultKeys } from '#domain/naming';
import type { DeadRuns, Executions, Notices, RunCommand, Schedules, Signatures, Tasks } from '#domain/ports';

/**
 * What a verb is: what its lambda takes and answers, what it may reach, how long it may take. `lambdas/verbs.ts` is the table of
 * them; handlers, environment, permissions and the tests of the machines follow from it.
 */

/** What may be done with the objects below a prefix. */
export type Right =
  /** Keys, and nothing of their content. */
  | 'list'
  /** Newest versions; listing is part of it, or S3 would answer 403 for what is not there. */
  | 'read'
  | 'write'
  /** Newest versions, for good: the bucket keeps no older ones. */
  | 'delete'
  /** Newest versions, which get a tag that lets them expire and a delete marker. */
  | 'discard'
  /** Tags of newest versions. */
  | 'tag'
  /** Tags of versions by their ids. */
  | 'tag-versions'
  /** Sizes and ids of all versions, which are no content. */
  | 'list-versions'
  /** What versions hold, by their ids. */
  | 'read-versions'
  /** How long versions can't be deleted. */
  | 'lock'
  /** Whether versions can be deleted at all. */
  | 'hold'
  /** Copies of versions that lie in cold storage. */
  | 'thaw'
  | 'list-uploads'
  /** Uploads that are listed. */
  | 'abort-uploads';

/** Rights by what they are about: a prefix, which ends in a slash and may have a `*` within, or one key. */
export type Grants = Readonly<Record<string, readonly Right[]>>;

export interface VerbContract {
  /** One sentence for people. */
  readonly does: string;
  readonly input: z.ZodType;
  /** What the lambda answers, as state machines read it. */
  readonly output: z.ZodType;
  /** In the state bucket. */
  readonly state?: Grants;
  /** In the vault. None at all means that the verb knows its name and reaches nothing there. */
  readonly vault?: Grants;
  /** True for the verb that signs manifests. Whoever reads them checks them. */
  readonly signs?: true;
  /** True for a verb that reads the configuration, which is deployed beside its bundle. */
  readonly config?: true;
  readonly runCommand?: readonly (keyof RunCommand)[];
  readonly executions?: readonly (keyof (Executions & DeadRuns))[];
  readonly tasks?: readonly (keyof Tasks)[];
  readonly schedules?: readonly (keyof Schedules)[];
  readonly notices?: readonly (keyof Notices)[];
  /** 60 unless it says otherwise. Every task that calls it waits longer. */
  readonly timeoutSeconds?: number;
  /** In MiB, 512 unless it says otherwise; processors come with it: 1769 are one. */
  readonly memorySize?: number;
}

/** Returns what a verb does with the key that signs manifests. */
export const signaturesOf = ({ vault, signs }: VerbContract): readonly (keyof Signatures)[] => [
  ...(vault?.[vaultKeys.catalogs]?.includes('read') ? ['holds' as const] : []),
  ...(signs ? ['sign' as const] : []),
];

export type EnvironmentName = 'STATE_BUCKET' | 'VAULT_BUCKET' | 'TOPIC_ARN';

/** Returns the names of the environment variables that a verb's lambda reads. */
export const environmentOf = ({ state, vault, notices }: VerbContract): readonly EnvironmentName[] => [
  ...(state ? ['STATE_BUCKET' as const] : []),
  ...(vault ? ['VAULT_BUCKET' as const] : []),
  ...(notices ? ['TOPIC_ARN' as const] : []),
];
