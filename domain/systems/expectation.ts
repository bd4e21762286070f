import { type Collected, type Manifest, uploadsOf } from '#domain/manifest';

/** What a backup is expected to take, judged by the one before. */

/**
 * Seconds that a collecting command may take: three times what the whole phase took last time, at least an hour, at most
 * the 48 hours that SSM allows. The document's default of one hour would kill the dump of a large PuppetDB.
 */
export const collectTimeoutSeconds = (previous: Manifest | undefined): number =>
  Math.min(172_800, Math.max(3600, Math.ceil((previous?.phaseSeconds['collect'] ?? 0) * 3)));

const sameThing = (a: Collected, b: Pick<Collected, 'kind'> & { name?: string }): boolean =>
  a.kind === b.kind && (a.kind === 'database' ? a.database === b.name : a.kind === 'files' ? a.group === b.name : true);

/**
 * Bytes that an upload is expected to have, which sizes its parts: half as much again as last time, else the fallback.
 * Too small a number ends an upload at 10,000 parts of 8 MiB, too large a one costs the node memory (ten parts of it).
 */
export const expectedBytes = (
  previous: Manifest | undefined,
  node: string,
  what: Pick<Collected, 'kind'> & { name?: string },
  fallback: number,
): string => {
  const last = previous?.artifacts.find((artifact) => artifact.node === node && sameThing(artifact.collected, what));
  const bytes = last && uploadsOf(last.collected)[0]?.bytes;
  return String(Math.max(1, Math.ceil(bytes === undefined ? fallback : bytes * 1.5)));
};
