import type { AnswerOf } from '#domain/contracts/document';
import type { replaceFiles } from '#domain/contracts/shared';
import type { Database, PuppetInspection } from '#domain/inspection';
import type { NodeAnswer } from '#domain/phase';
import type { Proof } from './kind.ts';
import { answersFileOf } from './puppet-answers.ts';
import { proveAuthority } from './puppet-authority.ts';
import type { countRows, mergeAuthority, prepareInstallation } from './puppet-documents.ts';
import {
  fetchedName,
  type PuppetRestore,
  type RestoreTarget,
  restoredArchives,
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

/** One thing that was compared: what is wrong with it, or that nothing is. */
interface Comparison {
  readonly faults: readonly string[];
  readonly proof: string;
}

const proveDatabases = (of: PuppetRestore, target: RestoreTarget, restored: Restored): readonly Comparison[] => {
  const { instanceId } = target.node;
  const now = restored.inspections.get(instanceId);
  return wantedDatabases(of, target).flatMap((database) => {
    const what = `database ${database.name}`;
    const found = now?.postgres?.databases.find(({ name }) => name === database.name);
    const count = restored.counts.find(
      ({ instanceId: id, answer }) => id === instanceId && answer.database === database.name,
    )?.answer;
    const { rows, tables } = count ?? { rows: 0, tables: 0 };
    return [
      {
        faults: found ? compare(what, properties(database), properties(found)) : [`${what} is not there`],
        proof: `${what}: owner ${database.owner}, tablespace ${database.tablespace}, encoding, collation, connection limit, comment, grants and extensions are equal`,
      },
      {
        faults: countFaults(what, count),
        proof: `${what}: ${rows} rows in ${tables} tables are equal, table by table, and its settings`,
      },
    ];
  });
};

const countFaults = (what: string, count: AnswerOf<typeof countRows> | undefined): readonly string[] => {
  if (count === undefined) return [`${what}: its rows were not counted`];
  return count.different === '' ? [] : [`${what}: rows or settings differ: ${count.different}`];
};

const proveFiles = (of: PuppetRestore, target: RestoreTarget, { files }: Restored): readonly Comparison[] =>
  restoredArchives(of, target).map(({ archive, part }) => {
    const { instanceId, name } = target.node;
    const what = `files of ${archive.group} on ${name}`;
    const put = files.find(
      ({ instanceId: id, answer }) => id === instanceId && answer.archive === fetchedName(archive.upload.key),
    )?.answer;
    if (!put) return { faults: [`${what}: they were not put in place`], proof: '' };
    const { entries, found, replaced, kept, absent, privileged } = put;
    const planned = part.roots.length + part.missing.length;
    // A part of a system names what a version may not have; a whole one what was archived.
    const lost = of.request.scope ? [] : absent;
    return {
      faults: [
        ...(entries === archive.entries
          ? []
          : [`${what}: the archive holds ${entries} entries, expected ${archive.entries}`]),
        ...lost.map((path) => `${what}: the archive does not hold ${path}`),
        ...(absent.length < 20 && replaced + kept + absent.length !== planned
          ? [`${what}: ${replaced + kept + absent.length} of ${planned} paths were looked at`]
          : []),
      ],
      proof: `${what}: ${entries} entries are unpacked as the archive has them, ${found} are in place below ${pathsOf(replaced)}${
        kept > 0 ? `; ${pathsOf(kept)} left as they are, since something is there` : ''
      }${privileged.length > 0 ? `; with the rights of their owner run ${privileged.join(', ')}` : ''}`,
    };
  });

/** What people must know of answers that the installer got. */
const tellAnswers = ({ node, source }: RestoreTarget, { prepared = [] }: Restored): readonly string[] => {
  const old = prepared.find(({ instanceId }) => instanceId === node.instanceId)?.answer.differing ?? [];
  return old.length > 0
    ? [
        `${node.name}: the answers of the backup have other database passwords than its configuration, for: ${old.join(', ')}. Those of the configuration hold. Correct ${answersFileOf(source.inspection.version)} before an installer reads it again`,
      ]
    : [];
};

const proveCertificates = (of: PuppetRestore, target: RestoreTarget, { inspections, merged }: Restored) => {
  if (!target.source.inspection.certificateAuthority || !restoresCertificates(of, target)) return undefined;
  const { instanceId } = target.node;
  const answer = merged.find((one) => one.instanceId === instanceId)?.answer;
  return proveAuthority(of, target, inspections.get(instanceId)?.certificateAuthority, answer);
};

/** Compares every restored database, archive of files and certificate authority with the manifest. Pure. */
export const proveRestore = (of: PuppetRestore, restored: Restored): Proof => {
  const targets = of.targets.map((target) => {
    const authority = proveCertificates(of, target, restored);
    return {
      comparisons: [
        ...proveDatabases(of, target, restored),
        ...proveFiles(of, target, restored),
        ...(authority ? [authority] : []),
      ],
      told: [...tellAnswers(target, restored), ...(authority?.told ?? [])],
    };
  });
  const comparisons = targets.flatMap((target) => target.comparisons);
  return {
    compared: comparisons.filter(({ faults }) => faults.length === 0).map(({ proof }) => proof),
    different: comparisons.flatMap(({ faults }) => faults),
    told: targets.flatMap((target) => target.told),
  };
};
