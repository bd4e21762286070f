import * as z from 'zod';
import { JujuInspection, PuppetInspection } from './inspection.ts';
import { BackupId, InstanceId, RunId, SystemId } from './naming.ts';
import { operations } from './payloads.ts';
import { ExpiringClass } from './retention.ts';

/** The commit record of a backup, written last: a backup exists if and only if its manifest exists. */

/** `none` is what a product has packed itself and wants back as it is. */
export const compressions = ['zstd', 'gzip', 'none'] as const;

/** What a document reports of one stream that it put into the vault. */
export const Upload = z.object({
  key: z.string(),
  /** As stored. */
  bytes: z.int().positive(),
  /** Before compression. */
  rawBytes: z.int().positive(),
  /** Of the stored bytes, in hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  compression: z.enum(compressions),
});
export type Upload = z.infer<typeof Upload>;

export const UploadedDump = z.object({
  kind: z.literal('database'),
  database: z.string(),
  upload: Upload,
  /** One line `rows<TAB>table` per table, counted in the dump itself. */
  contents: Upload,
  tables: z.int().nonnegative(),
  rows: z.int().nonnegative(),
  verified: z.literal('read to its end, its rows counted'),
});

export const UploadedArchive = z.object({
  kind: z.literal('files'),
  group: z.string(),
  upload: Upload,
  /** One archived path per line; a line feed in a name is `//n`, since no path holds two slashes. */
  contents: Upload,
  entries: z.int().positive(),
  /** Private keys, keystores and passphrases, each found in the archive again. */
  secrets: z.int().nonnegative(),
  /** Of the paths that the node's backup must hold, those that are in this archive. */
  holds: z.array(z.string()),
  verified: z.literal('read to its end by tar'),
  warnings: z.array(z.string()),
});

export const UploadedGlobals = z.object({
  kind: z.literal('globals'),
  upload: Upload,
  roles: z.int().nonnegative(),
  tablespaces: z.int().nonnegative(),
  verified: z.literal('complete to its closing line'),
});

/** How Juju makes a backup: the 1.x plugin's way, an archive in its database, or a file on a controller. */
export const jujuDrivers = ['plugin', 'stored', 'file'] as const;
export type JujuDriver = (typeof jujuDrivers)[number];

export const UploadedJuju = z.object({
  kind: z.literal('juju'),
  driver: z.enum(jujuDrivers),
  /** The archive as Juju's own tools take it. */
  upload: Upload,
  /** One line `size<TAB>path` per entry. */
  contents: Upload,
  entries: z.int().positive(),
  /** Files in its root.tar. */
  files: z.int().positive(),
  /** Of the database `juju` that are not empty. */
  collections: z.int().positive(),
  databaseBytes: z.int().positive(),
  /** SHA-1 of the archive in base64, as Juju prints it. */
  sha1: z.string(),
  /** What the archive's metadata.json tells, before 1.22 what the node is. */
  metadata: z.object({
    version: z.string(),
    format: z.int(),
    controllerUuid: z.string(),
    modelUuid: z.string(),
    haNodes: z.int(),
    series: z.string(),
    machine: z.string(),
    hostname: z.string(),
  }),
  verified: z.literal('read to its end by tar, with database and keys'),
});

/** What a collecting command put into the vault. */
export const Collected = z.discriminatedUnion('kind', [UploadedDump, UploadedArchive, UploadedGlobals, UploadedJuju]);
export type Collected = z.infer<typeof Collected>;

/** The version that the commit found in the vault. What is written to the same key afterwards is another one. */
const Stored = z.object({ versionId: z.string().min(1) });

export const Artifact = z
  .object({
    node: InstanceId,
    collected: Collected,
    stored: z.object({ upload: Stored, contents: Stored.optional() }),
  })
  .refine(({ collected, stored }) => 'contents' in collected === (stored.contents !== undefined), {
    path: ['stored', 'contents'],
    error: 'expected the version of a list of contents where there is one, and only there',
  });
