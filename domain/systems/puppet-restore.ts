import { coreRoles } from '#domain/config';
import { finishRestore, replaceFiles, startServices, stopServices } from '#domain/contracts/shared';
import type { Database } from '#domain/inspection';
import { artifactName } from '#domain/naming';
import { type Command, commandsOn, type Phase } from '#domain/plan';
import { answersFileOf } from './puppet-answers.ts';
import { knownSerial } from './puppet-authority.ts';
import {
  checkHealth,
  configurePuppet,
  countRows,
  dropDatabases,
  forgetCatalog,
  inspectPuppet,
  installPuppet,
  keepAuthority,
  mergeAuthority,
  prepareInstallation,
  prepareTablespaces,
  purgePuppet,
  restartPostgresql,
  restoreDatabase,
  restoreGlobals,
  setOwners,
  setUpPuppetdbSsl,
  swapDatabases,
} from './puppet-documents.ts';
import { type InspectedNode, orderOfStopping } from './puppet-enterprise.ts';
import { type PuppetRestorePhase, puppetRestorePhases } from './puppet-procedures.ts';
import { hasRoomBeside } from './puppet-restore-check.ts';
import {
  artifactsOf,
  fetchedName,
  fetchesOf,
  handedAnswers,
  isCore,
  type PuppetRestore,
  type RestoreTarget,
  restoredArchives,
  restoresCertificates,
  restoresDatabases,
  rolesToDrop,
  runningThen,
  stoppedBy,
  tablespacesToDrop,
  wantedDatabases,
} from './puppet-restore-scope.ts';
import { dataSeconds, fetching } from './transfer.ts';

/** What a restore of Puppet Enterprise does, on one node or many: the manual's steps, made right. */

/** The node recovers by itself when nobody has for this long: two steps of data may follow each other. */
const watchdogSeconds = 2 * dataSeconds + 3600;
/** The name of handed-in answers on a node. */
const handedName = 'answers';

/** What a restored database is to be, in the order that restore-database reads it in. */
export const fieldsOf = (of: Database): readonly (readonly [string, string])[] => [
  ['name', of.name],
  ['owner', of.owner],
  ['tablespace', of.tablespace],
  ['encoding', of.encoding],
  ['collate', of.collate],
  ['ctype', of.ctype],
  ['limit', String(of.connectionLimit)],
  ['template', String(of.isTemplate)],
  ['comment', of.comment],
  ['acl', of.acl],
  ['schema', of.publicOwner],
  ...of.extensions.map((name) => ['extension', name] as const),
];

type CommandsOf<P extends PuppetRestorePhase> = Readonly<Record<P, readonly Command[]>>;

/** The installer, the answers for it and the backup's objects, brought to the node. */
const fetchCommands = (of: PuppetRestore, target: RestoreTarget): readonly Command[] => {
  const fetch = fetching(of.vaultBucket, target.node);
  const installer = installerFor(of, target);
  const handed = installer && handedAnswers(of, target.source);
  return [
    ...fetchesOf(of, target).map((upload) => fetch(upload, fetchedName(upload.key), artifactName(upload.key))),
    ...(installer === undefined ? [] : [fetch(installer, 'installer.tar', 'installer')]),
    ...(handed === undefined ? [] : [fetch(handed, handedName, 'answers')]),
  ];
};

/** The installer that the node is installed again with; undefined where it stays as it is. */
const installerFor = (of: PuppetRestore, { whole, source }: RestoreTarget): PuppetRestore['installer'] =>
  whole && isCore(source) ? of.installer : undefined;

type ReinstallPhase = Extract<PuppetRestorePhase, 'prepare-installation' | 'purge' | `reinstall-${string}`>;

/** The product removed and reinstalled, by the backup's answers. */
const reinstallCommands = (of: PuppetRestore, target: RestoreTarget): CommandsOf<ReinstallPhase> => {
  const { node, source } = target;
  const command = commandsOn(node);
  const { version } = source.inspection;
  const installation = { Name: 'installer.tar', AnswersFile: answersFileOf(version), Version: version };
  const answers = restoredArchives(of, target).find(({ archive }) => archive.group === 'configuration')?.archive;
  const commands = {
    'prepare-installation': [],
    purge: [],
    'reinstall-master': [],
    'reinstall-puppetdb': [],
    'reinstall-console': [],
  };
  if (installerFor(of, target) === undefined || answers === undefined) return commands;
  // The manual's order: each of master, PuppetDB and console asks the one before.
  const stage = coreRoles.find((role) => source.roles.includes(role)) ?? 'master';
  return {
    ...commands,
    'prepare-installation': [
      command(prepareInstallation, {
        ...installation,
        AnswersArchive: fetchedName(answers.upload.key),
        HandedAnswers: handedAnswers(of, source) === undefined ? '' : handedName,
      }),
    ],
    purge: [command(purgePuppet, { Name: installation.Name })],
    [`reinstall-${stage}`]: [command(installPuppet, installation, { seconds: 7200 })],
  };
};

type DatabasePhase = Extract<
  PuppetRestorePhase,
  | 'restart-postgresql'
  | 'drop-databases'
  | 'prepare-tablespaces'
  | 'restore-globals'
  | 'restore-databases'
  | 'swap-databases'
  | 'count-rows'
>;

