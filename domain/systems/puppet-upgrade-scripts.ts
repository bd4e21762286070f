import type { PuppetEnterprise } from '#domain/config';
import type { UpgradeRequest } from '#domain/payloads';
import { type Command, command, commandsOn, forNodes, type PlannedNode } from '#domain/plan';
import { askScript } from './puppet-documents.ts';
import { isWanted, stageOf } from './puppet-upgrade-scope.ts';

/** The scripts by which nodes beyond master, PuppetDB and console are upgraded: where each lies, and who asks for it before. */

type Hosts = Pick<PuppetEnterprise, 'masterHost' | 'loadBalancer'>;

/** Nodes that their selector may put behind a load balancer of their own. */
interface Served {
  readonly loadBalancer?: string | undefined;
}

/** Returns the URL of a script on a host. */
export const scriptUrl = (host: string, script: 'upgrade.bash' | 'install.bash'): string =>
  `https://${host}:8140/packages/current/${script}`;

/** The master of masters by its host name: a certname need not lead anywhere. A name that two nodes have is followed by an id. */
const masterHost = ({ masterHost: configured }: Hosts, nodes: readonly PlannedNode[]): string =>
  configured ?? nodes.find(({ roles }) => roles.includes('master'))?.name.split(' ')[0] ?? '';

/** Returns the host from which agents get their script. */
export const agentHost = (config: Hosts, nodes: readonly PlannedNode[], { loadBalancer }: Served): string =>
  loadBalancer ?? config.loadBalancer ?? masterHost(config, nodes);

/** Returns the ids of compile masters, hubs or spokes by the host from which they get their script, in their order. */
export const byHost = (
  config: Hosts,
  nodes: readonly PlannedNode[],
  some: readonly PlannedNode[],
): readonly (readonly [string, readonly string[]])[] => {
  const hosts = new Map<string, readonly string[]>();
  for (const { loadBalancer, instanceId } of some) {
    const host = loadBalancer ?? masterHost(config, nodes);
    hosts.set(host, [...(hosts.get(host) ?? []), instanceId]);
  }
  return Array.from(hosts);
};

/** A script is fetched within 300 s, or not at all. */
const askSeconds = 400;

/** Commands that ask for its script from every node that is upgraded by one, and from one agent of each selector. */
export const askForScripts = (
  request: UpgradeRequest,
  config: Hosts,
  nodes: readonly PlannedNode[],
  sampled: readonly PlannedNode[],
): readonly Command[] => {
  // A plan is made without a master, too, and tells that.
  if (masterHost(config, nodes) === '') return [];
  const ask = (host: string, script: 'upgrade.bash' | 'install.bash') =>
    [askScript, { Url: scriptUrl(host, script) }, { what: host, seconds: askSeconds }] as const;
  const asking = nodes.filter((node) => {
    const stage = stageOf(node);
    return (stage === 'compile-masters' || stage === 'hubs' || stage === 'spokes') && isWanted({ request }, stage);
  });
  const samples = sampled.map((node) => {
    const host = agentHost(config, nodes, node);
    // An agent that does not answer keeps nobody from anything.
    return { ...commandsOn(node)(...ask(host, 'install.bash')), optional: true };
  });
  return [
    ...byHost(config, nodes, asking).flatMap(([host, ids]) => forNodes(command(...ask(host, 'upgrade.bash')), ids)),
    ...new Map(samples.map((one) => [one.id, one])).values(),
  ];
};
