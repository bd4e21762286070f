import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Config, type Juju, type PuppetEnterprise, type PuppetRole, puppetRoles } from '#domain/config';
import { parseConfig } from '#domain/config-file';
import { tagKeys } from '#domain/naming';
import type { JujuEra } from '../lab/juju/node.ts';
import { createJuju, type JujuLab } from '../lab/juju/nodes.ts';
import { createPuppetNode, type PuppetHost, startServices } from '../lab/layer.ts';
import { LAB_DIRECTORY, type LabNode, ownAddress, writeAwsConfig } from '../lab/node.ts';
import { pe32 } from '../lab/pe32/product.ts';
import { type PuppetProduct, servicesOf } from '../lab/product.ts';
import { account, type Runtime, type RuntimeOptions, region, startRuntime } from './index.ts';
import type { NodeAccount } from './node-policy.ts';

/** A lab: the local runtime with nodes that it can back up. */
export interface Lab {
  readonly runtime: Runtime;
  readonly config: Config;
  /** The nodes of each system by their short host names, in the order of the configuration. */
  readonly nodes: Readonly<Record<string, Readonly<Record<string, LabNode>>>>;
  /** The systems of Juju: their clouds make and lose nodes. */
  readonly juju: Readonly<Record<string, JujuLab>>;
  /** What each system of Puppet is made of: enough to make another node of it. */
  readonly systems: Readonly<Record<string, LabSystem>>;
  /** Gives a node the instance profile of a system's nodes. */
  connect(node: LabNode, system: string): Promise<void>;
  close(): Promise<void>;
}

export interface LabSystem {
  readonly product: PuppetProduct;
  readonly hosts: readonly PuppetHost[];
}

export interface LabOptions
  extends Partial<
    Pick<RuntimeOptions, 'judge' | 'disturb' | 'port' | 'clock' | 'onStatusChange' | 'pollMilliseconds'>
  > {
  /** The text of a holdfast.yaml. Each node that it selects is made. */
  readonly configuration: string;
  /** What is installed on a system, by its id. Default: Puppet Enterprise 3.2, Juju 3.6. */
  readonly products?: Readonly<Record<string, 'pe32' | 'pe2016'>>;
  readonly eras?: Readonly<Record<string, JujuEra>>;
  /** Machines of a system of Juju beside its state servers. Default: one. */
  readonly machines?: number;
  /** How many nodes carry a tag, by its value. Default: one. */
  readonly counts?: Readonly<Record<string, number>>;
  readonly onProgress?: (what: string) => void;
}

/** A node's name tells the first of its roles, in their usual order. */
const names = {
  master: 'master',
  puppetdb: 'puppetdb',
  console: 'console',
  'compile-master': 'compile',
  'activemq-hub': 'hub',
  'activemq-spoke': 'spoke',
  agent: 'agent',
} as const satisfies Record<PuppetRole, string>;

/** There is one of each, so that it needs no number. */
const coreRoles: readonly PuppetRole[] = ['master', 'puppetdb', 'console'];

