import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CancelCommandCommand,
  DescribeDocumentCommand,
  DescribeInstanceInformationCommand,
  GetCommandInvocationCommand,
  GetDocumentCommand,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  paginateListCommandInvocations,
  SendCommandCommand,
  type SendCommandCommandInput,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ssmRunCommand } from '#aws/run-command';
import { type Clock, type LocalInstance, localInstance, startSsm } from '#local/ssm/index';

/** Time that passes only when a test says so; the scripts themselves run in real time. */
const manualClock = () => {
  let time = Date.parse('2026-01-01T02:00:00Z');
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>();
  return {
    now: () => time,
    after(milliseconds, callback) {
      const timer = { at: time + milliseconds, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(milliseconds: number) {
      time += milliseconds;
      for (const timer of [...timers].sort((a, b) => a.at - b.at)) {
        if (timer.at <= time && timers.delete(timer)) timer.callback();
      }
    },
  } satisfies Clock & { advance(milliseconds: number): void };
};

const shellDocument = (runCommand: string[], parameters: object = {}) =>
  JSON.stringify({
    schemaVersion: '2.2',
    description: 'A test document',
    parameters: { ExecutionTimeout: { type: 'String', default: '3600' }, ...parameters },
    mainSteps: [
      {
        action: 'aws:runShellScript',
        name: 'script',
        inputs: { timeoutSeconds: '{{ ExecutionTimeout }}', runCommand },
      },
    ],
  });

let root: string;
let clock: ReturnType<typeof manualClock>;
let instances: LocalInstance[];
let ssm: Awaited<ReturnType<typeof startSsm>>;
let client: SSMClient;

const A = 'i-0000000000000000a';
const B = 'i-0000000000000000b';
const C = 'i-0000000000000000c';

const addInstance = (instanceId: string, tags: Record<string, string> = {}) => {
  const directory = join(root, instanceId);
  mkdirSync(directory);
  const instance = localInstance({ instanceId, tags, directory });
  instances.push(instance);
  return instance;
};

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'ssm-'));
  clock = manualClock();
  instances = [];
  addInstance(A, { 'holdfast:system': 'pe', 'holdfast:role': 'master' });
  addInstance(B, { 'holdfast:system': 'pe', 'holdfast:role': 'puppetdb' });
  addInstance(C, { 'holdfast:system': 'juju' });
  ssm = await startSsm({
    instances: () => instances,
    region: 'us-east-1',
    account: '000000000000',
    clock,
    documents: {
      'Test-Greet': shellDocument(["echo 'hello {{ Name }}'", 'echo careful >&2'], {
        Name: { type: 'String', allowedPattern: '^[a-z]+$', default: 'world' },
      }),
      'Test-Run': shellDocument(['#!/bin/bash', 'cd "$(dirname "$0")"', '{{ Script }}'], {
        Script: { type: 'StringList' },
      }),
      'Test-Around': shellDocument(['#!/bin/bash', 'pwd', 'umask', 'env', 'wc -c']),
      'Test-Refused': shellDocument(['touch /never'], {
        Name: { type: 'String', allowedPattern: '^[a-z]{1,40000}$', default: 'world' },
      }),
      'Test-Unguarded': shellDocument(["echo 'hello {{ Name }}'"], { Name: { type: 'String' } }),
      'Test-Exit': shellDocument(['exit {{ Code }}'], {
        Code: { type: 'String', allowedValues: ['0', '3', '137', '168', '169', '194'] },
      }),
    },
  });
  client = new SSMClient({
    endpoint: ssm.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
    maxAttempts: 1,
  });
});

afterEach(async () => {
  client.destroy();
  await ssm.close();
  rmSync(root, { recursive: true });
});

/** Sends a command and lets it become visible. */
const send = async (input: Partial<SendCommandCommandInput>): Promise<string> => {
  const { Command } = await client.send(
    new SendCommandCommand({
      DocumentName: 'Test-Run',
      ...(input.Targets === undefined ? { InstanceIds: [A] } : {}),
      ...input,
    }),
  );
  clock.advance(200);
  return Command?.CommandId ?? '';
};

const sendScript = (Script: string[], input: Partial<SendCommandCommandInput> = {}) =>
  send({ ...input, Parameters: { Script, ...input.Parameters } });

const get = (CommandId: string, InstanceId = A) =>
  client.send(new GetCommandInvocationCommand({ CommandId, InstanceId }));

const details = async (commandId: string, instanceId = A) => (await get(commandId, instanceId)).StatusDetails;

