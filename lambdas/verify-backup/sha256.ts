import { createSHA256 } from 'hash-wasm';
import type { HashState } from '#domain/verification';

/** A hash of bytes that come in pieces of any length. */
export interface ResumableHash {
  /** Of all pieces so far. */
  readonly bytes: () => number;
  readonly update: (chunk: Uint8Array) => void;
  readonly save: () => HashState;
  /** In hexadecimal; nothing may follow. */
  readonly digest: () => string;
}

/**
 * SHA-256 that can be put down and taken up again, also by another process: node's own can't. An object that takes longer to
 * read than a lambda may run is hashed by several, one after another. Throws for a state that another version of the library
 * has saved.
 */
export const resumableSha256 = async (from?: HashState): Promise<ResumableHash> => {
  const hasher = await createSHA256();
  hasher.init();
  if (from) hasher.load(Buffer.from(from.state, 'base64'));
  let bytes = from?.bytes ?? 0;
  return {
    bytes: () => bytes,
    update: (chunk) => {
      bytes += chunk.length;
      hasher.update(chunk);
    },
    save: () => ({ bytes, state: Buffer.from(hasher.save()).toString('base64') }),
    digest: () => hasher.digest(),
  };
};
