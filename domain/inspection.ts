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
  /** What ALTER DATABASE has set, as `name=value`. */
  settings: z.array(z.string()),
  extensions: z.array(z.string()),
});
export type Database = z.infer<typeof Database>;

export const Tablespace = z.object({
  name: z.string(),
  location: z.string(),
  owner: z.string(),
  /** Whether its directory is there, and holds nothing but PostgreSQL's own. */
  directory: z.enum(['ok', 'missing', 'foreign']),
});
export type Tablespace = z.infer<typeof Tablespace>;

export const PuppetInspection = z.object({
  product: z.literal('puppet-enterprise'),
  /** Of Puppet Enterprise; empty where only an agent is installed. */
  version: z.string(),
  /** Of the agent's package; up to 3.8 it is that of Puppet Enterprise. */
  agentVersion: z.string(),
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
      /** Roles that own or may use something inside of a database. */
      dependents: z.array(z.object({ role: z.string(), database: z.string(), objects: z.number() })),
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
  /** Free and total bytes where data is put. */
  space: z.array(z.object({ path: z.string(), mount: z.string(), freeBytes: z.number(), totalBytes: z.number() })),
  /** What is broken; a backup fails by it unless it is a safety backup. */
  problems: z.array(z.string()),
  warnings: z.array(z.string()),
});
export type PuppetInspection = z.infer<typeof PuppetInspection>;
