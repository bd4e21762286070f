import * as z from 'zod';
import { UploadedArchive } from '#domain/manifest';
import { document } from './document.ts';
import * as p from './parameters.ts';

/** The documents that every kind of system uses. */

export const archiveFiles = document('shared/archive-files', {
  does: 'Streams a verified archive of files into the vault.',
  takes: {
    ...{ Bucket: p.vault, Key: p.storedKey, ExpectedBytes: p.expectedBytes },
    ...{ Group: p.group, Paths: p.paths, Required: p.requiredPaths },
  },
  answers: UploadedArchive,
});

export const checkNode = document('shared/check-node', {
  does: 'Tells whether a node could be backed up.',
  onlyLooks: true,
  takes: { Bucket: p.vault, Key: p.storedKey, Keys: p.keyPaths },
  answers: z.strictObject({
    /** Seconds since 1970. */
    clock: z.int(),
    /** What was said to an upload; nothing when the vault took it. */
    vault: z.string(),
    /** Keys that a backup must have and cannot read, each with the reason. */
    unreadable: z.array(z.string()),
  }),
});

export const stopServices = document('shared/stop-services', {
  does: 'Stops services and remembers which were running.',
  takes: { Services: p.services, WatchdogSeconds: p.watchdogSeconds },
});

export const startServices = document('shared/start-services', {
  does: 'Starts what stop-services stopped for this run, and what is named.',
  takes: { Services: p.services },
});

export const fetchArtifact = document('shared/fetch-artifact', {
  does: 'Downloads one artifact and compares it with its manifest.',
  takes: {
    ...{ Bucket: p.vault, Object: p.object, VersionId: p.versionId, Sha256: p.sha256, Bytes: p.bytes },
    ...{ Compression: p.compression, Name: p.fetchedFile },
  },
});

export const replaceFiles = document('shared/replace-files', {
  does: 'Replaces files by those of an archive.',
  takes: { Name: p.fetchedFile, Roots: p.roots, MissingRoots: p.missingRoots, Excludes: p.excludes },
  answers: z.strictObject({
    /** The fetched archive. */
    archive: z.string(),
    /** Paths that were put in place, each compared with what was unpacked. */
    replaced: z.int().nonnegative(),
    /** Paths that something is at, where only nothing was to be replaced. */
    kept: z.int().nonnegative(),
    /** The first paths that the archive does not hold. */
    absent: z.array(z.string()),
    /** Entries of the archive, each compared with what was unpacked. */
    entries: z.int().nonnegative(),
    /** Files and directories that are in place now. */
    found: z.int().nonnegative(),
    /** The first files that run with the rights of their owner or group. */
    privileged: z.array(z.string()),
  }),
});

export const finishRestore = document('shared/finish-restore', {
  does: 'Removes what a proven restore has replaced.',
  takes: {},
  answers: z.strictObject({
    /** The first of what could not be removed, each with the reason. */
    left: z.array(z.string()),
  }),
});

export const undo = document('shared/undo', { does: 'Removes the traces of a run from the node.', takes: {} });
