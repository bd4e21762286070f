import { setTimeout } from 'node:timers/promises';
import * as z from 'zod';
import { kmsTickets } from '#aws/signatures';

/** What CloudFormation asks of a resource of ours, and where it wants the answer. */
const Request = z.object({
  RequestType: z.enum(['Create', 'Update', 'Delete']),
  ResponseURL: z.url(),
  StackId: z.string(),
  RequestId: z.string(),
  LogicalResourceId: z.string(),
  PhysicalResourceId: z.string().optional(),
  ResourceProperties: z.object({ KeyId: z.string() }),
});
type Request = z.infer<typeof Request>;

/** How often KMS is asked, and milliseconds in between: rights that were granted just now are not everywhere at once. */
const attempts = 12;
const pauseMilliseconds = 5_000;

const publicKey = async (keyId: string, pause: number): Promise<string> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await kmsTickets({}, keyId).publicKey();
    } catch (error) {
      if (attempt === attempts) throw error;
      await setTimeout(pause);
    }
  }
};

/** Deleting it takes nothing: the key is a resource of its own. */
const answerTo = async ({ RequestType, PhysicalResourceId, ResourceProperties: { KeyId } }: Request, pause: number) => {
  if (RequestType === 'Delete') return { Status: 'SUCCESS', PhysicalResourceId: PhysicalResourceId ?? KeyId };
  try {
    return { Status: 'SUCCESS', PhysicalResourceId: KeyId, Data: { PublicKey: await publicKey(KeyId, pause) } };
  } catch (error) {
    return { Status: 'FAILED', PhysicalResourceId: PhysicalResourceId ?? KeyId, Reason: String(error) };
  }
};

/** Gives CloudFormation the public key of a key, in base64, which no property of the key does. `pause` is for tests. */
export const tellPublicKey = async (event: unknown, pause = pauseMilliseconds): Promise<void> => {
  const request = Request.parse(event);
  const { ResponseURL, StackId, RequestId, LogicalResourceId } = request;
  const answer = { StackId, RequestId, LogicalResourceId, ...(await answerTo(request, pause)) };
  // As bytes: the URL is signed for an answer without a content type.
  const { ok, status } = await fetch(ResponseURL, { method: 'PUT', body: Buffer.from(JSON.stringify(answer)) });
  if (!ok) throw new Error(`CloudFormation did not take the answer: ${status}`);
};

export const handler = (event: unknown): Promise<void> => tellPublicKey(event);