const end = async (commandId: string, instanceId = A) => {
  await expect
    .poll(() => details(commandId, instanceId), { interval: 10 })
    .not.toMatch(/^(Pending|Delayed|InProgress|Cancelling)$/);
  return get(commandId, instanceId);
};

const command = async (CommandId: string) =>
  (await client.send(new ListCommandsCommand({ CommandId }))).Commands?.[0] ?? {};

const statuses = async (commandId: string, instanceIds: string[]) =>
  Promise.all(instanceIds.map(async (instanceId) => (await end(commandId, instanceId)).StatusDetails));

const gate = (name: string): string => {
  const path = join(root, name);
  execFileSync('mkfifo', [path]);
  return path;
};

const orchestration = (commandId: string, file = '', instanceId = A) => join(root, instanceId, commandId, file);

const pidIn = async (path: string): Promise<number> => {
  await expect.poll(() => existsSync(path) && readFileSync(path, 'utf8'), { interval: 10 }).toMatch(/\n$/);
  return Number(readFileSync(path, 'utf8'));
};

/** A killed process may stay a zombie when nobody reaps it. */
const isAlive = (pid: number): boolean =>
  existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

/** Runs until killed, with a background child in its group and a trap that would leave a trace. */
const LASTING = [
  'trap "touch trap-ran" EXIT TERM INT',
  'echo begun',
  'sleep 300 & echo $! > background',
  'echo $$ > leader',
  'wait',
];

