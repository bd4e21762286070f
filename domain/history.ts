import * as z from 'zod';
import { RunId } from './naming.ts';
import { RetentionTag } from './retention.ts';

/**
 * What became of a backup since its commit. It lies beside the manifest, which is never written again: an object that is
 * written again starts a new life, and the manifest would outlive the artifacts that it lists.
 */

/** A change of its retention. */
export const Change = z.object({
  at: z.iso.datetime(),
  /** `held` and `released` by a person; `let go` by the commit of a newer backup; `kept` by the janitor: it is among the newest. */
  change: z.enum(['held', 'released', 'let go', 'kept']),
  /** The tag that all of its objects have since. */
  tag: RetentionTag,
  by: z.string(),
  reason: z.string().optional(),
});
export type Change = z.infer<typeof Change>;

export const verifiedOutcomes = ['sound', 'damaged', 'cold'] as const;

/** It was read back from the vault and compared with its manifest. */
export const Verified = z.object({
  at: z.iso.datetime(),
  change: z.literal('verified'),
  /** `cold`: it could not be read, since cold storage holds a part of it. */
  outcome: z.enum(verifiedOutcomes),
  /** That were read. */
  bytes: z.int().nonnegative(),
  /** What is not as it was committed. */
  faults: z.array(z.string()),
  run: RunId,
});
export type Verified = z.infer<typeof Verified>;

/** Oldest first. */
export const History = z.array(z.discriminatedUnion('change', [Change, Verified]));
export type History = z.infer<typeof History>;

/** The changes of retention alone. */
export const retentionChanges = (history: History): readonly Change[] =>
  history.filter((entry) => entry.change !== 'verified');

/** The hold on a backup, or undefined. What is held never expires, however old. */
export const holdOf = (history: History): Change | undefined => {
  const last = retentionChanges(history).findLast(({ change }) => change === 'held' || change === 'released');
  return last?.change === 'held' ? last : undefined;
};

/** When it was last verified, and with which outcome; undefined when it never was. */
export const lastVerified = (history: History): Verified | undefined =>
  history.findLast((entry) => entry.change === 'verified');

/** The verification that found a backup damaged, unless a later one has read all of it and found it sound. What is cold was not read. */
export const damageOf = (history: History): Verified | undefined => {
  const last = history.findLast((entry) => entry.change === 'verified' && entry.outcome !== 'cold');
  return last?.change === 'verified' && last.outcome === 'damaged' ? last : undefined;
};
