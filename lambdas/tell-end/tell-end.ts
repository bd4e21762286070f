import * as z from 'zod';
import type { Config } from '#domain/config';
import { isWaitedFor, type Known, mailOf, type RunEnded, runEndedEvent, type StatusChange } from '#domain/events';
import { storedBytes } from '#domain/manifest';
import { stateKeys } from '#domain/naming';
import { RunRecord } from '#domain/payloads';
import type { Notices } from '#domain/ports';
import { isGood, readBackup } from '#domain/vault/catalog';
import type { StateOf, VaultOf } from '../verbs.ts';

export interface Services {
  readonly notifications: Config['notifications'];
  readonly state: StateOf<'tell-end'>;
  readonly vault: VaultOf<'tell-end'>;
  readonly notices: Notices;
  readonly warn: (message: string) => void;
}

/** The run that an undo was asked to undo. */
const Undone = z.object({ run: z.string() });

/** What an undo has undone, and what was decided on a plan that waited for it: what only the record of a run says. */
const recorded = async (
  state: Services['state'],
  { operation, run }: RunEnded,
  change: StatusChange,
): Promise<Pick<Known, 'undone' | 'decision'>> => {
  const recordOf = (id: string): Promise<RunRecord | undefined> => state.read(stateKeys.run(id), RunRecord);
  switch (operation) {
    case 'undo': {
      const undone = await recordOf(Undone.parse(JSON.parse(change.detail.input ?? '{}')).run);
      return undone ? { undone } : {};
    }
    case 'restore':
    case 'upgrade': {
      const decision = (await recordOf(run))?.decision;
      return decision ? { decision } : {};
    }
    default:
      return {};
  }
};

/** The backup that a run has committed. */
const committedBy = async (vault: Services['vault'], { result, system, backup }: RunEnded) =>
  result === 'committed' && system !== null && backup !== null
    ? await readBackup({ vault }, system, backup)
    : undefined;

/**
 * Reports the end of a run: an event for programs, a mail for people when it did not succeed and nobody else tells of it, and a
 * ping after a backup that a restore of `latest` may choose. A ping that fails is skipped: what it would have told is true anyway.
 */
export const tellEnd = async (
  { notifications, state, vault, notices, warn }: Services,
  change: StatusChange,
): Promise<RunEnded | undefined> => {
  const runbook = notifications.runbook ?? 'docs/runbook.md';
  const known = runEndedEvent(change, { runbook });
  // Undoings that succeed are part of what failed.
  if (!known || (known.operation === 'undo' && known.outcome === 'succeeded')) return undefined;
  const ofRecord = await recorded(state, known, change);
  const committed = await committedBy(vault, known);
  const event =
    runEndedEvent(change, {
      runbook,
      ...ofRecord,
      ...(committed?.readable && {
        committed: {
          bytes: storedBytes(committed.manifest),
          state: committed.manifest.state,
          purpose: committed.manifest.purpose,
        },
      }),
    }) ?? known;
  await notices.publish(event);
  const mail = mailOf(event);
  if (mail && !isWaitedFor(change)) await notices.mail(mail);
  if (notifications.ping !== undefined && committed && isGood(committed)) {
    const url = notifications.ping.replaceAll('{system}', encodeURIComponent(event.system ?? ''));
    await notices.ping(url).catch((error: unknown) => warn(`The ping after ${event.backup} failed: ${error}`));
  }
  return event;
};
