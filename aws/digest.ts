import { createHash } from 'node:crypto';
import type { Digest } from '#domain/approval';

/** Returns the SHA-256 of a text, in hexadecimal. */
export const sha256: Digest = (text) => createHash('sha256').update(text).digest('hex');
