import { encodeList, encodeText } from '#domain/naming';

/**
 * What documents are given: for each what SSM lets through, and how a plan's value becomes it. No pattern lets a shell
 * metacharacter, a quote or white space other than a plain blank through.
 */

interface Kind<T> {
  /** In RE2, which takes no count above 1,000, nor nested ones. */
  readonly allowedPattern: string;
  /** The most characters. */
  readonly maxChars?: number;
  encode(value: T): string;
}

export interface Parameter<T> extends Kind<T> {
  readonly description: string;
}

const parameter = <T>(description: string, kind: Kind<T>): Parameter<T> => ({ description, ...kind });

const limit = (maxChars?: number) => (maxChars === undefined ? {} : { maxChars });

const text = (allowedPattern: string, maxChars?: number): Kind<string> => ({
  ...{ allowedPattern, ...limit(maxChars) },
  encode: (value) => value,
});

const number = (allowedPattern: string): Kind<number> => ({ allowedPattern, encode: String });

const choice = <const T extends string>(...values: readonly T[]): Kind<T> => ({
  allowedPattern: `^(${values.join('|')})$`,
  encode: (value) => value,
});

/** Words with a blank between. */
const words = (allowedPattern: string, maxChars?: number): Kind<readonly string[]> => ({
  ...{ allowedPattern, ...limit(maxChars) },
  encode: (value) => value.join(' '),
});

/** Any text, in base64url; may be empty. */
const encodedText = (maxChars: number): Kind<string> => ({
  ...{ allowedPattern: '^[A-Za-z0-9_-]*$', maxChars },
  encode: encodeText,
});

/** Any names or paths, a NUL between, in base64url; may be none. */
const encodedList = (maxChars: number): Kind<readonly string[]> => ({
  ...{ allowedPattern: '^[A-Za-z0-9_-]*$', maxChars },
  encode: encodeList,
});

/** At least one of them. */
const encodedNames = (maxChars: number): Kind<readonly string[]> => ({
  ...encodedList(maxChars),
  allowedPattern: '^[A-Za-z0-9_-]+$',
});

const bucketPattern = '[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]';
const fileName = '[A-Za-z0-9][A-Za-z0-9_.=-]{0,200}';
const moduleArchive = '[A-Za-z0-9]+-[a-z][a-z0-9_]*-[0-9][0-9A-Za-z.-]*';
const versionPattern = '[0-9][0-9A-Za-z.+-]{0,40}';
const longestPaths = 40_000;
const longestNames = 20_000;

/** Characters that a list of paths may take when it is encoded. */
export const maxPathsChars = longestPaths;

export const run = parameter('The run that sends the command.', text('^[A-Za-z0-9_-]{1,80}$'));
export const startBefore = parameter(
  'When it is too late to begin, in seconds since 1970.',
  number('^[1-9][0-9]{9,10}$'),
);
export const attempt = parameter('How often the run was redriven.', number('^[0-9]{1,4}$'));
export const handover = parameter(
  'Where an answer goes that is too long for Run Command: the bucket, and the prefix of the run.',
  text(`^${bucketPattern}/answers/[a-z0-9-]{2,32}/[A-Za-z0-9_.-]{1,80}$`),
);

/** In place of instances: whichever SSM finds. */
export const anyNode = 'any';
export const nodes = parameter(
  'The instances that the command is for, a blank between, or any.',
  words(`^(${anyNode}|i-[0-9a-f]{8,17}( i-[0-9a-f]{8,17})*)$`, 999),
);
export const nonce = parameter('What no other command has: a node takes it once.', text('^[0-9a-f-]{36}$'));
export const ticket = parameter(
  'The signature of the command, in base64: who has it was allowed to send this.',
  text('^[A-Za-z0-9+/]{342}==$'),
);

export const vault = parameter('The vault.', text(`^${bucketPattern}$`));
export const storedKey = parameter('The key, without suffix.', text('^backups/[A-Za-z0-9/_.:=-]{1,900}$'));
export const expectedBytes = parameter(
  'About how many bytes will be stored: sizes the parts of the upload.',
  number('^[1-9][0-9]{0,14}$'),
);
export const object = parameter('The key of an artifact.', text('^(backups|installers)/[A-Za-z0-9/_.:=-]{1,900}$'));
export const versionId = parameter(
  'Of an object: what was written to its key since is not asked for.',
  text('^[A-Za-z0-9._-]+$', 1_000),
);
export const sha256 = parameter('Of the stored bytes.', text('^[0-9a-f]{64}$'));
export const bytes = parameter('As stored.', number('^[1-9][0-9]{0,14}$'));
export const compression = parameter(
  'How Holdfast has packed it. What a product has packed itself stays as it is: none.',
  choice('zstd', 'gzip', 'none'),
);
export const url = parameter('Where a file is fetched from.', text('^https://[A-Za-z0-9][A-Za-z0-9/_.:+-]{0,500}$'));

