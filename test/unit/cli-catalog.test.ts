import { describe, expect, it } from 'vitest';
import { stateKeys, vaultKeys } from '#domain/naming';
import { backups } from '../../cli/backups.ts';
import { show } from '../../cli/show.ts';
import { commit, manifestOf, memoryBucket, recordedOutput } from './cli-fixtures.ts';

const now = new Date('2026-11-22T02:00:00Z');

const deployment = () => {
  const [vault, state] = [memoryBucket(), memoryBucket()];
  return { vault, state, vaultName: 'holdfast-vault-000000000000-us-east-1', options: {} };
};

const lock = (run: string) =>
  JSON.stringify({
    system: 'pe-main',
    operation: 'backup',
    run,
    backup: '20261122T015900Z',
    execution: 'arn',
    acquiredAt: '2026-11-22T01:59:00Z',
  });

describe('holdfast backups', () => {
  it('lists the backups of the system, newest first, with what retention says of them now', async () => {
    const here = deployment();
    await commit(here.vault, manifestOf('pe-main', '20261120T020000Z', { retentionClass: 'yearly' }));
    await commit(here.vault, manifestOf('pe-main', '20261121T020000Z', { consistency: 'quiesced' }), 'keep');
    await commit(here.vault, manifestOf('pe-other', '20261121T030000Z'));
    const { output, stdout } = recordedOutput();
    expect(await backups(async () => here, 'pe-main', {}, output, now)).toBe('ok');
    expect(stdout()).toBe(
      [
        'BACKUP            AGE  CLASS   RETENTION      SIZE    TOOK  STATE     CONSISTENCY',
        '20261121T020000Z   1d  daily   keep       1.00 MiB  1m 35s  complete  quiesced',
        '20261120T020000Z   2d  yearly  yearly     1.00 MiB  1m 35s  complete  live',
        '',
      ].join('\n'),
    );
  });

  it('gives the same as one JSON document', async () => {
    const here = deployment();
    await commit(here.vault, manifestOf('pe-main', '20261121T020000Z'), 'keep');
    const { output, stdout } = recordedOutput();
    await backups(async () => here, 'pe-main', { json: true }, output, now);
    expect(JSON.parse(stdout())).toEqual({
      system: 'pe-main',
      backups: [
        {
          backup: '20261121T020000Z',
          ageSeconds: 86_400,
          state: 'complete',
          retentionClass: 'daily',
          retentionTag: 'keep',
          consistency: 'live',
          bytes: 1024 ** 2 + 1024 + 2048 + 512 + 512,
          startedAt: '2026-11-21T02:00:00.000Z',
          committedAt: '2026-11-21T02:01:35.000Z',
          seconds: 95,
          run: 'pe-main-run',
          location: 's3://holdfast-vault-000000000000-us-east-1/backups/pe-main/20261121T020000Z/',
        },
      ],
    });
  });

  it('says that there is none yet while the first is under way', async () => {
    const here = deployment();
    await here.state.write(stateKeys.lock('pe-main'), lock('first-run'));
    const { output, stdout, stderr } = recordedOutput();
    expect(await backups(async () => here, 'pe-main', {}, output, now)).toBe('ok');
    expect(stdout()).toBe('pe-main has no backup yet\n');
    expect(stderr()).toContain('first-run');
  });

  it('does not know a system without any trace, and names those that it knows', async () => {
    const here = deployment();
    await commit(here.vault, manifestOf('pe-main', '20261121T020000Z'));
    await expect(backups(async () => here, 'pe-mian', {}, recordedOutput().output, now)).rejects.toMatchObject({
      exit: 'not-found',
      message: expect.stringContaining('backups of pe-main'),
      next: expect.stringContaining('holdfast backup pe-mian'),
    });
  });

  it('asks nobody about what can be no system', async () => {
    const never = async () => {
      throw new Error('connected');
    };
    await expect(backups(never, 'PE Main', {}, recordedOutput().output)).rejects.toMatchObject({ exit: 'usage' });
  });

  it.each([
    ['is not JSON', 'half a man'],
    ['is of a later version', JSON.stringify({ ...manifestOf('pe-main', '20261121T020000Z'), format: 2 })],
  ])('still lists the others when a manifest %s, and fails', async (_, text) => {
    const here = deployment();
    await here.vault.create(vaultKeys.manifest('pe-main', '20261121T020000Z'), text);
    await commit(here.vault, manifestOf('pe-main', '20261120T020000Z'));
    const { output, stdout, stderr } = recordedOutput();
    expect(await backups(async () => here, 'pe-main', {}, output, now)).toBe('unexpected');
    expect(stdout()).toMatch(/20261121T020000Z.*unreadable/);
    expect(stdout()).toMatch(/20261120T020000Z.*complete/);
    expect(stderr()).toContain('1 entry of the catalog');
  });
});

