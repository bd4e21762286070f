import type { Contract, Takes, Values } from '#domain/contracts/document';
import { fetchArtifact } from '#domain/contracts/shared';
import { type Collected, type Manifest, uploadsOf } from '#domain/manifest';
import { instanceArn, vaultKeys } from '#domain/naming';
import { type Command, commandsOn, type Phase, type PlannedNode, parameterOf } from '#domain/plan';
import type { BackupOf, Fetchable } from './kind.ts';

/** Commands that move artifacts between nodes and the vault, and what a backup is expected to take, judged by the one before. */

/** Moving data may take as long as SSM allows. */
export const dataSeconds = 172_800;

/**
 * Seconds that a collecting command may take: three times what the whole phase took last time, at least an hour, at most
 * the 48 hours that SSM allows. The document's default of one hour would kill the dump of a large PuppetDB.
 */
export const collectTimeoutSeconds = (previous: Manifest | undefined): number =>
  Math.min(dataSeconds, Math.max(3600, Math.ceil((previous?.phaseSeconds['collect'] ?? 0) * 3)));

/** What a command collects: the kind, and the name of the database or group. */
export type Collectable = Pick<Collected, 'kind'> & { readonly name?: string };

const sameThing = (a: Collected, b: Collectable): boolean =>
  a.kind === b.kind && (a.kind === 'database' ? a.database === b.name : a.kind === 'files' ? a.group === b.name : true);

/**
 * Bytes that an upload is expected to have, which sizes its parts: half as much again as last time, else the fallback.
 * Too small a number ends an upload at 10,000 parts of 8 MiB, too large a one costs the node memory (ten parts of it).
 */
const expectedBytes = (previous: Manifest | undefined, node: string, what: Collectable, fallback: number): number => {
  const last = previous?.artifacts.find((artifact) => artifact.node === node && sameThing(artifact.collected, what));
  const bytes = last && uploadsOf(last.collected)[0]?.bytes;
  return Math.max(1, Math.ceil(bytes === undefined ? fallback : bytes * 1.5));
};

/** Commands that collect on a node into this backup, below its own keys. */
export const collecting = (of: BackupOf, node: PlannedNode, seconds: number) => ({
  /** Where a thing goes; `expected` bytes count where nothing is known of it. */
  upload: (what: Collectable, key: string, expected: number) => ({
    Bucket: of.vaultBucket,
    Key: vaultKeys.artifact(of.system, of.backup, instanceArn(of.execution, node.instanceId), key),
    ExpectedBytes: expectedBytes(of.previous, node.instanceId, what, expected),
  }),
  command: <P extends Takes>(contract: Contract<P>, values: NoInfer<Values<P>>, what?: string): Command => ({
    ...commandsOn(node)(contract, values, { what, seconds }),
    ...(node.optional && { optional: true }),
  }),
});

/** Commands that fetch objects of the vault to a node, below the name that the run's later commands know. */
export const fetching =
  (vaultBucket: string, node: PlannedNode) =>
  ({ key, versionId, bytes, sha256, compression }: Fetchable, name: string, what?: string): Command =>
    commandsOn(node)(
      fetchArtifact,
      {
        Bucket: vaultBucket,
        Object: key,
        VersionId: versionId,
        Bytes: bytes,
        Sha256: sha256,
        Compression: compression,
        Name: name,
      },
      { what, seconds: dataSeconds },
    );

/** The keys that commands fetch. */
export const fetchedKeys = (commands: readonly Command[]): readonly string[] =>
  commands.flatMap((one) => parameterOf(one, fetchArtifact, 'Object') ?? []);

/** The versions that commands fetch, each with the nodes that have to read it, and no others. */
export const fetchedBy = (
  phases: readonly Phase[],
): readonly { readonly key: string; readonly versionId: string; readonly instanceIds: readonly string[] }[] => {
  const fetched = new Map<string, { key: string; versionId: string; instanceIds: string[] }>();
  for (const command of phases.flatMap(({ commands }) => commands)) {
    const key = parameterOf(command, fetchArtifact, 'Object');
    const versionId = parameterOf(command, fetchArtifact, 'VersionId');
    if (key === undefined || versionId === undefined) continue;
    const id = `${key} ${versionId}`;
    const readers = fetched.get(id)?.instanceIds ?? [];
    fetched.set(id, { key, versionId, instanceIds: [...new Set([...readers, ...command.instanceIds])] });
  }
  return [...fetched.values()];
};
