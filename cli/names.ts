import { jsonState } from '#aws/bucket';
import { Deployed } from '#domain/measurement';
import { parseManifestKey, SystemId, stateKeys, vaultKeys } from '#domain/naming';
import { systemsWithBackups } from './catalog.ts';
import type { Names } from './completion.ts';
import type { Connection } from './connection.ts';
import { runNames } from './executions.ts';
import type { Exit } from './exit-codes.ts';
import type { Output } from './output.ts';

/** Runs of each operation that are offered. */
const runsOffered = 20;

const found = {
  systems: async ({ state, vault }) => {
    const deployed = await jsonState(state).read(stateKeys.deployed, Deployed);
    return deployed ? Object.keys(deployed.systems) : systemsWithBackups(vault);
  },
  backups: async ({ vault }) => {
    const backups = (await vault.list(vaultKeys.catalogs)).flatMap((key) => parseManifestKey(key) ?? []);
    const systems = new Set(backups.map(({ system }) => system));
    return [
      ...Array.from(systems, (system) => `${system}/latest`),
      ...backups.map(({ system, backup }) => `${system}/${backup}`),
    ];
  },
  runs: (connection) => runNames(connection, runsOffered),
} satisfies Record<Names, (connection: Connection) => Promise<readonly string[]>>;

/** A shell expands what it offers: nothing that it could take for more than a name. */
const isName = (text: string): boolean =>
  text.split('/').every((part) => SystemId.safeParse(part).success || /^[\w-][\w.-]{0,79}$/.test(part));

/** Prints names for a shell's completion, one a line. */
export const names = async (connect: () => Promise<Connection>, kind: Names, output: Output): Promise<Exit> => {
  for (const name of await found[kind](await connect())) if (isName(name)) output.line(name);
  return 'ok';
};
