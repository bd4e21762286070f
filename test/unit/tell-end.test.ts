import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { SNSClient } from '@aws-sdk/client-sns';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonState } from '#aws/bucket';
import { awsNotices } from '#aws/notices';
import { Config } from '#domain/config';
import { parseConfig } from '#domain/config-file';
import { endedUncaught, type Mail, mailOf, RunEnded, runEndedEvent, StatusChange } from '#domain/events';
import type { PuppetManifest } from '#domain/manifest';
import { stateKeys } from '#domain/naming';
import { tellEnd } from '#lambdas/tell-end/tell-end';
import { createNotices } from '#local/runtime/notices';
import { commit, manifestOf } from './cli-fixtures.ts';
import { memoryBucket } from './memory.ts';

const startDate = Date.UTC(2026, 10, 20, 2);
const executionArn = (machine: string, run = 'run-1'): string =>
  `arn:aws:states:eu-central-1:111122223333:execution:holdfast-${machine}:${run}`;

const ended = (machine: string, status: string, more: object = {}): StatusChange =>
  StatusChange.parse({
    'detail-type': 'Step Functions Execution Status Change',
    detail: {
      ...{ executionArn: executionArn(machine), name: 'run-1', status, startDate, stopDate: startDate + 95_400 },
      ...{ input: '{"system":"pe-main"}', output: null, error: null, cause: null, ...more },
    },
  });

const failed = (machine: string, more: object = {}): StatusChange =>
  ended(machine, 'FAILED', { error: 'CommandFailedError', cause: 'master: No space\nleft "on" device', ...more });

const backup = '20261120T020000Z';
const committed = ended('backup', 'SUCCEEDED', {
  output: JSON.stringify({ operation: 'backup', system: 'pe-main', backup, outcome: 'acquired' }),
});

const bench = async (
  notifications: object = {},
  ping: (url: string) => Promise<void> = async () => undefined,
  manifest: Partial<PuppetManifest> = {},
) => {
  const vault = memoryBucket();
  await commit(vault, manifestOf('pe-main', backup, manifest));
  const state = jsonState(memoryBucket());
  const [events, mails, pings, warnings]: [RunEnded[], Mail[], string[], string[]] = [[], [], [], []];
  const services = {
    ...{ vault, state, notifications: Config.shape.notifications.parse(notifications) },
    notices: {
      publish: async (event: RunEnded) => void events.push(event),
      mail: async (mail: Mail) => void mails.push(mail),
      ping: async (url: string) => {
        pings.push(url);
        await ping(url);
      },
    },
    warn: (message: string) => void warnings.push(message),
  };
  return { state, events, mails, pings, warnings, tell: (change: StatusChange) => tellEnd(services, change) };
};

it.each([
  ['ABORTED', null, true],
  ['TIMED_OUT', null, true],
  ['FAILED', 'States.Runtime', true],
  ['FAILED', 'States.DataLimitExceeded', true],
  ['FAILED', 'CommandFailedError', false],
  ['FAILED', null, false],
  ['SUCCEEDED', null, false],
  ['RUNNING', null, false],
])('an execution that ended as %s with %s has to be undone from outside: %s', (status, error, uncaught) => {
  expect(endedUncaught({ status, error })).toBe(uncaught);
});

it('the end of a run with any legal name is told by that name', async () => {
  const { tell, events, mails, state } = await bench();
  const run = 'restore.friday';
  await state.write(stateKeys.run(run), {
    ...{ system: 'pe-main', operation: 'backup', run, backup, execution: executionArn('backup', run) },
    ...{ startedAt: '2026-11-20T02:00:00Z', scheduled: false, attempt: 0, safety: false },
  });
  await tell(failed('backup', { name: run, executionArn: executionArn('backup', run) }));
  await tell(failed('undo', { input: JSON.stringify({ run }) }));
  expect(events.map(({ run: told, of, system }) => [told, of, system])).toEqual([
    [run, null, 'pe-main'],
    ['run-1', run, 'pe-main'],
  ]);
  expect(mails[0]?.text).toContain(`npx holdfast watch ${run}`);
});

