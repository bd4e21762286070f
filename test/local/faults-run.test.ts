import { randomUUID } from 'node:crypto';
import { CancelCommandCommand, ListCommandsCommand, SendCommandCommand } from '@aws-sdk/client-ssm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ssmClient } from '#aws/clients';
import { ssmRunCommand } from '#aws/run-command';
import { documentName, encodeText, stateKeys } from '#domain/naming';
import { hasEnded } from '#domain/phase';
import type { Verb } from '#lambdas/verbs';
import { type Bench, instanceId, monolithic, noTraces, startBench } from './harness.ts';

/** A clock whose long waits a test ends itself, so that a time-out of an hour needs no hour. */
const patientClock = () => {
  const waiting = new Map<() => void, number>();
  return {
    now: Date.now,
    after: (milliseconds: number, callback: () => void): (() => void) => {
      if (milliseconds < 60_000) {
        const timer = setTimeout(callback, milliseconds);
        return () => clearTimeout(timer);
      }
      waiting.set(callback, milliseconds);
      return () => void waiting.delete(callback);
    },
    /** Lets every wait of this length be over. */
    elapse: (milliseconds: number): number => {
      const due = [...waiting].filter(([, wait]) => wait === milliseconds);
      for (const [callback] of due) {
        waiting.delete(callback);
        callback();
      }
      return due.length;
    },
  };
};

const clock = patientClock();
let bench: Bench;

/** What AWS answers in place of a lambda; undefined where the lambda answers itself. */
let answers: (verb: Verb) => string | undefined = () => undefined;

beforeAll(async () => {
  bench = await startBench({
    configuration: monolithic('quiesced'),
    clock,
    disturb: (verb) => {
      const name = answers(verb);
      if (name !== undefined) throw Object.assign(new Error('as AWS says it'), { name });
    },
  });
});
afterAll(() => bench.close());
afterEach(() => {
  answers = () => undefined;
  return bench.forget();
});

/** Waits until nothing of a run is left, which the rule on aborted executions has to see to. */
const gone = async (): Promise<void> => {
  await expect.poll(bench.traces, { timeout: 60_000, interval: 250 }).toEqual(noTraces);
};

/** A backup that waits in the middle of its collecting, its services stopped. */
const heldBackup = async (input: object = { system: 'pe-main' }) => {
  const letGo = await bench.holdDump('console_auth', 'users');
  const execution = await bench.start(input);
  await bench.until('pgrep -f "[b]in/pg_dump .*console_auth"');
  return { execution, letGo };
};

describe('a deployment in the middle of a run', () => {
  const names = ['stop-services', 'start-services', 'undo'].map(documentName);
  const broken = {
    schemaVersion: '2.2',
    mainSteps: [{ action: 'aws:runShellScript', name: 'script', inputs: { runCommand: ['exit 1'] } }],
  };
  /** Deploys documents that do nothing but fail; they do not even take the parameters. */
  const redeploy = (): void => {
    for (const name of names) bench.lab.runtime.updateDocument(name, broken);
  };
  afterEach(() => {
    const { documents, updateDocument } = bench.lab.runtime;
    for (const name of names) updateDocument(name, documents[name] ?? {});
  });

  it('leaves it with the documents that it was planned with', async () => {
    const { execution, letGo } = await heldBackup();
    redeploy();
    await letGo();
    expect(await bench.ending(execution)).toMatchObject({ status: 'SUCCEEDED' });
  });

  it('leaves its undo with the document that it was planned with', async () => {
    const { execution, letGo } = await heldBackup();
    redeploy();
    await bench.stop(execution);
    await gone();
    await letGo();
  });
});