describe('what the agent runs', () => {
  test('a script that succeeds is reported with its output', async () => {
    const id = await send({ DocumentName: 'Test-Greet', Comment: 'a greeting' });
    expect(await end(id)).toMatchObject({
      CommandId: id,
      InstanceId: A,
      Comment: 'a greeting',
      DocumentName: 'Test-Greet',
      PluginName: 'script',
      Status: 'Success',
      StatusDetails: 'Success',
      ResponseCode: 0,
      StandardOutputContent: 'hello world\n',
      StandardErrorContent: 'careful\n',
      ExecutionStartDateTime: '2026-01-01T02:00:00.000Z',
      ExecutionElapsedTime: expect.stringMatching(/^PT0(\.2)?S$/),
    });
    expect(await command(id)).toMatchObject({ Status: 'Success', TargetCount: 1, CompletedCount: 1, ErrorCount: 0 });
  });

  test('a script that fails is reported with its exit status', async () => {
    const id = await sendScript(['echo so far', 'echo no space >&2', 'exit 28']);
    expect(await end(id)).toMatchObject({
      Status: 'Failed',
      ResponseCode: 28,
      StandardOutputContent: 'so far\n',
      StandardErrorContent: 'no space\nfailed to run commands: exit status 28',
    });
    expect(await command(id)).toMatchObject({ Status: 'Failed', StatusDetails: 'Failed', ErrorCount: 1 });
  });

  test('a script whose group was killed by somebody else has failed', async () => {
    const id = await sendScript(['echo begun', 'kill -KILL 0']);
    expect(await end(id)).toMatchObject({
      Status: 'Failed',
      ResponseCode: -1,
      StandardOutputContent: 'begun\n',
      StandardErrorContent: 'failed to run commands: signal: killed',
    });
  });

  test('a script that hands on the status of a killed child looks like one that was timed out', async () => {
    const id = await send({ DocumentName: 'Test-Exit', Parameters: { Code: ['137'] } });
    expect(await end(id)).toMatchObject({ Status: 'TimedOut', StatusDetails: 'ExecutionTimedOut', ResponseCode: 137 });
  });

  test("a script gets the agent's environment, its directory and no input", async () => {
    const id = await send({ DocumentName: 'Test-Around' });
    const lines = ((await end(id)).StandardOutputContent ?? '').trim().split('\n');
    expect(lines.slice(0, 2)).toEqual(['/usr/bin', '0022']);
    expect(lines.at(-1)).toBe('0');
    expect(
      lines
        .slice(2, -1)
        .filter((line) => !/^(PWD|SHLVL|OLDPWD|_)=/.test(line))
        .toSorted(),
    ).toEqual([
      `AWS_SSM_INSTANCE_ID=${A}`,
      'AWS_SSM_REGION_NAME=us-east-1',
      expect.stringMatching(/^INVOCATION_ID=/),
      expect.stringMatching(/^JOURNAL_STREAM=/),
      'LANG=en_US.UTF-8',
      'PATH=/sbin:/usr/sbin:/bin:/usr/bin',
      `SSM_COMMAND_ID=${id}`,
    ]);
    expect(statSync(orchestration(id)).mode & 0o777).toBe(0o700);
  });

  test('a document with a pattern that RE2 cannot compile runs nothing, and only the log of the agent says why', async () => {
    const id = await send({ DocumentName: 'Test-Refused' });
    expect(await end(id)).toMatchObject({
      Status: 'Failed',
      StatusDetails: 'Failed',
      ResponseCode: -1,
      StandardOutputContent: '',
      StandardErrorContent: '',
    });
    expect(existsSync(orchestration(id))).toBe(false);
    expect(ssm.agent(A).log).toEqual([`${id}: error parsing regexp: invalid repeat count: \`{1,40000}\``]);
  });

  test('exit status 168 is a success whose stderr is lost', async () => {
    const id = await sendScript(['echo so far', 'echo trouble >&2', 'exit 168']);
    expect(await end(id)).toMatchObject({
      Status: 'Success',
      ResponseCode: 168,
      StandardOutputContent: expect.stringMatching(/^so far\n\nStep exited with code 168\. /),
      StandardErrorContent: '',
    });
  });

  test('exit status 169 is a failure whose stdout is no JSON any more', async () => {
    const id = await sendScript(['echo {}', 'exit 169']);
    expect(await end(id)).toMatchObject({
      Status: 'Failed',
      ResponseCode: 169,
      StandardOutputContent: expect.stringMatching(/^\{\}\n\nStep exited with code 169\. /),
    });
  });

  test('exit status 194 asks for a reboot', async () => {
    const id = await send({ DocumentName: 'Test-Exit', Parameters: { Code: ['194'] } });
    await expect.poll(() => ssm.agent(A).log).toEqual([`${id}: exit status 194 asks for a reboot`]);
    expect(await details(id)).toBe('InProgress');
  });

  test('a background process that keeps the output open keeps the command in progress', async () => {
    const path = gate('open');
    const id = await sendScript([`cat ${path} &`, 'echo $$ > leader']);
    const leader = await pidIn(orchestration(id, 'leader'));
    await expect.poll(() => isAlive(leader)).toBe(false);
    expect(await details(id)).toBe('InProgress');
    await writeFile(path, 'late');
    expect(await end(id)).toMatchObject({ Status: 'Success', StandardOutputContent: 'late' });
  });

  test('output beyond the limits is cut and marked', async () => {
    const id = await sendScript(['head -c 30000 /dev/zero | tr "\\0" o', 'head -c 10000 /dev/zero | tr "\\0" e >&2']);
    const { StandardOutputContent: stdout = '', StandardErrorContent: stderr = '' } = await end(id);
    expect(stdout).toHaveLength(24_000);
    expect(stdout).toMatch(/^o+--output truncated--$/);
    expect(stderr).toHaveLength(8_000);
    expect(stderr).toMatch(/^e+--output truncated--$/);
    const { CommandInvocations } = await client.send(
      new ListCommandInvocationsCommand({ CommandId: id, Details: true }),
    );
    const output = CommandInvocations?.[0]?.CommandPlugins?.[0]?.Output ?? '';
    expect(output.length).toBeLessThanOrEqual(2_500);
    expect(output).toMatch(/^o+\n---Output truncated---\n-+ERROR-+\ne+\n---Error truncated----$/);
  });

  test('output within the limits is not touched', async () => {
    const id = await sendScript(['head -c 23999 /dev/zero | tr "\\0" o']);
    expect((await end(id)).StandardOutputContent).toBe('o'.repeat(23_999));
  });

  test('a sixth command waits for one of five workers, and is in progress to the service all the while', async () => {
    const gates = Array.from({ length: 6 }, (_, index) => gate(`gate-${index}`));
    const ids: string[] = [];
    for (const path of gates) ids.push(await sendScript([`cat ${path}`]));
    const [first = '', , , , , sixth = ''] = ids;
    expect(await Promise.all(ids.map((id) => details(id)))).toEqual(Array(6).fill('InProgress'));
    expect(ssm.agent(A).under()).toEqual({ running: ids.slice(0, 5), queued: [sixth] });
    await writeFile(join(root, 'gate-0'), '');
    await end(first);
    await expect.poll(() => existsSync(orchestration(sixth))).toBe(true);
    await Promise.all(gates.slice(1).map((path) => writeFile(path, '')));
    for (const id of ids) expect(await end(id)).toMatchObject({ Status: 'Success' });
  });
});

