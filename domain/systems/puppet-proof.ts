import * as z from 'zod';
import type { Database, PuppetInspection } from '#domain/inspection';
import type { NodeResult } from '#domain/phase';
import type { Proof } from './kind.ts';
import { type PuppetRestore, restoresCertificates, wantedDatabases } from './puppet-restore-scope.ts';

/** What a restore has to prove: that what is there now is what the manifest says. */

/** The answer of documents/count-rows.sh. */
export const RowCount = z.object({
  database: z.string(),
  tables: z.number(),
  rows: z.number(),
  /** The first tables whose rows differ from the dump's; empty when none does. */
  different: z.string(),
});
export type RowCount = z.infer<typeof RowCount>;

/** The same whatever the order of its entries: PostgreSQL keeps grants in the order in which they were given. */
const grants = (acl: string): string => acl.replace(/^{|}$/g, '').split(',').toSorted().join(',');

const properties = (of: Database) => ({
  owner: of.owner,
  tablespace: of.tablespace,
  encoding: of.encoding,
  collation: `${of.collate} ${of.ctype}`,
  'connection limit': String(of.connectionLimit),
  'template flag': of.isTemplate ? 'set' : 'not set',
  comment: of.comment,
  grants: grants(of.acl),
  'owner of schema public': of.publicOwner,
  extensions: of.extensions.join(', '),
  settings: of.settings
    .map(({ role, values }) => `${role === '' ? '' : `for ${role}: `}${values.join(', ')}`)
    .toSorted()
    .join('; '),
});

const compare = (what: string, expected: Readonly<Record<string, string>>, found: Readonly<Record<string, string>>) =>
  Object.entries(expected).flatMap(([name, value]) =>
    found[name] === value ? [] : [`${what}: ${name} is ${found[name] || 'nothing'}, expected ${value || 'nothing'}`],
  );

/** Compares every restored database and certificate authority with the manifest. Pure. */
export const proveRestore = (
  of: PuppetRestore,
  inspections: ReadonlyMap<string, PuppetInspection>,
  counts: readonly NodeResult<RowCount>[],
): Proof => {
  const compared: string[] = [];
  const different: string[] = [];
  const judge = (faults: readonly string[], proof: string): void => {
    if (faults.length > 0) different.push(...faults);
    else compared.push(proof);
  };
  for (const target of of.targets) {
    const { instanceId, name: node } = target.node;
    const now = inspections.get(instanceId);
    for (const database of wantedDatabases(of, target)) {
      const what = `database ${database.name}`;
      const found = now?.postgres?.databases.find(({ name }) => name === database.name);
      const count = counts.find(({ instanceId: id, result }) => id === instanceId && result.database === database.name);
      const { rows, tables } = count?.result ?? { rows: 0, tables: 0 };
      judge(
        found ? compare(what, properties(database), properties(found)) : [`${what} is not there`],
        `${what}: owner ${database.owner}, tablespace ${database.tablespace}, encoding, collation, connection limit, comment, grants, extensions and settings are equal`,
      );
      judge(
        count === undefined
          ? [`${what}: its rows were not counted`]
          : count.result.different === ''
            ? []
            : [`${what}: rows differ: ${count.result.different}`],
        `${what}: ${rows} rows in ${tables} tables are equal, table by table`,
      );
    }
    const authority = target.source.inspection.certificateAuthority;
    if (authority && restoresCertificates(of, target)) {
      const found = now?.certificateAuthority;
      judge(
        found
          ? compare(
              `certificate authority of ${node}`,
              { ...authority, inventoryLines: String(authority.inventoryLines) },
              { ...found, inventoryLines: String(found.inventoryLines) },
            )
          : [`${node} has no certificate authority`],
        `certificate authority of ${node}: fingerprint ${authority.fingerprint.slice(0, 23)}…, serial ${authority.serial}, inventory of ${authority.inventoryLines} lines are equal`,
      );
    }
  }
  return { compared, different };
};