describe('holdfast show', () => {
  const shown = async (text: string, options: { system?: string; json?: boolean } = {}, changes = {}) => {
    const here = deployment();
    await commit(here.vault, manifestOf('pe-main', '20261120T020000Z'));
    await commit(here.vault, manifestOf('pe-main', '20261121T020000Z', changes), 'keep');
    const { output, stdout } = recordedOutput();
    expect(await show(async () => here, text, options, output, now)).toBe('ok');
    return stdout();
  };

  it('tells what was backed up, how much, what was verified and where it lies', async () => {
    const text = await shown('pe-main/20261121T020000Z', {}, { warnings: ['the clock of master is 3 s late'] });
    expect(text).toMatch(/^retention +class daily, tagged keep now$/m);
    expect(text).toMatch(
      /^location +s3:\/\/holdfast-vault-000000000000-us-east-1\/backups\/pe-main\/20261121T020000Z\/$/m,
    );
    expect(text).toMatch(/pe-puppetdb +master +pe-puppetdb +pe-puppetdb +UTF8 +3.00 MiB +42 +1,234,567/);
    expect(text).toMatch(
      /i-0123456789abcdef0\/pe-puppetdb.dump.zst +1.00 MiB +4.00 MiB +4.0x +read to its end, its rows counted +(ab){32}/,
    );
    expect(text).toMatch(/certificates.tar.zst .*read to its end by tar, 3 secrets found/);
    expect(text).toContain('the clock of master is 3 s late');
  });

  it.each([
    ['SYSTEM/ID', 'pe-main/20261120T020000Z', {}, '20261120T020000Z'],
    ['an ID with --system', '20261120T020000Z', { system: 'pe-main' }, '20261120T020000Z'],
    ['SYSTEM/latest', 'pe-main/latest', {}, '20261121T020000Z'],
    ['latest with --system', 'latest', { system: 'pe-main' }, '20261121T020000Z'],
  ])('finds a backup by %s', async (_, text, options, backup) => {
    expect(JSON.parse(await shown(text, { ...options, json: true }))).toMatchObject({ system: 'pe-main', backup });
  });

  it('gives the manifest as JSON, with its tag and places', async () => {
    expect(JSON.parse(await shown('pe-main/latest', { json: true }))).toEqual({
      ...manifestOf('pe-main', '20261121T020000Z'),
      retentionTag: 'keep',
      history: [],
      location: 's3://holdfast-vault-000000000000-us-east-1/backups/pe-main/20261121T020000Z/',
      manifest: 's3://holdfast-vault-000000000000-us-east-1/catalog/pe-main/20261121T020000Z.json',
    });
  });

  it('lets nothing of a manifest command the terminal', async () => {
    const hostile = { warnings: ['\u001b]0;owned\u0007\u001b[2J\nfake line'] };
    for (const json of [false, true])
      expect(await shown('pe-main/latest', { json }, hostile)).not.toMatch(/(?!\n)\p{Cc}/u);
  });

  it.each(['pe-main', 'pe-main/yesterday', 'pe-main/20261121T020000Z/x', '20261121T020000Z', 'PE/latest', ''])(
    'takes "%s" for a mistake in the command line',
    async (text) => {
      await expect(show(async () => deployment(), text, {}, recordedOutput().output)).rejects.toMatchObject({
        exit: 'usage',
      });
    },
  );

  it('names the newest backup when the wanted one does not exist', async () => {
    const here = deployment();
    await commit(here.vault, manifestOf('pe-main', '20261121T020000Z'));
    await expect(show(async () => here, 'pe-main/20261101T020000Z', {}, recordedOutput().output)).rejects.toMatchObject(
      { exit: 'not-found', next: expect.stringContaining('pe-main/20261121T020000Z') },
    );
  });

  it('says that the first backup is under way when there is none yet', async () => {
    const here = deployment();
    await here.state.write(stateKeys.lock('pe-main'), lock('first-run'));
    await expect(show(async () => here, 'pe-main/latest', {}, recordedOutput().output)).rejects.toMatchObject({
      exit: 'not-found',
      message: expect.stringContaining('first-run'),
    });
  });
});
