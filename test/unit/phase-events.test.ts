import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { waitSeconds } from '#domain/phase';
import { retriers } from '#domain/retries';

/** How many events the history of the longest phase has: Step Functions ends an execution at 25,000. */

const State = z.object({
  Type: z.string(),
  Next: z.string().optional(),
  Default: z.string().optional(),
});
const Machine = z.object({ StartAt: z.string(), TimeoutSeconds: z.int(), States: z.record(z.string(), State) });
const machine = Machine.parse(
  JSON.parse(readFileSync(new URL('../../statemachines/run-phase.asl.json', import.meta.url), 'utf8')),
);

/** Entered, exited, and of a task also scheduled, started, succeeded. */
const eventsOf: Readonly<Record<string, number>> = { Task: 5, Choice: 2, Wait: 2 };

/** Scheduled, started, failed. */
const eventsOfFailedAttempt = 3;

/** The events of one look, from the first state until it comes round again. */
const eventsOfLook = (): number => {
  let [events, name] = [0, machine.StartAt];
  do {
    const { Type, Next, Default } = State.parse(machine.States[name]);
    events += eventsOf[Type] ?? Number.NaN;
    name = Next ?? Default ?? '';
  } while (name !== machine.StartAt);
  return events;
};

/** The looks of a phase that takes all the time that it may. Looking takes no time: there can't be more of them. */
const looks = (): number => {
  const startedAt = new Date(0).toISOString();
  let [count, seconds] = [0, 0];
  for (; seconds < machine.TimeoutSeconds; count++)
    seconds += waitSeconds({ phase: 'collect', attempt: 0, startedAt, commands: [] }, new Date(seconds * 1000));
  return count;
};

it('the longest phase that is allowed stays below 25,000 events, also when every look is repeated three times', () => {
  expect(eventsOfLook()).toBe(9);
  expect(machine.TimeoutSeconds).toBe(49 * 3600);
  expect(looks() * (eventsOfLook() + 3 * eventsOfFailedAttempt)).toBeLessThan(25_000);
  // An hour in which every look needs all its attempts is bearable as well.
  const attempts = retriers['lambda:invoke'].reduce((sum, { MaxAttempts }) => sum + MaxAttempts, 0);
  expect(looks() * eventsOfLook() + 60 * attempts * eventsOfFailedAttempt).toBeLessThan(25_000);
});

it('a phase is looked at often while it is young, and never later than a quarter of its age or five minutes', () => {
  const wait = (seconds: number): number =>
    waitSeconds(
      { phase: 'p', attempt: 0, startedAt: new Date(0).toISOString(), commands: [] },
      new Date(seconds * 1000),
    );
  expect([0, 10, 240, 4 * 3600, 8 * 3600, 48 * 3600].map(wait)).toEqual([1, 3, 60, 60, 120, 300]);
});
