import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import {
  DescribeExecutionCommand,
  type DescribeExecutionCommandOutput,
  DescribeStateMachineCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  ListStateMachinesCommand,
  paginateListExecutions,
  RedriveExecutionCommand,
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ExecutionStatusChange, type StepFunctions, startStepFunctions } from '#local/stepfunctions/index';

const lambda = (name: string) => `arn:aws:lambda:us-east-1:000000000000:function:${name}`;
const machineArn = (name: string) => `arn:aws:states:us-east-1:000000000000:stateMachine:${name}`;
const INVOKE = 'arn:aws:states:::lambda:invoke';
const CHILD = 'arn:aws:states:::states:startExecution.sync:2';

type Handler = (payload: unknown) => unknown;

const invoke = (name: string, rest: object = {}) => ({
  Type: 'Task',
  Resource: INVOKE,
  Parameters: { FunctionName: lambda(name), 'Payload.$': '$' },
  OutputPath: '$.Payload',
  TimeoutSeconds: 60,
  ...rest,
});

const child = (name: string, rest: object = {}) => ({
  Type: 'Task',
  Resource: CHILD,
  Parameters: { StateMachineArn: machineArn(name), 'Input.$': '$' },
  TimeoutSeconds: 60,
  ...rest,
});

const all = (next: string) => ({ Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.error', Next: next }] });

/** A machine whose states run in the order of their keys. */
const chain = (states: Record<string, object>, rest: object = {}) => {
  const names = Object.keys(states);
  const linked = Object.entries(states).map(([name, state], index) => {
    const next = names[index + 1];
    const ends = ['Succeed', 'Fail', 'Choice'].includes('Type' in state ? String(state.Type) : '');
    return [
      name,
      { ...(ends || 'Next' in state || 'End' in state ? {} : next ? { Next: next } : { End: true }), ...state },
    ];
  });
  return { StartAt: names[0], States: Object.fromEntries(linked), ...rest };
};

class SystemBusyError extends Error {
  override readonly name = 'SystemBusyError';
}

const never = () => new Promise<never>(() => {});

describe('the local Step Functions', () => {
  let service: StepFunctions;
  let client: SFNClient;
  const calls: string[] = [];
  const changes: ExecutionStatusChange[] = [];
  const handlers: Record<string, Handler> = {};

  async function serve(machines: Record<string, object>, more: { pollMilliseconds?: number } = {}) {
    const texts = Object.entries(machines).map(([name, definition]) => [name, JSON.stringify(definition)]);
    service = await startStepFunctions({
      ...more,
      machines: Object.fromEntries(texts),
      region: 'us-east-1',
      account: '000000000000',
      onStatusChange: (change) => changes.push(change),
      invoke: async (arn, payload) => {
        const name = arn.replace(/.*:/, '');
        calls.push(name);
        return handlers[name]?.(payload);
      },
    });
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    client = new SFNClient({ endpoint: service.url, region: 'us-east-1', credentials, maxAttempts: 1 });
  }

  const start = async (machine: string, input: unknown = {}, name?: string) => {
    const request = { stateMachineArn: service.stateMachineArn(machine), input: JSON.stringify(input) };
    const { executionArn = '' } = await client.send(new StartExecutionCommand({ ...request, ...(name && { name }) }));
    return executionArn;
  };
  const look = (executionArn: string) => client.send(new DescribeExecutionCommand({ executionArn }));
  const ended = (executionArn: string): Promise<DescribeExecutionCommandOutput> =>
    vi.waitUntil(
      async () => {
        const execution = await look(executionArn);
        return execution.status === 'RUNNING' ? undefined : execution;
      },
      { timeout: 30_000, interval: 10 },
    );
  const run = async (machine: string, input: unknown = {}) => ended(await start(machine, input));
  const history = async (executionArn: string, rest: object = {}) =>
    (await client.send(new GetExecutionHistoryCommand({ executionArn, maxResults: 1000, ...rest }))).events ?? [];
  const called = (name: string) => vi.waitUntil(() => calls.includes(name), { interval: 5 });
  const stop = (executionArn: string) =>
    client.send(new StopExecutionCommand({ executionArn, error: 'Operator', cause: 'changed my mind' }));

  beforeEach(() => {
    calls.length = 0;
    changes.length = 0;
    for (const name of Object.keys(handlers)) delete handlers[name];
  });

  afterEach(async () => {
    client.destroy();
    await service.close();
  });

  describe('running', () => {
    it('answers with the output of the last state', async () => {
      handlers['double'] = (payload) => ({ twice: payload });
      await serve({ m: chain({ Double: invoke('double'), Keep: { Type: 'Pass', ResultPath: '$' } }) });
      const execution = await run('m', { a: 1 });
      expect(execution).toMatchObject({ status: 'SUCCEEDED', input: '{"a":1}', output: '{"twice":{"a":1}}' });
      expect(execution.stopDate).toBeInstanceOf(Date);
    });

    it('calls a plain lambda and gives the service integration its envelope', async () => {
      handlers['echo'] = (payload) => payload;
      await serve({
        m: chain({
          Plain: { Type: 'Task', Resource: lambda('echo'), TimeoutSeconds: 5, ResultPath: '$.plain' },
          Integrated: invoke('echo', { OutputPath: '$' }),
        }),
      });
      const { output = '' } = await run('m', { a: 1 });
      const input = { a: 1, plain: { a: 1 } };
      expect(JSON.parse(output)).toEqual({ ExecutedVersion: '$LATEST', Payload: input, StatusCode: 200 });
    });

    it('resolves the context object, also inside of a Map', async () => {
      handlers['echo'] = (payload) => payload;
      const Parameters = {
        FunctionName: lambda('echo'),
        Payload: {
          'id.$': '$$.Execution.Id',
          'name.$': '$$.Execution.Name',
          'input.$': '$$.Execution.Input',
          'started.$': '$$.Execution.StartTime',
          'entered.$': '$$.State.EnteredTime',
          'text.$': "States.Format('{} of {}', $$.State.Name, $$.StateMachine.Id)",
        },
      };
      const inner = chain({ 'Look Around': invoke('echo', { Parameters }) });
      await serve({ m: chain({ Each: { Type: 'Map', ItemsPath: '$.items', ItemProcessor: inner } }) });
      const arn = await start('m', { items: [7] }, 'run-1');
      const { output = '', startDate } = await ended(arn);
      expect(JSON.parse(output)).toEqual([
        {
          id: arn,
          name: 'run-1',
          input: { items: [7] },
          started: startDate?.toISOString(),
          entered: expect.stringMatching(/^\d{4}-.*Z$/),
          text: `Look Around of ${machineArn('m')}`,
        },
      ]);
    });

    it('tells every change of status as EventBridge would', async () => {
      await serve({ m: chain({ End: { Type: 'Pass' } }) });
      const executionArn = await start('m');
      const { startDate, stopDate } = await ended(executionArn);
      const common = { executionArn, stateMachineArn: machineArn('m'), input: '{}', startDate: startDate?.getTime() };
      expect(changes).toMatchObject([
        { ...common, status: 'RUNNING', stopDate: null, output: null },
        { ...common, status: 'SUCCEEDED', stopDate: stopDate?.getTime(), output: '{}', error: null },
      ]);
    });

    it('takes as long as it was told for every Wait, also inside of a Map', async () => {
      const wait = { Type: 'Wait', Seconds: 60 };
      const machine = chain({ Before: wait, Each: { Type: 'Map', ItemProcessor: chain({ Inside: wait }) } });
      await serve({ m: machine }, { pollMilliseconds: 1 });
      expect(await run('m', [1, 2])).toMatchObject({ status: 'SUCCEEDED', output: '[1,2]' });
    });
  });

  describe('failing', () => {
    it("gives a Catch the handler's own error name and the cause that Lambda gives", async () => {
      handlers['lock'] = () => {
        throw new SystemBusyError('pe-1 is locked');
      };
      const Catch = [{ ErrorEquals: ['SystemBusyError'], ResultPath: '$.error', Next: 'Busy' }];
      await serve({ m: chain({ Lock: invoke('lock', { Catch, End: true }), Busy: { Type: 'Pass' } }) });
      const { error } = JSON.parse((await run('m')).output ?? '');
      expect(error.Error).toBe('SystemBusyError');
      expect(JSON.parse(error.Cause)).toMatchObject({ errorType: 'SystemBusyError', errorMessage: 'pe-1 is locked' });
    });

    it('fails with the original error through ErrorPath and CausePath', async () => {
      handlers['lock'] = () => {
        throw new SystemBusyError('pe-1 is locked');
      };
      const Fail = { Type: 'Fail', ErrorPath: '$.error.Error', CausePath: '$.error.Cause' };
      await serve({ m: chain({ Lock: invoke('lock', { ...all('Fail'), End: true }), Fail }) });
      const execution = await run('m');
      expect(execution).toMatchObject({ status: 'FAILED', error: 'SystemBusyError' });
      expect(JSON.parse(execution.cause ?? '').errorMessage).toBe('pe-1 is locked');
    });

    it('fails without an error where a Fail state names none', async () => {
      await serve({ m: chain({ Fail: { Type: 'Fail' } }) });
      const execution = await run('m');
      expect(execution.status).toBe('FAILED');
      expect(execution.error).toBeUndefined();
    });

    it('retries the errors that a Retry names', async () => {
      handlers['flaky'] = () => {
        if (calls.length < 3) throw new SystemBusyError('again');
        return 'done';
      };
      const Retry = [{ ErrorEquals: ['SystemBusyError'], IntervalSeconds: 1, MaxAttempts: 2, MaxDelaySeconds: 1 }];
      await serve({ m: chain({ Try: invoke('flaky', { Retry }) }) });
      expect(await run('m')).toMatchObject({ status: 'SUCCEEDED', output: '"done"' });
      expect(calls).toHaveLength(3);
    });

    it('times a task out with States.Timeout while its lambda runs on', async () => {
      handlers['hang'] = never;
      const Catch = [{ ErrorEquals: ['States.Timeout'], ResultPath: '$.error', Next: 'Late' }];
      await serve({
        m: chain({ Hang: invoke('hang', { TimeoutSeconds: 1, Catch, End: true }), Late: { Type: 'Pass' } }),
      });
      const arn = await start('m');
      expect(JSON.parse((await ended(arn)).output ?? '')).toMatchObject({ error: { Error: 'States.Timeout' } });
      expect(await history(arn)).toContainEqual(expect.objectContaining({ type: 'TaskTimedOut' }));
    });

    it("takes a task's time-out from its input", async () => {
      handlers['hang'] = never;
      const state = invoke('hang', { TimeoutSecondsPath: '$.patience', TimeoutSeconds: undefined });
      await serve({ m: chain({ Hang: state }) });
      expect(await run('m', { patience: 1 })).toMatchObject({ status: 'FAILED', error: 'States.Timeout' });
    });

    it('times an execution out without running a Catch', async () => {
      handlers['hang'] = never;
      const states = { Hang: invoke('hang', { ...all('Undo'), End: true }), Undo: invoke('undo') };
      await serve({ m: chain(states, { TimeoutSeconds: 1 }) });
      expect((await run('m')).status).toBe('TIMED_OUT');
      expect(calls).toEqual(['hang']);
    });

    it('keeps a time-out beyond the longest timer from firing at once', async () => {
      handlers['work'] = () => sleep(20);
      const states = { Work: invoke('work', { TimeoutSeconds: 99_999_999 }) };
      await serve({ m: chain(states, { TimeoutSeconds: 99_999_999 }) });
      expect((await run('m')).status).toBe('SUCCEEDED');
    });
  });

  describe('payloads', () => {
    const big = 'x'.repeat(200_000);
    const limit = { status: 'FAILED', error: 'States.DataLimitExceeded' };

    it('refuses an input over 256 KiB', async () => {
      await serve({ m: chain({ End: { Type: 'Pass' } }) });
      await expect(start('m', big + big)).rejects.toMatchObject({ name: 'ValidationException' });
    });

    it('fails, uncaught, a task that returns more than 256 KiB', async () => {
      handlers['big'] = () => big + big;
      const Big = invoke('big', { OutputPath: '$', ResultPath: null, ...all('Undo'), End: true });
      await serve({ m: chain({ Big, Undo: { Type: 'Pass' } }) });
      expect(await run('m')).toMatchObject(limit);
    });

    it('fails a state whose output grows over 256 KiB of UTF-8 before the next one does anything', async () => {
      handlers['big'] = () => 'ü'.repeat(70_000);
      const states = { Big: invoke('big', { OutputPath: '$', ResultPath: '$.more' }), After: invoke('after') };
      await serve({ m: chain(states) });
      const cause = expect.stringContaining('state Big');
      expect(await run('m', { big: 'x'.repeat(150_000) })).toMatchObject({ ...limit, cause });
      expect(calls).toEqual(['big']);
    });
  });

  describe('starting', () => {
    const waiting = { m: chain({ Wait: { Type: 'Wait', Seconds: 60 } }) };

    it('answers a repeated start of a running execution with the same execution', async () => {
      await serve(waiting);
      expect(await start('m', { a: 1 }, 'slot')).toBe(await start('m', { a: 1 }, 'slot'));
      expect(changes).toHaveLength(1);
    });

    it('refuses a name that runs with another input, or has ended', async () => {
      await serve(waiting);
      const arn = await start('m', { a: 1 }, 'slot');
      await expect(start('m', { a: 2 }, 'slot')).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' });
      await stop(arn);
      await expect(start('m', { a: 1 }, 'slot')).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' });
    });

    it.each(['2022-03-22T18:59:43Z', 'a b', 'a/b', 'ä#', 'x'.repeat(81)])('refuses the name %s', async (name) => {
      await serve(waiting);
      await expect(start('m', {}, name)).rejects.toMatchObject({ name: 'InvalidName' });
    });

    it('refuses an unknown machine, an unknown execution and an input that is not JSON', async () => {
      await serve(waiting);
      const stateMachineArn = machineArn('m');
      const invalid = client.send(new StartExecutionCommand({ stateMachineArn, input: '{' }));
      await expect(invalid).rejects.toMatchObject({ name: 'InvalidExecutionInput' });
      await expect(start('x')).rejects.toMatchObject({ name: 'StateMachineDoesNotExist' });
      await expect(look('x')).rejects.toMatchObject({ name: 'ExecutionDoesNotExist' });
    });

    it('refuses at the start of the service what it could not run', async () => {
      const Resource = 'arn:aws:states:::sqs:sendMessage';
      const state = { Send: { Type: 'Task', Resource, TimeoutSeconds: 5 } };
      await expect(serve({ broken: chain(state) })).rejects.toThrow(/broken: Send: .*sqs:sendMessage is not supported/);
      await expect(serve({ broken: { StartAt: 'A', States: {} } })).rejects.toThrow(/broken/);
      await serve(waiting);
    });
  });

  describe('stopping', () => {
    it('aborts a Wait at once', async () => {
      await serve({ m: chain({ Wait: { Type: 'Wait', Seconds: 60 }, After: invoke('after') }) });
      const arn = await start('m');
      const { stopDate } = await stop(arn);
      expect(await look(arn)).toMatchObject({
        status: 'ABORTED',
        error: 'Operator',
        cause: 'changed my mind',
        stopDate,
      });
      expect(calls).toEqual([]);
    });

    it('aborts a task without running its Retry or Catch, whatever its lambda does later', async () => {
      const { promise, reject } = Promise.withResolvers();
      handlers['work'] = () => promise;
      const Retry = [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 1 }];
      const Work = invoke('work', { Retry, ...all('Undo'), End: true });
      await serve({ m: chain({ Work, Undo: invoke('undo') }) });
      const arn = await start('m');
      await called('work');
      await stop(arn);
      reject(new Error('too late'));
      for (let turns = 0; turns < 20; turns += 1) await turn();
      expect((await look(arn)).status).toBe('ABORTED');
      expect((await history(arn)).at(-1)?.type).toBe('ExecutionAborted');
      expect(calls).toEqual(['work']);
    });

    it('aborts the executions that its tasks wait for', async () => {
      await serve({
        parent: chain({ Run: child('inner', { ...all('Undo'), End: true }), Undo: invoke('undo') }),
        inner: chain({ Wait: { Type: 'Wait', Seconds: 60 } }),
      });
      const arn = await start('parent');
      await vi.waitUntil(() => changes.length === 2);
      await stop(arn);
      await vi.waitUntil(() => changes.length === 4);
      const innerArn = changes[1]?.executionArn ?? '';
      expect(await look(innerArn)).toMatchObject({ status: 'ABORTED' });
      expect(calls).toEqual([]);
    });

    it('leaves an execution that has ended as it is', async () => {
      await serve({ m: chain({ End: { Type: 'Pass' } }) });
      const { executionArn, stopDate } = await run('m');
      expect((await stop(executionArn ?? '')).stopDate).toEqual(stopDate);
      expect((await look(executionArn ?? '')).status).toBe('SUCCEEDED');
    });
  });

  describe('a nested execution', () => {
    it('gives its parent its output as JSON', async () => {
      await serve({
        parent: chain({ Run: child('inner', { ResultSelector: { 'output.$': '$.Output', 'status.$': '$.Status' } }) }),
        inner: chain({ End: { Type: 'Pass', Result: { done: true } } }),
      });
      const { output = '' } = await run('parent', { a: 1 });
      expect(JSON.parse(output)).toEqual({ output: { done: true }, status: 'SUCCEEDED' });
    });

    it("fails its parent's task with States.TaskFailed and itself as the cause", async () => {
      await serve({
        parent: chain({ Run: child('inner') }),
        inner: chain({ Fail: { Type: 'Fail', Error: 'NoSpaceError', Cause: 'disk full' } }),
      });
      const execution = await run('parent', { a: 1 });
      expect(execution).toMatchObject({ status: 'FAILED', error: 'States.TaskFailed' });
      expect(JSON.parse(execution.cause ?? '')).toMatchObject({
        ExecutionArn: changes[1]?.executionArn,
        StateMachineArn: machineArn('inner'),
        Status: 'FAILED',
        Error: 'NoSpaceError',
        Cause: 'disk full',
        Input: '{"a":1}',
      });
    });

    it('that already ran under its name is an error with a name of its own', async () => {
      const Parameters = { StateMachineArn: machineArn('inner'), Name: 'slot' };
      const Catch = [{ ErrorEquals: ['StepFunctions.ExecutionAlreadyExistsException'], Next: 'Duplicate' }];
      const Run = child('inner', { Parameters, Catch, Next: 'First' });
      await serve({
        parent: chain({ Run, First: { Type: 'Succeed' }, Duplicate: { Type: 'Pass', Result: 'duplicate' } }),
        inner: chain({ End: { Type: 'Pass' } }),
      });
      expect((await run('parent')).output).not.toBe('"duplicate"');
      expect((await run('parent')).output).toBe('"duplicate"');
    });

    it('is aborted when the task that waits for it times out', async () => {
      await serve({
        parent: chain({ Run: child('inner', { TimeoutSeconds: 1 }) }),
        inner: chain({ Wait: { Type: 'Wait', Seconds: 60 } }),
      });
      expect(await run('parent')).toMatchObject({ status: 'FAILED', error: 'States.Timeout' });
      expect(await ended(changes[1]?.executionArn ?? '')).toMatchObject({ status: 'ABORTED' });
    });

    it('runs once for each item of a Map', async () => {
      handlers['double'] = (payload) => Number(payload) * 2;
      const ItemProcessor = chain({ Run: child('inner', { OutputPath: '$.Output' }) });
      await serve({
        parent: chain({ Each: { Type: 'Map', ItemsPath: '$.items', ItemProcessor, MaxConcurrency: 2 } }),
        inner: chain({ Double: invoke('double') }),
      });
      expect((await run('parent', { items: [1, 2, 3] })).output).toBe('[2,4,6]');
    });

    it('is aborted with its branch when another branch fails, while the Catch runs', async () => {
      handlers['fail'] = () => {
        throw new SystemBusyError('no');
      };
      const Branches = [chain({ Run: child('inner') }), chain({ Fail: invoke('fail') })];
      await serve({
        parent: chain({
          Both: { Type: 'Parallel', Branches, ...all('Undo'), End: true },
          Undo: { Type: 'Wait', Seconds: 60 },
        }),
        inner: chain({ Wait: { Type: 'Wait', Seconds: 60 } }),
      });
      const arn = await start('parent');
      const inner = await vi.waitUntil(() => changes.find((change) => change.stateMachineArn === machineArn('inner')));
      expect(await ended(inner.executionArn)).toMatchObject({ status: 'ABORTED' });
      expect((await look(arn)).status).toBe('RUNNING');
    });
  });

  describe('a task token', () => {
    const ask = (rest: object = {}) =>
      chain({
        Ask: {
          Type: 'Task',
          Resource: `${INVOKE}.waitForTaskToken`,
          Parameters: { FunctionName: lambda('ask'), Payload: { 'token.$': '$$.Task.Token' } },
          TimeoutSeconds: 60,
          ...rest,
        },
      });
    const tokenOf = async () => {
      await called('ask');
      return asked.at(-1) ?? '';
    };
    const asked: string[] = [];

    beforeEach(() => {
      asked.length = 0;
      handlers['ask'] = (payload) => {
        if (typeof payload === 'object' && payload && 'token' in payload) asked.push(String(payload.token));
      };
    });

    it('lets the execution go on with the output that was sent, once', async () => {
      await serve({ m: ask() });
      const arn = await start('m');
      const taskToken = await tokenOf();
      await client.send(new SendTaskSuccessCommand({ taskToken, output: '{"approved":true}' }));
      expect((await ended(arn)).output).toBe('{"approved":true}');
      const again = client.send(new SendTaskSuccessCommand({ taskToken, output: '{}' }));
      await expect(again).rejects.toMatchObject({ name: 'TaskTimedOut' });
    });

    it('fails the task with the error that was sent', async () => {
      await serve({ m: ask() });
      const arn = await start('m');
      const taskToken = await tokenOf();
      await client.send(new SendTaskFailureCommand({ taskToken, error: 'RejectedError', cause: 'not tonight' }));
      expect(await ended(arn)).toMatchObject({ status: 'FAILED', error: 'RejectedError', cause: 'not tonight' });
    });

    it('hands null to Catch for an error and a cause that were not sent', async () => {
      await serve({ m: chain({ Ask: { ...ask().States.Ask, ...all('Caught') }, Caught: { Type: 'Pass' } }) });
      const arn = await start('m');
      await client.send(new SendTaskFailureCommand({ taskToken: await tokenOf() }));
      const { status, output } = await ended(arn);
      expect([status, JSON.parse(output ?? '').error]).toEqual(['SUCCEEDED', { Error: null, Cause: null }]);
    });

    it('fails without an error and a cause when these were not sent and nobody catches it', async () => {
      await serve({ m: ask() });
      const arn = await start('m');
      await client.send(new SendTaskFailureCommand({ taskToken: await tokenOf() }));
      const { status, error, cause } = await ended(arn);
      expect([status, error, cause]).toEqual(['FAILED', undefined, undefined]);
    });

    it('is asked again by each attempt', async () => {
      await serve({ m: ask({ Retry: [{ ErrorEquals: ['Again'], IntervalSeconds: 1, MaxAttempts: 1 }] }) });
      await start('m');
      await client.send(new SendTaskFailureCommand({ taskToken: await tokenOf(), error: 'Again' }));
      await vi.waitUntil(() => asked.length === 2, { timeout: 30_000 });
      expect(new Set(asked).size).toBe(2);
    });

    it('times out without heartbeats and lives with them', async () => {
      await serve({ m: ask({ HeartbeatSeconds: 1 }) });
      const arn = await start('m');
      const taskToken = await tokenOf();
      await client.send(new SendTaskHeartbeatCommand({ taskToken }));
      expect(await ended(arn)).toMatchObject({ status: 'FAILED', error: 'States.HeartbeatTimeout' });
      const late = client.send(new SendTaskHeartbeatCommand({ taskToken }));
      await expect(late).rejects.toMatchObject({ name: 'TaskTimedOut' });
    });

    it('is closed when its execution is stopped, or its lambda fails', async () => {
      await serve({ m: ask() });
      await stop(await start('m').then((arn) => tokenOf().then(() => arn)));
      const late = client.send(new SendTaskSuccessCommand({ taskToken: asked[0] ?? '', output: '{}' }));
      await expect(late).rejects.toMatchObject({ name: 'TaskTimedOut' });
      handlers['ask'] = () => {
        throw new SystemBusyError('nobody there');
      };
      expect(await run('m')).toMatchObject({ status: 'FAILED', error: 'SystemBusyError' });
    });

    it('that nobody gave out is refused', async () => {
      await serve({ m: ask() });
      const guess = client.send(new SendTaskSuccessCommand({ taskToken: 'guess', output: '{}' }));
      await expect(guess).rejects.toMatchObject({ name: 'InvalidToken' });
      const stale = client.send(new SendTaskSuccessCommand({ taskToken: `AQ${'x'.repeat(64)}`, output: '{}' }));
      await expect(stale).rejects.toMatchObject({ name: 'TaskDoesNotExist' });
    });
  });

  describe('looking', () => {
    it('tells the history in order, forwards and backwards', async () => {
      handlers['echo'] = (payload) => payload;
      const Retry = [{ ErrorEquals: ['SystemBusyError'], MaxAttempts: 0 }];
      await serve({ m: chain({ First: invoke('echo', { Retry }), Last: { Type: 'Pass', Result: 'end' } }) });
      const arn = await start('m', { a: 1 });
      await ended(arn);
      const events = await history(arn);
      expect(events.map(({ type }) => type)).toEqual([
        'ExecutionStarted',
        'TaskStateEntered',
        'TaskScheduled',
        'TaskStarted',
        'TaskSucceeded',
        'TaskStateExited',
        'PassStateEntered',
        'PassStateExited',
        'ExecutionSucceeded',
      ]);
      expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1));
      expect(events[1]?.stateEnteredEventDetails).toMatchObject({ name: 'First', input: '{"a":1}' });
      expect(events[7]?.stateExitedEventDetails).toMatchObject({ name: 'Last', output: '"end"' });
      expect((await history(arn, { reverseOrder: true })).map(({ id }) => id)).toEqual(
        events.map(({ id }) => id).reverse(),
      );
    });

    it('names the child in the history of its parent', async () => {
      await serve({ parent: chain({ Run: child('inner') }), inner: chain({ End: { Type: 'Pass' } }) });
      const arn = await start('parent');
      await ended(arn);
      const submitted = (await history(arn)).find(({ type }) => type === 'TaskSubmitted')?.taskSubmittedEventDetails;
      expect(submitted).toMatchObject({ resourceType: 'states', resource: 'startExecution.sync:2' });
      expect(JSON.parse(submitted?.output ?? '')).toMatchObject({ ExecutionArn: changes[1]?.executionArn });
    });

    it('leaves inputs and outputs out of the history on demand', async () => {
      await serve({ m: chain({ End: { Type: 'Pass' } }) });
      const arn = await start('m', { secret: 1 });
      await ended(arn);
      const [first, entered] = await history(arn, { includeExecutionData: false });
      expect(first?.executionStartedEventDetails).not.toHaveProperty('input');
      expect(entered?.stateEnteredEventDetails).toEqual({ name: 'End' });
    });

    it('records the failure of a task and every iteration of a Map before the Map ends', async () => {
      handlers['fail'] = () => {
        throw new SystemBusyError('no');
      };
      const ItemProcessor = chain({ Work: invoke('fail', { ...all('Go On'), End: true }), 'Go On': { Type: 'Pass' } });
      await serve({ m: chain({ Each: { Type: 'Map', ItemsPath: '$.items', ItemProcessor } }) });
      const arn = await start('m', { items: [{}, {}] });
      await ended(arn);
      const events = await history(arn);
      const types = events.map(({ type }) => type);
      expect(types.filter((type) => type === 'MapIterationSucceeded')).toHaveLength(2);
      expect(types.lastIndexOf('MapIterationSucceeded')).toBeLessThan(types.indexOf('MapStateExited'));
      const failed = events.find(({ type }) => type === 'TaskFailed')?.taskFailedEventDetails;
      expect(failed).toMatchObject({ error: 'SystemBusyError', resourceType: 'lambda', resource: 'invoke' });
    });

    it('fails an execution that loops through 25,000 events', async () => {
      const Choices = [{ Variable: '$.done', BooleanEquals: false, Next: 'Poll' }];
      const states = {
        Poll: { Type: 'Pass' },
        Done: { Type: 'Choice', Choices, Default: 'End' },
        End: { Type: 'Succeed' },
      };
      await serve({ m: chain(states) });
      expect(await run('m', { done: false })).toMatchObject({ status: 'FAILED', error: 'States.Runtime' });
    });

    it('goes on from the state that failed when it is redriven, with its input, and says how often it was', async () => {
      let broken = true;
      handlers['first'] = () => ({ made: 'once' });
      handlers['second'] = (payload) => {
        if (broken) throw new Error('broken');
        return payload;
      };
      await serve({
        work: chain({
          First: invoke('first'),
          Second: invoke('second'),
          Tell: { Type: 'Pass', Parameters: { 'made.$': '$.made', 'redrives.$': '$$.Execution.RedriveCount' } },
        }),
      });
      const execution = await start('work');
      expect((await ended(execution)).status).toBe('FAILED');
      broken = false;
      await client.send(new RedriveExecutionCommand({ executionArn: execution }));
      const { status, output, redriveCount } = await ended(execution);
      expect([status, JSON.parse(output ?? ''), redriveCount]).toEqual(['SUCCEEDED', { made: 'once', redrives: 1 }, 1]);
      expect(calls.filter((name) => name === 'first').length).toBe(1);
      expect((await history(execution)).map(({ type }) => type)).toContain('ExecutionRedriven');
      await expect(client.send(new RedriveExecutionCommand({ executionArn: execution }))).rejects.toMatchObject({
        name: 'ExecutionNotRedrivable',
      });
    });

    it('lists executions, newest first, by status and in pages', async () => {
      await serve({ m: chain({ Wait: { Type: 'Wait', SecondsPath: '$.seconds' } }) });
      const arns = [];
      for (const seconds of [0, 60, 0, 60, 60]) arns.push(await start('m', { seconds }));
      for (const index of [0, 2]) await ended(arns[index] ?? '');
      const newest = arns.toReversed();
      const stateMachineArn = machineArn('m');
      const pages = [];
      for await (const { executions } of paginateListExecutions({ client, pageSize: 2 }, { stateMachineArn })) {
        pages.push(executions?.map(({ executionArn }) => executionArn));
      }
      expect(pages).toEqual([newest.slice(0, 2), newest.slice(2, 4), newest.slice(4)]);
      const { executions } = await client.send(
        new ListExecutionsCommand({ stateMachineArn, statusFilter: 'SUCCEEDED' }),
      );
      expect(executions?.map(({ executionArn }) => executionArn)).toEqual([arns[2], arns[0]]);
    });

    it('describes its machines', async () => {
      const definition = chain({ End: { Type: 'Pass' } });
      await serve({ m: definition });
      const { stateMachines } = await client.send(new ListStateMachinesCommand({}));
      expect(stateMachines).toMatchObject([{ name: 'm', stateMachineArn: machineArn('m') }]);
      const described = await client.send(new DescribeStateMachineCommand({ stateMachineArn: machineArn('m') }));
      expect(JSON.parse(described.definition ?? '')).toEqual(definition);
    });
  });
});
