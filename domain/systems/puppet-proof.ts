import type { AnswerOf } from '#domain/contracts/document';
import type { replaceFiles } from '#domain/contracts/shared';
import type { Database, PuppetInspection } from '#domain/inspection';
import type { NodeAnswer } from '#domain/phase';
import type { Proof } from './kind.ts';
import { answersFileOf } from './puppet-answers.ts';
import { proveAuthority } from './puppet-authority.ts';
import type { countRows, mergeAuthority, prepareInstallation } from './puppet-documents.ts';
import {
  artifactsOf,
  fetchedName,
  type PuppetRestore,
  replacementOf,
  restoresCertificates,
  wantedDatabases,
} from './puppet-restore-scope.ts';

/** What a restore has to prove: that what is there now is what the manifest says. */

/** What the nodes answered when they were restored. */
export interface Restored {
  /** By the nodes' instance ids. */
  readonly inspections: ReadonlyMap<string, PuppetInspection>;
  readonly counts: readonly NodeAnswer<AnswerOf<typeof countRows>>[];
  readonly files: readonly NodeAnswer<AnswerOf<typeof replaceFiles>>[];
  /** Of a reinstallation. */
  readonly prepared?: readonly NodeAnswer<AnswerOf<typeof prepareInstallation>>[];
  readonly merged: readonly NodeAnswer<AnswerOf<typeof mergeAuthority>>[];
}

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
    .map(({ role, names }) => `${role === '' ? '' : `for ${role}: `}${names.join(', ')}`)
    .toSorted()
    .join('; '),
});

const pathsOf = (number: number): string => `${number} ${number === 1 ? 'path' : 'paths'}`;

const compare = (what: string, expected: Readonly<Record<string, string>>, found: Readonly<Record<string, string>>) =>
  Object.entries(expected).flatMap(([name, value]) =>
    found[name] === value ? [] : [`${what}: ${name} is ${found[name] || 'nothing'}, expected ${value || 'nothing'}`],
  );

/** Compares every restored database, archive of files and certificate authority with the manifest. Pure. */
export const proveRestore = (
  of: PuppetRestore,
  { inspections, counts, files, merged, prepared = [] }: Restored,
): Proof => {
  const compared: string[] = [];
  const different: string[] = [];
  const told: string[] = [];
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
      const count = counts.find(({ instanceId: id, answer }) => id === instanceId && answer.database === database.name);
      const { rows, tables } = count?.answer ?? { rows: 0, tables: 0 };
      judge(
        found ? compare(what, properties(database), properties(found)) : [`${what} is not there`],
        `${what}: owner ${database.owner}, tablespace ${database.tablespace}, encoding, collation, connection limit, comment, grants and extensions are equal`,
      );
      judge(
        count === undefined
          ? [`${what}: its rows were not counted`]
          : count.answer.different === ''
            ? []
            : [`${what}: rows or settings differ: ${count.answer.different}`],
        `${what}: ${rows} rows in ${tables} tables are equal, table by table, and its settings`,
      );
    }
    for (const { collected } of artifactsOf(of, target)) {
      if (collected.kind !== 'files') continue;
      const part = replacementOf(of, target, collected.group);
      if (!part) continue;
      const what = `files of ${collected.group} on ${node}`;
      const archive = fetchedName(collected.upload.key);
      const put = files.find(({ instanceId: id, answer }) => id === instanceId && answer.archive === archive)?.answer;
      if (!put) {
        judge([`${what}: they were not put in place`], '');
        continue;
      }
      const { entries, found, replaced, kept, absent, privileged } = put;
      const planned = part.roots.length + part.missing.length;
      // A part of a system names what a version may not have; a whole one what was archived.
      const lost = of.request.scope ? [] : absent;
      judge(
        [
          ...(entries === collected.entries
            ? []
            : [`${what}: the archive holds ${entries} entries, expected ${collected.entries}`]),
          ...lost.map((path) => `${what}: the archive does not hold ${path}`),
          ...(absent.length < 20 && replaced + kept + absent.length !== planned
            ? [`${what}: ${replaced + kept + absent.length} of ${planned} paths were looked at`]
            : []),
        ],
        `${what}: ${entries} entries are unpacked as the archive has them, ${found} are in place below ${pathsOf(replaced)}${
          kept > 0 ? `; ${pathsOf(kept)} left as they are, since something is there` : ''
        }${privileged.length > 0 ? `; with the rights of their owner run ${privileged.join(', ')}` : ''}`,
      );
    }
    const old = prepared.find((one) => one.instanceId === instanceId)?.answer.differing ?? [];
    if (old.length > 0)
      told.push(
        `${node}: the answers of the backup have other database passwords than its configuration, for: ${old.join(', ')}. Those of the configuration hold. Correct ${answersFileOf(target.source.inspection.version)} before an installer reads it again`,
      );
    if (target.source.inspection.certificateAuthority && restoresCertificates(of, target)) {
      const answer = merged.find((one) => one.instanceId === instanceId)?.answer;
      const authority = proveAuthority(of, target, now?.certificateAuthority, answer);
      judge(authority.faults, authority.proof);
      told.push(...authority.told);
    }
  }
  return { compared, different, told };
};
