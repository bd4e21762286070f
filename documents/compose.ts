import { readFileSync } from 'node:fs';
import { documentName } from '#domain/naming';

/** The SSM documents: each is one script with the libraries that it names, its parameters set as variables before it. */

interface Parameter {
  readonly description: string;
  /** No pattern lets a shell metacharacter, a quote or white space other than a plain blank through. */
  readonly allowedPattern: string;
  /** The most characters. In the pattern this could not stand: the agent's RE2 takes no count above 1,000, nor nested ones. */
  readonly maxChars?: number;
  readonly variable: string;
}

const parameter = {
  StartBefore: {
    description: 'When it is too late to begin, in seconds since 1970.',
    allowedPattern: '^[1-9][0-9]{9,10}$',
    variable: 'START_BEFORE',
  },
  Attempt: {
    description: 'How often the run was redriven.',
    allowedPattern: '^[0-9]{1,4}$',
    variable: 'ATTEMPT',
  },
  Answers: {
    description: 'Where an answer goes that is too long for Run Command: the bucket, and the prefix of the run.',
    allowedPattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/answers/[a-z0-9-]{2,32}/[A-Za-z0-9_.-]{1,80}$',
    variable: 'ANSWERS',
  },
  RunId: { description: 'The run that sends the command.', allowedPattern: '^[A-Za-z0-9_-]{1,80}$', variable: 'RUN' },
  UndoRunId: {
    description: 'The run whose traces are removed.',
    allowedPattern: '^[A-Za-z0-9_-]{1,80}$',
    variable: 'UNDO_RUN',
  },
  Bucket: { description: 'The vault.', allowedPattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$', variable: 'BUCKET' },
  Key: {
    description: 'The key, without suffix.',
    allowedPattern: '^backups/[A-Za-z0-9/_.:=-]{1,900}$',
    variable: 'KEY',
  },
  ExpectedBytes: {
    description: 'About how many bytes will be stored: sizes the parts of the upload.',
    allowedPattern: '^[1-9][0-9]{0,14}$',
    variable: 'EXPECTED_BYTES',
  },
  Database: {
    description: 'The name of a database, in base64url.',
    allowedPattern: '^[A-Za-z0-9_-]{1,400}$',
    variable: 'DATABASE',
  },
  Group: { description: 'What the files are.', allowedPattern: '^[a-z][a-z0-9-]{0,40}$', variable: 'GROUP' },
  Paths: {
    description: 'Absolute paths, a NUL between, in base64url.',
    allowedPattern: '^[A-Za-z0-9_-]+$',
    maxChars: 40_000,
    variable: 'PATHS',
  },
  Required: {
    description: 'Absolute paths that an archive of the backup must hold, a NUL between, in base64url; may be empty.',
    allowedPattern: '^[A-Za-z0-9_-]*$',
    maxChars: 40_000,
    variable: 'REQUIRED',
  },
  Keys: {
    description: 'Absolute paths whose keys must be readable, a NUL between, in base64url.',
    allowedPattern: '^[A-Za-z0-9_-]*$',
    maxChars: 40_000,
    variable: 'KEYS',
  },
  Services: {
    description: 'Names of services in the order of stopping, a blank between.',
    allowedPattern: '^([a-z0-9-]+( [a-z0-9-]+)*)?$',
    maxChars: 2_000,
    variable: 'SERVICES',
  },
  Purpose: {
    description: 'backup: what is broken is an error. rescue: it is told.',
    allowedPattern: '^(backup|rescue)$',
    variable: 'PURPOSE',
  },
  Object: {
    description: 'The key of an artifact.',
    allowedPattern: '^(backups|installers)/[A-Za-z0-9/_.:=-]{1,900}$',
    variable: 'OBJECT',
  },
  VersionId: {
    description: 'Of an object: what was written to its key since is not asked for.',
    allowedPattern: '^[A-Za-z0-9._-]+$',
    maxChars: 1_000,
    variable: 'VERSION_ID',
  },
  Sha256: {
    description: 'Of the stored bytes.',
    allowedPattern: '^[0-9a-f]{64}$',
    variable: 'DIGEST',
  },
  Bytes: { description: 'As stored.', allowedPattern: '^[1-9][0-9]{0,14}$', variable: 'BYTES' },
  Compression: {
    description: 'How Holdfast has packed it. What a product has packed itself stays as it is: none.',
    allowedPattern: '^(zstd|gzip|none)$',
    variable: 'COMPRESSION',
  },
  Name: {
    description: 'The fetched file.',
    allowedPattern: '^[A-Za-z0-9][A-Za-z0-9_.=-]{0,200}$',
    variable: 'NAME',
  },
  AnswersArchive: {
    description: 'The fetched archive that holds the answers.',
    allowedPattern: '^[A-Za-z0-9][A-Za-z0-9_.=-]{0,200}$',
    variable: 'ANSWERS_ARCHIVE',
  },
  Version: {
    description: 'A version of Puppet Enterprise or Juju.',
    allowedPattern: '^[0-9][0-9A-Za-z.+-]{0,40}$',
    variable: 'VERSION',
  },
  Databases: {
    description: 'Names of databases, a NUL between, in base64url.',
    allowedPattern: '^[A-Za-z0-9_-]*$',
    maxChars: 20_000,
    variable: 'DATABASES',
  },
  Roles: {
    description: 'Names of roles, a NUL between, in base64url.',
    allowedPattern: '^[A-Za-z0-9_-]*$',
    maxChars: 20_000,
    variable: 'ROLES',
  },
  Tablespaces: {
    description: 'Names of tablespaces, a NUL between, in base64url.',
    allowedPattern: '^[A-Za-z0-9_-]*$',
    maxChars: 20_000,
    variable: 'TABLESPACES',
  },
  Locations: {
    description: 'Directories of tablespaces, one per line, in base64url.',
    allowedPattern: '^[A-Za-z0-9_-]*$',
    maxChars: 20_000,
    variable: 'LOCATIONS',
  },
  Spec: {
    description: 'What a database is to be: name, owner, tablespace and more, a NUL behind each, in base64url.',
    allowedPattern: '^[A-Za-z0-9_-]+$',
    maxChars: 40_000,
    variable: 'SPEC',
  },
  Roots: {
    description: 'Absolute paths to replace, a NUL between, in base64url; may be empty.',
    allowedPattern: '^[A-Za-z0-9_-]*$',
    maxChars: 40_000,
    variable: 'ROOTS',
  },
  MissingRoots: {
    description: 'Absolute paths that are put back only where nothing is, a NUL between, in base64url; may be empty.',
    allowedPattern: '^[A-Za-z0-9_-]*$',
    maxChars: 40_000,
    variable: 'MISSING_ROOTS',
  },
  Excludes: {
    description: 'Absolute paths that stay, a NUL between, in base64url; may be empty.',
    allowedPattern: '^[A-Za-z0-9_-]*$',
    maxChars: 40_000,
    variable: 'EXCLUDES',
  },
  KnownSerial: {
    description: 'The greatest next serial number that is known of the authority, in hexadecimal; may be empty.',
    allowedPattern: '^[0-9A-F]*$',
    maxChars: 64,
    variable: 'KNOWN_SERIAL',
  },
  Url: {
    description: 'Where a file is fetched from.',
    allowedPattern: '^https://[A-Za-z0-9][A-Za-z0-9/_.:+-]{0,500}$',
    variable: 'URL',
  },
  Settings: {
    description: "The fetched archive of the master's settings, or nothing.",
    allowedPattern: '^([A-Za-z0-9][A-Za-z0-9_.=-]{0,200})?$',
    variable: 'SETTINGS',
  },
  AnswersFile: {
    description: 'The file that the installer is told by.',
    allowedPattern: '^/[A-Za-z0-9/_.-]+$',
    maxChars: 200,
    variable: 'ANSWERS_FILE',
  },
  AgentVersion: {
    description: "A version of the agent's package.",
    allowedPattern: '^[0-9][0-9A-Za-z.+-]{0,40}$',
    variable: 'AGENT_VERSION',
  },
  ServerVersion: {
    description: 'A version of Puppet Enterprise, or nothing where only an agent is installed.',
    allowedPattern: '^([0-9][0-9A-Za-z.+-]{0,40})?$',
    variable: 'VERSION',
  },
  Modules: {
    description: 'Names of modules, a blank between.',
    allowedPattern: '^[a-z][a-z0-9_]*( [a-z][a-z0-9_]*)*$',
    maxChars: 1_300,
    variable: 'MODULES',
  },
  Controller: {
    description: 'The name of an environment or controller; empty for the one that the client is switched to.',
    allowedPattern: '^([A-Za-z0-9][A-Za-z0-9._-]{0,99})?$',
    variable: 'CONTROLLER',
  },
  User: {
    description: "The user whose home holds Juju's directory.",
    allowedPattern: '^[a-z_][a-z0-9_-]{0,31}$',
    variable: 'CLIENT_USER',
  },
  Driver: {
    description: 'How this version of Juju makes a backup.',
    allowedPattern: '^(plugin|stored|file)$',
    variable: 'DRIVER',
  },
  Directory: {
    description: 'Where Juju puts its backups, in base64url; may be empty.',
    allowedPattern: '^[A-Za-z0-9_-]*$',
    maxChars: 4_000,
    variable: 'DIRECTORY',
  },
  Instances: {
    description: 'Ids of EC2 instances, a blank between; may be empty.',
    allowedPattern: '^(i-[0-9a-f]{8,17}( i-[0-9a-f]{8,17}){0,20})?$',
    variable: 'INSTANCES',
  },
  Stopped: {
    description: 'Whether a stopped instance counts as gone.',
    allowedPattern: '^(allowed|refused)$',
    variable: 'STOPPED',
  },
  Constraints: {
    description: 'What a new state server is to have, a blank between, in base64url; may be empty.',
    allowedPattern: '^[A-Za-z0-9_-]*$',
    maxChars: 1_400,
    variable: 'CONSTRAINTS',
  },
  Count: { description: 'How many state servers.', allowedPattern: '^[357]$', variable: 'COUNT' },
  Downgrade: {
    description: 'Whether the backup may be of an older version.',
    allowedPattern: '^(allowed|refused)$',
    variable: 'DOWNGRADE',
  },
  SecondsToWait: {
    description: 'How long agents may take to report.',
    allowedPattern: '^[1-9][0-9]{0,4}$',
    variable: 'SECONDS_TO_WAIT',
  },
  Stage: {
    description: 'What of Juju is upgraded.',
    allowedPattern: '^(controller|models)$',
    variable: 'STAGE',
  },
  Share: {
    description: 'The share of machines that must report, in percent.',
    allowedPattern: '^([1-9][0-9]?|100)$',
    variable: 'SHARE',
  },
  WatchdogSeconds: {
    description: 'When the node starts the services itself.',
    allowedPattern: '^[1-9][0-9]{0,5}$',
    variable: 'WATCHDOG_SECONDS',
  },
} as const satisfies Readonly<Record<string, Parameter>>;

type ParameterName = keyof typeof parameter;

/** What every document takes; whoever sends a command adds them. */
export const commonParameters = ['StartBefore', 'Attempt', 'Answers'] as const satisfies readonly ParameterName[];

interface Document {
  readonly description: string;
  readonly parameters: readonly ParameterName[];
}

/** Every script that becomes a document, by its file's name. */
export const documents = {
  'inspect-puppet': {
    description: 'Tells what a node of Puppet Enterprise holds. Changes nothing.',
    parameters: ['RunId', 'Purpose'],
  },
  'dump-globals': {
    description: 'Streams roles and tablespaces into the vault.',
    parameters: ['RunId', 'Bucket', 'Key', 'ExpectedBytes'],
  },
  'dump-database': {
    description: 'Streams a verified dump of one database into the vault.',
    parameters: ['RunId', 'Bucket', 'Key', 'ExpectedBytes', 'Database'],
  },
  'archive-files': {
    description: 'Streams a verified archive of files into the vault.',
    parameters: ['RunId', 'Bucket', 'Key', 'ExpectedBytes', 'Group', 'Paths', 'Required'],
  },
  'check-node': {
    description: 'Tells whether a node could be backed up. Changes nothing.',
    parameters: ['RunId', 'Bucket', 'Key', 'Keys'],
  },
  'stop-services': {
    description: 'Stops services and remembers which were running.',
    parameters: ['RunId', 'Services', 'WatchdogSeconds'],
  },
  'start-services': {
    description: 'Starts what stop-services stopped for this run, and what is named.',
    parameters: ['RunId', 'Services'],
  },
  'fetch-artifact': {
    description: 'Downloads one artifact and compares it with its manifest.',
    parameters: ['RunId', 'Bucket', 'Object', 'VersionId', 'Sha256', 'Bytes', 'Compression', 'Name'],
  },
  'prepare-installation': {
    description: 'Looks whether Puppet Enterprise could be installed again from what was fetched.',
    parameters: ['RunId', 'Name', 'AnswersArchive', 'AnswersFile', 'Version'],
  },
  'purge-puppet': { description: 'Removes Puppet Enterprise and proves it.', parameters: ['RunId', 'Name'] },
  'install-puppet': {
    description: 'Installs Puppet Enterprise with the backed-up answers.',
    parameters: ['RunId', 'Name', 'AnswersFile', 'Version'],
  },
  'restart-postgresql': {
    description: 'Restarts PostgreSQL and proves that no session is left.',
    parameters: ['RunId', 'Databases'],
  },
  'drop-databases': {
    description: 'Drops databases, roles and tablespaces and proves it.',
    parameters: ['RunId', 'Databases', 'Roles', 'Tablespaces'],
  },
  'prepare-tablespaces': {
    description: 'Makes the directories of tablespaces.',
    parameters: ['RunId', 'Locations'],
  },
  'restore-globals': { description: 'Restores roles and tablespaces.', parameters: ['RunId', 'Name'] },
  'restore-database': {
    description: 'Restores one database beside the one that it will replace.',
    parameters: ['RunId', 'Name', 'Spec'],
  },
  'swap-databases': {
    description: 'Gives restored databases their names.',
    parameters: ['RunId', 'Databases'],
  },
  'replace-files': {
    description: 'Replaces files by those of an archive.',
    parameters: ['RunId', 'Name', 'Roots', 'MissingRoots', 'Excludes'],
  },
  'keep-authority': {
    description: 'Copies what the living certificate authority has signed and revoked.',
    parameters: ['RunId'],
  },
  'merge-authority': {
    description: 'Merges it into the restored one, whose serial numbers never repeat.',
    parameters: ['RunId', 'KnownSerial'],
  },
  'set-owners': { description: 'Gives certificates to their users.', parameters: ['RunId'] },
  'set-up-puppetdb-ssl': { description: "Gives PuppetDB the agent's certificates.", parameters: ['RunId'] },
  'forget-catalog': { description: 'Removes the cached catalog of the agent.', parameters: ['RunId'] },
  'count-rows': {
    description: 'Counts the rows of a database and compares them with its backup.',
    parameters: ['RunId', 'Name', 'Database'],
  },
  'check-health': {
    description: 'Looks whether services run and answer.',
    parameters: ['RunId', 'Services'],
  },
  'finish-restore': {
    description: 'Removes what a proven restore has replaced.',
    parameters: ['RunId'],
  },
  'configure-puppet': {
    description: 'Lets Puppet Enterprise put rights and settings in order.',
    parameters: ['RunId'],
  },
  'preflight-upgrade': {
    description: 'Tells what is against an upgrade of this node. Changes nothing.',
    parameters: ['RunId'],
  },
  'fetch-url': {
    description: 'Downloads an archive and compares it with its SHA-256.',
    parameters: ['RunId', 'Url', 'Sha256', 'Name'],
  },
  'upgrade-puppet': {
    description: 'Upgrades master, PuppetDB or console with their installer.',
    parameters: ['RunId', 'Name', 'Settings', 'AnswersFile', 'Version'],
  },
  'run-puppet': { description: 'Runs the agent once.', parameters: ['RunId'] },
  'check-modules': {
    description: 'Looks whether the modules are there that an upgrade of agents needs.',
    parameters: ['RunId', 'Modules'],
  },
  'upgrade-agent': {
    description: 'Upgrades a node by the script that its master serves.',
    parameters: ['RunId', 'Url', 'AgentVersion', 'ServerVersion'],
  },
  'finish-upgrade': { description: 'Removes what an upgrade has fetched.', parameters: ['RunId'] },
  'inspect-juju': {
    description: 'Tells what a node of Juju holds. Changes nothing.',
    parameters: ['RunId', 'Purpose', 'Controller', 'User'],
  },
  'create-juju-archive': {
    description: 'Lets Juju make a backup that stays on the controller.',
    parameters: ['RunId', 'Controller', 'User'],
  },
  'backup-juju': {
    description: 'Streams a verified backup of Juju into the vault.',
    parameters: [
      'RunId',
      'Driver',
      'Controller',
      'User',
      'Directory',
      'Bucket',
      'Key',
      'ExpectedBytes',
      'WatchdogSeconds',
    ],
  },
  'check-fence': {
    description: 'Proves that no state server of Juju is left.',
    parameters: ['RunId', 'Controller', 'User', 'Instances', 'Stopped'],
  },
  'restore-environment': {
    description: 'Lets Juju 1.x make a new state server of a backup.',
    parameters: ['RunId', 'Controller', 'User', 'Name', 'Constraints'],
  },
  'ensure-availability': {
    description: 'Lets Juju 1.x add state servers.',
    parameters: ['RunId', 'Controller', 'User', 'Count'],
  },
  'hold-agents': {
    description: "Notes a controller's agent as one that is to be started again.",
    parameters: ['RunId', 'WatchdogSeconds'],
  },
  'restore-controller': {
    description: 'Restores the database of a Juju controller with juju-restore.',
    parameters: ['RunId', 'Name', 'Downgrade'],
  },
  'restore-juju-archive': {
    description: 'Lets Juju 2.0 to 2.9.21 restore a backup into its controller.',
    parameters: ['RunId', 'Controller', 'User', 'Name'],
  },
  'check-juju': {
    description: 'Looks whether the agents of Juju report.',
    parameters: ['RunId', 'Controller', 'User', 'SecondsToWait', 'Share'],
  },
  'preflight-juju': {
    description: 'Asks Juju what is against an upgrade. Changes nothing.',
    parameters: ['RunId', 'Controller', 'User', 'Version'],
  },
  'upgrade-juju': {
    description: 'Upgrades Juju and waits until its agents have the version.',
    parameters: ['RunId', 'Controller', 'User', 'Version', 'Stage', 'SecondsToWait'],
  },
  undo: { description: 'Removes the traces of a run from the node.', parameters: ['UndoRunId'] },
} as const satisfies Readonly<Record<string, Document>>;

/** The name of a script that is a document. */
export type DocumentScript = keyof typeof documents;

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

/** A function of a script as shfmt writes it: on one line, or from its name to a brace at the beginning of a line. */
const definition = /^([a-z_][a-z0-9_]*)\(\) \{(?: .*\}|\n(?:.*\n)*?\})\n/gm;

