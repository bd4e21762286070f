import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetPublicKeyCommand } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { jsonState } from '#aws/bucket';
import { kmsClient } from '#aws/clients';
import { kmsSignatures } from '#aws/signatures';
import { signaturesOf } from '#domain/contracts/verb';
import { tagKeys } from '#domain/naming';
import { allBackups, isCommitted, newestGood, readManifest } from '#domain/vault/catalog';
import { authenticated, signed, withSignedManifests } from '#domain/vault/signature';
import { contractOf, verbNames } from '#lambdas/verbs';
import { verifyBackup } from '#lambdas/verify-backup/verify-backup';
import { createKms } from '#local/runtime/kms';
import { typedBackup } from '../../cli/catalog.ts';
import { backupsInMemory } from './backup-in-memory.ts';
import { recordedOutput } from './cli-fixtures.ts';
import { memoryBucket } from './memory.ts';

const key = 'catalog/pe-main/20261120T020000Z.json';
const manifest = { system: 'pe-main', backup: '20261120T020000Z', artifacts: [{ key: 'backups/ü', signature: 'x' }] };
const unsigned = JSON.stringify(manifest, undefined, 2);

const kms = createKms({ macKeys: ['alias/one', 'alias/other'] });
/** Answers that KMS gives in place of the next ones. */
const answers: number[] = [];
const server = createServer((request, response) => {
  const status = answers.shift();
  if (status === undefined) return void kms.handle(request, response);
  response.writeHead(status).end(status === 400 ? '{"__type":"com.amazonaws.kms#ThrottlingException"}' : '');
});
let endpoint: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  endpoint = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'any');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'any');
});
afterAll(() => {
  vi.unstubAllEnvs();
  server.close();
});

const signatures = (alias = 'alias/one') => kmsSignatures({ region: 'eu-central-1', endpoint }, alias);

