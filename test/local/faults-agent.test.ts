import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { stateKeys } from '#domain/naming';
import type { AgentControl, Clock } from '#local/ssm/index';
import { type Bench, instanceId, monolithic, noTraces, startBench } from './harness.ts';

/** What the real SSM agent was seen to do when its places are taken, its worker dies, or its node is rebooted. */

let bench: Bench;
let agent: AgentControl;

/** Time that passes by itself, and in leaps. */
const leapingClock = () => {
  let ahead = 0;
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>();
  const now = (): number => Date.now() + ahead;
  const ring = (): void => {
    for (const timer of [...timers].sort((a, b) => a.at - b.at))
      if (timer.at <= now() && timers.delete(timer)) timer.callback();
  };
  return {
    now,
    after(milliseconds, callback) {
      const timer = { at: now() + milliseconds, callback };
      timers.add(timer);
      const real = setTimeout(ring, Math.min(milliseconds, 2 ** 31 - 1));
      return () => {
        timers.delete(timer);
        clearTimeout(real);
      };
    },
    leap(milliseconds: number) {
      ahead += milliseconds;
      ring();
    },
  } satisfies Clock & { leap(milliseconds: number): void };
};
const clock = leapingClock();

beforeAll(async () => {
  bench = await startBench({ configuration: monolithic('quiesced'), clock });
  agent = bench.lab.runtime.agent(instanceId);
});
afterAll(() => bench.close());
afterEach(() => bench.forget());

const upload = "[a]ws s3 cp - s3://.*pe-puppetdb.dump'";
const holdUpload = (): Promise<void> => bench.until(`pid=$(pgrep -f '${upload}) && kill -STOP $pid`);

it('a stop of services that outlives its worker stops nothing that its undo has started', async () => {
  await bench.shell(`mv /etc/init.d/pe-activemq /root/activemq && touch /run/hold && cat >/etc/init.d/pe-activemq <<'SH'
#!/bin/sh
if [ "$1" = stop ]; then touch /run/holding; while [ -e /run/hold ]; do sleep 0.1; done; fi
exec /root/activemq "$@"
SH
chmod 755 /etc/init.d/pe-activemq`);
  const run = await bench.start({ system: 'pe-main' });
  await bench.until('[ -e /run/holding ]');
  const [commandId = ''] = agent.under().running;
  agent.killWorker(commandId);
  clock.leap(60_000);
  const { status, error, cause } = await bench.ending(run);
  const traces = await bench.traces();
  // A shell of this command's own has the pattern in its arguments.
  const left = await bench.node.exec(`pgrep -fa '[s]sm/.*/${commandId}/' || pgrep -fa '[p]e-activemq stop'`);
  await bench.shell('rm /run/hold /run/holding; mv /root/activemq /etc/init.d/pe-activemq');
  expect([status, error]).toEqual(['FAILED', 'CommandFailedError']);
  expect(cause).toMatch(/stop-services.*document process failed unexpectedly/);
  expect(traces).toEqual(noTraces);
  expect(left.stdout).toBe('');
});

it('a command that was cancelled in the queue runs at the next start of the agent, and refuses', async () => {
  agent.occupy(5);
  const run = await bench.start({ system: 'pe-main' });
  await expect.poll(() => agent.under().queued.length, { timeout: 30_000 }).toBe(1);
  const [commandId = ''] = agent.under().queued;
  await bench.stop(run);
  const undoing = await bench.undoing(run);
  await expect.poll(() => agent.under().queued.includes(commandId), { timeout: 30_000 }).toBe(false);
  agent.occupy(0);
  expect(await bench.ending(undoing)).toMatchObject({ status: 'SUCCEEDED' });
  expect(agent.ended.has(commandId)).toBe(false);
  agent.restart();
  await expect.poll(() => agent.ended.get(commandId)?.stdout, { timeout: 30_000 }).toMatch(/"error":"RunUndoneError"/);
  expect(await bench.traces()).toEqual(noTraces);
});

