import type { JujuInspection } from '#domain/inspection';
import type { JujuManifest, StoredUpload } from '#domain/manifest';
import type { PlannedNode } from '#domain/plan';
import { driverOf, type JujuNode, numbersOf, serversOf } from './juju.ts';
import type { RestoreOf } from './kind.ts';

/** What of a backup of Juju and of the nodes a restore works with. */

type Client = NonNullable<JujuInspection['client']>;

export interface JujuRestore extends Omit<RestoreOf, 'nodes'> {
  readonly nodes: readonly JujuNode[];
  readonly manifest: JujuManifest;
  readonly archive: Extract<JujuManifest['artifacts'][number]['collected'], { kind: 'juju' }> & {
    readonly object: StoredUpload;
  };
  /** The client as it was backed up. */
  readonly then: Client;
  readonly directory: StoredUpload | undefined;
  /** The node that Juju is worked with from. */
  readonly client: PlannedNode;
  /** What is there of it now. */
  readonly now: Client | undefined;
}

export const isClassic = ({ archive }: JujuRestore): boolean => numbersOf(archive.metadata.version)[0] === 1;

/** 2.0 to 2.9.21: the client restores, into a controller that answers and is the only one. */
export const isByClient = ({ archive }: JujuRestore): boolean =>
  numbersOf(archive.metadata.version)[0] > 1 && driverOf(archive.metadata.version) === 'stored';

export const serversThen = ({ then }: JujuRestore) => then.status?.controllers ?? [];

/** The controllers that are there now, the primary first. A single one is it, also when its API does not answer. */
export const controllersNow = (of: JujuRestore) => {
  const told = of.now?.status?.controllers ?? [];
  const servers = serversOf(of.nodes);
  const isAlone = told.length === 1 || (told.length === 0 && servers.length === 1 && of.archive.metadata.haNodes <= 1);
  const isPrimary = (machine: string): boolean => isAlone || told.some((one) => one.machine === machine && one.primary);
  return servers
    .map((one) => ({ ...one, primary: isPrimary(one.server.machine) }))
    .toSorted((a, b) => Number(b.primary) - Number(a.primary));
};
