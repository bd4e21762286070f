import { describe, expect, it } from 'vitest';
import { askedFor } from '#domain/answers';
import { UnaskedAnswerError } from '#domain/errors';
import type { Collected, Upload } from '#domain/manifest';
import { documentName, encodeText, vaultKeys } from '#domain/naming';

const node = 'i-0123456789abcdef0';
const keyOf = (instanceId: string, system = 'pe-main', backup = '20261120T020000Z') =>
  vaultKeys.artifact(
    system,
    backup,
    `arn:aws:ec2:eu-central-1:111122223333:instance/${instanceId}`,
    'databases/console',
  );
const command = {
  id: 'dump-database console (master)',
  document: documentName('dump-database'),
  instanceIds: [node],
  parameters: { Bucket: 'vault', Key: keyOf(node), Database: encodeText('console') },
};
const upload = (key: string, compression: Upload['compression'] = 'zstd'): Upload => ({
  ...{ key, bytes: 10, rawBytes: 20, sha256: 'ab'.repeat(32), compression },
});
const dump = (changes: Partial<Extract<Collected, { kind: 'database' }>> = {}): Collected => ({
  kind: 'database',
  database: 'console',
  upload: upload(`${keyOf(node)}.dump.zst`),
  contents: upload(`${keyOf(node)}.contents.zst`),
  ...{ tables: 1, rows: 1, verified: 'read to its end, its rows counted' },
  ...changes,
});

describe('what a node says that it has collected', () => {
  it.each([
    ['packed by zstd', dump()],
    [
      'packed by gzip',
      dump({
        upload: upload(`${keyOf(node)}.dump.gz`, 'gzip'),
        contents: upload(`${keyOf(node)}.contents.gz`, 'gzip'),
      }),
    ],
  ])('counts when it is what its command asked for, %s', (_, answer) => {
    expect(() => askedFor(command, node, answer)).not.toThrow();
  });

  it.each([
    ['the key of another node', dump({ upload: upload(`${keyOf('i-0fedcba9876543210')}.dump.zst`) })],
    ['the key of another system', dump({ upload: upload(`${keyOf(node, 'pe-other')}.dump.zst`) })],
    [
      'the key of another backup',
      dump({ contents: upload(`${keyOf(node, 'pe-main', '20261119T020000Z')}.contents.zst`) }),
    ],
    ['a manifest', dump({ upload: upload('catalog/pe-main/20261119T020000Z.json') })],
    ['the list as the dump', dump({ upload: upload(`${keyOf(node)}.contents.zst`) })],
    ['an ending that its compressor has not', dump({ upload: upload(`${keyOf(node)}.dump.gz`) })],
    ['another database', dump({ database: 'pe-puppetdb' })],
    [
      'something of another kind',
      {
        ...{ kind: 'globals' as const, upload: upload(`${keyOf(node)}.dump.zst`), roles: 1, tablespaces: 1 },
        verified: 'complete to its closing line' as const,
      },
    ],
  ])('is refused when it names %s', (_, answer) => {
    expect(() => askedFor(command, node, answer)).toThrow(UnaskedAnswerError);
  });

  it('is refused from a node that was not asked, and without a command', () => {
    expect(() => askedFor(command, 'i-0fedcba9876543210', dump())).toThrow(UnaskedAnswerError);
    expect(() => askedFor(undefined, node, dump())).toThrow(UnaskedAnswerError);
  });

  it('is told in words that cannot pretend to be others', () => {
    const answer = dump({ database: 'x\n\u001b[2J. All is well.' });
    expect(() => askedFor(command, node, answer)).toThrow(/"x \[2J\. All is well\."/);
  });
});
