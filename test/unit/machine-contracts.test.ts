import { expect, it } from 'vitest';
import { stateMachineNames } from '#domain/naming';
import { jujuRestorePhases } from '#domain/systems/juju-restore';
import { jujuUpgradePhases } from '#domain/systems/juju-upgrade';
import { puppetRestorePhases } from '#domain/systems/puppet-restore';
import { coreUpgradePhases, rolloutPhases } from '#domain/systems/puppet-upgrade';
import { definitions, machineFaults } from '../contracts/machines.ts';

const machines = definitions();
const phases = new Set<string>([
  'inspect',
  ...puppetRestorePhases,
  ...jujuRestorePhases,
  ...coreUpgradePhases,
  ...rolloutPhases,
  ...jujuUpgradePhases,
]);

it.each(stateMachineNames)('%s calls verbs and machines as these say that they are called', (name) => {
  expect(machineFaults(name, machines, phases)).toEqual([]);
});
