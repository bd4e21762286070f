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
  replacementOf,
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

/** The commands of every phase for one node. */
const commandsOf = (
  of: PuppetRestore,
  target: RestoreTarget,
): Readonly<Record<PuppetRestorePhase, readonly Command[]>> => {
  const { node, source } = target;
  const { request } = of;
  const command = commandsOn(node);
  const databases = wantedDatabases(of, target).toSorted((a, b) => b.bytes - a.bytes);
  const Databases = databases.map(({ name }) => name);
  const artifacts = artifactsOf(of, target);
  const globals = artifacts.flatMap(({ collected }) => (collected.kind === 'globals' ? [collected.upload.key] : []))[0];
  const dumps = new Map(
    artifacts.flatMap(({ collected }) =>
      collected.kind === 'database' ? [[collected.database, collected] as const] : [],
    ),
  );
  const globalsMode = request.databases === 'globals';
  const dropFirst = globalsMode || !hasRoomBeside(of, target);
  const replacements = artifacts.flatMap(({ collected }) => {
    if (collected.kind !== 'files') return [];
    const part = replacementOf(of, target, collected.group);
    return part ? [{ group: collected.group, key: collected.upload.key, ...part }] : [];
  });
  const certificates = restoresCertificates(of, target);
  const services = stoppedBy(of);
  const started = runningThen(target, request.scope ? services : orderOfStopping);
  const answers = replacements.find(({ group }) => group === 'configuration');
  const fetch = fetching(of.vaultBucket, node);
  const installer = target.whole && isCore(source) ? of.installer : undefined;
  const { version } = source.inspection;
  const installation = { Name: 'installer.tar', AnswersFile: answersFileOf(version), Version: version };
  const handed = installer === undefined ? undefined : handedAnswers(of, source);
  // The manual's order: each of master, PuppetDB and console asks the one before.
  const stage = coreRoles.find((role) => source.roles.includes(role)) ?? 'master';
  const reinstallation = installer !== undefined && answers !== undefined;
  const reinstall = (role: (typeof coreRoles)[number]): readonly Command[] =>
    reinstallation && role === stage ? [command(installPuppet, installation, { seconds: 7200 })] : [];
  const replacesDatabases = databases.length > 0;
  const authority = certificates && source.inspection.certificateAuthority !== null;
  return {
    fetch: [
      ...fetchesOf(of, target).map((upload) => fetch(upload, fetchedName(upload.key), artifactName(upload.key))),
      ...(installer === undefined ? [] : [fetch(installer, 'installer.tar', 'installer')]),
      ...(handed === undefined ? [] : [fetch(handed, handedName, 'answers')]),
    ],
    'prepare-installation': reinstallation
      ? [
          command(prepareInstallation, {
            ...installation,
            AnswersArchive: fetchedName(answers.key),
            HandedAnswers: handed === undefined ? '' : handedName,
          }),
        ]
      : [],
    purge: reinstallation ? [command(purgePuppet, { Name: installation.Name })] : [],
    'reinstall-master': reinstall('master'),
    'reinstall-puppetdb': reinstall('puppetdb'),
    'reinstall-console': reinstall('console'),
    'stop-services':
      services.length > 0 ? [command(stopServices, { Services: services, WatchdogSeconds: watchdogSeconds })] : [],
    'keep-authority': authority ? [command(keepAuthority, {})] : [],
    'restart-postgresql': replacesDatabases ? [command(restartPostgresql, { Databases })] : [],
    'drop-databases':
      replacesDatabases && dropFirst
        ? [
            command(dropDatabases, {
              Databases,
              Roles: globalsMode ? rolesToDrop(target) : [],
              Tablespaces: globalsMode ? tablespacesToDrop(target) : [],
            }),
          ]
        : [],
    'prepare-tablespaces': replacesDatabases
      ? [
          command(prepareTablespaces, {
            Locations: (source.inspection.postgres?.tablespaces ?? []).map(({ location }) => location),
          }),
        ]
      : [],
    'restore-globals':
      replacesDatabases && globals !== undefined ? [command(restoreGlobals, { Name: fetchedName(globals) })] : [],
    'restore-databases': databases.flatMap((database) => {
      const dump = dumps.get(database.name);
      return dump
        ? [
            command(
              restoreDatabase,
              {
                Name: fetchedName(dump.upload.key),
                Contents: fetchedName(dump.contents.key),
                Spec: fieldsOf(database),
              },
              { what: database.name, seconds: dataSeconds },
            ),
          ]
        : [];
    }),
    'swap-databases': replacesDatabases ? [command(swapDatabases, { Databases })] : [],
    'replace-files': replacements.map(({ group, key, roots, missing, excludes }) =>
      command(
        replaceFiles,
        { Name: fetchedName(key), Roots: roots, MissingRoots: missing, Excludes: excludes },
        { what: group, seconds: dataSeconds },
      ),
    ),
    'merge-authority': authority ? [command(mergeAuthority, { KnownSerial: knownSerial(of, target) })] : [],
    'set-owners': certificates ? [command(setOwners, {})] : [],
    'set-up-puppetdb-ssl':
      certificates && source.inspection.roles.includes('puppetdb') ? [command(setUpPuppetdbSsl, {})] : [],
    'forget-catalog': certificates ? [command(forgetCatalog, {})] : [],
    'count-rows': databases.flatMap(({ name }) => {
      const dump = dumps.get(name);
      return dump
        ? [
            command(
              countRows,
              { Name: fetchedName(dump.contents.key), Database: name },
              { what: name, seconds: dataSeconds },
            ),
          ]
        : [];
    }),
    'inspect-restored': [command(inspectPuppet, { Purpose: 'rescue' })],
    'start-services': [command(startServices, { Services: started })],
    // From 2015.2 on the product mends rights and settings by itself when it is told to.
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
