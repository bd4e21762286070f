import * as z from 'zod';

/**
 * The one vocabulary of names: keys in the buckets, documents, tags. Builder and parser stand side by side.
 */

/** A system's id: it is part of keys, tags and resource names. */
export const SystemId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,30}[a-z0-9]$/, 'expected 2 to 32 lower-case letters, digits and hyphens, a letter first');

/** A backup's id: its slot or start, basic ISO 8601 in UTC, sortable as text. */
export const BackupId = z.string().regex(/^\d{8}T\d{6}Z$/, 'expected a backup id such as 20261120T020000Z');

const plainRun = /^[A-Za-z0-9_-]{1,80}$/;

/** FNV-1a of a text's bytes, eight hexadecimal digits. */
const shortHash = (text: string): string =>
  new TextEncoder()
    .encode(text)
    .reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193) >>> 0, 0x811c9dc5)
    .toString(16)
    .padStart(8, '0');

/**
 * Returns the id of the run whose execution has this name: the name itself, unless it has characters that Step Functions takes and
 * that a key, a path and a document's parameter had better not hold. `restore.friday` is `restore-friday-` and a checksum.
 */
export const runId = (name: string): string =>
  plainRun.test(name)
    ? name
    : `${Array.from(name, (one) => (/[A-Za-z0-9_-]/.test(one) ? one : '-'))
        .join('')
        .slice(0, 71)}-${shortHash(name)}`;

/** A run by the name of its execution, as Step Functions takes names; what comes out is the run's id. */
export const RunId = z
  .string()
  .regex(/^[^\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}]{1,80}$/u, 'expected an execution name')
  .transform(runId);

/** The name of an execution by its ARN. */
export const executionName = (arn: string): string => arn.split(':').at(-1) ?? arn;

/** A phase's name, part of a key. */
export const PhaseName = z.string().regex(/^[a-z][a-z0-9-]{0,40}$/);

/** An EC2 instance's id. */
export const InstanceId = z.string().regex(/^i-[0-9a-f]{8,17}$/, 'expected an instance id such as i-0123456789abcdef0');

