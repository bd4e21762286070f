import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { SSMClient } from '@aws-sdk/client-ssm';
import * as z from 'zod';
import type { Signatures, Tickets } from '#domain/ports';
import type { Connection } from './clients.ts';
import { serviceUrl } from './service-url.ts';

/** How often a call is made, at most: throttling and a broken connection end. */
const attempts = 6;

/** Milliseconds before the second attempt; each pause is twice the one before. */
const pauseMilliseconds = 100;

const requestMilliseconds = 10_000;

const ErrorAnswer = z.object({
  __type: z.string().transform((type) => type.split('#').at(-1) ?? type),
  message: z.string().optional(),
  Message: z.string().optional(),
});

/** KMS has refused: the name is its own. */
class KmsError extends Error {
  override readonly name: string;
  readonly isTemporary: boolean;

  constructor(status: number, body: unknown) {
    const { data } = ErrorAnswer.safeParse(body);
    super(data?.message ?? data?.Message ?? `KMS answered ${status}`);
    this.name = data?.__type ?? 'KmsError';
    this.isTemporary = status >= 500 || /^(Throttling|RequestLimitExceeded|LimitExceeded)/.test(this.name);
  }
}

/**
 * Calls KMS. Its client is none of our dependencies for the sake of two calls: the client of another service finds credentials and region,
 * and signs.
 */
const kms = ({ endpoint, ...connection }: Connection) => {
  const { config } = new SSMClient(connection);
  const callOnce = async (operation: string, input: object): Promise<unknown> => {
    const region = await config.region();
    const url = serviceUrl('kms', region, endpoint);
    const scheme = { name: 'sigv4', signingName: 'kms', signingRegion: region, properties: {} } as const;
    if (typeof config.signer !== 'function') throw new Error('The AWS SDK has no signer.');
    const signer = await config.signer(scheme);
    const body = JSON.stringify(input);
    const { headers } = await signer.sign({
      ...{ method: 'POST', protocol: url.protocol, hostname: url.hostname, path: '/', query: {}, body },
      headers: {
        host: url.host,
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': `TrentService.${operation}`,
      },
    });
    const { host: _, ...sent } = headers;
    const answer = await fetch(url, {
      ...{ method: 'POST', headers: sent, body },
      signal: AbortSignal.timeout(requestMilliseconds),
    });
    const text = await answer.text();
    if (answer.ok) return JSON.parse(text);
    throw new KmsError(answer.status, z.json().safeParse(text.startsWith('{') ? JSON.parse(text) : {}).data);
  };
  return async (operation: string, input: object): Promise<unknown> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await callOnce(operation, input);
      } catch (error) {
        const isFinal = error instanceof KmsError && !error.isTemporary;
        if (isFinal || attempt === attempts) throw error;
        await setTimeout(pauseMilliseconds * 2 ** (attempt - 1));
      }
    }
  };
};

const GenerateMac = z.object({ Mac: z.string() });

/** An HMAC key of KMS, which takes 4 KiB: what it signs is the SHA-256 of the statement. */
export const kmsSignatures = (connection: Connection, KeyId: string): Signatures => {
  const call = kms(connection);
  const inputOf = (statement: string) => ({
    ...{ KeyId, MacAlgorithm: 'HMAC_SHA_256' },
    Message: createHash('sha256').update(statement).digest('base64'),
  });
  return {
    sign: async (statement) => GenerateMac.parse(await call('GenerateMac', inputOf(statement))).Mac,
    holds: async (statement, signature) => {
      try {
        await call('VerifyMac', { ...inputOf(statement), Mac: signature });
        return true;
      } catch (error) {
        if (error instanceof KmsError && error.name === 'KMSInvalidMacException') return false;
        throw error;
      }
    },
  };
};

const Signed = z.object({ Signature: z.string() });
const PublicKey = z.object({ PublicKey: z.string() });

/** The one kind of signature that openssl checks on the oldest of nodes, too: 0.9.8 knows no other with SHA-256. */
const SigningAlgorithm = 'RSASSA_PKCS1_V1_5_SHA_256';

/** A key of RSA of KMS, which signs the SHA-256 of what it takes. */
export const kmsTickets = (connection: Connection, KeyId: string): Tickets & { publicKey(): Promise<string> } => {
  const call = kms(connection);
  return {
    sign: async (statement) => {
      const Message = createHash('sha256').update(statement).digest('base64');
      return Signed.parse(await call('Sign', { KeyId, SigningAlgorithm, MessageType: 'DIGEST', Message })).Signature;
    },
    /** In base64. */
    publicKey: async () => PublicKey.parse(await call('GetPublicKey', { KeyId })).PublicKey,
  };
};