export type Artifact = z.infer<typeof Artifact>;

const node = z.object({
  instanceId: InstanceId,
  name: z.string(),
  roles: z.array(z.string()),
  /** The backup was allowed to lack it. */
  optional: z.boolean(),
});

/**
 * What a backup was taken for. A safety backup holds what a restore was about to replace, a partial one what still lived when a
 * node was lost: neither is ever `latest`.
 */
export const purposes = ['regular', 'safety', 'partial'] as const;

const common = z.object({
  format: z.literal(1),
  system: SystemId,
  backup: BackupId,
  run: RunId,
  operation: z.enum(operations),
  /** `partial` when something of `missing` could not be had: a part of an optional node, or of what a safety backup found broken. */
  state: z.enum(['complete', 'partial']),
  missing: z.array(z.string()),
  purpose: z.enum(purposes),
  retentionClass: ExpiringClass,
  scheduled: z.boolean(),
  consistency: z.enum(['live', 'quiesced']),
  /** What the configuration named beside what was found. */
  extraPaths: z.array(z.string()),
  startedAt: z.iso.datetime(),
  committedAt: z.iso.datetime(),
  /** Seconds that each phase took. */
  phaseSeconds: z.record(z.string(), z.number()),
  artifacts: z.array(Artifact),
  warnings: z.array(z.string()),
});

export const PuppetManifest = common.extend({
  kind: z.literal('puppet-enterprise'),
  nodes: z.array(node.extend({ inspection: PuppetInspection })),
});
export type PuppetManifest = z.infer<typeof PuppetManifest>;

export const JujuManifest = common.extend({
  kind: z.literal('juju'),
  nodes: z.array(node.extend({ inspection: JujuInspection })),
});
export type JujuManifest = z.infer<typeof JujuManifest>;

export const Manifest = z.discriminatedUnion('kind', [PuppetManifest, JujuManifest]);
export type Manifest = z.infer<typeof Manifest>;

/** The formats that this version reads. What a manifest of another says means something else, whatever it looks like. */
const Readable = z.object({ format: z.literal(1, 'expected 1, or a newer version of Holdfast') });

/** Reads a manifest, whichever fields later versions have added to it. Throws a ZodError whose first issue is the format, where that is the reason. */
export const parseManifest = (value: unknown): Manifest => {
  Readable.parse(value);
  return Manifest.parse(value);
};

/** True for a backup that was made to be restored: neither a safety backup nor one of what still lived when a node was lost. */
export const isRegular = ({ purpose }: Pick<Manifest, 'purpose'>): boolean => purpose === 'regular';

/** An object of a backup: what the node reported, and the version that was committed. */
export interface StoredUpload extends Upload {
  readonly versionId: string;
}

/** The one or two objects of an artifact. */
export const objectsOf = ({
  collected,
  stored: { upload, contents },
}: Artifact): readonly [StoredUpload, ...StoredUpload[]] => {
  const [first, list] = uploadsOf(collected);
  return [
    { ...first, versionId: upload.versionId },
    ...(list && contents ? [{ ...list, versionId: contents.versionId }] : []),
  ];
};

/** Everything that belongs to a backup, its manifest left out. */
export const objectsOfBackup = ({ artifacts }: Pick<Manifest, 'artifacts'>): readonly StoredUpload[] =>
  artifacts.flatMap(objectsOf);

/** The one or two objects that a collecting command put into the vault. */
export const uploadsOf = (collected: Collected): readonly [Upload] | readonly [Upload, Upload] =>
  collected.kind === 'globals' ? [collected.upload] : [collected.upload, collected.contents];

/** Bytes in the vault of a whole backup. */
export const storedBytes = (manifest: Pick<Manifest, 'artifacts'>): number =>
  manifest.artifacts.flatMap(({ collected }) => uploadsOf(collected)).reduce((sum, { bytes }) => sum + bytes, 0);