it('the subject of a mail is one line of at most 99 printable characters, whatever a run says', () => {
  const event = runEndedEvent(failed('backup', { error: `Käse\n${'x'.repeat(300)}` }), { runbook: 'r' });
  const subject = event && mailOf(event)?.subject;
  expect(subject).toMatch(/^Holdfast: backup of pe-main failed: K se x+$/);
  expect(subject).toHaveLength(99);
});

describe('the end of a run', () => {
  it('of a backup that was committed is told as an event, with what it holds, and to nobody by mail', async () => {
    const { tell, events, mails } = await bench();
    await tell(committed);
    expect(events).toEqual([
      {
        ...{ version: 1, run: 'run-1', operation: 'backup', system: 'pe-main', outcome: 'succeeded' },
        ...{ result: 'committed', startedAt: '2026-11-20T02:00:00.000Z', endedAt: '2026-11-20T02:01:35.400Z' },
        ...{
          seconds: 95,
          backup,
          bytes: expect.any(Number),
          state: 'complete',
          purpose: 'regular',
          of: null,
          decision: null,
          error: null,
          cause: null,
        },
        ...{ execution: executionArn('backup'), runbook: null, next: null },
        console: expect.stringMatching(/^https:\/\/eu-central-1\.console\.aws\.amazon\.com\/states/),
      },
    ]);
    expect(mails).toEqual([]);
  });

  it.each(['backup', 'restore', 'upgrade', 'verify'])(
    'of a %s that failed is told by mail: what, why, where, what next',
    async (machine) => {
      const { tell, mails, events } = await bench({ runbook: 'https://wiki.example.com/holdfast/runbook' });
      await tell(failed(machine));
      expect(events).toMatchObject([{ operation: machine, outcome: 'failed', error: 'CommandFailedError' }]);
      expect(mails).toEqual([
        {
          subject: `Holdfast: ${machine} of pe-main failed: CommandFailedError`,
          text: `The ${machine} of pe-main failed after 95 s.

Why:    CommandFailedError: "master: No space left 'on' device"
Where:  run-1
        https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1#/v2/executions/details/${executionArn(machine)}
Next:   npx holdfast watch run-1
        What each error means and how to fix it: https://wiki.example.com/holdfast/runbook#${machine}-failed
`,
        },
      ]);
    },
  );

  it('that was cancelled or took too long is told once, not again with its undo', async () => {
    const { tell, mails } = await bench();
    await tell(ended('backup', 'ABORTED', { error: 'Stopped', cause: 'by a person' }));
    await tell(ended('backup', 'TIMED_OUT'));
    await tell(ended('undo', 'SUCCEEDED', { input: '{"run":"run-1"}' }));
    expect(mails.map(({ subject }) => subject)).toEqual([
      'Holdfast: backup of pe-main cancelled: Stopped',
      'Holdfast: backup of pe-main timed out: TimedOut',
    ]);
  });

  it('of an undo that failed names the system, and the run whose traces are still there', async () => {
    const { tell, mails, state } = await bench();
    await state.write(stateKeys.run('run-0'), {
      ...{ system: 'pe-main', operation: 'backup', run: 'run-0', backup, execution: 'arn', attempt: 0 },
      ...{ startedAt: '2026-11-20T02:00:00Z', scheduled: true, safety: false },
    });
    await tell(failed('undo', { input: '{"run":"run-0"}' }));
    expect(mails).toMatchObject([{ subject: 'Holdfast: undo of pe-main failed: CommandFailedError' }]);
    expect(mails[0]?.text).toContain('start holdfast-undo again with {"run": "run-0"}');
    expect(mails[0]?.text).toContain('docs/runbook.md#undo-failed');
  });

  it('of a run that another one waits for is told by that one, and is an event anyway', async () => {
    const { tell, mails, events } = await bench();
    await tell(failed('backup', { input: '{"system":"pe-main","lockedBy":"run-0","safety":true}' }));
    expect(events).toMatchObject([{ of: 'run-0' }]);
    expect(mails).toEqual([]);
  });

  it('of a machine that only others start is told to nobody', async () => {
    const { tell, events } = await bench();
    expect(await tell(failed('run-phase'))).toBeUndefined();
    expect(events).toEqual([]);
  });

  const acquired = { system: 'pe-main', run: 'run-1', attempt: 0, outcome: 'acquired', backup: '20261121T020000Z' };
  const restoration = {
    ...{ backup, takenAt: '2026-11-20T02:00:00Z', plan: 'runs/run-1/plan.json', warnings: [], steps: [] },
    ...{ artifacts: 3, bytesStored: 1, bytesRaw: 2, estimatedSeconds: 3 },
  };
  const restore = { ...acquired, operation: 'restore', chosen: { backup }, plan: { summary: restoration } };
  const summary = { from: { '3.2': 1 }, to: '3.8', plan: 'runs/run-1/plan.json', warnings: [], steps: [] };
  const upgrade = { ...acquired, operation: 'upgrade' };
  const verified = {
    operation: 'verify',
    system: 'pe-main',
    bytes: 1,
    sound: [],
    damaged: [],
    cold: [],
    unreadable: [],
  };

  it.each([
    ['only a plan of a restore', restore, 'planned', backup],
    ['a proven restore', { ...restore, proof: { compared: [], told: [] } }, 'restored', backup],
    ['only a plan of an upgrade', { ...upgrade, plan: { next: 'plan-only', summary } }, 'planned', null],
    ['nodes that have the version', { ...upgrade, plan: { next: 'nothing-to-do', summary } }, 'nothing to do', null],
    [
      'an upgrade, with the backup before it',
      { ...upgrade, plan: { next: 'approval', summary }, before: { backup } },
      'upgraded',
      backup,
    ],
    [
      'a slot that was backed up before',
      { ...acquired, operation: 'backup', outcome: 'duplicate', backup },
      'duplicate',
      backup,
    ],
    ['a verification', verified, 'verified', null],
    ['something that only a later version knows', { operation: 'restore' }, null, null],
  ])('with %s is told as such, with the backup that it is about', (_, output, result, of) => {
    const change = ended(output.operation, 'SUCCEEDED', { output: JSON.stringify(output) });
    expect(runEndedEvent(change, { runbook: 'r' })).toMatchObject({ result, backup: of, outcome: 'succeeded' });
  });
});