describe('what goes wrong with an agent', () => {
  /** Takes all workers of the first instance until the returned function is called. */
  const occupy = async (last = 'true'): Promise<{ ids: string[]; free: () => Promise<void> }> => {
    const gates = Array.from({ length: 5 }, (_, index) => gate(`place-${index}`));
    const ids: string[] = [];
    for (const path of gates)
      ids.push(await sendScript([`cat ${path}`, last], { Parameters: { ExecutionTimeout: ['172800'] } }));
    await expect.poll(() => ids.every((id) => existsSync(orchestration(id)))).toBe(true);
    return { ids, free: async () => void (await Promise.all(gates.map((path) => writeFile(path, '')))) };
  };
  test('a full queue takes no more and says so in its log alone, but what the agent has got runs when there is room', async () => {
    const { ids, free } = await occupy();
    for (let queued = 0; queued < 3; queued++) ids.push(await sendScript(['true']));
    const late = await sendScript(['true'], { TimeoutSeconds: 30 });
    const patient = await sendScript(['true'], { TimeoutSeconds: 300 });
    expect(await details(late)).toBe('Pending');
    expect(ssm.agent(A).log).toEqual([`${late}: CommandBufferFull`, `${patient}: CommandBufferFull`]);
    clock.advance(30_000);
    expect(await details(late)).toBe('DeliveryTimedOut');
    await free();
    for (const id of ids) await end(id);
    clock.advance(10_000);
    expect(await end(patient)).toMatchObject({ Status: 'Success' });
    // The service has given it up: it runs anyway.
    await expect.poll(() => ssm.agent(A).ended.get(late)?.status).toBe('Success');
    expect(await details(late)).toBe('DeliveryTimedOut');
  });

  test("a command that is cancelled in the queue is never reported, and runs at the agent's next start", async () => {
    const { ids, free } = await occupy();
    const id = await sendScript(['echo late']);
    await client.send(new CancelCommandCommand({ CommandId: id }));
    await free();
    for (const one of ids) await end(one);
    expect(await details(id)).toBe('Cancelling');
    expect(existsSync(orchestration(id))).toBe(false);
    ssm.agent(A).restart();
    await expect.poll(() => ssm.agent(A).ended.get(id)?.stdout).toBe('late\n');
  });

  test('a queue that a reboot has cut off runs after it, and what ran then is given up a minute later', async () => {
    const { ids, free } = await occupy('kill -KILL 0');
    const [first = ''] = ids;
    const id = await sendScript(['echo late'], { Parameters: { ExecutionTimeout: ['172800'] } });
    const [instance] = instances;
    if (instance) instance.online = false;
    await free();
    clock.advance(86_400_000);
    if (instance) Object.assign(instance, { boots: 1, online: true });
    await expect
      .poll(() => {
        clock.advance(1000);
        return ssm.agent(A).under().running;
      })
      .toEqual([]);
    expect(await details(first)).toBe('InProgress');
    clock.advance(60_000);
    expect(await end(first)).toMatchObject({
      Status: 'Failed',
      ResponseCode: 1,
      StandardOutputContent: '',
      StandardErrorContent: '',
    });
    expect(await end(id)).toMatchObject({ Status: 'Success', StandardOutputContent: 'late\n' });
  });

  test('a script outlives its worker and its time-out, and the listing alone says what happened', async () => {
    const id = await sendScript(LASTING, { Parameters: { ExecutionTimeout: ['60'] } });
    const leader = await pidIn(orchestration(id, 'leader'));
    ssm.agent(A).killWorker(id);
    clock.advance(59_999);
    expect(await details(id)).toBe('InProgress');
    clock.advance(1);
    expect(await end(id)).toMatchObject({
      Status: 'Failed',
      ResponseCode: 1,
      StandardOutputContent: '',
      StandardErrorContent: '',
    });
    const { CommandInvocations } = await client.send(
      new ListCommandInvocationsCommand({ CommandId: id, Details: true }),
    );
    expect(CommandInvocations?.[0]?.CommandPlugins?.[0]?.Output).toBe('document process failed unexpectedly');
    const [told] = await ssmRunCommand(client).invocations(id);
    expect(told).toMatchObject({ exitCode: 1, stdout: '', stderr: 'document process failed unexpectedly' });
    clock.advance(86_400_000);
    expect(isAlive(leader)).toBe(true);
    for (const pid of [leader, await pidIn(orchestration(id, 'background'))]) process.kill(pid, 'SIGKILL');
  });

  test('a restart of the agent in the middle changes nothing', async () => {
    const path = gate('open');
    const id = await sendScript([`cat ${path}`]);
    ssm.agent(A).restart();
    await writeFile(path, 'whole');
    expect(await end(id)).toMatchObject({ Status: 'Success', StandardOutputContent: 'whole' });
  });
});

