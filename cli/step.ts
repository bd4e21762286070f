import { GetExecutionHistoryCommand, type HistoryEvent } from '@aws-sdk/client-sfn';
import { jsonState } from '#aws/bucket';
import { stateKeys } from '#domain/naming';
import { Approval } from '#domain/payloads';
import type { Connection } from './connection.ts';

/** Where a run stands in its state machine. */
export interface Step {
  /** The name of the state. */
  readonly state: string;
  /** Until when it waits for an approval; absent when it waits for none. */
  readonly approvalUntil?: string;
}

/** Enough to reach back to the last state that was entered, past the tries of a task. */
const eventsLookedAt = 20;

/** Where a run under way stands. Undefined before its first state, and when its history may not be read. */
export const readStep = async (
  { stepFunctions, state }: Pick<Connection, 'stepFunctions' | 'state'>,
  run: string,
  executionArn: string,
): Promise<Step | undefined> => {
  let events: readonly HistoryEvent[];
  try {
    const history = await stepFunctions.send(
      new GetExecutionHistoryCommand({
        executionArn,
        reverseOrder: true,
        maxResults: eventsLookedAt,
        includeExecutionData: false,
      }),
    );
    events = history.events ?? [];
  } catch (error) {
    // Who may see a run but not its history still sees the run.
    if (error instanceof Error && error.name === 'AccessDeniedException') return undefined;
    throw error;
  }
  const entered = events.findIndex(({ stateEnteredEventDetails }) => stateEnteredEventDetails);
  const name = events[entered]?.stateEnteredEventDetails?.name;
  if (name === undefined) return undefined;
  const waits = events
    .slice(0, entered)
    .some(({ taskScheduledEventDetails: task }) => task?.resource?.endsWith('.waitForTaskToken'));
  const approval = waits ? await jsonState(state).read(stateKeys.approval(run), Approval) : undefined;
  return { state: name, ...(approval && { approvalUntil: approval.deadline }) };
};
