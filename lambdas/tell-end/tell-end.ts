import * as z from 'zod';
import type { Config } from '#domain/config';
import { isWaitedFor, mailOf, type RunEnded, runEndedEvent, type StatusChange } from '#domain/events';
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

/** The run that an undoing was asked to undo. */
const Undone = z.object({ run: z.string() });

/**
 * Tells of the end of a run: an event for programs, a mail for people when it did not succeed and nobody else tells of it, and a
 * ping after a backup that a restore of `latest` may choose. A ping that fails is passed over: what it would have told is true all the same.
 */
export const tellEnd = async (
  { notifications, state, vault, notices, warn }: Services,
  change: StatusChange,
): Promise<RunEnded | undefined> => {
  const runbook = notifications.runbook ?? 'docs/runbook.md';
  const known = runEndedEvent(change, { runbook });
  // Undoings that end well are part of what failed.
  if (!known || (known.operation === 'undo' && known.outcome === 'succeeded')) return undefined;
  const undone =
    known.operation === 'undo'
      ? await state.read(stateKeys.run(Undone.parse(JSON.parse(change.detail.input ?? '{}')).run), RunRecord)
      : undefined;
  const waited = known.operation === 'restore' || known.operation === 'upgrade';
  const decision = waited ? (await state.read(stateKeys.run(known.run), RunRecord))?.decision : undefined;
  const committed =
    known.result === 'committed' && known.system !== null && known.backup !== null
      ? await readBackup({ vault }, known.system, known.backup)
      : undefined;
  const event =
    runEndedEvent(change, {
      runbook,
      ...(undone && { undone }),
      ...(decision && { decision }),
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