/** A script without the functions that nothing in it names, and those that only they name. */
const withoutUnused = (text: string): string => {
  const names = new Set(Array.from(text.matchAll(definition), ([, name]) => name ?? ''));
  const shorter = Array.from(names).reduce((rest, name) => {
    const others = rest.replace(definition, (whole: string, own: string) => (own === name ? '' : whole));
    // Behind the letter of a line feed that printf writes, too.
    return new RegExp(`(\\b|\\\\n)${name}\\b`).test(others) ? rest : others;
  }, text);
  return shorter === text ? text : withoutUnused(shorter);
};

/**
 * A script with its libraries in place of the lines that name them: one text that needs no other file. Its comments stay
 * here, but for what it is for, and so do functions that it does not use: SSM takes 64 KB of a document.
 */
const inlined = (script: DocumentScript): string =>
  withoutUnused(
    read(`${script}.sh`)
      .replace(/^#!.*\n/, '')
      .replace(/^\. "\$\(dirname "\$0"\)\/(library\/[a-z-]+\.sh)"\n/gm, (_, library: string) => read(library))
      .replace(/^[ ]*#(?: .*)?\n/gm, ''),
  );

/** The content of a script's SSM document, schema 2.2. */
export const composeDocument = (script: DocumentScript): object => {
  const { description, parameters: own } = documents[script];
  const parameters: readonly ParameterName[] = [...commonParameters, ...own];
  const variables = parameters.map((name) => `${parameter[name].variable}='{{ ${name} }}'`);
  return {
    schemaVersion: '2.2',
    description,
    parameters: {
      ...Object.fromEntries(
        parameters.map((name) => {
          const { variable, ...definition }: Parameter = parameter[name];
          return [name, { type: 'String', ...definition }];
        }),
      ),
      ExecutionTimeout: {
        type: 'String',
        description: 'Seconds after which the agent kills the command.',
        default: '3600',
        allowedPattern: '^[1-9][0-9]{1,5}$',
      },
    },
    mainSteps: [
      {
        action: 'aws:runShellScript',
        // GetCommandInvocation takes no name of fewer than four characters.
        name: 'script',
        precondition: { StringEquals: ['platformType', 'Linux'] },
        inputs: {
          timeoutSeconds: '{{ ExecutionTimeout }}',
          runCommand: ['#!/bin/bash', ...variables, ...inlined(script).split('\n')],
        },
      },
    ],
  };
};

/** Every script that is a document. */
export const scripts: readonly DocumentScript[] = Object.keys(documents).filter(
  (name): name is DocumentScript => name in documents,
);

/** The content of every document by its name. */
export const composeDocuments = (): Readonly<Record<string, object>> =>
  Object.fromEntries(scripts.map((script) => [documentName(script), composeDocument(script)]));
