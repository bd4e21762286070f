import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { DescribeExecutionCommand, SFNClient } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allowances, upgradeStages } from '#domain/payloads';
import { type Gateway, startGateway } from '#local/runtime/gateway';
import { localMachines } from '#local/runtime/machines';
import { controlCredentials, controlEnvironment } from '#local/runtime/session';
import { type StepFunctions, startStepFunctions } from '#local/stepfunctions/index';
import { exitCodes } from '../../cli/exit-codes.ts';

/** The command line as a person runs it: a process of its own. */

const main = new URL('../../cli/holdfast.mjs', import.meta.url).pathname;
const credentials = { ...controlEnvironment, AWS_REGION: 'us-east-1' };

const cache = mkdtempSync(join(tmpdir(), 'holdfast-cache-'));
afterAll(() => rmSync(cache, { recursive: true }));

const start = (args: readonly string[], nodeArgs: readonly string[] = []) =>
  spawn(process.execPath, [...nodeArgs, main, ...args], {
    env: { PATH: process.env['PATH'], XDG_CACHE_HOME: cache, AWS_EC2_METADATA_DISABLED: 'true', ...credentials },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

const holdfast = async (args: readonly string[], nodeArgs: readonly string[] = []) => {
  const child = start(args, nodeArgs);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code, stdout, stderr };
};

const verbs = [
  ...[
    'systems',
    'config check',
    'backup',
    'check',
    'verify',
    'restore',
    'upgrade',
    'approve',
    'reject',
    'runs',
    'watch',
    'cancel',
  ],
  ...['backups', 'show', 'keep', 'release', 'completion'],
];
const words = (verb: string): string[] => verb.split(' ').filter((word) => word !== '');

describe('help', () => {
  it.each(['', ...verbs])('of "holdfast %s" lists its exit codes as the table has them', async (verb) => {
    const { code, stdout } = await holdfast([...words(verb), '--help']);
    expect(code).toBe(0);
    const listed = stdout.slice(stdout.indexOf('Exit codes:')).matchAll(/^ {2}(\d+) +(.*)$/gm);
    const known = new Map(Object.values(exitCodes).map((exit) => [String(exit.code), exit.meaning]));
    const found = [...listed];
    expect(found.length).toBeGreaterThan(2);
    for (const [, number = '', meaning] of found) expect(meaning).toBe(known.get(number));
    if (verb === '') expect(found).toHaveLength(known.size);
  });

  it('is what the reference page says', async () => {
    const page = readFileSync(new URL('../../docs/reference/cli.md', import.meta.url), 'utf8');
    for (const { code, meaning } of Object.values(exitCodes)) expect(page).toContain(`| ${code} | ${meaning} |`);
    for (const verb of verbs) {
      const { stdout } = await holdfast([...words(verb), '--help']);
      const section = page.split('\n## ').find((part) => new RegExp(`^holdfast ${verb}( |\n)`).test(part)) ?? '';
      for (const [option] of stdout.matchAll(/--[a-z][a-z-]+/g))
        if (option !== '--help') expect(`${section}${page.split('\n## ')[1]}`).toContain(`\`${option}`);
    }
  });

  it('of a restore names every difference that can be allowed', async () => {
    const { stdout } = await holdfast(['restore', '--help']);
    for (const allowance of allowances) expect(stdout).toContain(allowance);
  });

  it('names the stages of an upgrade as they are, though it may not load them', async () => {
    const { stdout } = await holdfast(['upgrade', '--help']);
    const choices = upgradeStages.map((stage) => `"${stage}"`).join(', ');
    expect(stdout.replace(/\s+/g, ' ')).toContain(`(choices: ${choices})`);
  });

  it('loads nothing but the command line itself and its parser', async () => {
    const hook = `data:text/javascript,${encodeURIComponent(
      "import { registerHooks } from 'node:module'; registerHooks({ load(url, context, next) { process._rawDebug(url); return next(url, context); } });",
    )}`;
    const { stderr } = await holdfast(['--help'], ['--import', hook]);
    const loaded = stderr.split('\n').filter((line) => line.startsWith('file:'));
    const packages = loaded.flatMap((url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []);
    expect(new Set(packages)).toEqual(new Set(['@commander-js/extra-typings', 'commander']));
    expect(loaded.some((url) => url.endsWith('/cli/main.ts'))).toBe(true);
    const repository = new URL('../../', import.meta.url).href;
    expect(stderr.replaceAll(repository, '')).not.toMatch(/^(domain|aws|lambdas)\//m);
  });
});

describe('holdfast completion', () => {
  it.each(['bash', 'zsh', 'fish'])('teaches %s every verb', async (shell) => {
    const { code, stdout } = await holdfast(['completion', shell]);
    expect(code).toBe(exitCodes.ok.code);
    for (const verb of verbs) for (const word of words(verb)) expect(stdout).toContain(word);
  });
});

describe('a wrong command line', () => {
  it.each([
    [[]],
    [['no-such-verb']],
    [['config']],
    [['backup']],
    [['restore']],
    [['restore', 'pe-main', 'yesterday']],
    [['restore', 'pe-main', '--confirm', 'pe-other']],
    [['reject', 'pe-main-restore-x']],
    [['backups', 'pe-main', '--colour']],
    [['backups', 'Not A System']],
    [['show', 'latest']],
    [['runs', 'Not A System']],
    [['runs', '--limit', 'all']],
    [['watch', '../x']],
    [['cancel']],
    [['restore', 'pe-main', '--databases', 'some']],
    [['upgrade', 'pe-main']],
    [['upgrade', 'pe-main', 'newest', '--from', 'agents']],
    [['completion', 'tcsh']],
  ])('%j ends with 2 and says where to look', async (args) => {
    const { code, stdout, stderr } = await holdfast(args);
    expect(code).toBe(exitCodes.usage.code);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/holdfast/);
  });
});

describe('holdfast config check', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const file = (content: string): string => {
    const path = join(folder, 'holdfast.yaml');
    writeFileSync(path, content);
    return path;
  };

  const good = `systems:
  pe-main:
    kind: puppet-enterprise
    nodes:
      - { instance: i-0123456789abcdef0, roles: [master, puppetdb, console] }
    schedules: [nightly, often]
  pe-lab:
    kind: puppet-enterprise
    nodes:
      - { tag: { key: role, value: pe }, roles: [master, puppetdb, console] }
schedules:
  nightly: { cron: 0 2 * * *, timezone: Europe/Berlin }
  often: { rate: 6 hours }
  gone: { at: 2001-01-01T00:00:00 }
`;

  it('tells every mistake with its place, on stdout, and ends with 3', async () => {
    const path = file(good.replace('often]', 'often]\n    consistency: sometimes').replace('[nightly,', '[nightyl,'));
    const { code, stdout, stderr } = await holdfast(['config', 'check', path]);
    expect(code).toBe(exitCodes.invalid.code);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(`${path}:6:17: systems.pe-main.schedules.0: expected a name from schedules`);
    expect(lines[1]).toMatch(`${path}:7:5: systems.pe-main.consistency: expected live or quiesced`);
    expect(stderr).toContain('2 mistakes');
  });

  it('tells the same as JSON', async () => {
    const path = file(good.replace('rate: 6 hours', 'rate: now and then'));
    const { code, stdout } = await holdfast(['config', 'check', path, '--json']);
    expect(code).toBe(exitCodes.invalid.code);
    expect(JSON.parse(stdout)).toMatchObject({
      file: path,
      valid: false,
      faults: [{ line: 13, path: 'schedules.often.rate' }],
    });
  });

  it('shows what a good file means, with the next run of each schedule in its time zone', async () => {
    const { code, stdout, stderr } = await holdfast(['config', 'check', file(good)]);
    expect(code).toBe(exitCodes.ok.code);
    expect(stderr).toMatch(/Warning: no system names the schedule gone, so it starts nothing/);
    expect(stdout).toMatch(/is valid: 2 systems/);
    expect(stdout).toMatch(/^pe-lab +puppet-enterprise +1 +none: backed up only when asked$/m);
    expect(stdout).toMatch(/^nightly +0 2 \* \* \* +\w{3} \d{4}-\d\d-\d\d 02:00 Europe\/Berlin +pe-main$/m);
    expect(stdout).toMatch(/^often +every 6 hours +counted from its deployment +pe-main$/m);
    expect(stdout).toMatch(/^gone .* never again +no system$/m);
  });

  it('warns of a schedule that never fires again', async () => {
    const { stderr } = await holdfast([
      'config',
      'check',
      file(good.replace('nightly, often]', 'nightly, often, gone]')),
    ]);
    expect(stderr).toMatch(/Warning: the schedule gone never fires again: once at 2001-01-01T00:00:00 is over/);
  });

  it('lets nothing in the file command the terminal', async () => {
    const { stdout } = await holdfast(['config', 'check', file(`${good}"\\e]0;owned\\a": 1\n`)]);
    expect(stdout).toContain('\\u{1b}]0;owned\\u{7}');
  });

  it('ends with 4 when there is no such file', async () => {
    const { code, stderr } = await holdfast(['config', 'check', join(folder, 'nothing.yaml')]);
    expect(code).toBe(exitCodes['not-found'].code);
    expect(stderr).toContain('nothing.yaml');
  });
});

describe('against a deployment', () => {
  const [region, account] = ['us-east-1', '000000000000'];
  const busy = Promise.withResolvers<never>();
  // An S3 in which nothing lies yet.
  const s3 = createServer((request, response) => {
    const isList = /[?&](list-type=2|uploads)/.test(request.url ?? '');
    response.writeHead(isList ? 200 : 404, { 'content-type': 'application/xml' });
    response.end(isList ? '<Result></Result>' : '<Error><Code>NoSuchKey</Code></Error>');
  });
  let stepFunctions: StepFunctions;
  let gateway: Gateway;

  beforeAll(async () => {
    const invoke = () => busy.promise;
    stepFunctions = await startStepFunctions({ machines: localMachines(region, account), invoke, region, account });
    s3.listen(0, '127.0.0.1');
    await once(s3, 'listening');
    const address = s3.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    const services = { stepFunctions: stepFunctions.url, runCommand: url, s3: url };
    gateway = await startGateway({ services, judge: () => 'pass' });
  });
  afterAll(async () => {
    await gateway.close();
    await stepFunctions.close();
    s3.close();
  });

  const describeExecution = (executionArn: string) => {
    const client = new SFNClient({
      region,
      endpoint: stepFunctions.url,
      credentials: controlCredentials,
    });
    return client.send(new DescribeExecutionCommand({ executionArn }));
  };
  const status = async (executionArn: string) => (await describeExecution(executionArn)).status;

  it('starts a backup and ends at once', async () => {
    const { code, stdout } = await holdfast(['backup', 'pe-main', '--json', '--endpoint-url', gateway.url]);
    expect(code).toBe(exitCodes.ok.code);
    const started = JSON.parse(stdout);
    expect(started).toMatchObject({ system: 'pe-main', run: expect.stringMatching(/^pe-main-/) });
    expect(await status(started.execution)).toBe('RUNNING');
  });

  it('knows a run that it has started, follows it, and cancels it', async () => {
    const at = ['--endpoint-url', gateway.url];
    const { run } = JSON.parse((await holdfast(['backup', 'pe-main', '--json', ...at])).stdout);
    expect((await holdfast(['runs', 'pe-main', ...at])).stdout).toMatch(
      new RegExp(`^${run} +backup +pe-main +running`, 'm'),
    );
    const cancelled = await holdfast(['cancel', run, '--reason', 'not today', ...at]);
    expect(cancelled).toMatchObject({ code: exitCodes.ok.code, stdout: expect.stringContaining('is cancelled') });
    const watched = await holdfast(['watch', run, ...at]);
    expect(watched).toMatchObject({
      code: exitCodes.failed.code,
      stderr: expect.stringContaining('Aborted: not today'),
    });
    const known = await holdfast(['systems', ...at]);
    expect(known).toMatchObject({
      code: exitCodes.overdue.code,
      stdout: expect.stringMatching(/^pe-main +no backup/m),
    });
  });

  it('starts a restore with everything that was typed', async () => {
    const typed = 'restore pe-main latest --scope certs databases:console --allow hostname version --databases globals';
    const onto = '--onto master=i-0123456789abcdef0 --no-safety-backup --approval-minutes 5 --json --endpoint-url';
    const ofJuju = '--constraints mem=4G --ensure-availability 3 --reconnect-seconds 60 --reconnect-percent 90';
    const { code, stdout } = await holdfast([...words(`${typed} ${ofJuju} ${onto}`), gateway.url]);
    expect(code).toBe(exitCodes.ok.code);
    const { run, execution, approve } = JSON.parse(stdout);
    expect(approve).toBe(`holdfast approve ${run} --endpoint-url ${gateway.url}`);
    const { input } = await describeExecution(execution);
    expect(JSON.parse(input ?? '')).toEqual({
      system: 'pe-main',
      backup: 'latest',
      scope: ['certs', 'databases:console'],
      allow: ['hostname', 'version'],
      databases: 'globals',
      onto: { master: 'i-0123456789abcdef0' },
      safetyBackup: false,
      juju: { constraints: 'mem=4G', ensureAvailability: 3, reconnectSeconds: 60, reconnectPercent: 90 },
      approvalSeconds: 300,
    });
  });

  it('starts an upgrade with everything that was typed', async () => {
    const typed = `upgrade pe-main 2016.4.2 --installer https://example.com/pe.tar.gz --sha256 ${'ab'.repeat(32)}`;
    const more = '--confirm pe-main --from console --compile-masters 2 --agents 5% --json --endpoint-url';
    const { code, stdout } = await holdfast([...words(`${typed} ${more}`), gateway.url]);
    expect(code).toBe(exitCodes.ok.code);
    const { execution, ...started } = JSON.parse(stdout);
    expect(started).not.toHaveProperty('approve');
    const { input } = await describeExecution(execution);
    expect(JSON.parse(input ?? '')).toEqual({
      ...{ system: 'pe-main', version: '2016.4.2', confirm: 'pe-main', from: 'console', compileMasters: 2 },
      installer: { url: 'https://example.com/pe.tar.gz', sha256: 'ab'.repeat(32) },
      agents: { maxConcurrency: '5%', maxErrors: '1%' },
    });
  });

  it('ends with 4 when no such run waits for an approval', async () => {
    const { code, stderr } = await holdfast(['approve', 'pe-main-restore-x', '--endpoint-url', gateway.url]);
    expect(code).toBe(exitCodes['not-found'].code);
    expect(stderr).toContain('no run pe-main-restore-x has asked');
  });

  it.each(['backup', 'restore'])('detaches at Ctrl-C from a %s with 130, and the run continues', async (verb) => {
    const child = start([verb, 'pe-main', '--watch', '--json', '--endpoint-url', gateway.url]);
    const stderr = text(child.stderr);
    let stdout = '';
    for await (const piece of child.stdout.setEncoding('utf8')) {
      if (!stdout.includes('"progress"') && `${stdout}${piece}`.includes('"progress"')) child.kill('SIGINT');
      stdout += piece;
    }
    if (child.exitCode === null) await once(child, 'exit');
    expect(child.exitCode).toBe(exitCodes.interrupted.code);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.at(-1)).toMatchObject({ event: 'detached', run: lines[0].run });
    expect(await stderr).toContain('The run continues.');
    expect(await status(lines[0].execution)).toBe('RUNNING');
  });

  it('does not know a system of which the vault has nothing', async () => {
    const { code, stderr } = await holdfast(['backups', 'pe-main', '--endpoint-url', gateway.url]);
    expect(code).toBe(exitCodes['not-found'].code);
    expect(stderr.trimEnd().split('\n')).toHaveLength(2);
  });

  it('ends with 7 where Holdfast is not deployed, and says how to name another place', async () => {
    const empty = await startStepFunctions({ machines: {}, invoke: () => busy.promise, region, account });
    const { code, stderr } = await holdfast(['backups', 'pe-main', '--endpoint-url', empty.url]);
    await empty.close();
    expect(code).toBe(exitCodes.connection.code);
    expect(stderr).toMatch(/not deployed here[\s\S]*--profile/);
  });

  it('ends with 7 where nobody answers', async () => {
    const { code, stderr } = await holdfast(['backups', 'pe-main', '--endpoint-url', 'http://127.0.0.1:9']);
    expect(code).toBe(exitCodes.connection.code);
    expect(stderr).toMatch(/ECONNREFUSED[\s\S]*--endpoint-url/);
  });
});
