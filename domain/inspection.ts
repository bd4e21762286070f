import * as z from 'zod';

/** What the inspection of a Puppet Enterprise node finds. Made by documents/inspect-puppet.sh, read by the planner and put into the manifest. */

export const Database = z.object({
  name: z.string().min(1),
  owner: z.string(),
  tablespace: z.string(),
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  /** On disk, in bytes. A dump may be nine times as large: long values are stored compressed. */
  bytes: z.number(),
  /** PostgreSQL's own estimate of all rows of all tables; the exact counts come with the dump. */
  rowsEstimated: z.number(),
  acl: z.string(),
  extensions: z.array(z.string()),
});
export type Database = z.infer<typeof Database>;

export const Tablespace = z.object({ name: z.string(), location: z.string(), owner: z.string() });

export const PuppetInspection = z.object({
  product: z.literal('puppet-enterprise'),
  version: z.string(),
  hostname: z.string(),
  certname: z.string(),
  /** The roles of which the node holds something. */
  roles: z.array(z.string()),
  services: z.array(z.object({ name: z.string(), running: z.boolean() })),
  postgres: z
    .object({
      version: z.string(),
      user: z.string(),
      databases: z.array(Database),
      tablespaces: z.array(Tablespace),
      roles: z.array(z.string()),
    })
    .nullable(),
  certificateAuthority: z
    .object({ fingerprint: z.string(), serial: z.string(), inventoryLines: z.number() })
    .nullable(),
  /** What to archive, by group. A group without paths is left out. */
  paths: z.object({
    configuration: z.array(z.string()),
    certificates: z.array(z.string()),
    modules: z.array(z.string()),
    mcollective: z.array(z.string()),
    installer: z.array(z.string()),
  }),
  tools: z.object({ aws: z.string(), zstd: z.string().nullable(), tar: z.string() }),
  warnings: z.array(z.string()),
});
export type PuppetInspection = z.infer<typeof PuppetInspection>;
