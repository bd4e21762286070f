import { expect } from 'vitest';
import { type Bench, type Ending, monolithic, startBench } from './harness.ts';

/** A system with a good backup, and what a restore has to bring back of it. */
export interface Restored {
  readonly bench: Bench;
  /** The certificate authority's fingerprint. */
  readonly authority: string;
  readonly good: string;
}

export const startRestored = async (): Promise<Restored> => {
  const bench = await startBench({
    configuration: `${monolithic('live', '    extraPaths: [/srv/extra]\n    schedules: [nightly]')}
schedules:
  nightly: { cron: '30 1 * * *', timezone: Europe/Berlin }
`,
  });
  await bench.shell('mkdir /srv/extra && echo kept > /srv/extra/file');
  const authority = await bench.authority();
  const { output, cause } = await bench.backUp();
  expect(cause).toBe('');
  return { bench, authority, good: output.backup ?? '' };
};

export const users = (bench: Bench): Promise<string> => bench.sql('console_auth', 'SELECT count(*) FROM users');

/** Services that hold databases or certificates. */
export const stopped = 'pe-httpd pe-puppet-dashboard-workers pe-puppetdb';

/** Every comparison holds, and by other means too: the data is there, the services run by their passwords, nothing is left. */
export const expectRestored = async (
  { bench, authority }: Restored,
  { status, cause, output }: Ending,
): Promise<void> => {
  expect([status, cause]).toEqual(['SUCCEEDED', '']);
  const compared = output.proof?.compared.join('\n') ?? '';
  for (const database of ['console', 'console_auth', 'pe-puppetdb']) {
    expect(compared).toMatch(new RegExp(`^database ${database}: owner .* are equal$`, 'm'));
    expect(compared).toMatch(new RegExp(`^database ${database}: [0-9]+ rows in [0-9]+ tables are equal`, 'm'));
  }
  for (const group of ['configuration', 'certificates', 'modules', 'mcollective', 'installer'])
    expect(compared).toMatch(
      new RegExp(`^files of ${group} on .*: [0-9]+ entries are unpacked as the archive has them`, 'm'),
    );
  expect(compared).toMatch(
    /^certificate authority of .*: fingerprint .* is equal; serial .*, inventory of [0-9]+ lines and 1 revocation hold all/m,
  );
  expect(await users(bench)).toBe('150');
  expect(await bench.authority()).toBe(authority);
  await expectClean(bench);
};

export const expectClean = async (bench: Bench): Promise<void> => {
  expect(await bench.traces()).toMatchObject({ uploads: [], lock: false, onNode: '', servicesDown: [] });
  expect(await bench.opened()).toEqual([]);
  expect(bench.lab.runtime.scheduleStates()).toEqual({ 'pe-main.nightly': 'ENABLED' });
  expect(await bench.sql('postgres', "SELECT datname FROM pg_database WHERE datname LIKE 'holdfast-%'")).toBe('');
  // The host's disk shows through, and on it the disks of other labs that restore at the same time.
  expect(
    await bench.shell("find / -xdev -path '*/.local/lab' -prune -o -name '*.before-restore' -print 2>/dev/null | head"),
  ).toBe('');
};
