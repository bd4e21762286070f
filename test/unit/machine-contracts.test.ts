import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { phasesOf } from '#domain/contracts/procedure';
import { stateMachineNames } from '#domain/naming';
import { generatedMachines, procedures } from '../../statemachines/generate.ts';
import { definitions, machineFaults } from '../contracts/machines.ts';

const machines = definitions();
const phases = new Set(['inspect', ...Object.values(procedures).flatMap(({ steps }) => phasesOf({ steps }))]);

it.each(stateMachineNames)('%s calls verbs and machines as these say that they are called', (name) => {
  expect(machineFaults(name, machines, phases)).toEqual([]);
});

it.each(Object.entries(generatedMachines()))(
  '%s is what `node statemachines/generate.ts` makes of its table',
  (name, text) => {
    expect(readFileSync(new URL(`../../statemachines/${name}`, import.meta.url), 'utf8')).toBe(text);
  },
);
