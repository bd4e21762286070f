import { readFile } from 'node:fs/promises';
import type { Config, Schedule } from '#domain/config';
import { InvalidConfigError, parseConfig } from '#domain/config-file';
import { nextRun } from '#domain/schedule';
import { CliError } from './cli-error.ts';
import type { Exit } from './exit-codes.ts';
import { formatAmount, table } from './format.ts';
import type { Output } from './output.ts';

/** Checks a configuration: every mistake in it, or what it means. `invalid` when it has mistakes. */
export const configCheck = async (
  file: string,
  { json = false }: { readonly json?: boolean },
  output: Output,
  now = new Date(),
): Promise<Exit> => {
  const text = await read(file);
  let config: Config;
  try {
    config = parseConfig(text, file);
  } catch (error) {
    if (!(error instanceof InvalidConfigError)) throw error;
    if (json) output.document({ file, valid: false, faults: error.faults });
    else for (const line of error.message.split('\n')) output.line(line);
    output.note(`${formatAmount(error.faults.length, 'mistake')} in ${file}. Fix it, then check it again.`);
    return 'invalid';
  }
  const systems = Object.entries(config.systems).map(([id, { kind, nodes, schedules }]) => ({
    id,
    kind,
    nodes: nodes.length,
    schedules,
  }));
  const schedules = Object.entries(config.schedules).map(([name, schedule]) => ({
    name,
    ...schedule,
    nextRun: nextRun(schedule, now)?.toISOString() ?? null,
    systems: systems.filter((system) => system.schedules.includes(name)).map(({ id }) => id),
  }));
  const warnings = warningsOf(config, now);
  if (json) {
    output.document({ file, valid: true, systems, schedules, warnings });
    return 'ok';
  }
  output.line(`${file} is valid: ${formatAmount(systems.length, 'system')}`);
  output.line();
  const systemRows = systems.map(({ id, kind, nodes, schedules: names }) => [
    id,
    kind,
    String(nodes),
    names.join(', ') || 'none: backed up only when asked',
  ]);
  for (const line of table(systemColumns, systemRows)) output.line(line);
  for (const warning of warnings) output.note(`Warning: ${warning}`);
  if (schedules.length === 0) return 'ok';
  output.line();
  const scheduleRows = schedules.map(({ name, systems: users }) => {
    const schedule = config.schedules[name];
    return schedule ? [name, timingText(schedule), nextRunText(schedule, now), users.join(', ') || 'no system'] : [];
  });
  for (const line of table(scheduleColumns, scheduleRows)) output.line(line);
  return 'ok';
};

/** What can be deployed and is hardly meant. */
const warningsOf = ({ schedules, systems }: Config, now: Date): string[] =>
  Object.entries(schedules).flatMap(([name, schedule]) => {
    const used = Object.values(systems).some((system) => system.schedules.includes(name));
    if (!used) return [`no system names the schedule ${name}, so it starts nothing. Add it to a system's schedules.`];
    return 'rate' in schedule || nextRun(schedule, now) !== undefined
      ? []
      : [
          `the schedule ${name} never fires again: ${timingText(schedule)} is over. Give it another time, or remove it.`,
        ];
  });

const systemColumns = [
  { heading: 'SYSTEM' },
  { heading: 'KIND' },
  { heading: 'NODES', align: 'right' },
  { heading: 'SCHEDULES' },
] as const;

const scheduleColumns = [
  { heading: 'SCHEDULE' },
  { heading: 'TIMING' },
  { heading: 'NEXT RUN' },
  { heading: 'STARTS' },
] as const;

/** The text of a configuration. Throws a CliError when it cannot be read. */
export const read = async (file: string): Promise<string> => {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new CliError(
      'not-found',
      `${file} can't be read: ${error instanceof Error ? error.message : error}`,
      'Name the file: holdfast config check FILE',
    );
  }
};

const timingText = (schedule: Schedule): string => {
  if ('rate' in schedule) return `every ${schedule.rate}`;
  return 'cron' in schedule ? schedule.cron : `once at ${schedule.at}`;
};

const nextRunText = (schedule: Schedule, now: Date): string => {
  if ('rate' in schedule) return 'counted from its deployment';
  const next = nextRun(schedule, now);
  if (next === undefined) return 'never again';
  const { timezone: timeZone } = schedule;
  const weekday = new Intl.DateTimeFormat('en', { timeZone, weekday: 'short' }).format(next);
  // Swedish writes a date and a time as ISO 8601 does.
  const local = new Intl.DateTimeFormat('sv', { timeZone, dateStyle: 'short', timeStyle: 'short' }).format(next);
  return `${weekday} ${local} ${timeZone}`;
};