describe('time-outs and cancelling', () => {
  test('at its time-out the whole process group is killed and no trap runs', async () => {
    const id = await sendScript(LASTING, { Parameters: { ExecutionTimeout: ['60'] } });
    const leader = await pidIn(orchestration(id, 'leader'));
    const background = await pidIn(orchestration(id, 'background'));
    clock.advance(59_000);
    expect(await get(id)).toMatchObject({ Status: 'InProgress', ResponseCode: -1, StandardOutputContent: '' });
    clock.advance(1_000);
    expect(await end(id)).toMatchObject({
      Status: 'TimedOut',
      StatusDetails: 'ExecutionTimedOut',
      ResponseCode: 137,
      ExecutionElapsedTime: expect.stringMatching(/^PT1M0(\.2)?S$/),
    });
    await expect.poll(() => [leader, background].filter(isAlive)).toEqual([]);
    expect(existsSync(orchestration(id, 'trap-ran'))).toBe(false);
    expect(await command(id)).toMatchObject({ Status: 'TimedOut', ErrorCount: 1 });
  });

  test.each([
    ['60', 60],
    ['172800', 172_800],
    ['soon', 3600],
    ['4', 3600],
    ['172801', 3600],
  ])('an execution time-out of %s means %i seconds', async (text, seconds) => {
    const { Command } = await client.send(
      new SendCommandCommand({
        DocumentName: 'Test-Greet',
        InstanceIds: [A],
        TimeoutSeconds: 30,
        Parameters: { ExecutionTimeout: [text] },
      }),
    );
    expect(Number(Command?.ExpiresAfter) - Number(Command?.RequestedDateTime)).toBe(1000 * (30 + seconds));
  });

  test('a cancelled script is killed with its group and no trap runs', async () => {
    const id = await sendScript(LASTING);
    const leader = await pidIn(orchestration(id, 'leader'));
    const background = await pidIn(orchestration(id, 'background'));
    await client.send(new CancelCommandCommand({ CommandId: id }));
    expect(await end(id)).toMatchObject({ Status: 'Cancelled', StatusDetails: 'Cancelled' });
    await expect.poll(() => [leader, background].filter(isAlive)).toEqual([]);
    expect(existsSync(orchestration(id, 'trap-ran'))).toBe(false);
    expect(await command(id)).toMatchObject({ Status: 'Cancelled', ErrorCount: 0 });
  });

  test('a command that waits for an agent is delayed, and runs when the agent is back', async () => {
    const instance = instances[0];
    if (instance) instance.online = false;
    const id = await send({ DocumentName: 'Test-Greet' });
    expect(await details(id)).toBe('Pending');
    clock.advance(1000);
    expect(await details(id)).toBe('Delayed');
    if (instance) instance.online = true;
    clock.advance(1000);
    expect(await end(id)).toMatchObject({ Status: 'Success' });
  });

  test('a command that was not delivered in time never runs', async () => {
    const instance = instances[0];
    if (instance) instance.online = false;
    const id = await send({ DocumentName: 'Test-Greet', TimeoutSeconds: 30 });
    clock.advance(30_000);
    expect(await end(id)).toMatchObject({ Status: 'TimedOut', StatusDetails: 'DeliveryTimedOut', ResponseCode: -1 });
    expect(await command(id)).toMatchObject({ Status: 'TimedOut', ErrorCount: 0, DeliveryTimedOutCount: 1 });
    if (instance) instance.online = true;
    clock.advance(1000);
    await end(await send({ DocumentName: 'Test-Greet' }));
    expect(existsSync(orchestration(id))).toBe(false);
  });

  test('a pending command is cancelled at once', async () => {
    const instance = instances[0];
    if (instance) instance.online = false;
    const id = await send({ DocumentName: 'Test-Greet' });
    await client.send(new CancelCommandCommand({ CommandId: id }));
    expect(await get(id)).toMatchObject({ Status: 'Cancelled', ResponseCode: -1, ExecutionStartDateTime: '' });
    expect(await command(id)).toMatchObject({ Status: 'Cancelled' });
  });

  test('what happened while the agent was lost is reported when it is back', async () => {
    const path = gate('open');
    const id = await sendScript(['echo $$ > leader', `cat ${path}`]);
    const leader = await pidIn(orchestration(id, 'leader'));
    const instance = instances[0];
    if (instance) instance.online = false;
    await writeFile(path, 'done');
    await expect.poll(() => isAlive(leader)).toBe(false);
    expect(await get(id)).toMatchObject({ Status: 'InProgress', StandardOutputContent: '', ExecutionEndDateTime: '' });
    if (instance) instance.online = true;
    await expect
      .poll(() => {
        clock.advance(1000);
        return details(id);
      })
      .toBe('Success');
  });

  test('a command whose agent is lost for good ends when both time-outs are over', async () => {
    const id = await sendScript(LASTING, { TimeoutSeconds: 30, Parameters: { ExecutionTimeout: ['60'] } });
    await pidIn(orchestration(id, 'leader'));
    const instance = instances[0];
    if (instance) instance.online = false;
    clock.advance(60_000);
    expect(await details(id)).toBe('InProgress');
    clock.advance(30_000);
    expect(await end(id)).toMatchObject({ Status: 'TimedOut', StatusDetails: 'DeliveryTimedOut', ResponseCode: -1 });
  });
});

