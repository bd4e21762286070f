import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HashState, Sha256 } from '#domain/sha256';

const reference = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

it('is the hash that node computes, wherever it is put down and taken up again', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.nat({ max: 130 })), (bytes, lengths) => {
      let hash = new Sha256();
      let at = 0;
      for (const length of [...lengths, bytes.length]) {
        hash.update(bytes.subarray(at, at + length));
        at += length;
        hash = new Sha256(HashState.parse(JSON.parse(JSON.stringify(hash.save()))));
      }
      expect(hash.digest()).toBe(reference(bytes));
      expect(hash.bytes).toBe(bytes.length);
    }),
  );
});

it.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 128])('pads %i bytes as the standard says', (length) => {
  const hash = new Sha256();
  hash.update(new Uint8Array(length).fill(0x61));
  expect(hash.digest()).toBe(reference(new Uint8Array(length).fill(0x61)));
});

it('counts beyond four gigabytes', () => {
  const bytes = 5 * 1024 ** 3;
  // The words are made up: what counts is the length that the padding tells.
  const words = '00'.repeat(32);
  const end = (length: number): string => new Sha256({ bytes: length, words, rest: '' }).digest();
  expect(end(bytes)).not.toBe(end(bytes % 2 ** 32));
});