it('a command that begins after its deadline does nothing, and its run says so', async () => {
  await bench.shell(`mv /usr/bin/date /usr/bin/date.away && touch /run/late && cat >/usr/bin/date <<'SH'
#!/bin/sh
[ "$*" = +%s ] && rm /run/late 2>/dev/null && exec date.away -d '2 hours' +%s
exec date.away "$@"
SH
chmod 755 /usr/bin/date`);
  const { status, error, cause } = await bench.backUp();
  await bench.shell('mv /usr/bin/date.away /usr/bin/date');
  expect([status, error]).toEqual(['FAILED', 'CommandLateError']);
  expect(cause).toMatch(/inspect-puppet on master.*began \d+ s after its deadline/);
});

it('an agent whose queue is full is told', async () => {
  agent.occupy(8);
  const run = await bench.start({ system: 'pe-main' });
  await expect.poll(() => agent.log.at(-1), { timeout: 30_000 }).toMatch(/CommandBufferFull$/);
  const commandId = agent.log.at(-1)?.split(':')[0] ?? '';
  clock.leap(120_000);
  // The agent has it still, and room for it and for the undo.
  agent.occupy(0);
  clock.leap(10_000);
  const { status, error, cause } = await bench.ending(run);
  expect([status, error]).toEqual(['FAILED', 'NodeUnreachableError']);
  expect(cause).toMatch(/inspect-puppet.*five queued/);
  await expect.poll(() => agent.ended.has(commandId), { timeout: 60_000 }).toBe(true);
  expect(await bench.traces()).toEqual(noTraces);
});

it('a restart of the agent in the middle of a dump costs nothing', async () => {
  const run = bench.start({ system: 'pe-main' });
  await holdUpload();
  agent.restart();
  await bench.shell(`pkill -CONT -f '${upload}`);
  expect(await bench.ending(await run)).toMatchObject({ status: 'SUCCEEDED' });
});

it('a node that is rebooted in the middle of a dump ends the run, whose undoing waits for it', async () => {
  const execution = await bench.start({ system: 'pe-main' });
  await holdUpload();
  const { running } = agent.under();
  await bench.node.stop();
  const undoing = stateKeys.phase(execution.split(':').at(-1) ?? '', 'undo-1');
  await expect.poll(async () => (await bench.state.read(undoing))?.text, { timeout: 30_000 }).toContain('"sent"');
  // What its init system does comes first: neither was stopped by the run.
  agent.occupy(5);
  await bench.node.boot();
  await bench.shell('service pe-postgresql start; service pe-memcached start');
  agent.occupy(0);
  expect(await bench.ending(execution)).toMatchObject({ status: 'FAILED', error: 'NodeUnreachableError' });
  expect(await bench.traces()).toEqual(noTraces);
  // What ran when the power went is not run again, and given up a minute after the agent's start.
  clock.leap(60_000);
  for (const id of running)
    expect(agent.ended.get(id)).toMatchObject({ status: 'Failed', responseCode: 1, stdout: '' });
});

it('a script that the kernel kills is said to be killed, not failed by itself', async () => {
  const run = await bench.start({ system: 'pe-main' });
  await holdUpload();
  const script = await bench.shell(`ps -o pgid= -p $(pgrep -f '${upload} | head -n 1)`);
  // What it has started would keep its output open while it is held.
  await bench.shell(`kill -KILL ${script.trim()}; pkill -CONT -f '${upload}`);
  const { status, error, cause } = await bench.ending(run);
  expect([status, error]).toEqual(['FAILED', 'CommandTimedOutError']);
  expect(cause).toMatch(/dump-database pe-puppetdb.* killed/);
  expect(await bench.traces()).toEqual(noTraces);
});

it.each([168, 169, 194])('a tool that ends with %i means nothing to the agent', async (code) => {
  const { boots } = bench.node;
  await bench.shell(
    `mv /opt/puppet/bin/pg_dump /root/pg_dump && printf '#!/bin/sh\nexit ${code}\n' >/opt/puppet/bin/pg_dump && chmod 755 /opt/puppet/bin/pg_dump`,
  );
  const { status, error, cause } = await bench.backUp();
  await bench.shell('mv /root/pg_dump /opt/puppet/bin/pg_dump');
  expect([status, error]).toEqual(['FAILED', 'CommandFailedError']);
  expect(cause).toMatch(/dump-database .*: ProducerFailedError: /);
  expect(bench.node.boots).toBe(boots);
  expect(await bench.traces()).toEqual(noTraces);
});