describe('many instances', () => {
  const taggedPe = [{ Key: 'tag:holdfast:system', Values: ['pe'] }];

  test('targets are the instances that carry all of the tags', async () => {
    const pe = await send({ DocumentName: 'Test-Greet', Targets: taggedPe });
    expect(await statuses(pe, [A, B])).toEqual(['Success', 'Success']);
    const master = await send({
      DocumentName: 'Test-Greet',
      Targets: [...taggedPe, { Key: 'tag:holdfast:role', Values: ['master', 'console'] }],
    });
    await end(master);
    expect(await command(master)).toMatchObject({ TargetCount: 1 });
    await expect(get(master, B)).rejects.toThrow(expect.objectContaining({ name: 'InvocationDoesNotExist' }));
  });

  test('tags that match nothing make a command that succeeds without an invocation', async () => {
    const id = await send({ DocumentName: 'Test-Greet', Targets: [{ Key: 'tag:holdfast:system', Values: ['none'] }] });
    expect(await command(id)).toMatchObject({ Status: 'Success', StatusDetails: 'NoInstancesInTag', TargetCount: 0 });
  });

  test('a target that nobody knows is undeliverable and holds up nothing', async () => {
    const gone = 'i-00000000000000bad';
    const id = await send({ DocumentName: 'Test-Greet', Targets: [{ Key: 'InstanceIds', Values: [gone, A] }] });
    expect(await statuses(id, [A, gone])).toEqual(['Success', 'Undeliverable']);
    expect(await command(id)).toMatchObject({ Status: 'Success', ErrorCount: 0 });
  });

  test('with a concurrency of one the instances come one after another in their order', async () => {
    const log = join(root, 'log');
    const id = await sendScript([`echo "begin $PWD" >> ${log}`, `echo "end $PWD" >> ${log}`], {
      InstanceIds: [B, C, A],
      MaxConcurrency: '1',
    });
    expect(await statuses(id, [A, B, C])).toEqual(['Success', 'Success', 'Success']);
    expect(readFileSync(log, 'utf8')).toBe(
      [B, C, A]
        .map((instance) => join(root, instance, id))
        .flatMap((cwd) => [`begin ${cwd}\n`, `end ${cwd}\n`])
        .join(''),
    );
  });

  test.each([
    { MaxErrors: '0', expected: ['Failed', 'Terminated', 'Terminated'], Status: 'Failed', StatusDetails: 'Failed' },
    { MaxErrors: '1', expected: ['Failed', 'Failed', 'Terminated'], Status: 'Failed', StatusDetails: 'Failed' },
    { MaxErrors: '34%', expected: ['Failed', 'Failed', 'Terminated'], Status: 'Failed', StatusDetails: 'Failed' },
    { MaxErrors: '3', expected: ['Failed', 'Failed', 'Failed'], Status: 'Failed', StatusDetails: 'Incomplete' },
  ])('more than $MaxErrors errors stop what was not sent yet', async ({ MaxErrors, expected, ...status }) => {
    const ids = [A, B, C];
    const id = await send({
      DocumentName: 'Test-Exit',
      Parameters: { Code: ['3'] },
      InstanceIds: ids,
      MaxConcurrency: '1',
      MaxErrors,
    });
    expect(await statuses(id, ids)).toEqual(expected);
    expect(await command(id)).toMatchObject({ ...status, CompletedCount: 3 });
  });

  test('120 invocations are listed in pages without a gap or a repetition', async () => {
    const ids = Array.from({ length: 120 }, (_, index) => `i-${String(index).padStart(17, '0')}`);
    for (const instanceId of ids) addInstance(instanceId, { fleet: 'large' }).online = false;
    const id = await send({ DocumentName: 'Test-Greet', Targets: [{ Key: 'tag:fleet', Values: ['large'] }] });
    const pages: string[][] = [];
    for await (const page of paginateListCommandInvocations({ client, pageSize: 50 }, { CommandId: id })) {
      pages.push((page.CommandInvocations ?? []).map(({ InstanceId = '' }) => InstanceId));
    }
    expect(pages.map((page) => page.length)).toEqual([50, 50, 20]);
    expect(pages.flat().sort()).toEqual(ids);
  });

  test('agents are described with what they answer to', async () => {
    const [, b] = instances;
    if (b) b.online = false;
    const describe = async (Key: string, Values: string[]) => {
      const { InstanceInformationList = [] } = await client.send(
        new DescribeInstanceInformationCommand({ Filters: [{ Key, Values }] }),
      );
      return InstanceInformationList.map(({ InstanceId, PingStatus }) => `${InstanceId} ${PingStatus}`);
    };
    expect(await describe('tag:holdfast:system', ['pe'])).toEqual([`${A} Online`, `${B} ConnectionLost`]);
    expect(await describe('InstanceIds', [C])).toEqual([`${C} Online`]);
    expect(await describe('PingStatus', ['ConnectionLost'])).toEqual([`${B} ConnectionLost`]);
  });
});