/** The id of the backup that belongs to this moment; parts of a second are cut off. */
export const backupId = (moment: Date): string => `${moment.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;

/** The moment that a backup's id stands for. Throws a RangeError when the id is none. */
export const backupMoment = (id: string): Date => {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(id);
  const moment = new Date(
    parts ? `${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}:${parts[6]}Z` : Number.NaN,
  );
  if (Number.isNaN(moment.getTime())) throw new RangeError(`not a backup id: ${id}`);
  return moment;
};

/**
 * The ARN of an instance, from that of a run's execution: both are of one account and region. Part of keys, since it is all that
 * the policy of an instance profile knows of the instance that asks.
 */
export const instanceArn = (executionArn: string, instanceId: string): string => {
  const { partition, account, region } = parseArn(executionArn);
  return `arn:${partition}:ec2:${region}:${account}:instance/${instanceId}`;
};

/** The part of an artifact's key that names it in its node's share of the backup: `databases/console.dump.zst`. */
export const artifactName = (key: string): string => key.split('/').slice(5).join('/');

/** Where things lie in the vault bucket. What a key begins with is part of its type: a verb's row says which keys it may use. */
export const vaultKeys = {
  system: (system: string) => `backups/${system}/` as const,
  backup: (system: string, backup: string) => `backups/${system}/${backup}/` as const,
  /** What a node, known by its instance's ARN, puts into the vault: its policy lets it write below no other's. */
  artifact: (system: string, backup: string, nodeArn: string, artifact: string) =>
    `backups/${system}/${backup}/${nodeArn}/${artifact}` as const,
  catalogs: 'catalog/',
  catalog: (system: string) => `catalog/${system}/` as const,
  manifest: (system: string, backup: string) => `catalog/${system}/${backup}.json` as const,
  /** What became of a backup's retention since its commit. */
  history: (system: string, backup: string) => `catalog/${system}/${backup}.history.json` as const,
  installers: (system: string) => `installers/${system}/` as const,
  /** A product's installer, put there by a person, where no node may write. */
  installer: (system: string, name: string) => `installers/${system}/${name}` as const,
  isInstaller: (key: string): boolean => key.startsWith('installers/'),
  /** What nodes hand to each other while they are upgraded, each below its own ARN; it ends with the run. */
  upgrade: (system: string, run: string) => `backups/${system}/upgrades/${runId(run)}/` as const,
  /** Where a check begins uploads, and takes them back, each node below its own ARN. */
  check: (system: string, run: string) => `backups/${system}/checks/${runId(run)}/` as const,
} as const;

/** The key that signs manifests, as KMS finds it. */
export const manifestKey = 'alias/holdfast-manifests';

/** The key that signs the tickets of commands. */
export const ticketKey = 'alias/holdfast-tickets';

/** How many nodes at once, or which share of them: at least one, or SSM refuses the command. */
export const Concurrency = z
  .string()
  .regex(/^([1-9]\d{0,5}|[1-9]\d?%|100%)$/, 'expected a number from 1 on, or a percentage from 1% to 100%');

/** A number of nodes, or a share of them. */
export const Share = z
  .string()
  .regex(/^(0|[1-9]\d{0,5}|[1-9]?\d%|100%)$/, 'expected a number or a percentage such as 10%');

/** The backup's id in a manifest's key, or undefined when the key is no manifest's. */
export const parseManifestKey = (key: string): { system: string; backup: string } | undefined => {
  const parts = /^catalog\/([^/]+)\/(\d{8}T\d{6}Z)\.json$/.exec(key);
  return parts?.[1] && parts[2] ? { system: parts[1], backup: parts[2] } : undefined;
};

/** The backup's id in a history's key, or undefined when the key is none's. */
export const parseHistoryKey = (key: string): { system: string; backup: string } | undefined => {
  const parts = /^catalog\/([^/]+)\/(\d{8}T\d{6}Z)\.history\.json$/.exec(key);
  return parts?.[1] && parts[2] ? { system: parts[1], backup: parts[2] } : undefined;
};

/** Where things lie in the state bucket. A run is named by its id or by its execution. */
export const stateKeys = {
  lock: (system: string) => `locks/${system}.json` as const,
  run: (run: string) => `runs/${runId(run)}/run.json` as const,
  plan: (run: string) => `runs/${runId(run)}/plan.json` as const,
  phase: (run: string, phase: string) => `runs/${runId(run)}/phases/${phase}.json` as const,
  failure: (run: string) => `runs/${runId(run)}/failure.json` as const,
  /** Answers of a system's nodes: all that these may write here. */
  answersOf: (system: string) => `answers/${system}/` as const,
  /** Answers of a run that are too long for Run Command, without a slash at the end. */
  answers: (system: string, run: string) => `answers/${system}/${runId(run)}` as const,
  answer: (system: string, run: string, commandId: string, instanceId: string) =>
    `answers/${system}/${runId(run)}/${commandId}/${instanceId}.json` as const,
  /** What a run that waits for an approval is to be told by, and what is to be approved. */
  approval: (run: string) => `runs/${runId(run)}/approval.json` as const,
  /** What was decided on a run, one object for each who has decided. */
  decisions: (run: string) => `decisions/${runId(run)}/` as const,
  /** By IAM's own name for whoever decides: their policy lets them write no other's. */
  decision: (run: string, callerId: string) => `decisions/${runId(run)}/${callerId}.json` as const,
  /** The schedules that a run has paused. */
  paused: (run: string) => `runs/${runId(run)}/paused.json` as const,
  /** How far a verification has come. */
  verification: (run: string) => `runs/${runId(run)}/verification.json` as const,
  /** The systems that are deployed. */
  deployed: 'deployed/systems.json',
  /** What a check has found. */
  check: (run: string) => `runs/${runId(run)}/check.json` as const,
  /** The backup that was taken before a run's changes. */
  safety: (run: string) => `runs/${runId(run)}/safety.json` as const,
} as const;

/** The bytes of a text in UTF-8. A lone surrogate U+DC80 to U+DCFF stands for a byte that is none: a file's name may hold any. */
const bytesOf = (text: string): readonly number[] =>
  text
    .split(/([\udc80-\udcff])/u)
    .flatMap((part, index) => (index % 2 === 1 ? [part.charCodeAt(0) & 0xff] : [...new TextEncoder().encode(part)]));

/** A text in base64url without padding: how names and paths reach a document, since it holds nothing a shell minds. */
export const encodeText = (text: string): string =>
  btoa(Array.from(bytesOf(text), (byte) => String.fromCharCode(byte)).join(''))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

/** Paths in one parameter: a NUL stands between them, the only character that no path holds. */
export const encodeList = (paths: readonly string[]): string => encodeText(paths.join('\0'));

/** The text of bytes in UTF-8; where they are none, each byte beyond ASCII becomes a lone surrogate. */
const textOf = (bytes: Uint8Array): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte)).join('');
  }
};

/** The text that `encodeText` was given. */
export const decodeText = (encoded: string): string =>
  textOf(
    Uint8Array.from(atob(encoded.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0)),
  );

/** The paths that `encodeList` was given. */
export const decodeList = (encoded: string): readonly string[] =>
  atob(encoded.replaceAll('-', '+').replaceAll('_', '/'))
    .split('\0')
    .filter((path) => path !== '')
    .map((path) => textOf(Uint8Array.from(path, (character) => character.charCodeAt(0))));

/** A name as it may stand in a key: what is not plain is percent-encoded, so that two names never meet in one key. */
export const keySafe = (name: string): string =>
  Array.from(bytesOf(name), (byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9_.-]/.test(character) ? character : `=${byte.toString(16).padStart(2, '0')}`;
  }).join('');

/** The tags that bind resources to a system, and an object to its retention. */
export const tagKeys = {
  system: 'holdfast:system',
  role: 'holdfast:role',
  retention: 'holdfast:retention',
  restore: 'holdfast:restore',
} as const;

/** The value of a restore's tag: the nodes that may read the object. Their policies look for their own ARN in it. */
export const readersTag = (nodeArns: readonly string[]): string => `@${nodeArns.join('@')}@`;

/** Its value on what is for more nodes than a tag has room for, modules say: every node of the system. */
export const everyReader = '@all@';

/** Characters of a tag's value in S3: the ARNs of three instances. */
export const longestTag = 256;

/** The vault's name: known from account and region alone, so that the command line needs no configuration. */
export const vaultBucketName = (account: string, region: string): string => `holdfast-vault-${account}-${region}`;

/** The state bucket's name. */
export const stateBucketName = (account: string, region: string): string => `holdfast-state-${account}-${region}`;

/** Partition, region and account of an ARN. Throws a RangeError when the text is none. */
export const parseArn = (arn: string): { partition: string; account: string; region: string } => {
  const [prefix, partition, , region, account] = arn.split(':');
  if (prefix !== 'arn' || !partition || !region || !account)
    throw new RangeError(`not an ARN with region and account: ${arn}`);
  return { partition, account, region };
};

const consoleDomains: Readonly<Record<string, string>> = {
  aws: 'console.aws.amazon.com',
  'aws-cn': 'console.amazonaws.cn',
  'aws-us-gov': 'console.amazonaws-us-gov.com',
};

/** Where an execution is seen in the console of AWS; undefined in a partition that this version does not know. */
export const consoleUrl = (executionArn: string): string | undefined => {
  const domain = consoleDomains[executionArn.split(':')[1] ?? ''];
  if (domain === undefined) return undefined;
  const { region } = parseArn(executionArn);
  return `https://${region}.${domain}/states/home?region=${region}#/v2/executions/details/${executionArn}`;
};