interface Place extends PuppetHost {
  readonly shortName: string;
  readonly instanceId: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** The nodes that a system's selectors mean. `number` gives each node of the lab one of its own, from which address and id are made. */
const placesOf = (
  id: string,
  system: PuppetEnterprise,
  counts: Readonly<Record<string, number>>,
  number: () => number,
): readonly Place[] => {
  const seen = new Map<PuppetRole, number>();
  return system.nodes.flatMap((selector) =>
    Array.from({ length: 'tag' in selector ? (counts[selector.tag.value] ?? 1) : 1 }, () => {
      const role = puppetRoles.find((candidate) => selector.roles.includes(candidate)) ?? 'agent';
      const ordinal = (seen.get(role) ?? 0) + 1;
      seen.set(role, ordinal);
      const shortName = `${names[role]}${coreRoles.includes(role) && ordinal === 1 ? '' : ordinal}`;
      const suffix = number();
      return {
        shortName,
        hostname: `${shortName}.pe.example.com`,
        roles: selector.roles,
        address: ownAddress(suffix),
        instanceId: 'instance' in selector ? selector.instance : `i-0fedcba${String(suffix).padStart(10, '0')}`,
        tags: { [tagKeys.system]: id, ...('tag' in selector && { [selector.tag.key]: selector.tag.value }) },
      };
    }),
  );
};

/** Starts what runs on the nodes of a system: PostgreSQL's first, then the other core nodes, then all others side by side. */
const startSystem = async ({ product, hosts }: LabSystem, nodes: Readonly<Record<string, LabNode>>): Promise<void> => {
  const start = async ({ hostname, roles }: PuppetHost): Promise<void> => {
    const node = Object.values(nodes).find((candidate) => candidate.hostname === hostname);
    if (node) await startServices(node, servicesOf(product, roles));
  };
  const core = new Set(
    ['puppetdb', 'master', 'console'].flatMap((role) => hosts.filter(({ roles }) => roles.some((one) => one === role))),
  );
  for (const host of core) await start(host);
  await Promise.all(hosts.filter((host) => !core.has(host)).map(start));
};

/** Nodes that come later: machines of Juju, spare ones. */
const laterNodes = 60;

/** Accounts for as many nodes as there may be: the S3 server learns them when it starts, and each node gets one of its own. */
const createAccounts = (size: number) => {
  const all = Array.from({ length: size }, (_, index): NodeAccount & { system: string; instanceArn?: string } => ({
    system: '',
    accessKeyId: `NODE${index + 1001}`,
    secretAccessKey: randomBytes(24).toString('base64url'),
  }));
  let given = 0;
  return {
    all,
    give: (system: string, instanceId: string): NodeAccount => {
      const one = all[given++];
      if (!one) throw new Error(`the lab has accounts for ${size} nodes`);
      one.system = system;
      one.instanceArn = `arn:aws:ec2:${region}:${account}:instance/${instanceId}`;
      return one;
    },
  };
};

/** The client and the state servers that the configuration names; each further machine is as Juju makes it. */
const jujuOptions = (id: string, system: Juju) => {
  const servers = system.nodes.filter(({ roles }) => roles.includes('juju-controller'));
  const idsOf = (selectors: Juju['nodes']): string[] =>
    selectors.flatMap((selector) => ('instance' in selector ? [selector.instance] : []));
  const [client] = idsOf(system.nodes.filter(({ roles }) => roles.includes('juju-client')));
  return {
    ...(system.controller !== undefined && { name: system.controller }),
    controllers: servers.length === 3 ? (3 as const) : (1 as const),
    network: `127.${211 + ((process.pid >> 8) % 40)}.${process.pid % 256}`,
    tags: { [tagKeys.system]: id },
    instanceIds: {
      ...(client !== undefined && { client }),
      ...Object.fromEntries(idsOf(servers).map((instanceId, machine) => [String(machine), instanceId])),
    },
  };
};

/** Starts a lab; it lives until it is closed, or until this process ends. */
export const startLab = async ({
  configuration,
  products = {},
  eras = {},
  machines = 1,
  counts = {},
  onProgress = () => undefined,
  ...options
}: LabOptions): Promise<Lab> => {
  const config = parseConfig(configuration);
  const directory = join(LAB_DIRECTORY, 'runtime', String(process.pid));
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  let numbered = 10;
  const layouts = await Promise.all(
    Object.entries(config.systems).flatMap(([id, system]) =>
      system.kind === 'puppet-enterprise'
        ? [
            (async () => ({
              id,
              places: placesOf(id, system, counts, () => ++numbered),
              product: products[id] === 'pe2016' ? (await import('../lab/pe2016/product.ts')).pe2016 : pe32,
            }))(),
          ]
        : [],
    ),
  );
  const jujus = Object.entries(config.systems).flatMap(([id, system]) =>
    system.kind === 'juju' ? [{ id, system }] : [],
  );
  const accounts = createAccounts(layouts.reduce((sum, { places }) => sum + places.length, laterNodes));
  const juju: Record<string, JujuLab> = {};
  const nodes: Record<string, Record<string, LabNode>> = Object.fromEntries(layouts.map(({ id }) => [id, {}]));
  const ofPuppet = (): LabNode[] => Object.values(nodes).flatMap((of) => Object.values(of));
  const clouds = () => Object.values(juju).map(({ cloud }) => cloud);
  onProgress('starting S3, Run Command and Step Functions');
  const runtime = await startRuntime({
    ...options,
    config,
    directory,
    instances: () => [...ofPuppet(), ...clouds().flatMap(({ managed }) => managed)],
    accounts: accounts.all,
    cloud: () => clouds().map(({ address }) => `http://${address}`)[0],
  });
  const close = async (): Promise<void> => {
    await runtime.close();
    await Promise.all(Object.values(juju).map((one) => one.destroy()));
    await Promise.all(ofPuppet().map((node) => node.destroy()));
    await rm(directory, { recursive: true, force: true });
  };
  const connect = (node: LabNode, system: string): Promise<void> =>
    writeAwsConfig(node, { endpointUrl: runtime.url, region, ...accounts.give(system, node.instanceId) });
  try {
    for (const { id, places, product } of layouts) {
      const of = nodes[id] ?? {};
      onProgress(
        `starting Puppet Enterprise ${product.version} of ${id}: ${places.map(({ shortName }) => shortName).join(', ')}`,
      );
      const made = await Promise.allSettled(
        places.map(({ shortName, hostname, address, instanceId, tags }) =>
          createPuppetNode({
            name: `${process.pid}-${id}-${shortName}`,
            ...{ product, system: places, hostname, address, instanceId, tags },
          }),
        ),
      );
      for (const [index, { shortName }] of places.entries()) {
        const result = made[index];
        if (result?.status === 'fulfilled') of[shortName] = result.value;
      }
      for (const result of made) if (result.status === 'rejected') throw result.reason;
      for (const node of Object.values(of)) {
        node.online = false;
        await connect(node, id);
      }
      await startSystem({ product, hosts: places }, of);
      for (const node of Object.values(of)) node.online = true;
    }
    for (const { id, system } of jujus) {
      onProgress(`starting Juju ${eras[id] ?? '3.6'} of ${id}`);
      juju[id] = await createJuju({
        ...jujuOptions(id, system),
        era: eras[id] ?? '3.6',
        machines,
        onManaged: (node) => connect(node, id),
      });
    }
  } catch (error) {
    await close();
    throw error;
  }
  const systems = Object.fromEntries(layouts.map(({ id, product, places }) => [id, { product, hosts: places }]));
  return { runtime, config, nodes, juju, systems, connect, close };
};