export const fetchedFile = parameter('The fetched file.', text(`^${fileName}$`));
export const fetchedList = parameter('The fetched list of what a dump holds, and of settings.', text(`^${fileName}$`));
export const fetchedSettings = parameter(
  "The fetched archive of the master's settings, or nothing.",
  text(`^(${fileName})?$`),
);
export const fetchedAnswers = parameter('The fetched archive that holds the answers.', text(`^${fileName}$`));
export const handedAnswers = parameter(
  "The fetched answers that take the place of the backup's, or nothing.",
  text(`^(${fileName})?$`),
);
export const answersFile = parameter('The file that the installer is told by.', text('^/[A-Za-z0-9/_.-]+$', 200));

export const group = parameter('What the files are.', text('^[a-z][a-z0-9-]{0,40}$'));
export const paths = parameter('Absolute paths, a NUL between, in base64url.', encodedNames(longestPaths));
export const requiredPaths = parameter(
  'Absolute paths that an archive of the backup must hold, a NUL between, in base64url; may be empty.',
  encodedList(longestPaths),
);
export const keyPaths = parameter(
  'Absolute paths whose keys must be readable, a NUL between, in base64url.',
  encodedList(longestPaths),
);
export const roots = parameter(
  'Absolute paths to replace, a NUL between, in base64url; may be empty.',
  encodedList(longestPaths),
);
export const missingRoots = parameter(
  'Absolute paths that are put back only where nothing is, a NUL between, in base64url; may be empty.',
  encodedList(longestPaths),
);
export const excludes = parameter(
  'Absolute paths that stay, a NUL between, in base64url; may be empty.',
  encodedList(longestPaths),
);

export const onProblem = parameter(
  'What a problem on the node does. fail: it ends the command. report: the answer lists it.',
  choice('fail', 'report'),
);
export const services = parameter(
  'Names of services in the order of stopping, a blank between.',
  words('^([a-z0-9-]+( [a-z0-9-]+)*)?$', 2_000),
);
export const watchdogSeconds = parameter('When the node starts the services itself.', number('^[1-9][0-9]{0,5}$'));

export const database = parameter('The name of a database, in base64url.', {
  allowedPattern: '^[A-Za-z0-9_-]{1,400}$',
  encode: encodeText,
});
export const databases = parameter('Names of databases, a NUL between, in base64url.', encodedList(longestNames));
export const roles = parameter('Names of roles, a NUL between, in base64url.', encodedList(longestNames));
export const tablespaces = parameter('Names of tablespaces, a NUL between, in base64url.', encodedList(longestNames));
export const locations = parameter('Directories of tablespaces, one per line, in base64url.', {
  ...encodedList(longestNames),
  encode: (lines: readonly string[]) => encodeText(lines.join('\n')),
});
/** One of them may stand several times, in an order that counts. */
export const fields = parameter(
  'What a database is to be: name, owner, tablespace and more, a NUL behind each, in base64url.',
  {
    ...{ allowedPattern: '^[A-Za-z0-9_-]+$', maxChars: longestPaths },
    encode: (pairs: readonly (readonly [string, string])[]) =>
      encodeText(pairs.map(([key, value]) => `${key}=${value}\0`).join('')),
  },
);
export const knownSerial = parameter(
  'The greatest next serial number that is known of the authority, in hexadecimal; may be empty.',
  text('^[0-9A-F]*$', 64),
);

export const version = parameter('A version of Puppet Enterprise or Juju.', text(`^${versionPattern}$`));
export const agentVersion = parameter("A version of the agent's package.", text(`^${versionPattern}$`));
export const serverVersion = parameter(
  'A version of Puppet Enterprise, or nothing where only an agent is installed.',
  text(`^(${versionPattern})?$`),
);
export const modules = parameter(
  'Names of modules, a blank between.',
  words('^[a-z][a-z0-9_]*( [a-z][a-z0-9_]*)*$', 1_300),
);

export const moduleArchives = parameter(
  'Fetched archives of modules, a blank between; may be none.',
  words(`^(${moduleArchive}( ${moduleArchive})*)?$`, 2_600),
);

export const controller = parameter(
  'The name of an environment or controller; empty for the one that the client is switched to.',
  text('^([A-Za-z0-9][A-Za-z0-9._-]{0,99})?$'),
);
export const clientUser = parameter("The user whose home holds Juju's directory.", text('^[a-z_][a-z0-9_-]{0,31}$'));
export const driver = parameter('How this version of Juju makes a backup.', choice('plugin', 'stored', 'file'));
export const directory = parameter('Where Juju puts its backups, in base64url; may be empty.', encodedText(4_000));
export const instances = parameter(
  'Ids of EC2 instances, a blank between; may be empty.',
  words('^(i-[0-9a-f]{8,17}( i-[0-9a-f]{8,17}){0,20})?$'),
);
export const stopped = parameter('Whether a stopped instance counts as gone.', choice('allowed', 'refused'));
export const constraints = parameter(
  'What a new state server is to have, a blank between, in base64url; may be empty.',
  encodedText(1_400),
);
export const serverCount = parameter('How many state servers.', number('^[357]$'));
export const downgrade = parameter('Whether the backup may be of an older version.', choice('allowed', 'refused'));
export const secondsToWait = parameter('How long agents may take to report.', number('^[1-9][0-9]{0,4}$'));
export const stage = parameter('What of Juju is upgraded.', choice('controller', 'models'));
export const share = parameter('The share of machines that must report, in percent.', number('^([1-9][0-9]?|100)$'));
