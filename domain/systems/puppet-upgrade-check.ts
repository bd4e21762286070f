import { coreRoles } from '#domain/config';
import { spaceFault } from '#domain/inspection';
import { instancesPerCommand } from '#domain/plan';
import { answersFileOf, hasSettings } from './puppet-answers.ts';
import { isKnownVersion } from './puppet-enterprise.ts';
import {
  agentSelectors,
  compare,
  compilers,
  coreOf,
  inStage,
  isOld,
  isWanted,
  moduleOf,
  neededModules,
  type PuppetUpgrade,
  pendingCore,
  stageOf,
} from './puppet-upgrade-scope.ts';
import { agentHost, scriptUrl } from './puppet-upgrade-scripts.ts';

/** What is against an upgrade of Puppet Enterprise, told before anything is changed. */

/** Why a version can't follow another one in place, for people; undefined when it can. */
export const versionFault = (from: string, to: string): string | undefined => {
  if (!isKnownVersion(to))
    return `${to} is not among the versions that this procedure covers, 3.0 to 3.8 and 2015.2 to 2018.1`;
  if (compare(from, to) > 0)
    return `${to} is older than ${from}, which is installed: an upgrade never goes back. Restore a backup of ${to} instead`;
  if (isOld(from) && !isOld(to))
    return `${from} cannot be upgraded to ${to} in place: install ${to} beside it and migrate the data, as its manual says`;
  if (!isOld(from) && compare(from, '2016.4') < 0 && compare(to, '2016.5') >= 0)
    return `${from} must be upgraded to the latest 2016.4 first, then to ${to}`;
  return undefined;
};

/** PostgreSQL by the version of Puppet Enterprise that brings it. */
const postgresOf = (version: string): string =>
  isOld(version) ? '9.2' : compare(version, '2017.2') < 0 ? '9.4' : '9.6';

/** A new major version of PostgreSQL gets a copy of all data. */
const spaceFaults = (of: PuppetUpgrade): readonly string[] =>
  pendingCore(of).flatMap(({ node, inspection }) => {
    if (!inspection.postgres || postgresOf(inspection.version) === postgresOf(of.request.version)) return [];
    const data = inspection.space.find(({ path }) => path.endsWith('/data'));
    const needed = inspection.postgres.databases.reduce((sum, { bytes }) => sum + bytes, 0) * 1.1;
    const what = `the databases' move to PostgreSQL ${postgresOf(of.request.version)} needs`;
    return data ? spaceFault(node.name, data, what, needed) : [];
  });

/** Compile masters that lack modules which agents need, and which this upgrade does not install, for people. */
const missingModules = (of: PuppetUpgrade): readonly string[] => {
  if (!isWanted(of, 'agents')) return [];
  const brought = new Set(of.request.modules.map(({ name }) => moduleOf(name)));
  return compilers(of.nodes).flatMap(({ node, preflight }) => {
    const missing = neededModules(of).filter((name) => !preflight.modules.includes(name) && !brought.has(name));
    return missing.length === 0
      ? []
      : [
          `${node.name} lacks ${missing.length === 1 ? 'the module' : 'the modules'} ${missing.join(', ')}, which agents need: puppet module install puppetlabs-${missing[0]}, or --install-modules`,
        ];
  });
};

/** Every reason why an upgrade must not begin, for people; empty when it may. */
export const checkPuppetUpgrade = (of: PuppetUpgrade): readonly string[] => {
  const versions = coreOf(of.nodes).flatMap(({ node, inspection, preflight }) => {
    const fault = versionFault(preflight.interrupted || inspection.version, of.request.version);
    return fault === undefined ? [] : [`${node.name}: ${fault}`];
  });
  const earlier = coreOf(of.nodes).flatMap(({ node, inspection }) =>
    isWanted(of, coreRoles.find((role) => role === stageOf(node)) ?? 'master') ||
    inspection.version === of.request.version
      ? []
      : [`${node.name} has ${inspection.version}, and "from" skips its stage: begin with ${stageOf(node)}`],
  );
  // PuppetDB and console are given the master's pe.conf.
  const answers = (hasSettings(of.request.version) ? inStage(pendingCore(of), 'master') : pendingCore(of)).flatMap(
    ({ node, inspection }) =>
      inspection.answers.includes(answersFileOf(of.request.version))
        ? []
        : [
            `${node.name} has no ${answersFileOf(of.request.version)}, without which the installer would ask: write it as the manual of ${of.request.version} says`,
          ],
  );
  return [
    ...of.absent.map((what) => `every node must be there: ${what}`),
    ...(of.request.installer === undefined && pendingCore(of).length > 0
      ? ['the installer of master, PuppetDB and console is needed: {name, sha256} or {url, sha256}']
      : []),
    ...versions,
    ...earlier,
    ...answers,
    ...of.scripts.flatMap(({ host, problem }) => (problem === '' ? [] : [`${host}: ${problem}`])),
    ...of.nodes.flatMap(({ node, preflight }) => preflight.problems.map((problem) => `${node.name}: ${problem}`)),
    ...(agentSelectors(of).length > 0 ? missingModules(of) : []),
    ...spaceFaults(of),
  ];
};

/** Scripts of agents for which no agent could ask. */
const unasked = (of: PuppetUpgrade): readonly string[] => {
  if (!isWanted(of, 'agents')) return [];
  const nodes = of.nodes.map(({ node }) => node);
  const urls = agentSelectors(of).map((selector) => scriptUrl(agentHost(of.config, nodes, selector), 'install.bash'));
  return [...new Set(urls)].filter((url) => of.scripts.every((asked) => asked.url !== url));
};

/** What a person should know before saying yes. */
export const warnPuppetUpgrade = (of: PuppetUpgrade): readonly string[] => [
  ...of.nodes
    .filter(({ preflight }) => preflight.interrupted !== '')
    .map(({ node, preflight }) => `${node.name}: an upgrade from ${preflight.interrupted} broke off: it is run again`),
  ...(inStage(of.nodes, 'compile-masters').length > instancesPerCommand
    ? [`more than ${instancesPerCommand} compile masters: groups of ${instancesPerCommand} are upgraded side by side`]
    : []),
  ...(agentSelectors(of).some((selector) => selector.loadBalancer === undefined) &&
  of.config.loadBalancer === undefined &&
  inStage(of.nodes, 'compile-masters').length > 0
    ? ['no loadBalancer is configured: agents are upgraded from the master of masters']
    : []),
  // Agents that are not in holdfast.yaml are upgraded by somebody else, who needs them as well.
  ...(agentSelectors(of).length === 0 ? missingModules(of) : []),
  ...unasked(of).map((url) => `no agent answers that could ask for ${url}: whether agents can fetch it is not known`),
];

/** True when master, PuppetDB, console and all that serves them have the version, and no agents are asked for. */
export const isNothingToDo = (of: PuppetUpgrade): boolean => {
  const agentVersion = inStage(of.nodes, 'master')[0]?.inspection.agentVersion;
  return (
    agentSelectors(of).length === 0 &&
    of.request.modules.length === 0 &&
    of.nodes.every(
      ({ node, inspection, preflight }) =>
        preflight.interrupted === '' &&
        inspection.agentVersion === agentVersion &&
        (stageOf(node) === 'hubs' || stageOf(node) === 'spokes' || inspection.version === of.request.version),
    )
  );
};
