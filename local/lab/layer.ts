import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { lstat, mkdir, readdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';

import type { PuppetRole } from '#domain/config';
import { createNode, LAB_DIRECTORY, type LabNode, type LabNodeOptions, ownAddress } from './node.ts';
import { pe32 } from './pe32/product.ts';
import type { PuppetProduct } from './product.ts';

const LAYERS = join(LAB_DIRECTORY, 'layers');

/** What the master's layer keeps for the other nodes: it lies beside the layer, and the running master does not have it. */
const CERTIFICATES = 'var/lib/lab-certificates';

/** A host of a system. */
export interface PuppetHost {
  readonly hostname: string;
  readonly roles: readonly PuppetRole[];
  /** An own loopback address such as 127.10.0.11. */
  readonly address: string;
}

export interface PuppetNodeOptions extends Omit<LabNodeOptions, 'hostname' | 'hosts'> {
  /** Default: Puppet Enterprise 3.2. */
  readonly product?: PuppetProduct;
  /** Every host of the system. Default: the node alone, as a monolithic master. */
  readonly system?: readonly PuppetHost[];
  /** Which of them the node is. Default: the first. */
  readonly hostname?: string;
}

/** Makes a node of Puppet Enterprise from the cached layer of its host, powered on and with no service running yet. */
export const createPuppetNode = async ({
  product = pe32,
  system,
  hostname,
  ...options
}: PuppetNodeOptions): Promise<LabNode> => {
  const hosts = system ?? [
    { hostname: 'master.pe.example.com', roles: ['master', 'puppetdb', 'console'], address: options.address },
  ];
  const host = hostname === undefined ? hosts[0] : hosts.find((candidate) => candidate.hostname === hostname);
  if (!host) throw new Error(`the system has no host ${hostname}`);
  return createNode({
    ...options,
    hostname: host.hostname,
    hosts: namesOf(hosts.map((other) => (other === host ? { ...host, address: options.address } : other))),
    layers: [...(options.layers ?? []), await puppetLayer(product, host.hostname, hosts)],
  });
};

/** Starts services in the given order; fails when one does not run afterwards. */
export const startServices = async (node: LabNode, services: readonly string[]): Promise<void> => {
  // The exit code of the start proves nothing: the dashboard's workers always report a failure.
  const { code, stdout, stderr } = await node.exec(
    `for service in ${services.join(' ')}; do
       service "$service" start
       service "$service" status || exit 1
     done`,
    { timeoutSeconds: 240 },
  );
  if (code !== 0) throw new Error(`${node.hostname}: ${stdout}${stderr}`);
};

const withRole = (hosts: readonly PuppetHost[], role: PuppetRole): readonly PuppetHost[] =>
  hosts.filter(({ roles }) => roles.includes(role));

/** The load balancer of a system with compile masters; in the lab it is the first of them. */
const LOADBALANCER = 'loadbalancer.pe.example.com';

/** The address of every name of a system. */
const namesOf = (hosts: readonly PuppetHost[]): Readonly<Record<string, string>> => {
  const [compileMaster] = withRole(hosts, 'compile-master');
  return {
    ...Object.fromEntries(hosts.map(({ hostname, address }) => [hostname, address])),
    ...(compileMaster && { [LOADBALANCER]: compileMaster.address }),
  };
};

/** What the topic scripts are told; a host's address is none of a layer's business. */
const environmentOf = ({ roles }: PuppetHost, hosts: readonly PuppetHost[], authority: string) => {
  const named = (role: PuppetRole): string[] => withRole(hosts, role).map(({ hostname }) => hostname);
  const compileMasters = named('compile-master');
  return {
    ROLES: roles.join(' '),
    MASTER: named('master')[0] ?? '',
    PUPPETDB: named('puppetdb')[0] ?? '',
    CONSOLE: named('console')[0] ?? '',
    NODES: hosts.map(({ hostname }) => hostname).join(' '),
    COMPILE_MASTERS: compileMasters.join(' '),
    HUBS: named('activemq-hub').join(' '),
    SPOKES: named('activemq-spoke').join(' '),
    AGENTS: named('agent').join(' '),
    LOADBALANCER: compileMasters.length > 0 ? LOADBALANCER : '',
    AUTHORITY: authority,
  };
};

/**
 * The read-only layer of an installed host with its services stopped. Built when the product's files, the host's users or the
 * shape of the system have changed. All layers of a system lie in one directory, since they have one authority.
 */
const puppetLayer = async (product: PuppetProduct, hostname: string, hosts: readonly PuppetHost[]): Promise<string> => {
  const directory = join(LAYERS, `${product.name}-${await fingerprint(product, hosts)}`);
  const layer = join(directory, hostname);
  if (await exists(layer)) return layer;
  await mkdir(directory, { recursive: true });
  const unlock = await lock(`${layer}.lock`);
  try {
    if (!(await exists(layer))) await build(product, hostname, hosts, layer);
  } finally {
    unlock();
  }
  return layer;
};

const authorityOf = (layer: string): string => `${layer}.authority`;

/** Layers may be built side by side, by several processes too. */
let builds = 0;

const build = async (
  product: PuppetProduct,
  hostname: string,
  hosts: readonly PuppetHost[],
  layer: string,
): Promise<void> => {
  const host = hosts.find((candidate) => candidate.hostname === hostname);
  const [master] = withRole(hosts, 'master');
  if (!host || !master) throw new Error(`${hostname} belongs to no system with a master`);
  const authority = host === master ? '' : authorityOf(await puppetLayer(product, master.hostname, hosts));
  builds += 1;
  const node = await createNode({
    name: `build-${product.name}-${builds}`,
    instanceId: 'i-00000000000000000',
    hostname,
    // Beyond those of the nodes.
    address: ownAddress(200 + (builds % 55)),
  });
  try {
    const environment = Object.entries(environmentOf(host, hosts, authority)).map(
      ([name, value]) => `${name}='${value}'`,
    );
    for (const topic of ['users', 'files', 'certificates', 'databases']) {
      const { code, stdout, stderr } = await node.exec(
        `env ${environment.join(' ')} bash '${product.directory}/${topic}.sh'`,
        { timeoutSeconds: 240 },
      );
      if (code !== 0) throw new Error(`${hostname}: ${topic}.sh: exit ${code}\n${stdout}${stderr}`);
    }
    // A killed build leaves at most these, which the next one replaces.
    const partial = `${layer}.partial`;
    for (const left of [partial, authorityOf(layer)]) await rm(left, { recursive: true, force: true });
    await promisify(execFile)('cp', ['-a', node.writableLayer, partial]);
    if (await exists(join(partial, CERTIFICATES))) await setAside(partial, layer);
    await rename(partial, layer);
  } finally {
    await node.destroy();
  }
};

/** Moves the certificates of the other nodes out of a master's layer, to where the rest of the layer can be seen too. */
const setAside = async (partial: string, layer: string): Promise<void> => {
  const authority = authorityOf(layer);
  await mkdir(join(authority, CERTIFICATES, '..'), { recursive: true });
  await rename(join(partial, CERTIFICATES), join(authority, CERTIFICATES));
  for (const name of await readdir(partial)) {
    if (name !== 'var') await symlink(join(layer, name), join(authority, name));
  }
};

/** A layer holds a copy of the host's users, so it depends on them as well as on the product's files and on this one. */
const fingerprint = async (product: PuppetProduct, hosts: readonly PuppetHost[]): Promise<string> => {
  const hash = createHash('sha256');
  const entries = await readdir(product.directory, { recursive: true, withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1))) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) continue;
    hash.update(`${relative(product.directory, path)}\0${(await lstat(path)).mode}\0`);
    hash.update(entry.isSymbolicLink() ? await readlink(path) : await readFile(path));
  }
  for (const path of [import.meta.filename, '/etc/passwd', '/etc/group']) hash.update(await readFile(path));
  hash.update(JSON.stringify(hosts.map(({ hostname, roles }) => [hostname, roles])));
  return hash.digest('hex').slice(0, 16);
};

/** Takes the lock of a file for as long as this process lives, at most until the returned function is called. */
const lock = async (file: string): Promise<() => void> => {
  const holder = spawn('flock', [file, 'sh', '-c', 'echo locked; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  return () => holder.stdin.end();
};

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