describe('what is signed', () => {
  it('is JSON, is believed at its place, and is read without its signature', async () => {
    const text = await signed(signatures(), key, unsigned);
    expect(JSON.parse(text)).toEqual({ signature: expect.stringMatching(/^.{44}$/), ...manifest });
    expect(await authenticated(signatures(), key, text)).toEqual({ authentic: true, text: unsigned });
  });

  it.each<[string, (text: string) => string]>([
    ['a changed byte', (text) => text.replace('backups/ü', 'backups/u')],
    [
      'another signature',
      (text) => text.replace(/"signature": "(.)/, (_, first) => `"signature": "${first === 'A' ? 'B' : 'A'}`),
    ],
    ['a field that comes again', (text) => text.replace(/\n\}$/, ',\n  "system": "pe-other"\n}')],
    ['a line feed at its end', (text) => `${text}\n`],
    ['Windows line ends', (text) => text.replaceAll('\n', '\r\n')],
  ])('is not believed with %s', async (_, change) => {
    const text = change(await signed(signatures(), key, unsigned));
    expect((await authenticated(signatures(), key, text)).authentic).toBe(false);
  });

  it('is not believed at another place', async () => {
    const text = await signed(signatures(), key, unsigned);
    expect(await authenticated(signatures(), 'catalog/pe-main/20261121T020000Z.json', text)).toEqual({
      authentic: false,
      reason: expect.stringMatching(/^the signature of its manifest does not hold/),
    });
  });

  it('is not believed when another key has signed it', async () => {
    const text = await signed(signatures('alias/other'), key, unsigned);
    expect((await authenticated(signatures(), key, text)).authentic).toBe(false);
  });

  it.each(['{}', '', 'null', unsigned, JSON.stringify({ ...manifest, signature: 'x' }, undefined, 2)])(
    'is none in %j, and the reason says what to do',
    async (text) => {
      expect(await authenticated(signatures(), key, text)).toEqual({
        authentic: false,
        reason: expect.stringMatching(/^its manifest is not signed: .*Make a new backup$/),
      });
    },
  );

  it('can be checked by hand, as the comment says', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'signature-'));
    const file = join(directory, 'manifest.json');
    writeFileSync(file, await signed(signatures(), key, unsigned));
    const script = '{ echo "$1"; sed 2d "$2"; } | openssl dgst -sha256 -binary';
    const digest = execFileSync('sh', ['-c', script, 'sh', key, file]);
    rmSync(directory, { recursive: true });
    expect(digest).toEqual(createHash('sha256').update(`${key}\n${unsigned}`).digest());
  });
});

describe('KMS', () => {
  it('is asked again when it is throttled, or has a fault', async () => {
    answers.push(400, 500);
    expect(await signatures().sign('x')).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    expect(answers).toEqual([]);
  });

  it('that gives no answer is asked again after ten seconds, not waited for', async () => {
    const client = kmsClient({ region: 'eu-central-1', endpoint });
    await client.send(new GetPublicKeyCommand({ KeyId: 'alias/none' })).catch(() => undefined);
    expect(Reflect.get(client.config.requestHandler, 'config')).toMatchObject({
      requestTimeout: 10_000,
      throwOnRequestTimeout: true,
    });
  });

  it('that refuses ends the call with its own error', async () => {
    await expect(signatures('alias/none').holds('x', `${'A'.repeat(43)}=`)).rejects.toMatchObject({
      name: 'NotFoundException',
    });
  });
});

describe('a manifest that somebody has put into the vault', () => {
  const [older, newer, later] = ['20261119T020000Z', '20261120T020000Z', '20261121T020000Z'] as const;

  /** Two backups, of which the newer one's manifest is what somebody else has made of it. */
  const forged = async (change: (text: string) => string) => {
    const raw = memoryBucket();
    const bench = backupsInMemory({ ...raw, ...withSignedManifests(signatures(), raw) });
    for (const day of [19, 20]) await bench.backUp(new Date(`2026-11-${day}T02:00:00Z`));
    const place = bench.keyOf(newer);
    await raw.write(place, change((await raw.read(place))?.text ?? ''));
    return { ...bench, raw };
  };

  const ways: [string, (text: string) => string][] = [
    ['altered', (text) => text.replace('"complete"', '"partial"')],
    ['without a signature', (text) => text.replace(/\n {2}"signature".*/, '')],
    ['that is no JSON', () => 'x'],
  ];

  it.each(ways)('%s is never chosen, and is told with the reason', async (_, change) => {
    const { vault } = await forged(change);
    const { good, passedOver } = await newestGood({ vault }, 'pe-main');
    expect(good?.backup).toBe(older);
    expect(passedOver).toEqual([{ backup: newer, reason: expect.stringMatching(/signed|signature/) }]);
    expect((await allBackups({ vault }, 'pe-main')).map((one) => [one.backup, one.readable])).toEqual([
      [newer, false],
      [older, true],
    ]);
  });

  it.each(ways)('%s is refused by an error of its own for who names it', async (_, change) => {
    const { vault } = await forged(change);
    await expect(readManifest({ vault }, 'pe-main', newer)).rejects.toMatchObject({
      name: 'ManifestUntrustedError',
      message: expect.stringMatching(/is not trusted: .*Choose another backup/),
    });
  });

  it.each(ways)('%s is told by the command line, with what to do', async (_, change) => {
    const { vault, state } = await forged(change);
    const connection = { vault, state, options: {} };
    const { output, stderr } = recordedOutput();
    expect((await typedBackup(connection, { system: 'pe-main', backup: 'latest' }, output)).backup).toBe(older);
    expect(stderr()).toMatch(new RegExp(`pe-main/${newer} is skipped: .*sign`));
    await expect(typedBackup(connection, { system: 'pe-main', backup: newer }, output)).rejects.toMatchObject({
      message: expect.stringMatching(/sign/),
      next: 'Make a new one: holdfast backup pe-main',
    });
  });

  it.each(ways)('%s is told as damaged by a verification', async (_, change) => {
    const { vault, state } = await forged(change);
    const now = new Date('2026-11-20T12:00:00Z');
    expect(
      await verifyBackup(
        { state: jsonState(state), vault, now: () => now, rangeBytes: 1024 ** 2 },
        { run: 'verify-newer', execution: 'arn', startedAt: now.toISOString() },
        { system: 'pe-main', backup: newer },
      ),
    ).toMatchObject({ status: 'damaged', damaged: [newer], error: 'BackupDamagedError' });
  });

  it.each(ways)('%s keeps no backup from being committed, of another slot or its own', async (_, change) => {
    const { vault, raw, backUp, keyOf } = await forged(change);
    await raw.write(keyOf(later), (await raw.read(keyOf(newer)))?.text ?? '');
    expect(await isCommitted({ vault }, 'pe-main', later)).toBe(false);
    await backUp(new Date('2026-11-21T02:00:00Z'));
    expect((await newestGood({ vault }, 'pe-main')).good?.backup).toBe(later);
    expect(await isCommitted({ vault }, 'pe-main', later)).toBe(true);
    expect(await raw.tags({ key: keyOf(later) })).toEqual({ [tagKeys.retention]: 'keep' });
  });

  it('and was moved from another slot is not believed', async () => {
    const { vault, raw, keyOf } = await forged((text) => text);
    await raw.write(keyOf(later), (await raw.read(keyOf(newer)))?.text ?? '');
    expect((await newestGood({ vault }, 'pe-main')).good?.backup).toBe(newer);
  });

  it('gives way to no other one that was committed', async () => {
    const { vault, keyOf } = await forged((text) => text);
    await expect(vault.create(keyOf(newer), '{\n  "run": "x"\n}')).rejects.toMatchObject({
      name: 'AlreadyExistsError',
    });
  });
});

it('every lambda that reads manifests checks them, and one alone signs', () => {
  const reading = verbNames.filter((verb) =>
    Object.entries(contractOf(verb).vault ?? {}).some(
      ([prefix, rights]) => 'catalog/'.startsWith(prefix) && rights.includes('read'),
    ),
  );
  expect(reading.length).toBeGreaterThan(5);
  for (const verb of reading) expect(signaturesOf(contractOf(verb))).toContain('holds');
  expect(verbNames.filter((verb) => signaturesOf(contractOf(verb)).includes('sign'))).toEqual(['commit-backup']);
});
