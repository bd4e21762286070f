import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import { runEnded } from '#domain/events';
import type { Notices } from '#domain/ports';

/** Nobody waits longer for the answer of a service that only wants to hear from us. */
const pingMilliseconds = 10_000;

/** The account's default event bus, and a topic of SNS. */
export const awsNotices = (events: EventBridgeClient, sns: SNSClient, topicArn: string): Notices => ({
  publish: async (event) => {
    const { Entries = [] } = await events.send(
      new PutEventsCommand({
        Entries: [
          {
            Source: runEnded.source,
            DetailType: runEnded.detailType,
            Detail: JSON.stringify(event),
            Resources: [event.execution],
            Time: new Date(event.endedAt),
          },
        ],
      }),
    );
    // A refused entry is no error of the call.
    for (const { ErrorCode, ErrorMessage } of Entries)
      if (ErrorCode !== undefined) throw new Error(`EventBridge refused the event: ${ErrorCode}: ${ErrorMessage}`);
  },
  mail: async ({ subject, text }) => {
    await sns.send(new PublishCommand({ TopicArn: topicArn, Subject: subject, Message: text }));
  },
  ping: async (url) => {
    const { ok, status } = await fetch(url, { signal: AbortSignal.timeout(pingMilliseconds) });
    if (!ok) throw new Error(`it was answered with ${status}`);
  },
});
