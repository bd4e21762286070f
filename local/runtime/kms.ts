import { createHash, createHmac, generateKeyPairSync, privateEncrypt, randomBytes, timingSafeEqual } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import * as z from 'zod';
import type { Tickets } from '#domain/ports';

const Base64 = z.base64().transform((value) => Buffer.from(value, 'base64'));

/** KMS takes 4 KiB. */
const Message = Base64.refine(({ length }) => length >= 1 && length <= 4096, '1 to 4,096 bytes');

const Generate = z.strictObject({ KeyId: z.string(), MacAlgorithm: z.string(), Message });
const Verify = Generate.extend({ Mac: Base64 });
const Sign = z.strictObject({
  KeyId: z.string(),
  SigningAlgorithm: z.string(),
  /** RAW, which is the default, nobody here sends. */
  MessageType: z.literal('DIGEST'),
  Message: Base64.refine(({ length }) => length === 32, 'a SHA-256'),
});
const GetPublicKey = z.strictObject({ KeyId: z.string() });

const macAlgorithm = 'HMAC_SHA_256';
const signingAlgorithm = 'RSASSA_PKCS1_V1_5_SHA_256';

/** What PKCS #1 puts before a SHA-256. */
const digestInfo = Buffer.from('3031300d060960864801650304020105000420', 'hex');

const pair = () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return {
    publicKey: der.toString('base64'),
    sign: (digest: Buffer) => privateEncrypt(privateKey, Buffer.concat([digestInfo, digest])).toString('base64'),
  };
};

/** A key that makes tickets, without KMS around it. */
export const createTicketKey = (): Tickets & { readonly publicKey: string } => {
  const { publicKey, sign } = pair();
  return { publicKey, sign: async (statement) => sign(createHash('sha256').update(statement).digest()) };
};

const refused = (error: string) => ({ error });

export interface KmsOptions {
  /** Ids of keys that make MACs. */
  readonly macKeys?: readonly string[];
  /** Ids of keys of RSA that sign. */
  readonly signingKeys?: readonly string[];
}

/** Stands in for the keys of KMS that sign: each is made with the runtime and ends with it. Whoever asks may sign and check. */
export const createKms = ({ macKeys = [], signingKeys = [] }: KmsOptions) => {
  const macs = new Map(macKeys.map((id) => [id, randomBytes(32)]));
  const pairs = new Map(signingKeys.map((id) => [id, pair()]));

  const macOf = ({ KeyId, MacAlgorithm, Message }: z.infer<typeof Generate>): { readonly error: string } | Buffer => {
    const key = macs.get(KeyId);
    if (!key) return refused(pairs.has(KeyId) ? 'InvalidKeyUsageException' : 'NotFoundException');
    if (MacAlgorithm !== macAlgorithm) return refused('InvalidKeyUsageException');
    return createHmac('sha256', key).update(Message).digest();
  };

  const operations: Readonly<Record<string, (body: unknown) => { readonly error: string } | object>> = {
    GenerateMac: (body) => {
      const { success, data } = Generate.safeParse(body);
      if (!success) return refused('ValidationException');
      const mac = macOf(data);
      return 'error' in mac ? mac : { MacAlgorithm: macAlgorithm, Mac: mac.toString('base64') };
    },
    VerifyMac: (body) => {
      const { success, data } = Verify.safeParse(body);
      if (!success) return refused('ValidationException');
      const mac = macOf(data);
      if ('error' in mac) return mac;
      return data.Mac.length === mac.length && timingSafeEqual(data.Mac, mac)
        ? { MacAlgorithm: macAlgorithm, MacValid: true }
        : refused('KMSInvalidMacException');
    },
    Sign: (body) => {
      const { success, data } = Sign.safeParse(body);
      if (!success) return refused('ValidationException');
      const key = pairs.get(data.KeyId);
      if (!key) return refused(macs.has(data.KeyId) ? 'InvalidKeyUsageException' : 'NotFoundException');
      if (data.SigningAlgorithm !== signingAlgorithm) return refused('InvalidKeyUsageException');
      return { SigningAlgorithm: signingAlgorithm, Signature: key.sign(data.Message) };
    },
    GetPublicKey: (body) => {
      const { success, data } = GetPublicKey.safeParse(body);
      if (!success) return refused('ValidationException');
      const key = pairs.get(data.KeyId);
      if (!key) return refused(macs.has(data.KeyId) ? 'UnsupportedOperationException' : 'NotFoundException');
      return {
        ...{ PublicKey: key.publicKey, KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' },
        SigningAlgorithms: [signingAlgorithm],
      };
    },
  };

  const handle: RequestListener = async (request, response) => {
    const operation = String(request.headers['x-amz-target']).replace('TrentService.', '');
    const body = z.json().parse(JSON.parse(await text(request)));
    const answered = operations[operation]?.(body) ?? refused('UnknownOperationException');
    const failed = 'error' in answered;
    response.writeHead(failed ? 400 : 200, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(
      JSON.stringify(
        failed
          ? { __type: answered.error, message: `${operation} was refused.` }
          : { KeyId: z.object({ KeyId: z.string() }).parse(body).KeyId, ...answered },
      ),
    );
  };

  return {
    handle,
    /** The public key of one that signs, in base64. Throws an Error when there is none. */
    publicKey: (id: string): string => {
      const key = pairs.get(id);
      if (!key) throw new Error(`there is no key ${id} that signs`);
      return key.publicKey;
    },
  };
};
