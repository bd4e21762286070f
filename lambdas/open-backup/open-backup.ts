import { type Config, timingsOf } from '#domain/config';
import { artifactKeys } from '#domain/manifest';
import { scheduleName, stateKeys, tagKeys, vaultKeys } from '#domain/naming';
import { Paused, type RunRef } from '#domain/payloads';
import type { Bucket, Schedules, State } from '#domain/ports';
import { chosenManifest, readRun } from '../runs.ts';

export interface Services {
  readonly config: Config;
  readonly state: State;
  readonly vault: Bucket;
  readonly schedules: Schedules;
}

/**
 * Pauses the system's schedules and lets its nodes read what they need, for the length of the run: the chosen backup of a
 * restore, the installer of an upgrade. What it changes is written down first, so that the closing finds it however this
 * ends; doing it again changes nothing.
 */
export const openBackup = async (
  { config, state, vault, schedules }: Services,
  { system, run }: RunRef,
): Promise<{ readonly paused: readonly string[] }> => {
  const configured = config.systems[system];
  const names = configured ? timingsOf(config, configured).map(({ name }) => scheduleName(system, name)) : [];
  const earlier = (await state.read(stateKeys.paused(run), Paused))?.schedules ?? [];
  const enabled: string[] = [];
  for (const name of names) if (await schedules.isEnabled(name)) enabled.push(name);
  const paused = [...new Set([...earlier, ...enabled])];
  await state.write(stateKeys.paused(run), { schedules: paused });
  for (const name of enabled) await schedules.pause(name);

  const { restore, upgrade } = await readRun(state, run);
  const installers = [
    ...(restore?.reinstall ? [restore.reinstall.installer] : []),
    ...(upgrade?.installer && 'name' in upgrade.installer ? [upgrade.installer.name] : []),
  ];
  const keys = [
    ...(restore ? artifactKeys(await chosenManifest(state, vault, run)) : []),
    ...installers.map((name) => vaultKeys.installer(system, name)),
  ];
  for (const key of keys) await vault.tag(key, { ...(await vault.tags(key)), [tagKeys.restore]: system });
  return { paused };
};
