import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HashState } from '#domain/verification';
import { resumableSha256 } from '#lambdas/verify-backup/sha256';

it('is the hash that node computes, wherever it is put down and taken up again', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.array(fc.nat({ max: 130 })), async (bytes, lengths) => {
      let hash = await resumableSha256();
      let at = 0;
      for (const length of [...lengths, bytes.length]) {
        hash.update(bytes.subarray(at, at + length));
        at += length;
        hash = await resumableSha256(HashState.parse(JSON.parse(JSON.stringify(hash.save()))));
      }
      expect(hash.bytes()).toBe(bytes.length);
      expect(hash.digest()).toBe(createHash('sha256').update(bytes).digest('hex'));
    }),
  );
});

it('refuses a state that is none', async () => {
  await expect(
    resumableSha256({ bytes: 64, state: Buffer.from('something else').toString('base64') }),
  ).rejects.toThrow();
});