/** The kinds of systems. */
export const systemKinds = ['puppet-enterprise', 'juju'] as const;

export const stateMachineNames = [
  'backup',
  'restore',
  'restore-puppet',
  'restore-juju',
  'upgrade',
  'upgrade-puppet',
  'upgrade-juju',
  'verify',
  'hold',
  'run-phase',
  'undo',
] as const;
export type StateMachineName = (typeof stateMachineNames)[number];

/** The machines that people and schedules start: when one is aborted or times out, a rule undoes it. */
export const undoneMachines = ['backup', 'restore', 'upgrade'] as const satisfies readonly StateMachineName[];

/** A name of several words in one, `AcquireLock` from `acquire-lock`. */
export const pascal = (name: string): string =>
  name.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());

/** The name of a verb's function, `holdfast-acquire-lock`. */
export const functionName = (verb: string): string => `holdfast-${verb}`;

/** The name of a state machine, `holdfast-backup`. */
export const stateMachineName = (machine: StateMachineName): string => `holdfast-${machine}`;

/** The placeholder that stands for a function's ARN in a state machine's file. */
export const functionPlaceholder = (verb: string): string => `${pascal(verb)}FunctionArn`;

/** The placeholder that stands for a state machine's ARN in a state machine's file. */
export const stateMachinePlaceholder = (machine: StateMachineName): string => `${pascal(machine)}StateMachineArn`;