describe('what the service answers', () => {
  test('an invocation is not found by a first look that comes at once', async () => {
    const { Command } = await client.send(new SendCommandCommand({ DocumentName: 'Test-Greet', InstanceIds: [A, B] }));
    const id = Command?.CommandId ?? '';
    await expect(get(id)).rejects.toThrow(expect.objectContaining({ name: 'InvocationDoesNotExist' }));
    expect(await get(id)).toMatchObject({ CommandId: id });
    const list = async () => {
      const { CommandInvocations = [] } = await client.send(new ListCommandInvocationsCommand({ CommandId: id }));
      return CommandInvocations.map(({ InstanceId }) => InstanceId);
    };
    expect(await list()).toEqual([A]);
    expect(await list()).toEqual([A, B]);
  });

  test('a first look that comes later finds it', async () => {
    const id = await send({ DocumentName: 'Test-Greet' });
    expect(await get(id)).toMatchObject({ CommandId: id });
  });

  test('commands are listed newest first, by time, status and document', async () => {
    const first = await send({ DocumentName: 'Test-Greet' });
    await end(first);
    const between = new Date(clock.now()).toISOString();
    clock.advance(1000);
    const second = await send({ DocumentName: 'Test-Exit', Parameters: { Code: ['3'] } });
    await end(second);
    const list = async (key: 'InvokedAfter' | 'InvokedBefore' | 'Status' | 'DocumentName', value: string) => {
      const { Commands = [] } = await client.send(new ListCommandsCommand({ Filters: [{ key, value }] }));
      return Commands.map(({ CommandId }) => CommandId);
    };
    const { Commands } = await client.send(new ListCommandsCommand({}));
    expect(Commands?.map(({ CommandId }) => CommandId)).toEqual([second, first]);
    expect(await list('InvokedAfter', between)).toEqual([second]);
    expect(await list('InvokedBefore', between)).toEqual([first]);
    expect(await list('Status', 'Success')).toEqual([first]);
    expect(await list('DocumentName', 'Test-Exit')).toEqual([second]);
  });

  test('a document is handed out as it was given', async () => {
    const { Content, DocumentVersion } = await client.send(new GetDocumentCommand({ Name: 'Test-Greet' }));
    expect(JSON.parse(Content ?? '')).toMatchObject({ schemaVersion: '2.2', description: 'A test document' });
    expect(DocumentVersion).toBe('1');
    const { Document } = await client.send(new DescribeDocumentCommand({ Name: 'Test-Greet' }));
    expect(Document).toMatchObject({ Owner: '000000000000', SchemaVersion: '2.2', Status: 'Active' });
    expect(Document?.Parameters?.map(({ Name }) => Name)).toEqual(['ExecutionTimeout', 'Name']);
  });

  describe('a document that is redeployed while a run is under way', () => {
    const greeting = { id: 'greet', instanceIds: [A], parameters: {}, executionTimeoutSeconds: 60 };
    const greet = { ...greeting, document: 'Test-Greet' };

    test('is sent as it was planned, and whoever plans now gets the new one', async () => {
      const runCommand = ssmRunCommand(client);
      const planned = await runCommand.document('Test-Greet');
      ssm.updateDocument('Test-Greet', shellDocument(['echo welcome']));
      const newest = await runCommand.document('Test-Greet');
      expect([planned.version, newest.version]).toEqual(['1', '2']);
      const said = await Promise.all(
        [planned, newest].map(async (document) => {
          const id = await runCommand.send(greet, document, `run 0 ${document.version}`);
          clock.advance(200);
          await end(id);
          return (await get(id)).StandardOutputContent;
        }),
      );
      expect(said).toEqual(['hello world\n', 'welcome\n']);
    });

    test.each([
      ['holds something else', { version: '1', sha256: 'd'.repeat(64) }],
      ['has not this version any more', { version: '9', sha256: 'd'.repeat(64) }],
    ])('is told by its own error when it %s', async (_, document) => {
      await expect(ssmRunCommand(client).send(greet, document, 'run 0 collect')).rejects.toMatchObject({
        name: 'DocumentChangedError',
        message: expect.stringMatching(/^greet: .*Test-Greet.*start the operation again/),
      });
    });
  });

  test.each<[string, string, Partial<SendCommandCommandInput>]>([
    ['an unknown instance', 'InvalidInstanceId', { InstanceIds: [A, 'i-00000000000000bad'] }],
    ['an instance that is named twice', 'DuplicateInstanceId', { InstanceIds: [A, A] }],
    ['more than 50 instances', 'ValidationException', { InstanceIds: Array(51).fill(A) }],
    ['no target at all', 'ValidationException', { InstanceIds: [] }],
    ['an unknown document', 'InvalidDocument', { DocumentName: 'Test-None' }],
    ['an unknown version', 'InvalidDocumentVersion', { DocumentVersion: '2' }],
    ['a version that is no number', 'ValidationException', { DocumentVersion: '1.0' }],
    ['a hash that is another', 'InvalidDocument', { DocumentHash: 'd'.repeat(64), DocumentHashType: 'Sha256' }],
    ['a value outside of its pattern', 'InvalidParameters', { Parameters: { Name: ["x'; reboot"] } }],
    ['an unknown parameter', 'InvalidParameters', { Parameters: { Surname: ['x'] } }],
    ['two values of a string', 'InvalidParameters', { Parameters: { Name: ['x', 'y'] } }],
    ['a missing parameter', 'InvalidParameters', { DocumentName: 'Test-Exit' }],
    ['a value that is not allowed', 'InvalidParameters', { DocumentName: 'Test-Exit', Parameters: { Code: ['4'] } }],
    ['a delivery time-out below 30 s', 'ValidationException', { TimeoutSeconds: 29 }],
    ['a concurrency of nothing', 'ValidationException', { MaxConcurrency: '0' }],
    ['a comment of 101 characters', 'ValidationException', { Comment: 'x'.repeat(101) }],
    ['more than 64 KB', 'MaxDocumentSizeExceeded', { Parameters: { Name: ['x'.repeat(65_536)] } }],
  ])('%s is refused as %s', async (_, name, input) => {
    await expect(send({ DocumentName: 'Test-Greet', ...input })).rejects.toThrow(expect.objectContaining({ name }));
    expect((await client.send(new ListCommandsCommand({}))).Commands).toEqual([]);
  });

  test('a command that was never sent can be neither cancelled nor found', async () => {
    const CommandId = '00000000-0000-0000-0000-000000000000';
    await expect(client.send(new CancelCommandCommand({ CommandId }))).rejects.toThrow(
      expect.objectContaining({ name: 'InvalidCommandId' }),
    );
    await expect(get(CommandId)).rejects.toThrow(expect.objectContaining({ name: 'InvocationDoesNotExist' }));
    const list = await client.send(new ListCommandInvocationsCommand({ CommandId }));
    expect(list.CommandInvocations).toEqual([]);
  });

  test('without a pattern a value can be shell code, as on AWS', async () => {
    const id = await send({ DocumentName: 'Test-Unguarded', Parameters: { Name: ["'; echo injected #"] } });
    expect((await end(id)).StandardOutputContent).toBe('hello \ninjected\n');
  });

  test('a document that would not run faithfully is refused at the start', async () => {
    const content = shellDocument(['true'], { Name: { type: 'String', interpolationType: 'ENV_VAR' } });
    await expect(
      startSsm({ instances: () => [], documents: { Strange: content }, region: 'us-east-1', account: '000000000000' }),
    ).rejects.toThrow('interpolationType');
  });
});