describe('a command that somebody else sends', () => {
  const send = async (DocumentName: string, Parameters: Record<string, string[]>) => {
    const { Command } = await ssmClient().send(
      new SendCommandCommand({ DocumentName, InstanceIds: [instanceId], Parameters }),
    );
    for (;;) {
      const [ended] = await ssmRunCommand(ssmClient()).invocations(Command?.CommandId ?? '');
      if (ended && hasEnded(ended)) return ended;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const refused = (why: string) => ({
    status: 'Failed',
    stdout: expect.stringMatching(new RegExp(`^{"error":"TicketRefusedError","message":"[^"]*${why}`)),
  });
  const forged = {
    ...{ Run: ['run-1'], StartBefore: ['9999999999'], Attempt: ['0'], Answers: ['b-b/answers/pe-main/run-1'] },
    ...{ Nodes: [instanceId], Nonce: [randomUUID()], Ticket: [`${'A'.repeat(342)}==`] },
  };
  const services = ['pe-httpd', 'pe-puppetdb', 'pe-postgresql'];
  const standing = (): Promise<string> =>
    bench.shell(`for s in ${services.join(' ')}; do service "$s" status || exit 1; done; ls -A /opt/puppet`);

  it('with no ticket is not taken, and with one of their own does nothing', async () => {
    const before = await standing();
    const stopping = { Services: [services.join(' ')], WatchdogSeconds: ['9999'] };
    const { Ticket: _, ...without } = forged;
    await expect(send('Holdfast-StopServices', { ...without, ...stopping })).rejects.toMatchObject({
      name: 'InvalidParameters',
    });
    expect(await send('Holdfast-StopServices', { ...forged, ...stopping })).toMatchObject(
      refused('was not made for it'),
    );
    expect(await send('Holdfast-PurgePuppet', { ...forged, Name: ['x'] })).toMatchObject(
      refused('was not made for it'),
    );
    const drop = { Databases: [encodeText('console')], Roles: [''], Tablespaces: [''] };
    expect(await send('Holdfast-DropDatabases', { ...forged, ...drop })).toMatchObject(refused('was not made for it'));
    expect(await standing()).toEqual(before);
    expect(await bench.traces()).toEqual(noTraces);
  });

  it('does nothing with the ticket of a command of ours, for itself or for another', async () => {
    expect(await bench.backUp()).toMatchObject({ status: 'SUCCEEDED' });
    const { Commands = [] } = await ssmClient().send(new ListCommandsCommand({}));
    const stopped = Commands.find(({ DocumentName }) => DocumentName === 'Holdfast-StopServices');
    const { ExecutionTimeout: __, ...given } = stopped?.Parameters ?? {};
    const before = await standing();
    expect(await send('Holdfast-StopServices', stopped?.Parameters ?? {})).toMatchObject(refused('was used before'));
    for (const changed of [{ Services: ['pe-puppetdb'] }, { StartBefore: ['9999999999'] }, { Nonce: [randomUUID()] }])
      expect(await send('Holdfast-StopServices', { ...stopped?.Parameters, ...changed })).toMatchObject(
        refused('was not made for it'),
      );
    const { Services: ___, WatchdogSeconds: ____, ...common } = given;
    expect(await send('Holdfast-FinishRestore', common)).toMatchObject(refused('was not made for it'));
    expect(await standing()).toEqual(before);
  });
});

describe('a backup that never begins', () => {
  it('of an unknown system names those that there are', async () => {
    const ending = await bench.backUp({ system: 'pe-typo' });
    expect(ending).toMatchObject({ status: 'FAILED', error: 'UnknownSystemError' });
    expect(ending.cause).toContain('pe-main');
  });

  it.each([
    {},
    { system: 'pe-main', nodes: [] },
    { system: '../x' },
    { system: 'pe-main', scheduledTime: 'soon' },
    [],
    'pe-main',
  ])('with the nonsense %j as its input says what was expected', async (input) => {
    expect(await bench.backUp(Object(input))).toMatchObject({ status: 'FAILED', error: 'InvalidInputError' });
    expect(await bench.traces()).toEqual(noTraces);
  });

  it('because its node is offline', async () => {
    bench.node.online = false;
    const ending = await bench.backUp();
    bench.node.online = true;
    expect(ending).toMatchObject({ status: 'FAILED', error: 'NodeUnreachableError' });
    expect(ending.cause).toMatch(/master\.pe\.example\.com .*does not answer SSM.*amazon-ssm-agent/);
    expect(await bench.traces()).toEqual(noTraces);
  });

  it('because SSM knows no such node', async () => {
    const { nodes } = bench.lab;
    const [[system = '', known] = []] = Object.entries(nodes);
    Reflect.deleteProperty(nodes, system);
    const ending = await bench.backUp();
    Reflect.set(nodes, system, known);
    expect(ending).toMatchObject({ status: 'FAILED', error: 'NodeUnreachableError' });
    expect(ending.cause).toMatch(new RegExp(`SSM knows no instance for ${instanceId}.*AmazonSSMManagedInstanceCore`));
    expect(await bench.traces()).toEqual(noTraces);
  });

  it('because another one runs, which is not disturbed', async () => {
    const { execution, letGo } = await heldBackup();
    const second = await bench.backUp();
    await letGo();
    expect(second).toMatchObject({ status: 'FAILED', error: 'SystemBusyError' });
    expect(second.cause).toContain(execution.split(':').at(-1));
    expect(await bench.ending(execution)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await bench.traces()).toMatchObject({ lock: false, onNode: '', servicesDown: [] });
  });
});

describe('a backup that is ended from outside', () => {
  it('by the time-out of a document is undone, although no trap ran', async () => {
    const { execution, letGo } = await heldBackup();
    expect(clock.elapse(3_600_000)).toBeGreaterThan(0);
    const ending = await bench.ending(execution);
    await letGo();
    expect(ending).toMatchObject({ status: 'FAILED', error: 'CommandTimedOutError' });
    // On a busy machine others than the held one are under way, too: the first of them is told.
    expect(ending.cause).toMatch(
      /^(dump-globals|dump-database [\w-]+|archive-files [\w-]+) \(master.* timed out after 3600 s/,
    );
    expect(await bench.traces()).toEqual(noTraces);
  });

  it('by cancelling its command says that it was cancelled', async () => {
    const { execution, letGo } = await heldBackup();
    const ssm = ssmClient();
    const { Commands } = await ssm.send(new ListCommandsCommand({ Filters: [{ key: 'Status', value: 'InProgress' }] }));
    for (const { CommandId } of Commands ?? []) await ssm.send(new CancelCommandCommand({ CommandId }));
    const ending = await bench.ending(execution);
    await letGo();
    expect(ending).toMatchObject({ status: 'FAILED', error: 'CommandCancelledError' });
    expect(await bench.traces()).toEqual(noTraces);
  });

  it('by aborting the execution is undone by the rule, and the next backup succeeds', async () => {
    const { execution, letGo } = await heldBackup();
    expect((await bench.traces()).servicesDown).toContain('pe-puppetdb');
    await bench.stop(execution);
    await gone();
    await letGo();
    expect(await bench.backUp()).toMatchObject({ status: 'SUCCEEDED' });
  });

  it('by an error of AWS that nothing catches is undone by the rule, and the next backup succeeds', async () => {
    answers = (verb) => (verb === 'commit-backup' ? 'States.Runtime' : undefined);
    const { status, error } = await bench.ending(await bench.start({ system: 'pe-main' }));
    expect([status, error]).toEqual(['FAILED', 'States.Runtime']);
    await gone();
    answers = () => undefined;
    expect(await bench.backUp()).toMatchObject({ status: 'SUCCEEDED' });
  });

  it('by a lambda that dies twice goes on, and by one that dies each time ends with an error of ours', async () => {
    let deaths = 0;
    answers = (verb) => (verb === 'commit-backup' && ++deaths <= 2 ? 'Lambda.Unknown' : undefined);
    expect(await bench.backUp()).toMatchObject({ status: 'SUCCEEDED' });
    expect(deaths).toBe(3);
    answers = (verb) => (verb === 'plan-backup' ? 'Sandbox.Timedout' : undefined);
    expect(await bench.backUp()).toMatchObject({ status: 'FAILED', error: 'StepTimedOutError' });
    expect(await bench.traces()).toMatchObject({ lock: false, onNode: '', servicesDown: [], uploads: [] });
  });

  it('by the death of everything is undone by the run that takes over its lock', async () => {
    const { execution, letGo } = await heldBackup();
    const run = execution.split(':').at(-1) ?? '';
    const lock = await bench.state.read(stateKeys.lock('pe-main'));
    const record = await bench.state.read(stateKeys.run(run));
    await bench.stop(execution);
    await gone();
    await letGo();
    // As if neither the rule nor anything else had come to undo it: lock and stopped services are still there.
    await bench.state.write(stateKeys.lock('pe-main'), lock?.text ?? '');
    await bench.state.write(stateKeys.run(run), record?.text ?? '');
    await bench.shell(
      `mkdir -p /var/lib/holdfast/stopped /var/lib/holdfast/runs/${run}.leftover && service pe-puppetdb stop && echo pe-puppetdb >/var/lib/holdfast/stopped/${run}`,
    );
    const { status, output } = await bench.backUp();
    expect([status, output.outcome]).toEqual(['SUCCEEDED', 'acquired-from-dead']);
    expect(await bench.traces()).toMatchObject({ lock: false, onNode: '', servicesDown: [], uploads: [] });
  });

  it('by the death of AWS itself has its services started by the watchdog on the node', async () => {
    const { execution, letGo } = await heldBackup();
    // The watchdog's long sleep is over; nobody else comes.
    await bench.until('pkill -f "^[s]leep [0-9]{4}"');
    await bench.until(
      'service pe-puppetdb status && service pe-httpd status && service pe-activemq status && service pe-puppet status',
    );
    await bench.stop(execution);
    await gone();
    await letGo();
  });
});
