import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { History } from '#domain/history';
import { objectsOfBackup, storedBytes } from '#domain/manifest';
import { vaultKeys } from '#domain/naming';
import { connect } from '../../cli/connection.ts';
import { verify } from '../../cli/verify.ts';
import { recordedOutput } from '../unit/cli-fixtures.ts';
import { type Bench, monolithic, startBench } from './harness.ts';

let bench: Bench;
/** The newest backup that is not damaged. */
let sound: string;

beforeAll(async () => {
  bench = await startBench({ configuration: monolithic() });
});
afterAll(() => bench.close());

/** Turns one bit of an object in the middle, where the S3 server keeps it. */
const flip = async (key: string): Promise<void> => {
  const file = await open(join(bench.lab.runtime.vaultDirectory, key), 'r+');
  const { size } = await file.stat();
  const byte = Buffer.alloc(1);
  const at = Math.floor(size / 2);
  await file.read(byte, 0, 1, at);
  await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
  await file.close();
};

const history = async (backup: string): Promise<History> =>
  History.parse(JSON.parse((await bench.vault.read(vaultKeys.history('pe-main', backup)))?.text ?? '[]'));

const holdfast = async (backup: string) => {
  const { output, stdout, stderr } = recordedOutput();
  const options = { watch: true, pollMilliseconds: 50 };
  const region = 'us-east-1';
  const connected = () => connect({ endpointUrl: bench.lab.runtime.url, region });
  const exit = await verify(connected, `pe-main/${backup}`, options, output).catch((error: unknown) => error);
  return { exit, stdout: stdout(), stderr: stderr() };
};

/** Waits until the end of a run was told: that happens beside the run itself. */
const told = async <T>(find: () => T | undefined): Promise<T> => {
  for (;;) {
    const found = find();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

describe('a backup in the vault', () => {
  it('is read back to its last byte, as the command line tells and its history says', async () => {
    const { output } = await bench.backUp();
    const backup = output.backup ?? '';
    const { exit, stdout } = await holdfast('latest');
    expect([exit, stdout]).toEqual(['ok', expect.stringContaining(`pe-main/${backup}: sound`)]);
    const bytes = storedBytes(await bench.manifest(backup));
    expect(await history(backup)).toMatchObject([{ change: 'verified', outcome: 'sound', bytes, faults: [] }]);
    const { events, mails } = bench.lab.runtime.notices;
    expect(await told(() => events.find(({ operation }) => operation === 'backup'))).toMatchObject({
      ...{ result: 'committed', backup, bytes, state: 'complete', error: null },
    });
    expect(await told(() => events.find(({ operation }) => operation === 'verify'))).toMatchObject({
      result: 'verified',
    });
    expect(mails).toEqual([]);
  });

  it('is measured with all that was committed, and the janitor finds nothing to do', async () => {
    const { runtime } = bench.lab;
    expect(await runtime.invoke('measure-age', {})).toEqual({
      'pe-main': {
        ...{ age: expect.any(Number), duration: expect.any(Number), bytes: expect.any(Number) },
        ...{ verificationAge: expect.any(Number), orphanUploads: 0 },
      },
    });
    expect(await runtime.invoke('janitor', {})).toMatchObject({
      systems: [{ system: 'pe-main', outcome: 'done', touched: 0, chores: [] }],
    });
  });

  it('with one bit that has turned is found damaged, and no restore takes it for the latest', async () => {
    sound = (await bench.backUp()).output.backup ?? '';
    await new Promise((resolve) => setTimeout(resolve, 1000 - (Date.now() % 1000)));
    const backup = (await bench.backUp()).output.backup ?? '';
    expect(backup > sound).toBe(true);
    const [{ key } = { key: '' }] = objectsOfBackup(await bench.manifest(backup));
    await flip(key);
    const { exit } = await holdfast(backup);
    expect(exit).toMatchObject({ exit: 'failed', message: expect.stringContaining(`${key}: its SHA-256 is`) });
    expect(await history(backup)).toMatchObject([{ outcome: 'damaged', faults: [expect.stringContaining(key)] }]);
    const { mails } = bench.lab.runtime.notices;
    const { subject, text } = await told(() => mails.at(-1));
    expect(subject).toBe('Holdfast: verify of pe-main failed: BackupDamagedError');
    expect(text).toContain(
      `Why:    BackupDamagedError: "What lies in the vault of pe-main is not what was committed. ${backup}: ${key}`,
    );
    const { output } = await bench.restore({ planOnly: true });
    expect(output.plan?.summary.backup).toBe(sound);
  });

  it('is read by the monthly run when it is due, and the machine says which', async () => {
    const { status, cause, output } = await bench.ending(await bench.start({ system: 'pe-main' }, 'holdfast-verify'));
    expect([status, cause]).toEqual(['SUCCEEDED', '']);
    // In any case the newest good one, which the damaged one of before is not.
    expect(output).toMatchObject({ sound: expect.arrayContaining([sound]), damaged: [] });
  });
});