describe('a decision on a plan', () => {
  it.each([
    [true, 'approved'],
    [false, 'rejected'],
  ])('is told in event and mail with whoever made it (approved: %s)', async (approve, word) => {
    const { state, tell, events, mails } = await bench();
    await state.write(stateKeys.run('run-1'), {
      ...{ system: 'pe-main', operation: 'restore', run: 'run-1', backup, execution: executionArn('restore') },
      ...{ startedAt: '2026-11-20T02:00:00Z', scheduled: false, attempt: 0, safety: false },
      decision: { by: 'AROAX:alice', at: '2026-11-20T02:01:00Z', digest: 'ab'.repeat(32), approve },
    });
    await tell(failed('restore'));
    expect(events).toMatchObject([{ decision: `${word} by AROAX:alice` }]);
    expect(mails[0]?.text).toContain(`Plan:   ${word} by AROAX:alice`);
  });
});

describe('the ping', () => {
  const url = 'https://ping.example.com/{system}';

  it('is called after a good backup, and after nothing else', async () => {
    const { tell, pings } = await bench({ ping: url });
    const output = (outcome: string) => JSON.stringify({ backup, outcome });
    await tell(failed('backup'));
    await tell(ended('restore', 'SUCCEEDED', { output: '{}' }));
    await tell(ended('backup', 'SUCCEEDED', { output: output('duplicate') }));
    expect(pings).toEqual([]);
    await tell(committed);
    expect(pings).toEqual(['https://ping.example.com/pe-main']);
  });

  it.each([
    ['lacks an optional node', { state: 'partial' }, true],
    ['is of a restore', { purpose: 'safety' }, false],
    ['is of what still lives alone', { purpose: 'partial', state: 'partial' }, false],
  ] as const)('is for what a restore of latest may choose: one that %s', async (_, changes, called) => {
    const { tell, pings, events } = await bench({ ping: url }, undefined, changes);
    await tell(committed);
    expect(pings).toEqual(called ? ['https://ping.example.com/pe-main'] : []);
    expect(events).toMatchObject([{ result: 'committed', purpose: 'regular', state: 'complete', ...changes }]);
  });

  it('that fails fails nothing', async () => {
    const { tell, events, warnings } = await bench({ ping: url }, () => Promise.reject(new Error('no such host')));
    await tell(committed);
    expect(events).toHaveLength(1);
    expect(warnings).toEqual([`The ping after ${backup} failed: Error: no such host`]);
  });

  it.each(['http://ping.example.com', 'ftp://x', 'https://', 'https://user:pw@x.example.com'])(
    'is never %s',
    (address) => {
      const text = `
systems:
  pe-main: { kind: puppet-enterprise, nodes: [{ instance: i-0123456789abcdef0, roles: [master, puppetdb, console] }] }
notifications: { ping: '${address}' }`;
      expect(() => parseConfig(text)).toThrow(/notifications\.ping: expected an https URL/);
    },
  );
});

