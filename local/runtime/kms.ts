import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import * as z from 'zod';

const Base64 = z.base64().transform((value) => Buffer.from(value, 'base64'));

/** KMS takes 4 KiB. */
const Message = Base64.refine(({ length }) => length >= 1 && length <= 4096, '1 to 4,096 bytes');

const Generate = z.strictObject({
  KeyId: z.string(),
  MacAlgorithm: z.string(),
  Message,
  Mac: z.undefined().optional(),
});
const Verify = Generate.extend({ Mac: Base64 });

const algorithm = 'HMAC_SHA_256';

/** Stands in for the keys of KMS that sign: each is made with the runtime and ends with it. Whoever asks may sign and check. */
export const createKms = (keyIds: readonly string[]): RequestListener => {
  const keys = new Map(keyIds.map((id) => [id, randomBytes(32)]));

  const answer = (operation: string, body: unknown): { readonly error: string } | object => {
    if (operation !== 'GenerateMac' && operation !== 'VerifyMac') return { error: 'UnknownOperationException' };
    const { success, data } = (operation === 'VerifyMac' ? Verify : Generate).safeParse(body);
    if (!success) return { error: 'ValidationException' };
    const { KeyId, MacAlgorithm, Message, Mac } = data;
    const key = keys.get(KeyId);
    if (!key) return { error: 'NotFoundException' };
    if (MacAlgorithm !== algorithm) return { error: 'InvalidKeyUsageException' };
    const mac = createHmac('sha256', key).update(Message).digest();
    if (Mac === undefined) return { KeyId, MacAlgorithm, Mac: mac.toString('base64') };
    return Mac.length === mac.length && timingSafeEqual(Mac, mac)
      ? { KeyId, MacAlgorithm, MacValid: true }
      : { error: 'KMSInvalidMacException' };
  };

  return async (request, response) => {
    const operation = String(request.headers['x-amz-target']).replace('TrentService.', '');
    const body = await text(request);
    const answered = answer(operation, z.json().parse(JSON.parse(body)));
    const refused = 'error' in answered;
    response.writeHead(refused ? 400 : 200, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify(refused ? { __type: answered.error, message: `${operation} was refused.` } : answered));
  };
};
