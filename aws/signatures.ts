import {
  GenerateMacCommand,
  GetPublicKeyCommand,
  KMSInvalidMacException,
  SignCommand,
  VerifyMacCommand,
} from '@aws-sdk/client-kms';
import type { Signatures, Tickets } from '#domain/ports';
import { type Connection, kmsClient } from './clients.ts';
import { sha256Digest } from './digest.ts';

const base64 = (bytes: Uint8Array | undefined, what: string): string => {
  if (!bytes) throw new Error(`KMS returned no ${what}.`);
  return Buffer.from(bytes).toString('base64');
};

/** An HMAC key of KMS. KMS takes at most 4 KiB, so it signs the SHA-256 of a statement. */
export const kmsSignatures = (connection: Connection, KeyId: string): Signatures => {
  const client = kmsClient(connection);
  const inputOf = (statement: string) => ({
    ...{ KeyId, MacAlgorithm: 'HMAC_SHA_256' as const },
    Message: sha256Digest(statement),
  });
  return {
    sign: async (statement) => base64((await client.send(new GenerateMacCommand(inputOf(statement)))).Mac, 'MAC'),
    holds: async (statement, signature) => {
      const Mac = Buffer.from(signature, 'base64');
      try {
        await client.send(new VerifyMacCommand({ ...inputOf(statement), Mac }));
        return true;
      } catch (error) {
        if (error instanceof KMSInvalidMacException) return false;
        throw error;
      }
    },
  };
};

/** The one kind of signature that openssl checks on the oldest of nodes, too: 0.9.8 knows no other with SHA-256. */
const SigningAlgorithm = 'RSASSA_PKCS1_V1_5_SHA_256';

/** An RSA key of KMS, which signs the SHA-256 of a statement. */
export const kmsTickets = (connection: Connection, KeyId: string): Tickets & { publicKey(): Promise<string> } => {
  const client = kmsClient(connection);
  return {
    sign: async (statement) => {
      const Message = sha256Digest(statement);
      const signed = await client.send(new SignCommand({ KeyId, SigningAlgorithm, MessageType: 'DIGEST', Message }));
      return base64(signed.Signature, 'signature');
    },
    /** In base64. */
    publicKey: async () => base64((await client.send(new GetPublicKeyCommand({ KeyId }))).PublicKey, 'public key'),
  };
};
