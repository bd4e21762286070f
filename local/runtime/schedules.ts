import { Cron } from 'croner';
import { type Config, timingsOf } from '#domain/config';
import { scheduleName } from '#domain/naming';
import { rateMilliseconds, type Timing } from '#domain/schedule';

/** A schedule that fired: what EventBridge Scheduler would send. */
export interface Tick {
  readonly system: string;
  readonly schedule: string;
  readonly scheduledTime: string;
}

const whenever = (timing: Timing, fire: (slot: Date) => void): (() => void) => {
  if ('rate' in timing) {
    const timer = setInterval(() => fire(new Date()), rateMilliseconds(timing.rate) ?? 0);
    return () => clearInterval(timer);
  }
  // Croner takes a local time in a zone as well as a pattern.
  const job = new Cron('cron' in timing ? timing.cron : timing.at, { timezone: timing.timezone }, (self: Cron) =>
    fire(self.currentRun() ?? new Date()),
  );
  return () => job.stop();
};

/** Keeps the schedules of a configuration until the returned function is called. One that is paused misses its ticks. */
export const keepSchedules = (
  config: Config,
  isPaused: (name: string) => boolean,
  onTick: (tick: Tick) => void,
): (() => void) => {
  const stops = Object.entries(config.systems).flatMap(([system, configured]) =>
    timingsOf(config, configured).map(({ name, timing }) =>
      whenever(timing, (slot) => {
        if (isPaused(scheduleName(system, name))) return;
        onTick({ system, schedule: name, scheduledTime: `${slot.toISOString().slice(0, 19)}Z` });
      }),
    ),
  );
  return () => {
    for (const stop of stops) stop();
  };
};
