import * as z from 'zod';

/**
 * SHA-256 (FIPS 180-4) that can be put down and taken up again, also by another process: node's own can't. An object that
 * takes longer to read than a lambda may run is hashed by several, one after another.
 */

/** A hash in its midst. */
export const HashState = z.object({
  bytes: z.int().nonnegative(),
  /** The eight words after the last whole block, in hexadecimal. */
  words: z.string().regex(/^[0-9a-f]{64}$/),
  /** What came after the last whole block, in hexadecimal. */
  rest: z.string().regex(/^([0-9a-f]{2}){0,63}$/),
});
export type HashState = z.infer<typeof HashState>;

const blockBytes = 64;

/** The first 32 bits of the fractional parts of the roots of the first prime numbers: square roots, then cube roots. */
const primes = Array.from({ length: 312 }, (_, index) => index).filter(
  (candidate) =>
    candidate > 1 && !Array.from({ length: candidate }, (_, n) => n).some((n) => n > 1 && candidate % n === 0),
);
const fraction = (number: number): number => ((number - Math.floor(number)) * 2 ** 32) | 0;
const start = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const constants = Int32Array.from(primes.slice(0, 64), (prime) => fraction(Math.cbrt(prime)));

const hexOf = (numbers: Int32Array | Uint8Array): string =>
  Array.from(numbers, (number) => (number >>> 0).toString(16).padStart(numbers.BYTES_PER_ELEMENT * 2, '0')).join('');

const numbersOf = (hex: string, digits: 2 | 8): number[] =>
  Array.from({ length: hex.length / digits }, (_, n) => Number.parseInt(hex.slice(n * digits, (n + 1) * digits), 16));

/** Takes bytes in pieces of any length. */
export class Sha256 {
  readonly #words: Int32Array;
  readonly #schedule = new Int32Array(64);
  readonly #rest = new Uint8Array(blockBytes);
  #bytes: number;

  /** Goes on from a state, or begins. */
  constructor(from?: HashState) {
    this.#bytes = from?.bytes ?? 0;
    this.#words = Int32Array.from(from ? numbersOf(from.words, 8) : start);
    if (from) this.#rest.set(numbersOf(from.rest, 2));
  }

  get bytes(): number {
    return this.#bytes;
  }

  update(chunk: Uint8Array): void {
    let at = 0;
    const held = this.#bytes % blockBytes;
    this.#bytes += chunk.length;
    if (held > 0) {
      at = Math.min(blockBytes - held, chunk.length);
      this.#rest.set(chunk.subarray(0, at), held);
      if (held + at < blockBytes) return;
      this.#compress(this.#rest, 0);
    }
    for (; at + blockBytes <= chunk.length; at += blockBytes) this.#compress(chunk, at);
    this.#rest.set(chunk.subarray(at));
  }

  save(): HashState {
    const rest = this.#rest.subarray(0, this.#bytes % blockBytes);
    return { bytes: this.#bytes, words: hexOf(this.#words), rest: hexOf(rest) };
  }

  /** The hash of everything so far in hexadecimal; more may follow. */
  digest(): string {
    const end = new Sha256(this.save());
    const length = this.#bytes;
    const padding = new Uint8Array(((119 - (length % blockBytes)) % blockBytes) + 9);
    padding[0] = 0x80;
    new DataView(padding.buffer).setBigUint64(padding.length - 8, BigInt(length) * 8n);
    end.update(padding);
    return hexOf(end.#words);
  }

  /** Plain variables and no closures: it runs a million times for each 64 MiB. */
  #compress(block: Uint8Array, from: number): void {
    const w = this.#schedule;
    for (let n = 0; n < 16; n++) {
      const i = from + n * 4;
      w[n] = ((block[i] ?? 0) << 24) | ((block[i + 1] ?? 0) << 16) | ((block[i + 2] ?? 0) << 8) | (block[i + 3] ?? 0);
    }
    for (let n = 16; n < 64; n++) {
      const x = w[n - 15] ?? 0;
      const y = w[n - 2] ?? 0;
      const small = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const large = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[n] = ((w[n - 16] ?? 0) + small + (w[n - 7] ?? 0) + large) | 0;
    }
    const words = this.#words;
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = words;
    for (let n = 0; n < 64; n++) {
      const ones = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const first = (h + ones + ((e & f) ^ (~e & g)) + (constants[n] ?? 0) + (w[n] ?? 0)) | 0;
      const zeros = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const second = (zeros + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + second) | 0;
    }
    // An Int32Array keeps 32 bits of a sum.
    words[0] = (words[0] ?? 0) + a;
    words[1] = (words[1] ?? 0) + b;
    words[2] = (words[2] ?? 0) + c;
    words[3] = (words[3] ?? 0) + d;
    words[4] = (words[4] ?? 0) + e;
    words[5] = (words[5] ?? 0) + f;
    words[6] = (words[6] ?? 0) + g;
    words[7] = (words[7] ?? 0) + h;
  }
}
