import { type Config, timingsOf } from '#domain/config';
import { scheduleName, stateKeys } from '#domain/naming';
import { type OpenBackupOutput, Paused, type RunRef } from '#domain/payloads';
import { fetchedBy } from '#domain/systems/transfer';
import { openTo } from '#domain/vault/changes';
import { readPlan, readRun } from '../runs.ts';
import type { SchedulesOf, StateOf, VaultOf } from '../verbs.ts';

export interface Services {
  readonly config: Config;
  readonly state: StateOf<'open-backup'>;
  readonly vault: VaultOf<'open-backup'>;
  readonly schedules: SchedulesOf<'open-backup'>;
}

/**
 * Pauses the system's schedules and lets each node read what the plan lets it fetch, for the length of the run: its part of the
 * chosen backup, an installer. What it changes is written down first, so that the closing finds it however this
 * ends; doing it again changes nothing.
 */
export const openBackup = async (
  { config, state, vault, schedules }: Services,
  { system, run }: RunRef,
): Promise<OpenBackupOutput> => {
  const configured = config.systems[system];
  const names = configured ? timingsOf(config, configured).map(({ name }) => scheduleName(system, name)) : [];
  const earlier = (await state.read(stateKeys.paused(run), Paused))?.schedules ?? [];
  const enabled: string[] = [];
  for (const name of names) if (await schedules.isEnabled(name)) enabled.push(name);
  const paused = [...new Set([...earlier, ...enabled])];
  await state.write(stateKeys.paused(run), { schedules: paused });
  for (const name of enabled) await schedules.pause(name);

  const { execution } = await readRun(state, run);
  const { phases } = await readPlan(state, run);
  for (const { instanceIds, ...object } of fetchedBy(phases)) await openTo(vault, execution, object, instanceIds);
  return { paused };
};
