import type { Juju } from '#domain/config';
import { CheckFailedError, UnreadableResultError } from '#domain/errors';
import { answersOf } from '#domain/phase';
import { type Command, commandsOn, type Phase, stepSeconds } from '#domain/plan';
import { clientOf, compare, jujuNodes, numbersOf } from './juju.ts';
import { checkJuju, preflightJuju, upgradeJuju } from './juju-documents.ts';
import { type JujuUpgradePhase, jujuUpgradePhases } from './juju-procedures.ts';
import type { UpgradeOf, Upgrading } from './kind.ts';

/** What an upgrade of Juju consists of: the environment or controller, then its models. */

/** Agents fetch their tools and restart; databases may be migrated. */
const agentsSeconds = 7200;

/** Why a version can't follow another one in place, for people; undefined when it can. */
export const jujuVersionFault = (from: string, to: string): string | undefined => {
  const [[major, minor], [nextMajor, nextMinor]] = [numbersOf(from), numbersOf(to)];
  if (compare(from, to) > 0)
    return `${to} is older than ${from}, which is installed: an upgrade never goes back. Restore a backup of ${to} instead`;
  if (major !== nextMajor || (major > 1 && minor !== nextMinor))
    return `${from} cannot be upgraded to ${to} in place: bootstrap a controller of ${to} beside it and migrate the models`;
  return undefined;
};

/** Throws an UnreadableResultError when Juju's dry run gave no answer. */
export const planJujuUpgrade = (config: Juju, of: UpgradeOf): Upgrading => {
  const nodes = jujuNodes(of.nodes);
  const client = clientOf(nodes);
  if (!client) throw new CheckFailedError('No node holds a Juju client. Correct the roles in holdfast.yaml.');
  const preflight = answersOf(of.inspected, preflightJuju)[0]?.answer;
  if (!preflight) throw new UnreadableResultError(`${client.node.name} gave no preflight.`);
  const { version } = of.request;
  const status = client.client.status;
  const found = status?.version ?? '';
  const models = (status?.models ?? []).filter(({ name }) => !/(^|\/)controller$/.test(name));
  const command = commandsOn(client.node);
  const asClient = { Controller: client.client.name, ClientUser: config.user };
  const stage = (Stage: 'controller' | 'models') =>
    command(
      upgradeJuju,
      { ...asClient, Version: version, Stage, SecondsToWait: agentsSeconds },
      { seconds: agentsSeconds + stepSeconds },
    );
  return {
    check: () => {
      if (!status) return ["Juju's API does not answer"];
      const fault = jujuVersionFault(found, version);
      const sick = status.controllers.filter(({ healthy }) => !healthy).map(({ machine }) => machine);
      return [
        ...of.absent.map((what) => `every node must be there: ${what}`),
        ...(fault === undefined ? [] : [fault]),
        ...(sick.length > 0 ? [`the replica set is not healthy: machine ${sick.join(', ')}`] : []),
        ...nodes.flatMap(({ node, inspection }) => inspection.problems.map((problem) => `${node.name}: ${problem}`)),
        // What Juju says of a version that is there already is no reason against it.
        ...(found === version ? [] : preflight.problems),
      ];
    },
    warn: () => [
      ...(status && status.started < status.machines
        ? [
            `${status.machines - status.started} of ${status.machines} machines do not report: the upgrade waits for them in vain`,
          ]
        : []),
      `Juju does not go back by itself: the way back is a restore of the backup that is taken first, {"system": "${of.system}", "backup": "…", "allow": ["version"]}`,
    ],
    isNothingToDo: found === version && models.every((model) => model.version === version),
    found: [found, ...models.map((model) => model.version)],
    plan: (): readonly Phase[] => {
      const commands: Readonly<Record<JujuUpgradePhase, Command[]>> = {
        'upgrade-controller': [stage('controller')],
        'upgrade-models': models.length > 0 ? [stage('models')] : [],
        'check-health': [command(checkJuju, { ...asClient, SecondsToWait: 900, Share: 100 })],
      };
      return jujuUpgradePhases.map((name) => ({ name, commands: commands[name] }));
    },
    foresee: () => [],
  };
};