/** The group of all our schedules. */
export const scheduleGroup = 'holdfast';

/** A schedule's name in the configuration. */
export const ScheduleName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,30}$/, 'expected a name of lower-case letters, digits and hyphens');

/** The name of a system's schedule in EventBridge Scheduler, which takes 64 characters. Neither part holds a dot. */
export const scheduleName = (system: string, name: string): string => `${system}.${name}`;

/** The name of the schedule that verifies a system's backups. */
export const verifyScheduleName = (system: string): string => `${system}.verify.monthly`;

/** The name of an SSM document, `Holdfast-DumpDatabase`, from its script's name, `dump-database`. */
export const documentName = (script: string): string => `Holdfast-${pascal(script)}`;

/** The metrics of a system: their publishers and their alarms must name the very same dimensions. */
export const systemMetrics = {
  namespace: 'Holdfast',
  names: {
    /** Of the newest good backup. */
    age: 'BackupAgeSeconds',
    duration: 'BackupSeconds',
    bytes: 'BackupBytes',
    /** How many times larger, or smaller, it is than the five before it: at least 1. */
    deviation: 'BackupSizeDeviation',
    /** Since a backup was last read back whole. */
    verificationAge: 'VerificationAgeSeconds',
    /** Uploads that nobody ends any more. */
    orphanUploads: 'OrphanUploads',
    /** 1 when the janitor did nothing since it would have touched too much. */
    janitorRefused: 'JanitorRefused',
    /** Committed objects on which another version lies. */
    replacedObjects: 'ReplacedObjects',
  },
  dimensions: (system: string) => ({ service: 'holdfast', System: system }),
} as const;

/** What is measured over all systems: one alarm for all costs as much as one for each. */
export const fleetMetrics = {
  namespace: systemMetrics.namespace,
  /** Days until the first certificate authority of a newest good backup, or its revocation list, ends. */
  authorityDaysLeft: 'AuthorityDaysLeft',
  /** Committed backups whose manifest or history cannot be read, or is not believed. */
  unreadableBackups: 'UnreadableBackups',
  dimensions: { service: 'holdfast' },
} as const;

export const systemMetricNames = [
  'age',
  'duration',
  'bytes',
  'deviation',
  'verificationAge',
  'orphanUploads',
  'janitorRefused',
  'replacedObjects',
] as const satisfies readonly (keyof typeof systemMetrics.names)[];
export type SystemMetric = (typeof systemMetricNames)[number];
