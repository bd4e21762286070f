import { describe, expect, it } from 'vitest';
import { fields } from '#domain/contracts/parameters';
import type { Database } from '#domain/inspection';
import { decodeText } from '#domain/naming';
import { RestoreRequest } from '#domain/payloads';
import { proveRestore } from '#domain/systems/puppet-proof';
import { fieldsOf, planPuppetRestore } from '#domain/systems/puppet-restore';
import { targetsOf } from '#domain/systems/puppet-restore-scope';
import { manifestOf } from './cli-fixtures.ts';

/** A restore of one backup onto the node that it was taken of, where the backup's database is this one. */
const restoreOf = (changes: Partial<Database> = {}) => {
  const plain = manifestOf('pe-main', '20261120T020000Z');
  const [node] = plain.nodes;
  const postgres = node?.inspection.postgres;
  const [database] = postgres?.databases ?? [];
  if (!node || !postgres || !database) throw new Error('the fixture has no database');
  const inspectionWith = (one: Database) => ({ ...node.inspection, postgres: { ...postgres, databases: [one] } });
  const inspection = inspectionWith({ ...database, ...changes });
  const manifest = { ...plain, nodes: [{ ...node, inspection }] };
  const request = RestoreRequest.parse({ system: 'pe-main', backup: 'latest', scope: ['databases'] });
  const of = {
    ...{ system: 'pe-main', run: 'run', vaultBucket: 'vault', request, manifest },
    ...{ startedAt: new Date('2026-11-29T00:00:00Z'), ...targetsOf(manifest, [{ node, inspection }], request) },
  };
  return { of, node, database, inspectionWith };
};

describe('the proof of a restored database', () => {
  const changes: readonly Partial<Database>[] = [
    { owner: 'somebody' },
    { tablespace: 'elsewhere' },
    { connectionLimit: 50 },
    { isTemplate: true },
    { comment: 'ours' },
    { publicOwner: '' },
    { acl: '{=Tc/console,console=CTc/console}' },
    { settings: [{ role: '', names: ['search_path'] }] },
    { settings: [{ role: 'console', names: ['work_mem'] }] },
    { extensions: ['pg_trgm'] },
  ];

  it.each(changes)('fails when it is not as it was: %j', (change) => {
    const { of, node, database, inspectionWith } = restoreOf(change);
    const counted = {
      instanceId: node.instanceId,
      command: 'count-rows',
      answer: { database: database.name, tables: 1, rows: 1, different: '' },
    };
    const prove = (found: Database) =>
      proveRestore(of, {
        inspections: new Map([[node.instanceId, inspectionWith(found)]]),
        ...{ counts: [counted], files: [], merged: [] },
      });
    expect(prove(database).different).toHaveLength(1);
    expect(prove({ ...database, ...change })).toMatchObject({
      different: [],
      compared: [expect.anything(), expect.anything()],
    });
  });
});

describe('what a document is told of databases', () => {
  it('has names of any kind, and lists as they are stored', () => {
    const { database } = restoreOf();
    const spec = decodeText(fields.encode(fieldsOf({ ...database, name: 'odd\nname', extensions: ['a', 'b'] }))).split(
      '\0',
    );
    expect(spec).toEqual(expect.arrayContaining(['name=odd\nname', 'limit=-1', 'extension=a', 'extension=b']));
  });

  it('is not told settings, whose values may be secrets, but which list in the vault holds them', () => {
    const { of } = restoreOf({ settings: [{ role: 'console', names: ['app.secret'] }] });
    const [restore] = planPuppetRestore(of).find(({ name }) => name === 'restore-databases')?.commands ?? [];
    expect(restore?.parameters['Contents']).toBe('pe-puppetdb.tables');
    expect(decodeText(restore?.parameters['Spec'] ?? '')).not.toContain('app.secret');
  });

  it('has one name where a name holds a line feed', () => {
    const { of } = restoreOf({ name: 'odd\nname' });
    const [swap] = planPuppetRestore(of).find(({ name }) => name === 'swap-databases')?.commands ?? [];
    expect(decodeText(swap?.parameters['Databases'] ?? '').split('\0')).toEqual(['odd\nname']);
  });
});