it('whatever a run says when it fails, its event keeps the schema and its mail the form that SNS takes', () => {
  const text = fc.option(fc.string({ unit: 'binary', maxLength: 300 }), { nil: null });
  fc.assert(
    fc.property(
      fc.constantFrom('backup', 'restore', 'upgrade', 'verify', 'undo'),
      fc.constantFrom('FAILED', 'ABORTED', 'TIMED_OUT', 'SUCCEEDED'),
      fc.record({ error: text, cause: text, input: text, output: text }),
      (machine, status, more) => {
        const event = runEndedEvent(ended(machine, status, more), { runbook: 'docs/runbook.md' });
        expect(RunEnded.parse(JSON.parse(JSON.stringify(event)))).toEqual(event);
        const mail = event && mailOf(event);
        expect(mail === undefined).toBe(status === 'SUCCEEDED');
        if (mail) expect(mail.subject).toMatch(/^Holdfast: [ -~]{1,89}$/);
      },
    ),
  );
});

describe('on the wire', () => {
  const notices = createNotices();
  let refusal: string | undefined;
  const server = createServer((request, response) => {
    if (refusal === undefined) return void notices.handle(request, response);
    response.end(JSON.stringify({ FailedEntryCount: 1, Entries: [{ ErrorCode: refusal, ErrorMessage: 'later' }] }));
  });
  beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
  afterAll(() => void server.close());
  const over = () => {
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const connection = {
      ...{ endpoint: `http://127.0.0.1:${port}`, region: 'eu-central-1', maxAttempts: 1 },
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    };
    return awsNotices(new EventBridgeClient(connection), new SNSClient(connection), 'arn:aws:sns:eu-central-1:1:t');
  };
  const event = RunEnded.parse(runEndedEvent(failed('backup'), { runbook: 'docs/runbook.md' }));

  it('the event and the mail arrive as they were written, quotes and lines included', async () => {
    const mail = mailOf(event) ?? { subject: '', text: '' };
    await over().publish(event);
    await over().mail(mail);
    expect(notices.events).toEqual([event]);
    expect(notices.mails).toEqual([mail]);
  });

  it('an event that the bus refuses is an error, so that it is tried again', async () => {
    refusal = 'ThrottlingException';
    await expect(over().publish(event)).rejects.toThrow('EventBridge refused the event: ThrottlingException: later');
  });
});

it('docs/reference/events.md has the fields of the event, and an example that is one', () => {
  const page = readFileSync(new URL('../../docs/reference/events.md', import.meta.url), 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  const fields = rows.flatMap((row) => Array.from((row.split('|')[1] ?? '').matchAll(/`(\w+)`/g), ([, name]) => name));
  expect(fields.toSorted()).toEqual(Object.keys(RunEnded.shape).toSorted());
  const [, , example = ''] = page.split('```json');
  RunEnded.parse(JSON.parse(example.split('```')[0] ?? ''));
});
