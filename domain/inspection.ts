import * as z from 'zod';

/** What the inspection of a node finds. Made by the documents inspect-puppet and inspect-juju, read by the planner and put into the manifest. */

const tools = z.object({ aws: z.string(), zstd: z.string().nullable(), tar: z.string() });
/** Free and total bytes where data is put. */
const space = z.array(z.object({ path: z.string(), mount: z.string(), freeBytes: z.number(), totalBytes: z.number() }));

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 1_048_576)} MiB`;

/** Reports people that a file system has too little room, where it has. `what` is a sentence that ends in `needs`. */
export const spaceFault = (
  node: string,
  { mount, freeBytes }: { readonly mount: string; readonly freeBytes: number },
  what: string,
  bytes: number,
): readonly string[] =>
  freeBytes >= bytes ? [] : [`${node}: ${mount} has ${mebibytes(freeBytes)} free; ${what} ${mebibytes(bytes)}`];

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
  /** How many may be connected; -1 for any number. */
  connectionLimit: z.int(),
  /** Whether anybody who may make databases may copy it. */
  isTemplate: z.boolean(),
  /** Empty where there is none. */
  comment: z.string(),
  /** The role that owns its schema `public`; empty where there is no such schema. */
  publicOwner: z.string(),
  /** What ALTER DATABASE has set (role ''), and ALTER ROLE IN DATABASE: names alone, since a value may be a secret. */
  settings: z.array(z.object({ role: z.string(), names: z.array(z.string()) })),
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

/** A path that is archived, and why. Both texts hold a byte that is no UTF-8 as a lone surrogate, U+DC80 to U+DCFF. */
export const FoundPath = z.object({
  /** Absolute. No directory above it is a symbolic link. */
  path: z.string().startsWith('/'),
  /**
   * `product`: the product's own, with the links in its path and what they lead to; `setting`: a setting names it; `link`: only a
   * link found below the others leads there.
   */
  because: z.enum(['product', 'setting', 'link']),
  /** The setting or the link, for people; empty where the product itself is the reason. */
  by: z.string(),
});
export type FoundPath = z.infer<typeof FoundPath>;

export const CertificateAuthority = z.object({
  /** Of its certificate, by SHA-256. */
  fingerprint: z.string(),
  /** The next serial number, in hexadecimal as Puppet writes it; empty when the file holds none. */
  serial: z.string(),
  /** Certificates that it has listed as signed. */
  inventoryLines: z.number(),
  /** When its certificate ends. */
  notAfter: z.iso.datetime(),
  /** Its revocation list; null where there is none that it has signed. */
  revocations: z
    .object({
      /** In hexadecimal. */
      number: z.string(),
      /** Certificates that it revokes. */
      count: z.int(),
      /** When the list ends; null when it does not say. */
      nextUpdate: z.iso.datetime().nullable(),
    })
    .nullable(),
});
export type CertificateAuthority = z.infer<typeof CertificateAuthority>;

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
  certificateAuthority: CertificateAuthority.nullable(),
  /** Files by which an installer was told what to install, and which are there. */
  answers: z.array(z.string()),
  /** What to archive, by group. A group without paths is left out; one path within another is told where its reason is stronger. */
  paths: z.object({
    configuration: z.array(FoundPath),
    certificates: z.array(FoundPath),
    modules: z.array(FoundPath),
    mcollective: z.array(FoundPath),
    installer: z.array(FoundPath),
  }),
  /** Without these no backup is whole: the certificate authority, and every key that a setting names. No directory above one is a link. */
  required: z.array(z.string()),
  tools,
  space,
  /** Where something is mounted, as far as a restore could meet it. */
  mounts: z.array(z.object({ path: z.string(), type: z.string() })),
  /** The first files of the product that chattr has made immutable or append-only; looked for by a restore alone. */
  fixed: z.array(z.string()),
  /** What is broken; a backup fails by it unless it is a safety backup. */
  problems: z.array(z.string()),
  warnings: z.array(z.string()),
});
export type PuppetInspection = z.infer<typeof PuppetInspection>;

/** A state server (1.x) or controller (2.0 and later) as the client is told of it. */
const Controller = z.object({
  machine: z.string(),
  instanceId: z.string(),
  /** Whether its agent reports and its database is a member of the set. */
  healthy: z.boolean(),
  /** Whether its database is the primary; before 2.8 nobody tells. */
  primary: z.boolean(),
});

/** What Juju's own status tells, all models together. */
const JujuStatus = z.object({
  /** The agents' version of the environment or of the controller's model. */
  version: z.string(),
  controllers: z.array(Controller),
  machines: z.int(),
  /** Machines whose agent reports. */
  started: z.int(),
  applications: z.int(),
  /** Of the sorted names of all applications, to see whether they are the same. */
  applicationsSha256: z.string(),
  /** By name, the controller's own first; none before 2.0. */
  models: z.array(z.object({ name: z.string(), version: z.string() })),
});
export type JujuStatus = z.infer<typeof JujuStatus>;

export const JujuInspection = z.object({
  product: z.literal('juju'),
  hostname: z.string(),
  /** The roles of which the node holds something. */
  roles: z.array(z.string()),
  /** Of the agent of a state server or controller. */
  server: z
    .object({
      machine: z.string(),
      version: z.string(),
      /** Of the controller, before 2.0 of the environment; empty where agent.conf does not tell. */
      uuid: z.string(),
      series: z.string(),
      services: z.array(z.object({ name: z.string(), running: z.boolean() })),
      databaseBytes: z.number(),
    })
    .nullable(),
  client: z
    .object({
      /** Of the program. */
      version: z.string(),
      user: z.string(),
      /** The directory without which a restored server can't be used. */
      directory: z.string(),
      /** The environment or controller that everything below is about. */
      name: z.string(),
      uuid: z.string(),
      /** Null when no API server answers. */
      status: JujuStatus.nullable(),
      /** Where the controller puts its archives, 2.0 and later. */
      backupDirectory: z.string(),
      /** The instances that Juju 1.x takes for its state servers, and what EC2 says of them; asked for by a restore alone. */
      provider: z
        .object({
          /** Empty when there is no provider-state. */
          bucket: z.string(),
          instances: z.array(z.object({ instanceId: z.string(), state: z.string() })),
        })
        .nullable(),
    })
    .nullable(),
  tools,
  space,
  /** What is broken; a backup fails by it unless it is a safety backup. */
  problems: z.array(z.string()),
  warnings: z.array(z.string()),
});
export type JujuInspection = z.infer<typeof JujuInspection>;

/** What was found on a node, whatever the kind of its system. */
export const Inspection = z.discriminatedUnion('product', [PuppetInspection, JujuInspection]);
export type Inspection = z.infer<typeof Inspection>;
