import * as z from 'zod';
import { RetentionTag } from './retention.ts';

/**
 * What became of a backup's retention since its commit. It lies beside the manifest, which is never written again: an object
 * that is written again starts a new life, and the manifest would outlive the artifacts that it lists.
 */

export const Change = z.object({
  at: z.iso.datetime(),
  /** `held` and `released` by a person; `let go` by the commit of a newer backup. */
  change: z.enum(['held', 'released', 'let go']),
  /** The tag that all of its objects have since. */
  tag: RetentionTag,
  by: z.string(),
  reason: z.string().optional(),
});
export type Change = z.infer<typeof Change>;

/** Oldest first. */
export const History = z.array(Change);
export type History = z.infer<typeof History>;

/** The hold on a backup, or undefined. What is held never expires, however old. */
export const holdOf = (history: History): Change | undefined => {
  const last = history.findLast(({ change }) => change !== 'let go');
  return last?.change === 'held' ? last : undefined;
};
