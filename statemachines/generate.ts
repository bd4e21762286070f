import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { machineOf, type Procedure } from '#domain/contracts/procedure';
import type { StateMachineName } from '#domain/naming';
import { jujuRestore, jujuUpgrade } from '#domain/systems/juju-procedures';
import { puppetRestore, puppetUpgrade } from '#domain/systems/puppet-procedures';

/** The machines that are made from a table of their steps: `node statemachines/generate.ts` writes them. */

export const procedures = {
  'restore-puppet': puppetRestore,
  'restore-juju': jujuRestore,
  'upgrade-puppet': puppetUpgrade,
  'upgrade-juju': jujuUpgrade,
} as const satisfies Partial<Record<StateMachineName, Procedure>>;

/** As Biome formats JSON that was written with a line for each member: texts that fit into a line stand in one. */
const lineWidth = 120;

const formatted = (value: unknown, indent: string, before: number): string => {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    const line = `[${value.map((one) => JSON.stringify(one)).join(', ')}]`;
    const isPlain = value.every((one) => typeof one !== 'object');
    if (isPlain && indent.length + before + line.length + 1 <= lineWidth) return line;
    return `[\n${value.map((one) => inner + formatted(one, inner, 0)).join(',\n')}\n${indent}]`;
  }
  const members = Object.entries(value).map(([key, one]) => {
    const name = `${JSON.stringify(key)}: `;
    return inner + name + formatted(one, inner, name.length);
  });
  return `{\n${members.join(',\n')}\n${indent}}`;
};

/** Returns the text of each generated file by its name. */
export const generatedMachines = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(procedures).map(([name, procedure]) => [
      `${name}.asl.json`,
      `${formatted(machineOf(procedure), '', 0)}\n`,
    ]),
  );

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [name, text] of Object.entries(generatedMachines())) writeFileSync(new URL(name, import.meta.url), text);
