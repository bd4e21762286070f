import type { RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import * as z from 'zod';
import { type Mail, RunEnded } from '#domain/events';

/** Stands in for the event bus and the topic: it keeps what Holdfast tells, and sends nobody anything. */
export interface LocalNotices {
  /** Answers PutEvents and Publish. */
  readonly handle: RequestListener;
  readonly events: readonly RunEnded[];
  readonly mails: readonly Mail[];
}

const PutEvents = z.object({
  Entries: z.array(z.object({ Source: z.string(), DetailType: z.string(), Detail: z.string() })),
});

export const createNotices = (): LocalNotices => {
  const events: RunEnded[] = [];
  const mails: Mail[] = [];
  return {
    events,
    mails,
    handle: async (request, response) => {
      const body = await text(request);
      if (String(request.headers['x-amz-target']).startsWith('AWSEvents.')) {
        const { Entries } = PutEvents.parse(JSON.parse(body));
        for (const { Detail } of Entries) events.push(RunEnded.parse(JSON.parse(Detail)));
        response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' });
        response.end(JSON.stringify({ FailedEntryCount: 0, Entries: Entries.map((_, n) => ({ EventId: `${n}` })) }));
        return;
      }
      const parameters = new URLSearchParams(body);
      const subject = parameters.get('Subject') ?? '';
      if (!/^[!-~][ -~]{0,98}$/.test(subject)) {
        response.writeHead(400, { 'content-type': 'text/xml' });
        response.end(
          '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>InvalidParameter</Code><Message>Invalid parameter: Subject</Message></Error></ErrorResponse>',
        );
        return;
      }
      mails.push({ subject, text: parameters.get('Message') ?? '' });
      response.writeHead(200, { 'content-type': 'text/xml' });
      response.end(
        '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>local</MessageId></PublishResult></PublishResponse>',
      );
    },
  };
};
