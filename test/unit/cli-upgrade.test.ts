import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from '../../cli/follow-run.ts';
import { concludeUpgrade, type UpgradeOptions, upgrade } from '../../cli/upgrade.ts';
import { startDeployment } from './cli-deployment.ts';
import { recordedOutput } from './cli-fixtures.ts';

const summary = {
  ...{ from: { '3.8.7': 1, 'agent 3.8.7': 1 }, to: '2016.4.2', plan: 'runs/r/plan.json' },
  ...{ warnings: ['no canaries'], steps: ['master: install: Holdfast-InstallPuppet on master'] },
};

let deployment: Awaited<ReturnType<typeof startDeployment>>;
beforeAll(async () => {
  deployment = await startDeployment({});
});
afterAll(() => deployment.close());

const concluded = async (outcome: Outcome) => {
  const recorded = recordedOutput();
  const run = { run: 'r', execution: 'arn', system: 'pe-main', follow: 'holdfast watch r' };
  const progress = {
    run: 'r',
    executionArn: 'arn',
    operation: 'upgrade' as const,
    startedAt: '',
    seconds: 65,
    phases: [],
  };
  const exit = concludeUpgrade(deployment.connection, run, { ...progress, outcome }, false, recorded.output);
  return { exit, stdout: recorded.stdout() };
};

describe('an upgrade', () => {
  it('that succeeded names the version and the backup that leads back', async () => {
    const { exit, stdout } = await concluded({ kind: 'upgraded', summary, before: '20261120T020000Z' });
    expect(exit).toBe('ok');
    expect(stdout).toBe(
      'pe-main has version 2016.4.2, after 1m 5s\nWhat was there before: backup pe-main/20261120T020000Z\n',
    );
  });

  it('that is planned tells versions, warnings and steps', async () => {
    const { stdout } = await concluded({ kind: 'upgrade-planned', summary });
    expect(stdout).toContain('1 node with 3.8.7, to 2016.4.2\n');
    expect(stdout).toContain('warning: no canaries\nmaster: install: Holdfast-InstallPuppet on master\n');
  });

  it('of what has the version already had nothing to do', async () => {
    expect((await concluded({ kind: 'upgrade-not-needed', summary })).stdout).toContain('nothing to do');
  });

  it.each([
    ['busy', 'SystemBusyError', /Wait until/],
    ['failed', 'CheckFailedError', /Nothing was changed/],
    ['failed', 'CommandFailedError', /skipped/],
  ])('ends with %s after %s, and says what to try', async (exit, error, next) => {
    await expect(concluded({ kind: 'failed', error, cause: 'why' })).rejects.toMatchObject({
      ...{ exit, message: expect.stringContaining(`${error}: why`), next: expect.stringMatching(next) },
    });
  });

  it.each<[UpgradeOptions, RegExp]>([
    [{ installer: 'pe.tar.gz' }, /installer/],
    [{ from: 'agents', agents: 'all' }, /agents.maxConcurrency: expected a number from 1 on, or a percentage/],
    [{ from: 'agents', confirm: 'pe-other' }, /confirm: .*pe-main, typed again/],
    [{ from: 'agents', compileMasters: 'two' }, /compileMasters/],
    [{ from: 'agents', installModules: ['puppetlabs-apt-2.2.2.tar.gz'] }, /modules.0.sha256/],
    [{ from: 'agents', installModules: [`apt=${'a'.repeat(64)}`] }, /modules.0.name: expected the archive of a module/],
  ])('with a mistake in %j is none', async (options, message) => {
    const never = () => Promise.reject(new Error('connected'));
    await expect(upgrade(never, 'pe-main', '2016.4.2', options, recordedOutput().output)).rejects.toMatchObject({
      ...{ exit: 'usage', message: expect.stringMatching(message), next: expect.stringContaining('upgrade --help') },
    });
  });
});
