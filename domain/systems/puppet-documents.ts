import * as z from 'zod';
import { document } from '#domain/contracts/document';
import * as p from '#domain/contracts/parameters';
import { PuppetInspection } from '#domain/inspection';
import { UploadedDump, UploadedGlobals } from '#domain/manifest';

/** The documents of Puppet Enterprise. */

const upload = { Bucket: p.vault, Key: p.storedKey, ExpectedBytes: p.expectedBytes };
const installation = { Name: p.fetchedFile, AnswersFile: p.answersFile, Version: p.version };

export const inspectPuppet = document('puppet/inspect-puppet', {
  does: 'Tells what a node of Puppet Enterprise holds.',
  onlyLooks: true,
  takes: { OnProblem: p.onProblem },
  answers: PuppetInspection,
});

export const dumpGlobals = document('puppet/dump-globals', {
  does: 'Streams roles and tablespaces into the vault.',
  takes: upload,
  answers: UploadedGlobals,
});

export const dumpDatabase = document('puppet/dump-database', {
  does: 'Streams a verified dump of one database into the vault.',
  takes: { ...upload, Database: p.database },
  answers: UploadedDump,
});

export const prepareInstallation = document('puppet/prepare-installation', {
  does: 'Looks whether Puppet Enterprise could be installed again from what was fetched.',
  takes: { ...installation, AnswersArchive: p.fetchedAnswers, HandedAnswers: p.handedAnswers },
  /** Databases for which the backup's own answers have another password than its configuration. */
  answers: z.strictObject({ differing: z.array(z.string().regex(/^\w+$/)) }),
});

export const purgePuppet = document('puppet/purge-puppet', {
  does: 'Removes Puppet Enterprise and proves it.',
  takes: { Name: p.fetchedFile },
});

export const installPuppet = document('puppet/install-puppet', {
  does: 'Installs Puppet Enterprise with the backed-up answers.',
  takes: installation,
});

export const restartPostgresql = document('puppet/restart-postgresql', {
  does: 'Restarts PostgreSQL and proves that no session is left.',
  takes: { Databases: p.databases },
});

export const dropDatabases = document('puppet/drop-databases', {
  does: 'Drops databases, roles and tablespaces and proves it.',
  takes: { Databases: p.databases, Roles: p.roles, Tablespaces: p.tablespaces },
});

export const prepareTablespaces = document('puppet/prepare-tablespaces', {
  does: 'Makes the directories of tablespaces.',
  takes: { Locations: p.locations },
});

export const restoreGlobals = document('puppet/restore-globals', {
  does: 'Restores roles and tablespaces.',
  takes: { Name: p.fetchedFile },
});

export const restoreDatabase = document('puppet/restore-database', {
  does: 'Restores one database beside the one that it will replace.',
  takes: { Name: p.fetchedFile, Contents: p.fetchedList, Spec: p.fields },
});

export const swapDatabases = document('puppet/swap-databases', {
  does: 'Gives restored databases their names.',
  takes: { Databases: p.databases },
});

export const keepAuthority = document('puppet/keep-authority', {
  does: 'Copies what the living certificate authority has signed and revoked.',
  takes: {},
});

export const mergeAuthority = document('puppet/merge-authority', {
  does: 'Merges it into the restored one, whose serial numbers never repeat.',
  takes: { KnownSerial: p.knownSerial },
  answers: z.strictObject({
    /** What there was when the run began: the same authority, another one, or none. */
    living: z.enum(['same', 'foreign', 'missing']),
    /** Whether the living one could be read to its end: nothing had to be guessed. */
    whole: z.boolean(),
    /** Next serial numbers: the backup's, the greatest one known, and the one that was set. */
    backup: z.string(),
    known: z.string(),
    serial: z.string(),
    /** Certificates that it has signed since the backup, and the names of the first of them. */
    signed: z.int(),
    names: z.array(z.string()),
    /** Whether a revocation list was there that could not be read. */
    unreadList: z.boolean(),
  }),
});

export const setOwners = document('puppet/set-owners', { does: 'Gives certificates to their users.', takes: {} });

export const setUpPuppetdbSsl = document('puppet/set-up-puppetdb-ssl', {
  does: "Gives PuppetDB the agent's certificates.",
  takes: {},
});

export const forgetCatalog = document('puppet/forget-catalog', {
  does: 'Removes the cached catalog of the agent.',
  takes: {},
});

export const countRows = document('puppet/count-rows', {
  does: 'Compares the rows and settings of a database with its backup.',
  onlyLooks: true,
  takes: { Name: p.fetchedFile, Database: p.database },
  answers: z.strictObject({
    database: z.string(),
    tables: z.number(),
    rows: z.number(),
    /** The first tables whose rows differ from the dump's, and settings that are others; empty when none does. */
    different: z.string(),
  }),
});

export const checkHealth = document('puppet/check-health', {
  does: 'Looks whether services run and answer.',
  onlyLooks: true,
  takes: { Services: p.services },
});

export const configurePuppet = document('puppet/configure-puppet', {
  does: 'Lets Puppet Enterprise put rights and settings in order.',
  takes: {},
});

export const preflightUpgrade = document('puppet/preflight-upgrade', {
  does: 'Tells what is against an upgrade of this node.',
  onlyLooks: true,
  takes: {},
  answers: z.strictObject({
    problems: z.array(z.string()),
    modules: z.array(z.string()),
    /** The version from which an earlier upgrade was begun that has not succeeded; empty when there is none. */
    interrupted: z.string(),
  }),
});

export const fetchUrl = document('puppet/fetch-url', {
  does: 'Downloads an archive and compares it with its SHA-256.',
  takes: { Url: p.url, Sha256: p.sha256, Name: p.fetchedFile },
});

export const upgradePuppet = document('puppet/upgrade-puppet', {
  does: 'Upgrades master, PuppetDB or console with their installer.',
  takes: { ...installation, Settings: p.fetchedSettings },
});

export const runPuppet = document('puppet/run-puppet', { does: 'Runs the agent once.', takes: {} });

export const askScript = document('puppet/ask-script', {
  does: 'Looks whether a node can fetch the script that it is upgraded by.',
  onlyLooks: true,
  takes: { Url: p.url },
  answers: z.strictObject({
    url: z.string(),
    /** Of the node that asked. */
    host: z.string(),
    /** Why it can't be fetched, for people; empty when it can. */
    problem: z.string(),
  }),
});

export const installModules = document('puppet/install-modules', {
  does: 'Installs modules that were fetched, and looks whether those are there that an upgrade of agents needs.',
  takes: { Modules: p.modules, Archives: p.moduleArchives },
});

export const upgradeAgent = document('puppet/upgrade-agent', {
  does: 'Upgrades a node by the script that its master serves.',
  takes: { Url: p.url, AgentVersion: p.agentVersion, ServerVersion: p.serverVersion },
});

export const finishUpgrade = document('puppet/finish-upgrade', {
  does: 'Removes what an upgrade has fetched.',
  takes: {},
});
