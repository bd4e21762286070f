import { createHash } from 'node:crypto';
import type { Digest } from '#domain/approval';

/** Returns the SHA-256 of a text, in hexadecimal. */
export const sha256: Digest = (text) => createHash('sha256').update(text).digest('hex');

/** Returns the SHA-256 of a text, as its 32 bytes. */
export const sha256Digest = (text: string): Uint8Array => createHash('sha256').update(text).digest();