/** Databases and what they stand on, replaced by those of the backup, the largest first. */
const databaseCommands = (of: PuppetRestore, target: RestoreTarget): CommandsOf<DatabasePhase> => {
  const databases = wantedDatabases(of, target).toSorted((a, b) => b.bytes - a.bytes);
  if (databases.length === 0)
    return {
      'restart-postgresql': [],
      'drop-databases': [],
      'prepare-tablespaces': [],
      'restore-globals': [],
      'restore-databases': [],
      'swap-databases': [],
      'count-rows': [],
    };
  const command = commandsOn(target.node);
  const Databases = databases.map(({ name }) => name);
  const artifacts = artifactsOf(of, target);
  const [globals] = artifacts.flatMap(({ collected }) => (collected.kind === 'globals' ? [collected.upload.key] : []));
  const dumped = databases.flatMap((database) =>
    artifacts.flatMap(({ collected }) =>
      collected.kind === 'database' && collected.database === database.name ? [{ database, dump: collected }] : [],
    ),
  );
  const globalsMode = of.request.databases === 'globals';
  const dropFirst = globalsMode || !hasRoomBeside(of, target);
  return {
    'restart-postgresql': [command(restartPostgresql, { Databases })],
    'drop-databases': dropFirst
      ? [
          command(dropDatabases, {
            Databases,
            Roles: globalsMode ? rolesToDrop(target) : [],
            Tablespaces: globalsMode ? tablespacesToDrop(target) : [],
          }),
        ]
      : [],
    'prepare-tablespaces': [
      command(prepareTablespaces, {
        Locations: (target.source.inspection.postgres?.tablespaces ?? []).map(({ location }) => location),
      }),
    ],
    'restore-globals': globals === undefined ? [] : [command(restoreGlobals, { Name: fetchedName(globals) })],
    'restore-databases': dumped.map(({ database, dump }) =>
      command(
        restoreDatabase,
        { Name: fetchedName(dump.upload.key), Contents: fetchedName(dump.contents.key), Spec: fieldsOf(database) },
        { what: database.name, seconds: dataSeconds },
      ),
    ),
    'swap-databases': [command(swapDatabases, { Databases })],
    'count-rows': dumped.map(({ database: { name }, dump }) =>
      command(
        countRows,
        { Name: fetchedName(dump.contents.key), Database: name },
        { what: name, seconds: dataSeconds },
      ),
    ),
  };
};

type CertificatePhase = Extract<
  PuppetRestorePhase,
  'keep-authority' | 'merge-authority' | 'set-owners' | 'set-up-puppetdb-ssl' | 'forget-catalog'
>;

/** Certificates, and what the authority has signed since, in what comes back. */
const certificateCommands = (of: PuppetRestore, target: RestoreTarget): CommandsOf<CertificatePhase> => {
  const { inspection } = target.source;
  const command = commandsOn(target.node);
  const certificates = restoresCertificates(of, target);
  const authority = certificates && inspection.certificateAuthority !== null;
  return {
    'keep-authority': authority ? [command(keepAuthority, {})] : [],
    'merge-authority': authority ? [command(mergeAuthority, { KnownSerial: knownSerial(of, target) })] : [],
    'set-owners': certificates ? [command(setOwners, {})] : [],
    'set-up-puppetdb-ssl': certificates && inspection.roles.includes('puppetdb') ? [command(setUpPuppetdbSsl, {})] : [],
    'forget-catalog': certificates ? [command(forgetCatalog, {})] : [],
  };
};

/** The commands of every phase for one node. */
const commandsOf = (of: PuppetRestore, target: RestoreTarget): CommandsOf<PuppetRestorePhase> => {
  const { node, source } = target;
  const command = commandsOn(node);
  const services = stoppedBy(of);
  const started = runningThen(target, of.request.scope ? services : orderOfStopping);
  return {
    fetch: fetchCommands(of, target),
    ...reinstallCommands(of, target),
    'stop-services':
      services.length > 0 ? [command(stopServices, { Services: services, WatchdogSeconds: watchdogSeconds })] : [],
    ...databaseCommands(of, target),
    'replace-files': restoredArchives(of, target).map(
      ({ archive: { group, upload }, part: { roots, missing, excludes } }) =>
        command(
          replaceFiles,
          { Name: fetchedName(upload.key), Roots: roots, MissingRoots: missing, Excludes: excludes },
          { what: group, seconds: dataSeconds },
        ),
    ),
    ...certificateCommands(of, target),
    'inspect-restored': [command(inspectPuppet, { OnProblem: 'report' })],
    'start-services': [command(startServices, { Services: started })],
    // From 2015.2 on the product fixes rights and settings by itself when it is told to.
    configure:
      source.roles.includes('master') && !source.inspection.version.startsWith('3.')
        ? [command(configurePuppet, {})]
        : [],
    'check-health': [command(checkHealth, { Services: [...runningThen(target, ['pe-postgresql']), ...started] })],
    finish: [command(finishRestore, {})],
  };
};

/** What a node that gets nothing back has to do: its services write to databases that are replaced. */
const bystanderCommands = (
  of: PuppetRestore,
  { node, inspection }: InspectedNode,
): Readonly<Partial<Record<PuppetRestorePhase, Command[]>>> => {
  const running = new Set(inspection.services.filter((one) => one.running).map(({ name }) => name));
  const services = stoppedBy(of).filter((name) => running.has(name));
  if (services.length === 0 || !restoresDatabases(of)) return {};
  const command = commandsOn(node);
  return {
    'stop-services': [command(stopServices, { Services: services, WatchdogSeconds: watchdogSeconds })],
    'start-services': [command(startServices, { Services: [] })],
    'check-health': [command(checkHealth, { Services: services })],
  };
};

/** The phases of a restore, every one of `puppetRestorePhases` in its order. */
export const planPuppetRestore = (of: PuppetRestore): readonly Phase[] => {
  const perNode = [
    ...of.targets.map((target) => commandsOf(of, target)),
    ...of.bystanders.map((bystander) => bystanderCommands(of, bystander)),
  ];
  return puppetRestorePhases.map((name) => ({ name, commands: perNode.flatMap((commands) => commands[name] ?? []) }));
};
