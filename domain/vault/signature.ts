import { AlreadyExistsError, ManifestUntrustedError } from '#domain/errors';
import { parseManifestKey } from '#domain/naming';
import type { Bucket, Signatures } from '#domain/ports';

/**
 * A manifest carries its signature as its second line, which leaves it JSON, and one object. The signature is over the key, so that no
 * manifest passes for another, a line feed, and every byte of the object but that line:
 *
 *     { echo KEY; sed 2d OBJECT; } | openssl dgst -sha256 -binary
 */

const statementOf = (key: string, unsigned: string): string => `${key}\n${unsigned}`;

/** An HMAC of SHA-256 in base64. */
const signatureLine = /^\{\n {2}"signature": "([A-Za-z0-9+/]{43}=)",\n/;

/** Returns a text of JSON with its signature. It must be an object as `JSON.stringify` prints it with an indentation of two. */
export const signed = async (signatures: Pick<Signatures, 'sign'>, key: string, text: string): Promise<string> => {
  const signature = await signatures.sign(statementOf(key, text));
  return text.replace('{\n', `{\n  "signature": "${signature}",\n`);
};

/** What was found in a signed object: its text without the signature, or why it is not believed. */
export type Authentic =
  | { readonly authentic: true; readonly text: string }
  | { readonly authentic: false; readonly reason: string };

const unsigned =
  'its manifest is not signed: it was made before manifests were, or somebody else has put it there. Make a new backup';

const forged =
  'the signature of its manifest does not hold: somebody has changed it, or put it there. docs/runbook.md#verify-failed says how to get back the one that was committed';

/** Returns whether an object that was read at `key` is what was signed there. */
export const authenticated = async (
  signatures: Pick<Signatures, 'holds'>,
  key: string,
  text: string,
): Promise<Authentic> => {
  const [line, signature] = signatureLine.exec(text) ?? [];
  if (line === undefined || signature === undefined) return { authentic: false, reason: unsigned };
  const rest = `{\n${text.slice(line.length)}`;
  return (await signatures.holds(statementOf(key, rest), signature))
    ? { authentic: true, text: rest }
    : { authentic: false, reason: forged };
};

/**
 * Returns the vault with manifests that are signed when they are created and checked when they are read. Reading one that is not what was
 * signed throws a ManifestUntrustedError; creating one replaces it, so that it keeps no backup from being committed.
 */
export const withSignedManifests = (
  signatures: Pick<Signatures, 'holds'> & Partial<Signatures>,
  bucket: Bucket,
): Bucket => {
  const isManifest = (key: string): boolean => parseManifestKey(key) !== undefined;
  const { holds, sign } = signatures;
  /** Puts a signed manifest in the place of one that is not what was signed there. */
  const replaceForged = async (key: string, manifest: string, taken: AlreadyExistsError): Promise<void> => {
    const there = await bucket.read(key);
    if (!there || (await authenticated({ holds }, key, there.text)).authentic) throw taken;
    await bucket.replace(key, manifest, there.etag);
  };
  return {
    ...bucket,
    read: async (key) => {
      const found = await bucket.read(key);
      if (!found || !isManifest(key)) return found;
      const read = await authenticated({ holds }, key, found.text);
      if (read.authentic) return { ...found, text: read.text };
      throw new ManifestUntrustedError(read.reason);
    },
    create: async (key, text, tags) => {
      if (!isManifest(key)) return bucket.create(key, text, tags);
      if (!sign) throw new Error(`Whoever writes ${key} must be able to sign it.`);
      const manifest = await signed({ sign }, key, text);
      try {
        await bucket.create(key, manifest, tags);
      } catch (error) {
        if (!(error instanceof AlreadyExistsError)) throw error;
        await replaceForged(key, manifest, error);
        if (tags) await bucket.tag({ key }, tags);
      }
    },
  };
};
