import * as z from 'zod';
import { PuppetInspection } from './inspection.ts';
import { BackupId, InstanceId, RunId, SystemId } from './naming.ts';
import { operations } from './payloads.ts';
import { ExpiringClass } from './retention.ts';

/** The commit record of a backup, written last: a backup exists if and only if its manifest exists. */

export const compressions = ['zstd', 'gzip'] as const;

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

const uploadedDump = z.object({
  kind: z.literal('database'),
  database: z.string(),
  upload: Upload,
  /** One line `rows<TAB>table` per table, counted in the dump itself. */
  contents: Upload,
  tables: z.int().nonnegative(),
  rows: z.int().nonnegative(),
  verified: z.literal('read to its end by pg_restore'),
});

const uploadedArchive = z.object({
  kind: z.literal('files'),
  group: z.string(),
  upload: Upload,
  /** One archived path per line. */
  contents: Upload,
  entries: z.int().positive(),
  /** Private keys, keystores and passphrases, each found in the archive again. */
  secrets: z.int().nonnegative(),
  verified: z.literal('read to its end by tar'),
  warnings: z.array(z.string()),
});

const uploadedGlobals = z.object({
  kind: z.literal('globals'),
  upload: Upload,
  roles: z.int().nonnegative(),
  tablespaces: z.int().nonnegative(),
  verified: z.literal('complete to its closing line'),
});

/** What a collecting command answers. */
export const Collected = z.discriminatedUnion('kind', [uploadedDump, uploadedArchive, uploadedGlobals]);
export type Collected = z.infer<typeof Collected>;

/** An object as S3 has it: what commit-backup compares with what the node reported. */
const Stored = z.object({
  versionId: z.string().optional(),
  /** S3's own checksum of the whole object, as `CRC64NVME:…`, where the uploading client gave one. */
  s3Checksum: z.string().optional(),
});

export const Artifact = z.object({
  node: InstanceId,
  collected: Collected,
  stored: z.object({ upload: Stored, contents: Stored.optional() }),
});
export type Artifact = z.infer<typeof Artifact>;

export const ManifestNode = z.object({
  instanceId: InstanceId,
  name: z.string(),
  roles: z.array(z.string()),
  /** The backup was allowed to lack it. */
  optional: z.boolean(),
  inspection: PuppetInspection,
});

export const Manifest = z.object({
  format: z.literal(1),
  system: SystemId,
  kind: z.literal('puppet-enterprise'),
  backup: BackupId,
  run: RunId,
  operation: z.enum(operations),
  /** `partial` when something of `missing` could not be had: a part of an optional node, or of what a safety backup found broken. */
  state: z.enum(['complete', 'partial']),
  missing: z.array(z.string()),
  /** A safety backup holds what a restore was about to replace: it is never `latest`. */
  purpose: z.enum(['regular', 'safety']),
  retentionClass: ExpiringClass,
  scheduled: z.boolean(),
  consistency: z.enum(['live', 'quiesced']),
  /** What the configuration named beside what was found. */
  extraPaths: z.array(z.string()),
  startedAt: z.iso.datetime(),
  committedAt: z.iso.datetime(),
  /** Seconds that each phase took. */
  phaseSeconds: z.record(z.string(), z.number()),
  nodes: z.array(ManifestNode),
  artifacts: z.array(Artifact),
  warnings: z.array(z.string()),
});
export type Manifest = z.infer<typeof Manifest>;

/** True for a backup that a restore may choose by itself. One that lacks an optional node is better than an older one. */
export const isGood = ({ purpose }: Pick<Manifest, 'purpose'>): boolean => purpose === 'regular';

/** The keys of everything that belongs to a backup, its manifest left out. */
export const artifactKeys = (manifest: Pick<Manifest, 'artifacts'>): readonly string[] =>
  manifest.artifacts.flatMap(({ collected }) => uploadsOf(collected).map(({ key }) => key));

/** The one or two objects that a collecting command put into the vault. */
export const uploadsOf = (collected: Collected): readonly Upload[] =>
  collected.kind === 'globals' ? [collected.upload] : [collected.upload, collected.contents];

/** Bytes in the vault of a whole backup. */
export const storedBytes = (manifest: Pick<Manifest, 'artifacts'>): number =>
  manifest.artifacts.flatMap(({ collected }) => uploadsOf(collected)).reduce((sum, { bytes }) => sum + bytes, 0);
